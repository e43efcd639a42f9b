#!/usr/bin/env bash
# Uses -display web as a person does: in Chromium, by the link that xlat prints. A key that is typed into the page must
# reach the guest, and the page must show the screen.
set -euo pipefail
cd "$(dirname "$0")/../.."
skip() {
  echo "skipped: -display web in a browser, as there is no $1; tools/install-deps.sh --displays"
  exit 0
}
[ -f /usr/share/novnc/vnc.html ] || skip noVNC
for tool in chromium nasm python3; do
  command -v $tool >/dev/null || skip $tool
done
work=$(mktemp -d)
xlat=
trap '[ -z "$xlat" ] || kill $xlat 2>/dev/null || true; wait; rm -rf "$work"' EXIT
nasm -f bin -o "$work/boot" tests/frontend/face/echo.asm
truncate -s 1440K "$work/boot"
port=$(python3 -c 'import socket; s = socket.socket(); s.bind(("127.0.0.1", 0)); print(s.getsockname()[1])')
build/release/xlat -m 16 -boot a -drive file="$work/boot",format=raw,if=floppy,snapshot=on -serial file:"$work/serial" \
  -display web="$port" >"$work/out" &
xlat=$!
for _ in $(seq 100); do
  link=$(sed -n 's/.* is at //p' "$work/out")
  [ -z "$link" ] || break
  sleep 0.1
done
sleep 2 # the firmware
python3 tests/frontend/face/browse.py "$link" "$work/serial" "${XLAT_KEEP:-$work}/page.png"
echo "-display web in a browser: passed"
