// rebase and commit
#include <algorithm>
#include <cstdio>

#include "base/zeros.h"
#include "block/chain.h"
#include "img/commands.h"

namespace xlat::img {

namespace {

constexpr u64 kPiece = u64{1} << 20;

// Zeros behind the end and where there is no image.
Status read_padded(BlockImage* image, u64 at, std::span<u8> to) {
  const u64 present = image && at < image->size() ? std::min<u64>(to.size(), image->size() - at) : 0;
  std::fill(to.begin() + static_cast<std::ptrdiff_t>(present), to.end(), u8{0});
  return present ? image->read(at, to.first(present)) : Status();
}

}  // namespace

int rebase(const Words& words) {
  const Arguments a(words, "f:F:b:t:T:puqU", {"image-opts", "force-share"});
  if (!a.wrong().empty()) return fail_usage(a.wrong());
  if (a.files().size() != 1) return fail_usage("Expecting one image file name");
  const bool unsafe = a.has("u");
  if (!unsafe && !a.has("b")) return fail_usage("Must specify backing file (-b) or use unsafe mode (-u)");
  const std::string &file = a.files()[0], backing = a.get("b"), format = a.get("F");
  auto image = open_or_fail(a, file, a.get("f"), ImageAccess::kReadWrite, {.backing = !unsafe});
  if (!image) return 1;
  Progress progress(a.has("p"));
  if (!unsafe) {
    std::unique_ptr<BlockImage> wanted;
    if (!backing.empty()) {
      const std::string path = combine_paths(file, backing);
      auto opened = open_image({.file = path, .format = format}, ImageAccess::kReadOnly, {.lock = !a.has("U")});
      if (!opened) {
        return fail(fmt::format("Could not open new backing file '{}': {}", backing, plain(opened.error(), path)));
      }
      wanted = std::move(*opened);
    }
    std::vector<u8> before(kPiece), after(kPiece);
    const u64 cluster = std::max<u64>(image->details().cluster_bytes, 512);
    for (u64 at = 0; at < image->size();) {
      progress.tell(static_cast<double>(at) / static_cast<double>(image->size()));
      const auto own = image->status(at, image->size() - at);
      if (!own) return fail(own.error().message);
      if (own.value().allocated) {
        at += own.value().bytes;
        continue;
      }
      const u64 n = std::min(own.value().bytes, kPiece);
      const std::span<u8> old = std::span(before).first(n), fresh = std::span(after).first(n);
      if (Status s = image->read(at, old); !s) return fail(s.error().message);
      if (Status s = read_padded(wanted.get(), at, fresh); !s) return fail(s.error().message);
      for (u64 k = 0; k < n;) {
        const u64 part = std::min(n - k, cluster - (at + k) % cluster);
        if (!std::equal(&old[k], &old[k] + part, &fresh[k])) {
          const auto bytes = old.subspan(k, part);
          const Status s = all_zero(bytes) ? image->write_zeroes(at + k, part, true) : image->write(at + k, bytes);
          if (!s) return fail(s.error().message);
        }
        k += part;
      }
      at += n;
    }
    if (Status s = image->flush(); !s) return fail(s.error().message);
  }
  if (!backing.empty() && format.empty()) {
    return fail(fmt::format("Could not change the backing file to '{}': backing format must be specified", backing));
  }
  if (Status s = image->set_backing(backing, backing.empty() ? "" : format); !s) {
    return fail(fmt::format("Could not change the backing file to '{}': {}", backing, plain(s.error(), file)));
  }
  progress.tell(1);
  return 0;
}

int commit(const Words& words) {
  const Arguments a(words, "f:b:t:r:dpq", {"image-opts"});
  if (!a.wrong().empty()) return fail_usage(a.wrong());
  if (a.files().size() != 1) return fail_usage("Expecting one image file name");
  auto image = open_or_fail(a, a.files()[0], a.get("f"), ImageAccess::kReadWrite, {.backing_writable = true});
  if (!image) return 1;
  BlockImage* base = image->backing();
  if (!base) return fail("Image does not have a backing file");
  if (const std::string name = a.get("b"); !name.empty()) {
    const std::string wanted = combine_paths(a.files()[0], name);
    while (base && base->path() != wanted && base->path() != name) base = base->backing();
    if (!base) return fail(fmt::format("Did not find '{}' in the backing chain of '{}'", name, a.files()[0]));
  }
  {
    Progress progress(a.has("p"));
    if (Status s = commit_chain(*image, *base, [&](double part) { progress.tell(part); }); !s)
      return fail(s.error().message);
  }
  // With -b the images between would not fit any more.
  if (!a.has("d") && !a.has("b")) {
    if (Status s = image->make_empty(); !s) return fail(s.error().message);
  }
  if (!a.has("q")) std::puts("Image committed.");
  return 0;
}

}  // namespace xlat::img
