#!/usr/bin/env bash
# Dependencies, build, all tests. The README's test command.
set -euo pipefail
cd "$(dirname "$0")"
tools/install-deps.sh
cmake --preset release
cmake --build --preset release
ctest --preset release
