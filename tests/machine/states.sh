#!/usr/bin/env bash
# states.sh [POINTS [SEED]]: saves booting guests at random moments and runs what was loaded beside the original, on both
# engines; state, output and sound must be the same bytes. 200 points a guest is the nightly form. Guests that
# tools/guests.sh has not assembled are passed over.
set -euo pipefail
cd "$(dirname "$0")/../.."
. tools/lib/progress.sh
points=${1:-8} seed=${2:-1}
guests=${XDG_CACHE_HOME:-$HOME/.cache}/xlat/guests
disk=$(mktemp)
trap 'rm -f "$disk"' EXIT
truncate -s 16M "$disk"
build/release/xlat-img create -q -f qcow2 "$disk.qcow2" 16M
trap 'rm -f "$disk" "$disk.qcow2"' EXIT

run() {
  local guest=$1
  shift
  if [ ! -d "$guests/$guest" ]; then
    say "passed over: $guest"
    return
  fi
  say "states of $guest at $points moments"
  build/release/state_points "$points" "$seed" -- -m 64 -display none -serial stdio -icount shift=2,sleep=off \
    -kernel "$guests/$guest/vmlinuz" -initrd "$guests/$guest/initrd.gz" -append 'console=ttyS0 quiet guest.script' "$@"
}

run linux-686 -drive "file=$disk,format=raw,snapshot=on" -drive "file=$disk.qcow2,snapshot=on"
drives="-drive if=none,id=d,file=$guests/linux-disks/disk.img,format=raw,snapshot=on
  -drive if=none,id=c,file=$guests/linux-disks/cd.iso,media=cdrom"
run linux-disks $drives -device ahci,id=a -device ide-hd,drive=d,bus=a.0 -device ide-cd,drive=c,bus=a.1
run linux-disks $drives -device lsi53c895a -device scsi-hd,drive=d -device scsi-cd,drive=c
run linux-sound -audiodev none,id=a -device ES1370,audiodev=a -device AC97,audiodev=a -device sb16,audiodev=a \
  -device gus,audiodev=a -vga cirrus
run linux-net -nodefaults -vga std -device e1000 -device rtl8139 -device pcnet -device ne2k_pci -device ne2k_isa
run linux-usb -usb -drive "if=none,id=stick,file=$disk,format=raw,snapshot=on" -device usb-hub,port=1 \
  -device usb-kbd,port=2 -device usb-tablet,port=1.2 -device usb-storage,port=1.8,drive=stick
run linux-disks -device lsi53c895a -drive "if=none,id=d,file=$guests/linux-disks/disk.img,format=raw,snapshot=on" \
  -device scsi-hd,drive=d,scsi-id=1 -drive "if=none,id=c,file=$guests/linux-disks/cd.iso,media=cdrom" -device scsi-cd,drive=c
