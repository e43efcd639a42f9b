#!/usr/bin/env bash
# Dependencies, build, all tests: unit tests in release and under sanitizers, captured cases where they are at hand, guests.
set -euo pipefail
cd "$(dirname "$0")"
. tools/lib/progress.sh

tools/install-deps.sh --displays
build release
say "unit tests, release"
ctest --preset release

build asan
say "unit tests under sanitizers: minutes"
XLAT_FUZZ_SECONDS=${FUZZ_SECONDS:-0} ctest --preset asan  # the JIT fuzzer goes on for so long at least

captures=../shared/conformance/sst-80286/v1_real_mode
if [ -d "$captures" ]; then
  say "captured cases of an 80286"
  tools/conformance.sh "$captures" --sample 40
  tools/conformance.sh "$captures" --sample 2 --engine jit
else
  say "skipped: no captured cases in $captures"
fi

say "guests: boots a few of tests/guests"
tools/guests.sh --smoke
say "saved states of a few guests"
tests/machine/states.sh 8
say "the text display in tmux"
tests/frontend/curses_in_tmux.sh
say "the window under an X server, the page in a browser"
tests/frontend/window.sh
tests/frontend/web.sh
say "GDB drives guests"
tests/frontend/gdb_session.sh
say "all passed"
