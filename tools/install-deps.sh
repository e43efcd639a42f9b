#!/usr/bin/env bash
# install-deps.sh [--bench]: installs what building, testing and the demo need, from Debian packages; with --bench what
# tests/bench/run needs, too. Does nothing when all is there.
set -euo pipefail

packages=(
  build-essential binutils g++ gcc-multilib cmake ninja-build ccache pkg-config lld
  libasmjit-dev libcapstone-dev libsdl2-dev catch2 zlib1g-dev libfmt-dev libpng-dev nlohmann-json3-dev libmpfr-dev
  libncurses-dev libseccomp-dev tmux nasm
  seabios acpica-tools
  gdb cpio xz-utils kmod fdisk mtools xorriso openssl e2fsprogs syslinux syslinux-common python3
)
[ "${1:-}" = --bench ] && packages+=(libc6-dev-i386 qemu-system-x86)

missing=()
for package in "${packages[@]}"; do
  dpkg-query -W -f='${Status}' "$package" 2>/dev/null | grep -q '^install ok installed$' || missing+=("$package")
done
[ ${#missing[@]} -eq 0 ] && exit 0

as_root=()
[ "$(id -u)" -eq 0 ] || as_root=(sudo)
echo "installing: ${missing[*]}"
for attempt in 1 2 3; do
  "${as_root[@]}" apt-get update -qq || true
  if DEBIAN_FRONTEND=noninteractive "${as_root[@]}" apt-get install -y -qq --no-install-recommends "${missing[@]}"; then
    exit 0
  fi
  echo "install attempt $attempt failed; trying again" >&2
  sleep $((attempt * 10))
done
echo "xlat: could not install: ${missing[*]}" >&2
exit 1
