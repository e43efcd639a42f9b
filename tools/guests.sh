#!/usr/bin/env bash
# guests.sh [NAME...]: assembles and runs the guests that tests/guests describes, all of them without a NAME.
# --engine jit|interp|lockstep, before the names, runs them on that engine; lockstep fails at the first difference.
# --smoke runs the few that ./test.sh runs.
set -euo pipefail
cd "$(dirname "$0")/.."
[ -x build/release/xlat ] && [ -x build/release/xlat-img ] ||
  { cmake --preset release && cmake --build --preset release --target xlat xlat-img; } >&2
exec python3 tools/guests.py "$@"
