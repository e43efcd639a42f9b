#!/usr/bin/env bash
# lan.sh [mcast|hub]: eight machines with Debian's kernel on one LAN: members of a multicast group, or seven by TCP at the
# hub of the first. One is killed, somebody floods; the others must go on to reach each other, and stay small.
set -euo pipefail
cd "$(dirname "$0")/../.."
. tools/lib/progress.sh
tools/assemble-guest.sh linux-net >&2
files=${XDG_CACHE_HOME:-$HOME/.cache}/xlat/guests/linux-net
modes=("${1:-mcast}")
[ $# -gt 0 ] || modes=(mcast hub)
machines=8
cards=(e1000 rtl8139 pcnet ne2k_pci)
work=$(mktemp -d)
pids=()
finish() {
  for pid in "${pids[@]}"; do kill "$pid" 2>/dev/null || true; done
  wait 2>/dev/null || true
  rm -rf "$work"
}
trap finish EXIT

# start N NET...: machine N, whose serial line is $work/N.in and $work/N.out.
start() {
  local n=$1
  shift
  mkfifo "$work/$n.in"
  build/release/xlat -m 96 -display none -serial stdio -monitor none -no-reboot -kernel "$files/vmlinuz" \
    -initrd "$files/initrd.gz" -append "console=ttyS0 quiet address=10.1.0.$n commands=1" \
    -device "${cards[$((n % 4))]},netdev=lan,mac=52:54:00:00:00:0$n" "$@" <>"$work/$n.in" >"$work/$n.out" 2>&1 &
  pids[n]=$!
}
# expect N TEXT SECONDS
expect() {
  for ((i = 0; i < $3 * 5; ++i)); do
    grep -aq "$2" "$work/$1.out" && return
    sleep 0.2
  done
  echo "machine $1 did not print '$2':" >&2
  tail -5 "$work/$1.out" >&2
  exit 1
}
run_on() { echo "$2" >"$work/$1.in"; }

lan() {
  local mode=$1 port=$((20000 + RANDOM % 20000)) n
  rm -f "$work"/*
  say "$machines machines on one LAN by $mode"
  if [ "$mode" = mcast ]; then
    for ((n = 1; n <= machines; ++n)); do start $n -netdev "socket,id=lan,mcast=230.0.0.1:$port,localaddr=127.0.0.1"; done
  else
    local sockets=(-netdev hubport,id=lan,hubid=1)
    for ((n = 2; n <= machines; ++n)); do
      sockets+=(-netdev "socket,id=s$n,listen=127.0.0.1:$((port + n))" -netdev "hubport,id=p$n,hubid=1,netdev=s$n")
    done
    start 1 "${sockets[@]}"
    sleep 1
    for ((n = 2; n <= machines; ++n)); do start $n -netdev "socket,id=lan,connect=127.0.0.1:$((port + n))"; done
  fi
  for ((n = 1; n <= machines; ++n)); do expect $n "guest: waits" 180; done
  run_on 2 'ping -c 2 -W 5 10.1.0.8 >/dev/null && echo "guest: all $((40 + 2))"'
  expect 2 "guest: all 42" 30

  say "machine 8 is killed, somebody floods"
  kill -9 "${pids[8]}"
  local flooder=
  if [ "$mode" = mcast ]; then
    python3 tests/frontend/flood.py "$port" &
    flooder=$!
  else
    run_on 7 'arp -s 10.1.0.99 52:54:00:00:00:63; dd if=/dev/zero bs=1400 count=200000 2>/dev/null | nc -u 10.1.0.99 9 &'
  fi
  for ((n = 1; n <= 6; ++n)); do
    # A frame or two may be lost in a flood, as on any LAN.
    run_on $n "reach() { for try in 1 2 3; do [ \"\$(echo hello \$1 | timeout 20 nc -w 10 10.1.0.\$1 7 2>/dev/null)\" = \"hello \$1\" ] && return; done; echo guest: lost \$1; }; for peer in 1 2 3 4 5 6; do [ \$peer = $n ] || reach \$peer; done; echo \"guest: reached \$((6 * 7))\""
  done
  for ((n = 1; n <= 6; ++n)); do expect $n "guest: reached 42" 180; done
  if grep -a "guest: lost" "$work"/[1-6].out; then exit 1; fi
  for ((n = 1; n <= 7; ++n)); do
    local kib
    kib=$(awk '/^VmRSS/ { print $2 }' "/proc/${pids[n]}/status")
    [ "$kib" -lt 300000 ] || { echo "machine $n has grown to $kib KiB" >&2; exit 1; }
  done
  [ -z "$flooder" ] || { kill "$flooder" 2>/dev/null; wait "$flooder" 2>/dev/null || true; }
  for ((n = 1; n <= 7; ++n)); do kill "${pids[n]}"; done
  wait 2>/dev/null || true
  pids=()
}

for mode in "${modes[@]}"; do lan "$mode"; done
say "the LANs held"
