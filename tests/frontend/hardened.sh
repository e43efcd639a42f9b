#!/usr/bin/env bash
# hardened.sh BINARY: whether a release build of xlat has what cmake/hardening.cmake asks for.
set -euo pipefail
binary=${1:?which binary}

failed=0
# has WHAT PATTERN: a line of standard input matches.
has() {
  local text
  text=$(cat)
  grep -qE "$2" <<<"$text" && return 0
  echo "$binary: no $1" >&2
  failed=1
}
# lacks WHAT PATTERN: no line does.
lacks() {
  local text
  text=$(cat)
  grep -qE "$2" <<<"$text" || return 0
  echo "$binary: $1" >&2
  failed=1
}

readelf -hW "$binary" | has "PIE: not ET_DYN" 'Type: +DYN'
readelf -dW "$binary" | has "PIE flag" 'FLAGS_1.*PIE'
readelf -dW "$binary" | has "BIND_NOW" 'BIND_NOW|FLAGS_1.*NOW'
readelf -lW "$binary" | has "RELRO" 'GNU_RELRO'
readelf -lW "$binary" | has "stack that is not executable" 'GNU_STACK.* RW +0x'
readelf -lW "$binary" | lacks "a segment is writable and executable" 'LOAD.* RWE '
readelf -dW "$binary" | lacks "text relocations" 'TEXTREL'
# A static library of the host's may have been built with these; so looked at is what is certainly ours: main, and the
# fprintf of ASSERT.
readelf -sW "$binary" | has "fortified call of fprintf" '__fprintf_chk(@|$)'
main=$(objdump -d --no-show-raw-insn --disassemble=main "$binary")
has "stack protector in main" '__stack_chk_fail' <<<"$main"
[ "$(uname -m)" != x86_64 ] || has "landing pad at main (-fcf-protection)" 'endbr64' <<<"$main"
exit $failed
