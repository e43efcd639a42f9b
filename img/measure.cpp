// measure
#include <algorithm>
#include <cstdio>

#include "base/bits.h"
#include "base/spelling.h"
#include "block/chain.h"
#include "img/commands.h"

namespace xlat::img {

namespace {

// Of a qcow2 image with all clusters: the header, the L1 and L2 tables, and the refcounts of all that.
u64 qcow2_metadata(u64 bytes, u64 cluster, u64 refcount_bits) {
  const u64 data = align_up(bytes, cluster);
  u64 meta = cluster;
  const u64 l2 = align_up(data / cluster, cluster / 8);
  meta += l2 * 8;
  meta += align_up(l2 * 8 / cluster, cluster / 8) * 8;
  const u64 counted = (meta + data) / cluster, in_block = cluster * 8 / refcount_bits, in_table = cluster / 8;
  u64 blocks = 0, table = 0;
  for (u64 last = ~u64{0}; last != blocks + table;) {
    last = blocks + table;
    blocks = (counted + last + in_block - 1) / in_block;
    table = (blocks + in_table - 1) / in_table;
  }
  return meta + (blocks + table) * cluster;
}

}  // namespace

int measure(const Words& words) {
  const Arguments a(words, "f:O:o:l:U", {"output=", "size=", "image-opts", "force-share"});
  if (!a.wrong().empty()) return fail_usage(a.wrong());
  const auto as_json = wants_json(a);
  auto options = options_or_fail(a);
  if (!as_json || !options) return 1;
  if (a.files().empty() == !a.has("size")) {
    return fail(a.files().empty() ? "Either --size N or one filename must be specified."
                                  : "--size N cannot be used together with a filename.");
  }
  const std::string format = a.get("O", "raw");
  if (format != "raw" && format != "qcow2") {
    return fail(fmt::format("Format driver '{}' does not support measuring", format));
  }
  u64 cluster = 65536, refcount_bits = 16;
  if (const auto text = take_option(*options, "cluster_size")) cluster = parse_size(*text, 1).value_or(0);
  if (const auto text = take_option(*options, "refcount_bits")) refcount_bits = parse_number(*text).value_or(0);
  if (cluster < 512 || cluster > (2 << 20) || (cluster & (cluster - 1))) {
    return fail("Cluster size must be a power of two between 512 and 2048k");
  }
  if (refcount_bits == 0 || refcount_bits > 64 || (refcount_bits & (refcount_bits - 1))) {
    return fail("Refcount width must be a power of two and may not exceed 64 bits");
  }
  u64 bytes = 0, needed = 0;
  bool bitmaps = false;
  if (a.has("size")) {
    const auto size = size_or_fail(a.get("size"));
    if (!size) return 1;
    bytes = align_up(*size, 512);
  } else {
    OpenFlags flags{.snapshot = a.get("l")};
    auto image = open_or_fail(a, a.files()[0], a.get("f"), ImageAccess::kReadOnly, flags);
    if (!image) return 1;
    bytes = image->size();
    bitmaps = image->format() == "qcow2" && image->details().specific.size() > 3;
    for (u64 at = 0, counted = 0; at < bytes;) {
      const auto found = chain_status(*image, at, bytes - at);
      if (!found) return fail(found.error().message);
      const Extent& extent = found.value().extent;
      const u64 end = at + extent.bytes;
      // Whole clusters, each counted once.
      if (!extent.zero) {
        const u64 first = std::max(align_down(at, cluster), counted);
        counted = std::max(counted, align_up(end, cluster));
        needed += counted - std::min(first, counted);
      }
      at = end;
    }
  }
  u64 required = bytes, full = bytes;
  if (format == "qcow2") {
    const u64 meta = qcow2_metadata(bytes, cluster, refcount_bits);
    full = meta + align_up(bytes, cluster);
    required = meta + needed;
  }
  if (*as_json) {
    std::puts(fmt::format("{{\n{}    \"required\": {},\n    \"fully-allocated\": {}\n}}",
                          bitmaps && format == "qcow2" ? "    \"bitmaps\": 0,\n" : "", required, full)
                  .c_str());
  } else {
    std::puts(fmt::format("required size: {}\nfully allocated size: {}", required, full).c_str());
    if (bitmaps && format == "qcow2") std::puts("bitmaps size: 0");
  }
  return 0;
}

}  // namespace xlat::img
