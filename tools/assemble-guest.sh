#!/usr/bin/env bash
# assemble-guest.sh NAME: makes the files of a guest from Debian packages, in ${XDG_CACHE_HOME:-~/.cache}/xlat/guests/NAME.
# A guest that is there already is left as it is.
set -euo pipefail
here=$(cd "$(dirname "$0")" && pwd)
. "$here/lib/packages.sh"

name=${1:?which guest}
out=$xlat_cache/guests/$name
# The recipe is part of what a cached guest was made from.
stamp=$(cat "$0" "$here/lib/packages.sh" "$here"/guest-files/* | sha256sum | cut -d' ' -f1)
[ "$(cat "$out/.complete" 2>/dev/null)" = "$stamp" ] && exit 0

say "making guest $name from Debian packages, in $out"
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
rm -rf "$out"
mkdir -p "$out"

# kernel META: unpacks a kernel into $work/kernel; sets $kernel to its release.
kernel() {
  local package
  update_lists
  for package in $(kernel_packages "$1"); do
    if fetch_package "$package" "$work/kernel"; then
      kernel=${package#linux-image-}
      cp "$work/kernel/boot/vmlinuz-$kernel" "$out/vmlinuz"
      return 0
    fi
  done
  echo "xlat: no kernel of $1 could be fetched" >&2
  return 1
}

# initramfs INIT [MODULE...]: busybox, INIT as /init, and modules with what they depend on, as $out/initrd.gz.
initramfs() {
  local init=$1 root=$work/root
  shift
  fetch_package busybox-static "$work/busybox"
  mkdir -p "$root"/{bin,dev,proc,sys,mnt,tmp,lib/modules}
  cp "$work/busybox/bin/busybox" "$root/bin/"
  install -m 755 "$here/guest-files/$init" "$root/init"
  if [ $# -gt 0 ]; then
    local tree=$work/kernel/lib/modules/$kernel
    depmod -b "$work/kernel" "$kernel"
    local module file
    for module in "$@"; do
      modprobe -d "$work/kernel" -S "$kernel" --show-depends "$module" 2>/dev/null | awk '$1 == "insmod" {print $2}'
    done | awk '!seen[$0]++' >"$work/modules"
    while read -r file; do
      cp "$file" "$root/lib/modules/"
      basename "$file" >>"$root/lib/modules/order"
    done <"$work/modules"
  fi
  (cd "$root" && find . -print0 | sort -z | cpio --null --create --quiet --format=newc --reproducible | gzip -9n) >"$out/initrd.gz"
}

# syslinux_floppy IMAGE CONFIGURATION: a bootable FAT floppy with that configuration.
syslinux_floppy() {
  truncate -s 1440K "$1"
  mformat -i "$1" -f 1440 ::
  mcopy -i "$1" "$here/guest-files/$2" ::syslinux.cfg
  syslinux --install "$1"
}

# Bytes without a pattern that a misplaced sector could hide in.
noise() { openssl enc -aes-128-ctr -nosalt -pbkdf2 -pass "pass:$1" </dev/zero 2>/dev/null | head -c "$2" || true; }

case $name in
  linux-686)
    kernel linux-image-686
    initramfs init-shell
    ;;
  linux-686-pae)
    kernel linux-image-686-pae
    initramfs init-shell
    ;;
  grub-rescue)
    update_lists
    fetch_package grub-rescue-pc "$work/grub"
    cp "$work/grub/usr/lib/grub-rescue/grub-rescue-cdrom.iso" "$out/"
    ;;
  grub-rescue-floppy)
    update_lists
    fetch_package grub-rescue-pc "$work/grub"
    cp "$work/grub/usr/lib/grub-rescue/grub-rescue-floppy.img" "$out/"
    ;;
  grub-legacy-floppy)
    update_lists
    fetch_package grub-legacy "$work/grub"
    # Stage 1 in the first sector finds stage 2 from the second on.
    cat "$work"/grub/usr/lib/grub/i386-pc/{stage1,stage2} >"$out/floppy.img"
    truncate -s 1440K "$out/floppy.img"
    ;;
  syslinux-floppy)
    syslinux_floppy "$out/floppy.img" syslinux-floppy.cfg
    modules=/usr/lib/syslinux/modules/bios
    mcopy -i "$out/floppy.img" $modules/{menu,vesamenu,hdt,cat,libmenu,libgpl,libcom32,libutil}.c32 ::
    echo "hello from the floppy" >"$work/hello.txt"
    mcopy -i "$out/floppy.img" "$work/hello.txt" ::
    ;;
  ipxe)
    update_lists
    fetch_package ipxe "$work/ipxe"
    cp "$work/ipxe/usr/lib/ipxe/ipxe.iso" "$work/ipxe/boot/ipxe.lkrn" "$out/"
    syslinux_floppy "$out/lkrn.img" ipxe-lkrn.cfg
    mcopy -i "$out/lkrn.img" "$work/ipxe/boot/ipxe.lkrn" ::
    ;;
  grub-invaders)
    update_lists
    fetch_package grub-invaders "$work/invaders"
    cp "$work/invaders/boot/invaders.exec" "$out/"
    ;;
  gnumach)
    update_lists
    fetch_package gnumach-image-1.8-486 "$work/gnumach"
    gunzip -c "$work"/gnumach/boot/gnumach-*.gz >"$out/gnumach"
    ;;
  memtest86)
    update_lists
    fetch_package memtest86+ "$work/memtest"
    cp "$work/memtest/boot/memtest86+ia32.bin" "$out/"
    ;;
  u-boot)
    update_lists
    fetch_package u-boot-qemu "$work/u-boot"
    cp "$work/u-boot/usr/lib/u-boot/qemu-x86/u-boot.rom" "$out/"
    ;;
  isolinux-cd)
    kernel linux-image-686
    initramfs init-shell
    fetch_package isolinux "$work/isolinux"
    mkdir "$work/cd"
    mv "$out/vmlinuz" "$out/initrd.gz" "$work/cd/"
    cp "$work/isolinux/usr/lib/ISOLINUX/isolinux.bin" /usr/lib/syslinux/modules/bios/ldlinux.c32 "$work/cd/"
    cp "$here/guest-files/syslinux.cfg" "$work/cd/isolinux.cfg"
    xorriso -as mkisofs -quiet -o "$out/cd.iso" -b isolinux.bin -c boot.cat -no-emul-boot -boot-load-size 4 \
      -boot-info-table "$work/cd"
    ;;
  linux-media)
    kernel linux-image-686
    noise floppy 1474560 >"$out/floppy.img"
    noise small 368640 >"$out/floppy360.img"
    noise disk 4194304 >"$out/disk.img"
    noise cd 3145728 >"$work/noise"
    xorriso -as mkisofs -quiet -o "$out/cd.iso" "$work/noise"
    initramfs init-media ata_piix sd_mod sr_mod floppy
    ;;
  sound-floppy)
    nasm -f bin -o "$out/floppy.img" "$here/guest-files/sound-floppy.asm"
    truncate -s 1440K "$out/floppy.img"
    ;;
  linux-sound)
    kernel linux-image-686
    mkdir -p "$work/root/bin"
    gcc -m32 -march=i686 -static -O2 -s -o "$work/root/bin/tone" "$here/guest-files/tone.c" -lm
    initramfs init-sound snd-ens1370 snd-intel8x0 snd-sb16 snd-gusclassic
    ;;
  pxe)
    mkdir "$out/served"
    nasm -f bin -o "$out/served/hello.0" "$here/guest-files/pxe-hello.asm"
    nasm -f bin -d DISK -o "$out/disk.img" "$here/guest-files/pxe-hello.asm"
    truncate -s 1M "$out/disk.img"
    ;;
  linux-net)
    kernel linux-image-686
    initramfs init-net af_packet e1000 8139cp 8139too pcnet32 ne2k-pci ne
    ;;
  linux-disks)
    kernel linux-image-686
    noise disk 4198400 >"$out/disk.img"
    noise cd 3145728 >"$work/noise"
    xorriso -as mkisofs -quiet -o "$out/cd.iso" "$work/noise"
    initramfs init-disks ahci sym53c8xx sd_mod sr_mod isofs
    ;;
  linux-usb)
    kernel linux-image-686
    noise usb 8388608 >"$out/disk.img"
    initramfs init-usb uhci-hcd usbhid hid-generic usb-storage sd_mod
    ;;
  linux-selftests)
    kernel linux-image-686
    fetch_package linux-source-6.1 "$work/source"
    tests=linux-source-6.1/tools/testing/selftests
    tar -xJf "$work/source/usr/src/linux-source-6.1.tar.xz" -C "$work" $tests/x86 $tests/kselftest.h \
      linux-source-6.1/arch/x86/include/asm/desc_defs.h
    mkdir -p "$work/root/tests"
    # test NAME [FILE OR OPTION...]
    selftest() {
      (cd "$work/$tests/x86" && gcc -m32 -march=i686 -static -no-pie -O2 -std=gnu99 -pthread -s -w -o "$work/root/tests/$1" "$1.c" "${@:2}")
    }
    for test in ioperm iopl ldt_gdt mov_ss_trap sigaltstack sigreturn sigtrap_loop single_step_syscall syscall_nt \
      test_FCMOV test_mremap_vdso unwind_vdso vdso_restorer; do
      selftest $test
    done
    selftest check_initial_reg_state -Wl,-ereal_start
    selftest ptrace_syscall raw_syscall_helper_32.S
    selftest syscall_arg_fault thunks_32.S
    selftest test_syscall_vdso thunks_32.S
    selftest test_FCOMI -lm
    initramfs init-selftests
    ;;
  syslinux-disk)
    kernel linux-image-686
    initramfs init-disk ata_piix ahci sym53c8xx sd_mod ext4 crc32c_generic
    # Partition 1: FAT with SYSLINUX and the kernel. Partition 2: ext4.
    disk=$out/disk.img
    truncate -s 96M "$disk"
    printf 'label: dos\nstart=2048, size=98304, type=6, bootable\nstart=100352, type=83\n' | sfdisk -q "$disk"
    mformat -i "$disk@@1M" -T 98304 -h 16 -s 63 -H 2048 ::
    mcopy -i "$disk@@1M" "$out/vmlinuz" ::vmlinuz
    mcopy -i "$disk@@1M" "$out/initrd.gz" ::initrd.gz
    mcopy -i "$disk@@1M" "$here/guest-files/syslinux.cfg" ::syslinux.cfg
    syslinux --install --offset $((2048 * 512)) "$disk"
    dd if=/usr/lib/syslinux/mbr/mbr.bin of="$disk" conv=notrunc status=none
    mke2fs -q -t ext4 -L xlatroot -d "$here/guest-files" -E offset=$((100352 * 512)) "$disk" 47000k
    ;;
  *)
    echo "xlat: no guest '$name'; there are:" linux-686 linux-686-pae linux-disks linux-media linux-net linux-selftests linux-sound linux-usb pxe sound-floppy grub-rescue grub-rescue-floppy \
      grub-legacy-floppy syslinux-disk syslinux-floppy isolinux-cd ipxe grub-invaders gnumach memtest86 u-boot >&2
    exit 1
    ;;
esac
echo "$stamp" >"$out/.complete"
