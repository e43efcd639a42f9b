#!/usr/bin/env bash
# cross-aarch64.sh [JOBS]: builds everything for AArch64 with Debian's cross compiler, and runs there under qemu-user what
# tests need no x86-64 host: rooms below the frontend, the processor by its interpreter. The compiler, whose package cannot be
# installed beside gcc-multilib, and the libraries' arm64 packages are unpacked into ${XDG_CACHE_HOME:-~/.cache}/xlat/aarch64
# and not installed. Takes half an hour: a check for the night.
set -euo pipefail
cd "$(dirname "$0")/.."
. tools/lib/progress.sh

jobs=${1:-$(nproc)}
root=${XDG_CACHE_HOME:-$HOME/.cache}/xlat/aarch64
sysroot=$root/sysroot
compiler=(
  gcc-12-aarch64-linux-gnu g++-12-aarch64-linux-gnu cpp-12-aarch64-linux-gnu
  libgcc-12-dev-arm64-cross libstdc++-12-dev-arm64-cross
)
libraries=(
  libc6-dev libstdc++-12-dev libcapstone-dev catch2 zlib1g-dev libzstd-dev libbz2-dev libpng-dev libfmt-dev nlohmann-json3-dev
  libmpfr-dev libncurses-dev libseccomp-dev libadplug-dev libvncserver-dev libslirp-dev libnbd-dev libsdl2-dev
)

tools/install-deps.sh --cross

# What the arguments name and all it needs, to $root/archives. The package database is one of its own, in which nothing is
# installed, so that apt works out the rest.
fetch_libraries() {
  local apt=$root/apt
  rm -rf "$apt" && mkdir -p "$apt"/lists/partial && : >"$apt/status"
  local options=(
    -qq -o Dir::State="$apt" -o Dir::State::lists="$apt/lists" -o Dir::State::status="$apt/status" -o Dir::Cache="$apt"
    -o Dir::Cache::archives="$root/archives" -o APT::Architecture=arm64 -o APT::Architectures::=arm64
    -o APT::Sandbox::User=root -o APT::Install-Recommends=false
  )
  apt-get "${options[@]}" update
  apt-get "${options[@]}" --yes --download-only install "$@" >/dev/null
}
fetch_compiler() { (cd "$root/archives" && apt-get -qq -o APT::Sandbox::User=root download "$@"); }

# unpack FOLDER FETCH PACKAGE...: the packages that FETCH gets, in $root/FOLDER.
unpack() {
  local to=$root/$1 fetch=$2
  shift 2
  [ "$(cat "$to/packages" 2>/dev/null)" = "$*" ] && return
  say "fetching ${to##*/}"
  for attempt in 1 2 3 4; do
    [ "$attempt" -eq 4 ] && echo "xlat: could not fetch: $*" >&2 && return 1
    rm -rf "$root/archives" "$to" && mkdir -p "$root/archives/partial" "$to/usr/lib"
    "$fetch" "$@" && break
    echo "attempt $attempt failed; trying again" >&2
    sleep $((attempt * 10))
  done
  for package in "$root"/archives/*.deb; do dpkg-deb --fsys-tarfile "$package"; done |
    tar -x -C "$to" --ignore-zeros --keep-directory-symlink --no-same-owner
  # Debian's packages still name /lib; all of it lies in /usr/lib.
  if [ -d "$to/lib" ]; then
    cp -a "$to/lib/." "$to/usr/lib/"
    rm -rf "$to/lib" && ln -s usr/lib "$to/lib"
  fi
  rm -rf "$root/archives" "$root/apt"
  echo "$*" >"$to/packages"
}
unpack compiler fetch_compiler "${compiler[@]}"
ln -sfn /usr/aarch64-linux-gnu/bin "$root/compiler/usr/aarch64-linux-gnu/bin"
unpack sysroot fetch_libraries "${libraries[@]}"

export PATH=$root/compiler/usr/bin:$PATH
export XLAT_SYSROOT=$sysroot QEMU_LD_PREFIX=$sysroot PKG_CONFIG_SYSROOT_DIR=$sysroot
export PKG_CONFIG_LIBDIR=$sysroot/usr/lib/aarch64-linux-gnu/pkgconfig:$sysroot/usr/share/pkgconfig
build aarch64 -- -j"$jobs"
say "unit tests under qemu-aarch64"
ctest --preset aarch64
