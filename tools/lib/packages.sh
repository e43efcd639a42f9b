# Fetching and unpacking Debian packages of another architecture without installing them. Sourced by the scripts here.
. "$(dirname "${BASH_SOURCE[0]}")/progress.sh"

xlat_cache=${XDG_CACHE_HOME:-$HOME/.cache}/xlat

# A package client state of our own, so that the host's is left alone.
apt_private() {
  local tool=$1
  shift
  APT_CONFIG=$xlat_cache/apt/apt.conf "$tool" "$@"
}

# Refreshes the i386 package lists if they are older than half a day. They are sometimes being synchronized on the
# server: tries again, then makes do with what could be had.
update_lists() {
  local root=$xlat_cache/apt
  mkdir -p "$root"/{state/lists/partial,cache/archives/partial}
  : >>"$root/state/status"
  cat >"$root/apt.conf" <<END
APT::Architecture "i386";
APT::Architectures { "i386"; };
APT::Sandbox::User "root";
Dir::State "$root/state";
Dir::State::status "$root/state/status";
Dir::Cache "$root/cache";
END
  [ -n "$(find "$root/fresh" -mmin -720 2>/dev/null)" ] && return 0
  say "refreshing the i386 package lists"
  local attempt
  for attempt in 1 2 3; do
    if apt_private apt-get update -qq 2>"$root/error"; then
      touch "$root/fresh"
      return 0
    fi
    # The main archive's lists are enough; only without any is it worth waiting long.
    [ $attempt -gt 1 ] && [ -n "$(apt_private apt-cache pkgnames busybox-static 2>/dev/null)" ] && break
    sleep $((attempt * 5))
  done
  if [ -n "$(apt_private apt-cache pkgnames busybox-static 2>/dev/null)" ]; then
    echo "some i386 package lists could not be refreshed; going on with what there is" >&2
    touch "$root/fresh"
    return 0
  fi
  cat "$root/error" >&2
  echo "xlat: no i386 package lists; is a Debian mirror configured for apt?" >&2
  return 1
}

# fetch_package NAME DIR: unpacks the i386 package NAME into DIR. Falls back to older versions one by one.
fetch_package() {
  local name=$1 into=$2 version work
  work=$(mktemp -d)
  local bytes
  bytes=$(apt_private apt-cache show --no-all-versions "$name" 2>/dev/null | awk '/^Size:/ {print $2; exit}') || true
  say "fetching $name ($(((${bytes:-0} + 999999) / 1000000)) MB)"
  for version in $(apt_private apt-cache madison "$name" | awk -F'|' '{gsub(/ /, "", $2); print $2}'); do
    for _ in 1 2; do
      if (cd "$work" && apt_private apt-get download -qq "$name=$version" 2>"$work/error"); then
        mkdir -p "$into"
        dpkg -x "$work"/*.deb "$into"
        rm -rf "$work"
        return 0
      fi
      sleep 2
    done
    echo "package $name $version could not be had, trying another version" >&2
  done
  cat "$work/error" >&2 || true
  rm -rf "$work"
  echo "xlat: package $name could not be fetched in any version" >&2
  return 1
}

# kernel_package META: the newest real kernel package that META depends on, then older ones; one a line.
kernel_packages() {
  local newest
  newest=$(apt_private apt-cache depends "$1" 2>/dev/null | awk '/Depends:/ {print $2; exit}')
  [ -n "$newest" ] && echo "$newest"
  local flavour=${1#linux-image-}
  apt_private apt-cache pkgnames linux-image- | grep -E "^linux-image-[0-9][0-9.]*-[0-9]+-$flavour$" | sort -rV |
    grep -vx "$newest" || true
}
