#!/usr/bin/env bash
# assemble.sh kernels|programs: makes what the benchmarks run, in ${XDG_CACHE_HOME:-~/.cache}/xlat/bench/NAME.
# kernels: the static guest programs, and Debian's 686 kernel with an initramfs that holds them.
# programs: the kernel with an initramfs that has disk modules, and a disk with programs of Debian's i386 packages, also
# unpacked as the folder `root` so that the host can run them.
set -euo pipefail
here=$(cd "$(dirname "$0")" && pwd)
tools=$here/../../tools
. "$tools/lib/packages.sh"

name=${1:?kernels or programs}
out=$xlat_cache/bench/$name
case $name in
  kernels) sources=(guest) ;;
  programs) sources=(programs) ;;
  *)
    echo "xlat: no benchmark files '$name'; there are: kernels programs" >&2
    exit 1
    ;;
esac
# The recipe is part of what the cached files were made from.
stamp=$(cd "$here" && find "${sources[@]}" init assemble.sh ../../tools/lib/packages.sh -type f -print0 | sort -z |
  xargs -0 cat | sha256sum | cut -d' ' -f1)
[ "$(cat "$out/.complete" 2>/dev/null)" = "$stamp" ] && exit 0

work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
rm -rf "$out"
mkdir -p "$out" "$work/initramfs/bin"
install -m 755 "$here/init" "$work/initramfs/init"

# append_initramfs: the kernel unpacks one archive after the other, and later files replace earlier ones.
append_initramfs() {
  (cd "$work/initramfs" && find . -print0 | sort -z |
    cpio --null --create --quiet --format=newc --reproducible | gzip -9n) >>"$out/initrd.gz"
}

make_kernels() {
  gcc -m32 -march=i686 -O1 -static -Wall -Wextra -o "$out/bench" "$here"/guest/*.c
  strip "$out/bench"
  "$tools/assemble-guest.sh" linux-686
  cp "$xlat_cache/guests/linux-686/"{vmlinuz,initrd.gz} "$out/"
  cp "$out/bench" "$work/initramfs/bin/"
  append_initramfs
}

# fixed_text: words that repeat as text does, the same on every machine.
fixed_text() {
  awk 'BEGIN {
    state = 1
    for (n = 0; n < 260000; ++n) {
      state = (state * 16807) % 2147483647
      word = int(state / 4096) % (n % 7 ? 400 : 9000)
      printf "%s%c", substr("abcdefghijklmnopqrstuvwxyz", word % 17 + 1, word % 7 + 2) word % 97, n % 11 ? 32 : 10
    }
  }'
}

fixed_sql() {
  awk 'BEGIN {
    print "CREATE TABLE item (id INTEGER PRIMARY KEY, owner INTEGER, name TEXT);"
    print "BEGIN;"
    for (n = 0; n < 3000; ++n) printf "INSERT INTO item VALUES (%d, %d, \"name %d\");\n", n, n * 7919 % 101, n * 104729 % 65537
    print "COMMIT; CREATE INDEX by_owner ON item (owner);"
    for (n = 0; n < 101; n += 4) printf "SELECT owner, count(*), max(name), sum(id) FROM item WHERE owner = %d;\n", n
    print "SELECT count(*) FROM item a JOIN item b ON a.owner = b.owner AND a.id < b.id WHERE a.id % 16 = 0;"
    print "SELECT substr(name, 1, 6) AS start, count(*) FROM item GROUP BY start ORDER BY 2 DESC, 1 LIMIT 10;"
  }'
}

make_programs() {
  "$tools/assemble-guest.sh" linux-686
  update_lists
  local package
  for package in $(kernel_packages linux-image-686); do
    fetch_package "$package" "$work/kernel" && break
  done
  local release=${package#linux-image-}
  cp "$work/kernel/boot/vmlinuz-$release" "$out/vmlinuz"
  cp "$xlat_cache/guests/linux-686/initrd.gz" "$out/"
  mkdir -p "$work/initramfs/lib/modules"
  depmod -b "$work/kernel" "$release"
  local file
  for file in $(for module in ata_piix sd_mod ext4 crc32c_generic; do
    modprobe -d "$work/kernel" -S "$release" --show-depends "$module" | awk '$1 == "insmod" {print $2}'
  done | awk '!seen[$0]++'); do
    cp "$file" "$work/initramfs/lib/modules/"
    basename "$file" >>"$work/initramfs/lib/modules/order"
  done
  append_initramfs

  # What the programs need, as the package manager resolves it on an empty system.
  local root=$out/root
  mkdir -p "$root"/{bench,proc,dev,tmp,usr/include}
  : >"$root/usr/include/stdc-predef.h" # which the compiler includes first
  for package in $(apt_private apt-get -s -qq --no-install-recommends install dash coreutils gzip xz-utils gcc-12 \
    sqlite3 python3-minimal python3.11 libpython3.11-stdlib lua5.4 zstd z3 | awk '/^Inst/ {print $2}'); do
    case $package in
      apt | base-passwd | debconf | dpkg | init-system-helpers | lib*san* | libgcc-12-dev | libitm1 | libc-dev-bin | \
        linux-libc-dev | manpages* | media-types | perl* | libperl* | tar | tzdata | libc6-dev | libcrypt-dev | \
        libnsl-dev | libtirpc-dev | rpcsvc-proto) continue ;;
    esac
    fetch_package "$package" "$root"
  done
  rm -rf "$root"/usr/share/{doc,man,locale,info,gcc,perl5} "$root"/usr/lib/gcc/*/12/lto1 "$root"/usr/lib/gcc/*/12/lto-wrapper
  [ -e "$root/bin/sh" ] || ln -s dash "$root/bin/sh"
  [ -e "$root/usr/bin/python3" ] || ln -s python3.11 "$root/usr/bin/python3"
  cp "$here"/programs/{programs,script.py,script.lua,program.c,puzzle.smt2} "$root/bench/"
  fixed_text >"$root/bench/text"
  fixed_sql >"$root/bench/statements.sql"
  local size
  size=$(du -sm "$root" | cut -f1)
  mke2fs -q -t ext4 -d "$root" "$out/disk.img" $((size * 5 / 4 + 32))M >"$work/mke2fs"
}

"make_$name"
echo "$stamp" >"$out/.complete"
