# The sessions of gdb_session.sh --guests. Sourced by it.

. "$root/tools/lib/packages.sh"
files=$xlat_cache/guests/gdb
mkdir -p "$files"
if [ ! -f "$files/.complete" ]; then
  update_lists
  for package in gnumach-image-1.8-486-dbg grub-rescue-pc grub-pc-dbg; do fetch_package $package "$files/$package"; done
  gunzip -c "$files"/gnumach-image-1.8-486-dbg/boot/*.gz >"$files/gnumach"
  touch "$files/.complete"
fi
"$root/tools/assemble-guest.sh" linux-686
linux=$xlat_cache/guests/linux-686

# GNU Mach has its own segments before paging, and flat ones afterwards: symbols are linear addresses from then on.
guest -m 64 -kernel "$files/gnumach"
debug "$files/gnumach" <<'END'
hbreak setup_main
continue
backtrace
next
hbreak cninit
tbreak vm_mem_init
continue
finish
info symbol $pc
monitor pagewalk $eip
detach
END
expect "GNU Mach by its symbols" "Breakpoint 1, setup_main ()" "#0  setup_main ()" "in c_boot_entry (bi=" \
  "in vm_mem_init ()" "setup_main + " "PDE[304]" "supervisor: read, execute; user: nothing"

# GRUB: a module's place in memory is found by its code, then its symbols name it.
guest -m 64 -snapshot -cdrom "$files/grub-rescue-pc/usr/lib/grub-rescue/grub-rescue-cdrom.iso" -boot d
module=$files/grub-pc-dbg/usr/lib/grub/i386-pc/normal.module
read -r offset code < <(python3 "$here/gdb/locate.py" "$module")
cat >"$work/session" <<END
set pagination off
set confirm off
target remote $work/gdb.sock
# Long enough for GRUB to be at its prompt.
python
import threading, os, signal, time
threading.Timer(12, lambda: os.kill(os.getpid(), signal.SIGINT)).start()
end
continue
find /b1 0x1000, 0x4000000, $code
python gdb.execute("add-symbol-file $module " + hex((int(gdb.parse_and_eval("(unsigned)\$_")) - $offset) & 0xffffffff))
hbreak grub_cmdline_run
monitor sendkey c
continue
backtrace 3
x/2i \$pc
detach
END
timeout 90 gdb -nx -batch -x "$root/tools/gdb/xlat.py" -x "$work/session" >"$work/out" 2>&1 </dev/null || true
expect "GRUB by a module's symbols" "SIGINT" "1 pattern found" "Breakpoint 1" "grub_cmdline_run (nested=" \
  "#0  grub_cmdline_run" "in run_menu" "push   %ebp"

# User space of Linux: the program is the guest's init; its page is watched by its linear address.
as --32 -g -o "$work/probe.o" "$here/gdb/probe.S"
ld -m elf_i386 -o "$work/probe" "$work/probe.o"
mkdir -p "$work/root"
cp "$work/probe" "$work/root/init"
(cd "$work/root" && find . | cpio -o --quiet -H newc | gzip) >"$work/initrd.gz"
guest -m 128 -kernel "$linux/vmlinuz" -initrd "$work/initrd.gz" -append quiet
debug "$work/probe" <<'END'
hbreak tick
continue
delete
watch *(int*)&hits
continue
continue
info symbol $pc
print *(int*)&hits
monitor info linux
detach
END
expect "user space of Linux by a watchpoint" "Breakpoint 1, tick ()" "Hardware watchpoint 2" "New value = 1" "Old value = 1" \
  "New value = 2" "tick + 6 in section .text" '= 2' "Linux version 6.1" "its log:"
