#!/usr/bin/env bash
# fuzz.sh [TARGET|all] [SECONDS]: builds the libFuzzer targets of tests/fuzz with Clang and runs one, or each, for so long
# (default: all, 60 seconds). What they learn is kept in ${XDG_CACHE_HOME:-~/.cache}/xlat/fuzz, where findings are left,
# too. Fails if there is a finding.
set -euo pipefail
cd "$(dirname "$0")/.."
. tools/lib/progress.sh

targets=(code gdb images kernels net options scsi snapshot vnc web)
[ "${1:-all}" = all ] || targets=("$1")
seconds=${2:-60}
root=${XDG_CACHE_HOME:-$HOME/.cache}/xlat/fuzz

tools/install-deps.sh --fuzz
build fuzz --target "${targets[@]/#/fuzz_}"
failed=0
for target in "${targets[@]}"; do
  corpus=$root/$target
  mkdir -p "$corpus" "$root/findings"
  seeds=tests/fuzz/seeds/$target
  [ -d "$seeds" ] || seeds=
  say "fuzzing $target for $seconds seconds"
  # An input that takes longer than 20 seconds, or more than 2 GiB, is a finding as well.
  if ! build/fuzz/fuzz_"$target" -max_total_time="$seconds" -timeout=20 -rss_limit_mb=2048 -use_value_profile=1 \
    -print_final_stats=1 -verbosity=0 -artifact_prefix="$root/findings/$target-" "$corpus" $seeds 2>"$root/$target.log"; then
    failed=1
    grep -E "^found:|ERROR|SUMMARY|runtime error|Test unit written" "$root/$target.log" || tail -5 "$root/$target.log"
  fi
  grep -E "number_of_executed_units|new_units_added" "$root/$target.log" || true
done
exit $failed
