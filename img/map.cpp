// map
#include <cstdio>

#include "base/spelling.h"
#include "block/chain.h"
#include "img/commands.h"

namespace xlat::img {

namespace {

struct Entry {
  u64 start = 0;
  ChainExtent found;
  const std::string& file() const { return found.extent.file ? *found.extent.file : found.image->path(); }
};

// As C prints it: a bare 0.
std::string hex(u64 n) { return n ? fmt::format("{:#x}", n) : "0"; }

// Whether `next` goes on where `e` ends, in the file as well.
bool goes_on(const Entry& e, const Entry& next) {
  const Extent &a = e.found.extent, &b = next.found.extent;
  if (a.zero != b.zero || a.data != b.data || a.allocated != b.allocated || e.found.depth != next.found.depth ||
      e.file() != next.file())
    return false;
  return a.at.has_value() == b.at.has_value() && (!a.at || *a.at + a.bytes == *b.at);
}

}  // namespace

int map(const Words& words) {
  const Arguments a(words, "f:s:l:U", {"output=", "start-offset=", "max-length=", "image-opts", "force-share"});
  if (!a.wrong().empty()) return fail_usage(a.wrong());
  if (a.files().size() != 1) return fail_usage("Expecting one image file name");
  const auto as_json = wants_json(a);
  if (!as_json) return 1;
  auto image = open_or_fail(a, a.files()[0], a.get("f"), ImageAccess::kReadOnly);
  if (!image) return 1;
  u64 start = 0, length = ~u64{0};
  for (const auto& [short_name, name, to] : {std::tuple{"s", "start-offset", &start}, {"l", "max-length", &length}}) {
    if (!a.has(short_name) && !a.has(name)) continue;
    const auto size = size_or_fail(a.get(short_name, a.get(name)));
    if (!size) return 1;
    *to = *size;
  }
  const u64 end = std::min(image->size(), length > ~u64{0} - start ? ~u64{0} : start + length);
  bool first = true, sealed = false;
  const auto print = [&](const Entry& e) {
    const Extent& x = e.found.extent;
    if (*as_json) {
      std::fputs(
          fmt::format(
              "{}{{ \"start\": {}, \"length\": {}, \"depth\": {}, \"present\": {}, \"zero\": {}, \"data\": {}{}}}",
              first ? "" : ",\n", e.start, x.bytes, e.found.depth, x.allocated, x.zero, x.data,
              x.at ? fmt::format(", \"offset\": {}", *x.at) : "")
              .c_str(),
          stdout);
    } else if (x.data && !x.zero) {
      if (!x.at) {
        sealed = true;
      } else {
        std::puts(fmt::format("{:<16}{:<16}{:<16}{}", hex(e.start), hex(x.bytes), hex(*x.at), e.file()).c_str());
      }
    }
    first = false;
  };
  std::fputs(*as_json ? "[" : "Offset          Length          Mapped to       File\n", stdout);
  std::optional<Entry> waiting;
  for (u64 at = start; at < end && !sealed;) {
    const auto found = chain_status(*image, at, end - at);
    if (!found) return fail(found.error().message);
    const Entry next{at, found.value()};
    at += next.found.extent.bytes;
    if (waiting && goes_on(*waiting, next)) {
      waiting->found.extent.bytes += next.found.extent.bytes;
      continue;
    }
    if (waiting) print(*waiting);
    waiting = next;
  }
  if (waiting && !sealed) print(*waiting);
  if (*as_json) std::puts("]");
  return sealed ? fail("File contains external, encrypted or compressed clusters.") : 0;
}

}  // namespace xlat::img
