#!/usr/bin/env bash
# Dependencies, build, all tests: unit tests in release and under sanitizers, captured cases where they are at hand, guests.
set -euo pipefail
cd "$(dirname "$0")"

tools/install-deps.sh
cmake --preset release
cmake --build --preset release
ctest --preset release

cmake --preset asan
cmake --build --preset asan
XLAT_FUZZ_SECONDS=${FUZZ_SECONDS:-0} ctest --preset asan  # the JIT fuzzer goes on for so long at least

captures=../shared/conformance/sst-80286/v1_real_mode
if [ -d "$captures" ]; then
  tools/conformance.sh "$captures" --sample 40
  tools/conformance.sh "$captures" --sample 2 --engine jit
else
  echo "skipped: no captured cases in $captures"
fi

tools/guests.sh --smoke
tests/frontend/curses_in_tmux.sh
tests/frontend/gdb_session.sh
