#!/usr/bin/env bash
# install-deps.sh [--bench|--fuzz|--displays|--cross]: installs what building, testing and the demo need, from Debian packages;
# with --bench what tests/bench/run needs, too, with --fuzz what tools/fuzz.sh needs, with --displays what
# tests/frontend/window.sh and web.sh need, with --cross what tools/cross-aarch64.sh needs. Does nothing when all is there.
set -euo pipefail
. "$(dirname "$0")/lib/progress.sh"

packages=(
  build-essential binutils g++ gcc-multilib cmake ninja-build ccache pkg-config lld
  libasmjit-dev libcapstone-dev libsdl2-dev catch2 zlib1g-dev libzstd-dev libfmt-dev libpng-dev nlohmann-json3-dev libmpfr-dev
  libncurses-dev libseccomp-dev libadplug-dev libvncserver-dev libslirp-dev novnc tmux nasm libbz2-dev libnbd-dev qemu-utils
  seabios ipxe-qemu acpica-tools
  gdb cpio xz-utils kmod fdisk mtools xorriso openssl e2fsprogs syslinux syslinux-common python3
)
[ "${1:-}" = --bench ] && packages+=(libc6-dev-i386 qemu-system-x86)
[ "${1:-}" = --displays ] && packages+=(xvfb openbox wmctrl xdotool xclip x11-apps chromium)
[ "${1:-}" = --fuzz ] && packages+=(clang-14 libclang-rt-14-dev)
[ "${1:-}" = --cross ] && packages+=(binutils-aarch64-linux-gnu qemu-user)

missing=()
for package in "${packages[@]}"; do
  dpkg-query -W -f='${Status}' "$package" 2>/dev/null | grep -q '^install ok installed$' || missing+=("$package")
done
[ ${#missing[@]} -eq 0 ] && exit 0

as_root=()
[ "$(id -u)" -eq 0 ] || as_root=(sudo)
say "installing packages: ${missing[*]}"
# Of what apt says: how much there is to get, and now and then how far it is.
brief() {
  awk '/^Need to get/ { print "    " $0; fflush() }
       /^(Get:|Unpacking |Setting up )/ && ++lines % 20 == 0 { print "    " substr($0, 1, 100); fflush() }'
}
for attempt in 1 2 3; do
  say "refreshing package lists"
  "${as_root[@]}" apt-get update -qq || true
  if "${as_root[@]}" env DEBIAN_FRONTEND=noninteractive apt-get install -y -q --no-install-recommends "${missing[@]}" | brief
  then
    exit 0
  fi
  echo "install attempt $attempt failed; trying again" >&2
  sleep $((attempt * 10))
done
echo "xlat: could not install: ${missing[*]}" >&2
exit 1
