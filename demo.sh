#!/usr/bin/env bash
# Boots Debian's own 32-bit kernel with a busybox shell on this terminal. With --check it needs no terminal: it boots, runs
# a few commands in the guest, powers off, and succeeds only if the guest printed what it should.
set -euo pipefail
cd "$(dirname "$0")"
. tools/lib/progress.sh

tools/install-deps.sh
build release --target xlat
tools/assemble-guest.sh linux-686
if [ "${1:-}" = --check ]; then
  say "booting the guest and looking at what it answers"
  exec tools/guests.sh linux-686
fi
guest=${XDG_CACHE_HOME:-$HOME/.cache}/xlat/guests/linux-686
say "booting Linux, which takes some seconds; Ctrl-A x ends xlat, 'poweroff -f' the guest"
exec build/release/xlat -m 256 -nographic -kernel "$guest/vmlinuz" -initrd "$guest/initrd.gz" -append "console=ttyS0"
