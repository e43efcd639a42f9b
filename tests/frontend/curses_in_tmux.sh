#!/usr/bin/env bash
# Uses -display curses as a person does: in a real terminal (tmux), with GRUB's rescue CD as the guest.
set -euo pipefail
cd "$(dirname "$0")/../.."
if ! command -v tmux >/dev/null; then
  echo "skipped: -display curses in a terminal, as there is no tmux"
  exit 0
fi
tools/assemble-guest.sh grub-rescue
image=${XDG_CACHE_HOME:-$HOME/.cache}/xlat/guests/grub-rescue/grub-rescue-cdrom.iso

export LC_ALL=C.UTF-8
server=xlat-test-$$
tm() { tmux -L "$server" "$@"; }
trap 'tm kill-server 2>/dev/null || true' EXIT
screen() { tm capture-pane -p -t x; }
fail() {
  echo "curses in tmux: $*; the terminal shows:" >&2
  screen >&2
  exit 1
}
# expect PATTERN [TMUX-KEYS...]: the keys are typed first.
expect() {
  local pattern=$1
  shift
  [ $# -eq 0 ] || tm send-keys -t x "$@"
  for _ in $(seq 600); do
    if screen | grep -q -e "$pattern"; then return; fi
    sleep 0.1
  done
  fail "no '$pattern'"
}

# The same for what shows with colours: PATTERN MESSAGE.
expect_styled() {
  for _ in $(seq 300); do
    if tm capture-pane -p -e -t x | grep -q -e "$1"; then return; fi
    sleep 0.1
  done
  fail "$2"
}

tm -f /dev/null -u new-session -d -s x -x 100 -y 30 \
  "stty sane; build/release/xlat -m 64 -display curses -boot d -cdrom '$image'; echo \"status \$?\"; stty -a; sleep 60"
expect 'GNU GRUB'
expect '┌─────'                                # CP437's line graphics
expect_styled '30m.*47m.*GNU/Linux' "no reverse bar"
tm send-keys -t x Down
expect_styled '30m.*47m.*Hurd' "the cursor key did not arrive"
expect 'grub>' c
expect '^ *A"b~c|' "echo 'A\"b~c|'" Enter
expect '(xlat)' M-2
expect 'VM status: running' "info sta" Tab Enter
expect 'sendkey ctrl-alt-delete' "sendkey ctrl-alt-dele" Tab
tm send-keys -t x C-u
tm send-keys -t x M-3                          # COM1, which GRUB does not use
for _ in $(seq 50); do
  if ! screen | grep -q '[^ ]'; then break; fi
  sleep 0.1
done
if screen | grep -q '[^ ]'; then fail "the serial console is not empty"; fi
tm resize-window -t x -x 50 -y 12
expect 'grub>' Escape 1                        # as large as before, panned to the cursor
tm resize-window -t x -x 100 -y 30
expect 'GNU GRUB'
expect '(xlat)' M-2
expect 'status 0' "quit" Enter
expect ' icanon'
expect ' echo '
echo "-display curses in tmux: passed"
