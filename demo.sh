#!/usr/bin/env bash
# Boots Debian's own 32-bit kernel with a busybox shell on this terminal. With --check it needs no terminal: it boots, runs
# a few commands in the guest, powers off, and succeeds only if the guest printed what it should.
set -euo pipefail
cd "$(dirname "$0")"

tools/install-deps.sh
[ -f build/release/build.ninja ] || cmake --preset release >/dev/null
cmake --build --preset release --target xlat -- --quiet
if [ "${1:-}" = --check ]; then
  exec tools/guests.sh linux-686
fi
tools/assemble-guest.sh linux-686
guest=${XDG_CACHE_HOME:-$HOME/.cache}/xlat/guests/linux-686
echo "Booting Linux; it takes about a minute. Ctrl-A x ends xlat, 'poweroff -f' the guest."
exec build/release/xlat -m 256 -nographic -kernel "$guest/vmlinuz" -initrd "$guest/initrd.gz" -append "console=ttyS0"
