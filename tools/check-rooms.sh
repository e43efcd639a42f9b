#!/usr/bin/env bash
# Fails when a file includes a header of a room it may not see (docs/architecture.md).
set -euo pipefail
cd "$(dirname "$0")/.."

declare -A sees=(
  [base]="base"
  [block]="block base"
  [img]="img block base"
  [mmu]="mmu base"
  [cpu]="cpu mmu base"
  [jit]="jit cpu mmu base"
  [devices]="devices block mmu base"
  [firmware]="firmware devices block mmu base"
  [machine]="machine firmware devices jit cpu block mmu base"
  [frontend]="frontend machine firmware devices jit cpu block mmu base"
)
rooms=" ${!sees[*]} "
wrong=0
for room in "${!sees[@]}"; do
  while IFS=: read -r file line include; do
    seen=$(sed -E 's/.*"([a-z0-9_]+)\/.*/\1/' <<<"$include")
    [[ $rooms == *" $seen "* ]] || continue
    if [[ " ${sees[$room]} " != *" $seen "* ]]; then
      echo "$file:$line: room '$room' may not include '$seen/' (it sees: ${sees[$room]})"
      wrong=1
    fi
  done < <(grep -rnE '^#include "[a-z0-9_]+/' "$room" --include='*.h' --include='*.cpp' --include='*.inc' || true)
done
exit $wrong
