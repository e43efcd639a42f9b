#!/usr/bin/env bash
# Uses -display sdl as a person does: a real X server, window manager, keyboard, mouse and clipboard. The window must show
# the very pixels that screendump saves.
set -euo pipefail
cd "$(dirname "$0")/../.."
for tool in Xvfb xdotool xwd xclip openbox wmctrl nasm python3; do
  if ! command -v $tool >/dev/null; then
    echo "skipped: -display sdl in a window, as there is no $tool; tools/install-deps.sh --displays"
    exit 0
  fi
done
here=tests/frontend/face
work=$(mktemp -d)
pids=()
trap 'kill "${pids[@]}" 2>/dev/null || true; wait; rm -rf "$work"' EXIT
fail() {
  echo "window: $*" >&2
  cat "$work/err" >&2 || true
  [ -z "${XLAT_KEEP:-}" ] || cp "$work"/*.xwd "$XLAT_KEEP" || true
  exit 1
}

exec 3>"$work/display"
Xvfb -displayfd 3 -screen 0 1600x1000x24 2>/dev/null &
pids+=($!)
until [ -s "$work/display" ]; do sleep 0.05; done
DISPLAY=:$(cat "$work/display")
export DISPLAY
unset WAYLAND_DISPLAY
openbox >/dev/null 2>&1 &
pids+=($!)

nasm -f bin -o "$work/boot" $here/echo.asm
truncate -s 1440K "$work/boot"
# until SECONDS COMMAND...: tries it until it succeeds.
until_true() {
  local tries=$(($1 * 10))
  shift
  for _ in $(seq $tries); do
    if "$@"; then return; fi
    sleep 0.1
  done
  fail "does not come true: $*"
}
until_true 20 eval 'wmctrl -m >/dev/null 2>&1'
start() {
  : >"$work/serial"
  build/release/xlat -m 16 -boot a -drive file="$work/boot",format=raw,if=floppy,snapshot=on "$@" 2>"$work/err" &
  xlat=$!
  pids+=($xlat)
  until_true 20 found
  xdotool windowactivate --sync "$window"
}
found() {
  window=$(xdotool search --onlyvisible --name '^xlat' 2>/dev/null | head -1)
  [ -n "$window" ]
}
monitor() { python3 $here/hmp.py "$work/monitor" "$1"; }
typed() { [ "$(cat "$work/serial")" = "$1" ]; }
named() { [[ $(xdotool getwindowname "$window") == "$1" ]]; }
sized() { [[ $(xdotool getwindowgeometry "$window") == *"Geometry: $1"* ]]; }
ended() { ! kill -0 $xlat 2>/dev/null; }
look() { xwd -silent -id "$window" -out "$work/$1.xwd"; }
shows_screen() {
  monitor "screendump $work/screen.ppm" >/dev/null
  look now && python3 $here/picture.py "$work/now.xwd" "$work/screen.ppm" 2>"$work/difference"
}
expect_screen() { until_true 5 shows_screen || fail "$1: $(cat "$work/difference")"; }

start -name bench -display sdl -serial file:"$work/serial" -monitor unix:"$work/monitor",server,nowait
named 'xlat (bench)' || fail "the title is $(xdotool getwindowname "$window")"
until_true 20 eval 'xdotool key asterisk; sleep 0.3; [ -s "$work/serial" ]'
sleep 0.5
before=$(cat "$work/serial")
xdotool type --delay 30 'Hello, World ~|"'
until_true 10 typed "$before"'Hello, World ~|"'
sized 720x400 || fail "$(xdotool getwindowgeometry "$window")"
expect_screen "text"
xdotool key shift+g
until_true 5 sized 640x400
expect_screen "graphics"
xdotool key ctrl+alt+equal
until_true 5 sized 1280x800
expect_screen "twice as large"
xdotool key ctrl+alt+f
until_true 5 sized 1600x1000
expect_screen "full screen"
xdotool key ctrl+alt+f
until_true 5 sized 1280x800
xdotool key ctrl+alt+u
until_true 5 sized 640x400
xdotool windowsize "$window" 900 700
until_true 5 sized 900x700
expect_screen "a size of the user's"
xdotool key shift+t
expect_screen "text in it"
xdotool key ctrl+alt+u
until_true 5 sized 720x400

before=$(cat "$work/serial")
printf 'Pasted: a=1; b="2"' | xclip -selection clipboard -in >/dev/null 2>&1
xdotool key ctrl+alt+v
until_true 10 typed "$before"'Pasted: a=1; b="2"'

# The mouse: a click catches it, the keys let it go, and what was held is released when the window loses the keyboard.
xdotool mousemove --window "$window" 100 100 click 1
until_true 5 named 'xlat (bench) - Press Ctrl-Alt-G to exit grab'
xdotool key ctrl+alt+g
until_true 5 named 'xlat (bench)'
monitor stop >/dev/null
until_true 5 named 'xlat (bench) [Paused]'
monitor cont >/dev/null
until_true 5 named 'xlat (bench)'
wmctrl -i -c "$window"
until_true 10 ended
wait $xlat || fail "status $? after the window was closed"
[ ! -s "$work/err" ] || fail "it said: $(cat "$work/err")"

# Consoles: monitor, COM1 and LPT1, as nothing else was said.
start -display sdl,window-close=off
sleep 2
xdotool key ctrl+alt+2
until_true 5 named 'xlat - monitor'
xdotool type --delay 30 'info status'
sleep 0.5
look console
python3 $here/picture.py "$work/console.xwd" || fail "the monitor's console"
[ -z "${XLAT_KEEP:-}" ] || cp "$work"/*.xwd "$XLAT_KEEP"
xdotool key Return
xdotool key ctrl+alt+4
until_true 5 named 'xlat - parallel0'
xdotool key ctrl+alt+3
until_true 5 named 'xlat - serial0'
wmctrl -i -c "$window"
xdotool key ctrl+alt+1
until_true 5 named xlat
xdotool key ctrl+alt+2
until_true 5 named 'xlat - monitor'
xdotool type --delay 30 quit
xdotool key Return
until_true 10 ended
wait $xlat || fail "status $? after quit in the monitor's console"
if DISPLAY= build/release/xlat -display sdl 2>"$work/err"; then fail "no display server, and no error"; fi
[ "$(wc -l <"$work/err")" = 1 ] || fail "without a display server it says: $(cat "$work/err")"
if DISPLAY=:4999 build/release/xlat -display sdl 2>"$work/err"; then fail "a display server that is not there, and no error"; fi
[ "$(wc -l <"$work/err")" = 1 ] || fail "with a wrong DISPLAY it says: $(cat "$work/err")"
echo "-display sdl in a window: passed"
