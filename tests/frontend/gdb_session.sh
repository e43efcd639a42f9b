#!/usr/bin/env bash
# gdb_session.sh [--guests]: Debian's GDB drives guests of xlat: a Multiboot kernel and a boot sector of our own; with
# --guests GNU Mach by its symbols, GRUB's modules, and user space of Linux, whose files come from Debian packages.
set -euo pipefail
here=$(cd "$(dirname "$0")" && pwd)
root=$(cd "$here/../.." && pwd)
xlat=${XLAT_BINARY:-$root/build/release/xlat}
work=$(mktemp -d)
pid=
stop_xlat() {
  [ -n "$pid" ] && kill "$pid" 2>/dev/null && wait "$pid" 2>/dev/null
  pid=
}
trap 'stop_xlat || true; rm -rf "$work"' EXIT

failed=0
# expect NAME TEXT...: each is in $work/out, in this order.
expect() {
  local name=$1
  shift
  if python3 - "$work/out" "$@" <<'END'; then
import sys
text, at = open(sys.argv[1], errors="replace").read(), 0
for wanted in sys.argv[2:]:
    found = text.find(wanted, at)
    if found < 0:
        print(f"missing: {wanted!r}, in what came after byte {at} of\n{text[:6000]}")
        sys.exit(1)
    at = found + len(wanted)
END
    echo "ok      $name"
  else
    echo "FAILED  $name"
    failed=1
  fi
}

# guest OPTION...: starts xlat, stopped, with a debugger's socket.
guest() {
  stop_xlat || true
  rm -f "$work/gdb.sock"
  "$xlat" -display none -monitor none -S -gdb "unix:$work/gdb.sock" "$@" 2>"$work/xlat.err" &
  pid=$!
  for _ in $(seq 100); do [ -S "$work/gdb.sock" ] && return 0; sleep 0.05; done
  cat "$work/xlat.err"
  exit 1
}

# debug [GDB-OPTION...] <commands: one session.
debug() {
  { echo "set pagination off"; echo "set confirm off"; echo "set width 0"; echo "target remote $work/gdb.sock"; cat; } >"$work/commands"
  timeout "${seconds:-60}" gdb -nx -batch "$@" -x "$work/commands" >"$work/out" 2>&1 </dev/null || true
}

gcc -m32 -O0 -g -ffreestanding -fno-pie -fno-stack-protector -fno-asynchronous-unwind-tables -fcf-protection=none \
  -fno-toplevel-reorder -c -o "$work/kernel.o" "$here/gdb/kernel.c"
ld -m elf_i386 -N -Ttext 0x100000 -o "$work/kernel" "$work/kernel.o" 2>/dev/null
as --32 -o "$work/sector.o" "$here/gdb/sector.S"
ld -m elf_i386 -N -Ttext 0x7c00 -o "$work/sector.elf" "$work/sector.o" 2>/dev/null
objcopy -O binary -j .text "$work/sector.elf" "$work/sector"

guest -m 16 -kernel "$work/kernel"
debug "$work/kernel" <<'END'
break compute
continue
backtrace
info registers eip esp
print counter
finish
delete
hbreak done
watch counter
continue
continue
delete 3
rwatch *(char*)&message[3]
continue
continue
info symbol $pc
print $st0
x/s &copy
print $mm7
stepi
info threads
monitor info status
monitor info registers
monitor symbols /nonexistent
find &message, +30, 'p', 'a', 't'
detach
END
expect "a Multiboot kernel: breakpoints" "Breakpoint 1, compute (by=1)" "#0  compute (by=1)" "#1" "in run ()" "eip" "<compute" \
  '$1 = 0' '$2 = 1'
expect "a Multiboot kernel: watchpoints" "Hardware watchpoint 3: counter" "Old value = 1" "New value = 2" "Old value = 2" \
  "Hardware read watchpoint 4" "Value = 97 'a'"
expect "a Multiboot kernel: registers and memory" 'done + 3 in section' "3.14159265358979" '"breakpoints patch no memory"' "uint64" \
  "Thread 1" "VM status: paused (debug)" "EAX=" "cannot open" "pattern found"
# What GDB left behind runs on, and another one may come.
debug "$work/kernel" <<'END'
print counter
x/i $pc
disconnect
info threads
END
expect "a second session" '$1 = 5' "<done+"

guest -m 16 -snapshot -drive "file=$work/sector,format=raw"
debug <<'END'
x/i $pc
break *0x7c00
continue
x/3i $pc
stepi 5
x/2i $pc
stepi 7
info registers eip esp cs ss raw_eip code_bits
x/2xh $sp
stepi
x/xh $sp
END
expect "a boot sector in real mode" "0xfffffff0:" "ljmp   \$0xf000" "Breakpoint 1, 0x00007c00" "cli" "xor    %ax,%ax" \
  "mov    %cs,%ax" "eip" "0x7c" "esp" "0x200fe" "cs" "0x7c0" "ss" "0x2000" "raw_eip" "code_bits" "0x10" "0x200fe:" "0xbeef" "0x200fc:"

guest -m 16 -snapshot -drive "file=$work/sector,format=raw"
protected=0x$(nm "$work/sector.elf" | awk '$3 == "protected" {print $1}')
real=0x$(nm "$work/sector.elf" | awk '$3 == "real" {print $1}')
debug -x "$root/tools/gdb/xlat.py" <<END
tbreak *$protected
continue
show architecture
x/3i \$pc
disconnect
target remote $work/gdb.sock
tbreak *$real
continue
show architecture
x/i \$pc
stepi
info registers cr0
kill
END
expect "modes change while GDB is there" 'set to "i386"' "mov    \$0x10,%ax" "mov    \$0x12345678,%ecx" 'set to "i8086"' \
  "mov    \$0x4321,%cx" "cr0"
if grep -qi "too long" "$work/out"; then
  echo "FAILED  g packets stay as long as they are"
  failed=1
fi

guest -m 16 -kernel "$work/kernel"
printf '%s\n' "-target-select remote $work/gdb.sock" "-break-insert compute" "-exec-continue" >"$work/mi"
(cat "$work/mi"; sleep 3; printf '%s\n' "-data-list-register-values x 8" "-exec-next" ; sleep 1; echo "-gdb-exit") |
  timeout 30 gdb -nx -q -i=mi "$work/kernel" >"$work/out" 2>&1 || true
expect "an IDE's machine interface" "^connected" 'bkpt={number="1"' "^running" 'reason="breakpoint-hit"' 'func="compute"' \
  'register-values=[{number="8"' '*stopped'

stop_xlat || true
cat >"$work/commands" <<END
set confirm off
target remote | exec "$xlat" -display none -monitor none -serial none -S -gdb stdio -m 16 -kernel "$work/kernel"
break compute
continue
kill
END
timeout 60 gdb -nx -batch "$work/kernel" -x "$work/commands" >"$work/out" 2>&1 </dev/null || true
expect "over standard input and output" "Breakpoint 1, compute (by=1)" "killed"

[ "${1:-}" = --guests ] || exit $failed
. "$here/gdb/guests.sh"
exit $failed
