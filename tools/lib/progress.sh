# What the scripts say while they work, readable on a terminal and in a log. Sourced by the scripts here.

# say TEXT...: what comes next. On stderr, as output may be captured.
say() { echo "==> $*" >&2; }

# build PRESET [ARGUMENT...]: cmake --build. On a terminal Ninja rewrites its line; in a log every fifth percent has one,
# and whatever a compiler says.
build() {
  local preset=$1
  shift
  [ -f "build/$preset/build.ninja" ] || { say "configuring the $preset build" && cmake --preset "$preset" >/dev/null; }
  say "building ($preset; the first time takes minutes)"
  if [ -t 1 ]; then
    cmake --build --preset "$preset" "$@"
  else
    NINJA_STATUS='[%p] ' cmake --build --preset "$preset" "$@" | awk '
      /^\[ *[0-9]+%\] / { split($0, part, /[%[]/); if (part[2] + 0 < next_one) next; next_one = part[2] + 5 }
      { print; fflush() }'
  fi
}
