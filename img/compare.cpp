// compare
#include <algorithm>
#include <cstdio>

#include "block/chain.h"
#include "img/commands.h"

namespace xlat::img {

namespace {

constexpr int kDifferent = 1, kFailed = 2;
constexpr u64 kPiece = u64{1} << 20;

int differs(bool quiet, const std::string& text) {
  if (!quiet) std::puts(text.c_str());
  return kDifferent;
}

}  // namespace

int compare(const Words& words) {
  const Arguments a(words, "f:F:T:pqsU", {"image-opts", "force-share"});
  if (!a.wrong().empty()) return fail_usage(a.wrong()), kFailed;
  if (a.files().size() != 2) return fail_usage("Expecting two image file names"), kFailed;
  const bool quiet = a.has("q"), strict = a.has("s");
  auto one = open_or_fail(a, a.files()[0], a.get("f"), ImageAccess::kReadOnly);
  if (!one) return kFailed;
  auto two = open_or_fail(a, a.files()[1], a.get("F"), ImageAccess::kReadOnly);
  if (!two) return kFailed;
  const u64 common = std::min(one->size(), two->size()), total = std::max(one->size(), two->size());
  Progress progress(a.has("p"));
  if (strict && one->size() != two->size()) return differs(quiet, "Strict mode: Image size mismatch!");
  std::vector<u8> left(kPiece), right(kPiece);
  const auto read = [](BlockImage& image, u64 at, std::span<u8> to) {
    const Status s = image.read(at, to);
    if (!s) fail(s.error().message);
    return s.ok();
  };
  for (u64 at = 0; at < total;) {
    progress.tell(static_cast<double>(at) / static_cast<double>(total));
    if (at == common && !quiet) std::puts("Warning: Image size mismatch!");
    u64 n = total - at;
    bool zero_left = true, zero_right = true;
    Extent extents[2];
    for (const auto& [image, zero, extent] :
         {std::tuple{one.get(), &zero_left, &extents[0]}, {two.get(), &zero_right, &extents[1]}}) {
      if (at >= image->size()) continue;  // there are zeros
      const auto found = chain_status(*image, at, std::min(n, image->size() - at));
      if (!found) return fail(found.error().message), kFailed;
      *extent = found.value().extent;
      *zero = extent->zero;
      n = std::min(n, extent->bytes);
    }
    if (strict && at < common &&
        (extents[0].data != extents[1].data || extents[0].zero != extents[1].zero ||
         extents[0].allocated != extents[1].allocated)) {
      return differs(quiet, fmt::format("Strict mode: Offset {} block status mismatch!", at));
    }
    if (at < common) n = std::min(n, common - at);
    if (zero_left && zero_right) {
      at += n;
      continue;
    }
    n = std::min(n, kPiece);
    std::fill(left.begin(), left.end(), u8{0});
    std::fill(right.begin(), right.end(), u8{0});
    if (at < one->size() && !zero_left && !read(*one, at, std::span(left).first(n))) return kFailed;
    if (at < two->size() && !zero_right && !read(*two, at, std::span(right).first(n))) return kFailed;
    const auto where = std::mismatch(left.begin(), left.begin() + static_cast<std::ptrdiff_t>(n), right.begin());
    const u64 same = static_cast<u64>(where.first - left.begin());
    // The sector is told.
    if (same < n) return differs(quiet, fmt::format("Content mismatch at offset {}!", at + same / 512 * 512));
    at += n;
  }
  progress.tell(1);
  if (!quiet) std::puts("Images are identical.");
  return 0;
}

}  // namespace xlat::img
