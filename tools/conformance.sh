#!/usr/bin/env bash
# conformance.sh DIR: builds what it needs and runs every captured case in DIR (format: tests/conformance/moo.h).
# Prints a line for each failing file and closes with `N passed, N failed`. Further arguments go to the runner:
# --engine jit (every block translated), --sample N (cases a file), --verbose (every failure).
set -euo pipefail
root=$(cd "$(dirname "$0")/.." && pwd)
dir=${1:?usage: conformance.sh DIR [--engine interp|jit] [--sample N] [--verbose]}
shift
[ -f "$root/build/release/build.ninja" ] || (cd "$root" && cmake --preset release) >&2
cmake --build "$root/build/release" --target xlat_conformance -- --quiet >&2
exec "$root/build/release/xlat_conformance" "$dir" --list "$root/tests/conformance/sst-80286.txt" "$@"
