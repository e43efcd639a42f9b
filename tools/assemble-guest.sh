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
  syslinux-disk)
    kernel linux-image-686
    initramfs init-disk ata_piix sd_mod ext4 crc32c_generic
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
    echo "xlat: no guest '$name'; there are: linux-686 linux-686-pae grub-rescue syslinux-disk" >&2
    exit 1
    ;;
esac
echo "$stamp" >"$out/.complete"
