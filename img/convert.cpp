// convert
#include <algorithm>
#include <cstdio>

#include "base/bits.h"
#include "base/spelling.h"
#include "base/zeros.h"
#include "block/chain.h"
#include "block/create_image.h"
#include "img/commands.h"

namespace xlat::img {

namespace {

constexpr u64 kPiece = u64{2} << 20;

// Formats that take compressed clusters, in order.
bool can_compress(std::string_view format, const ImageOptions& options) {
  const auto subformat = options.find("subformat");
  return format == "qcow2" ||
         (format == "vmdk" && subformat != options.end() && subformat->second == "streamOptimized");
}

class Copy {
 public:
  Copy(std::vector<std::unique_ptr<BlockImage>>& sources, BlockImage& target, Progress& progress)
      : sources_(sources), target_(target), progress_(progress) {
    for (const auto& source : sources_) total_ += source->size();
  }

  u64 sparse = 4096;   // zeros of this length are left out; 0: none are
  bool zeroed = true;  // what is not written reads as zeros
  bool compressed = false;
  const BlockImage* base = nullptr;  // what is from there on is in the target's backing file

  Status run() {
    u64 start = 0;
    for (const auto& source : sources_) {
      if (Status s = compressed ? run_compressed(*source, start) : run(*source, start); !s) return s;
      start += source->size();
    }
    progress_.tell(1);
    return target_.flush();
  }

 private:
  void tell(u64 at) { progress_.tell(static_cast<double>(at) / static_cast<double>(std::max<u64>(total_, 1))); }

  Status run(BlockImage& source, u64 start) {
    std::vector<u8> buffer(kPiece);
    for (u64 at = 0; at < source.size();) {
      tell(start + at);
      Extent extent{.bytes = source.size() - at};
      if (sparse > 0 || base) {
        const auto found = chain_status(source, at, source.size() - at, base);
        if (!found) return found.error();
        extent = found.value().extent;
      }
      if (base && !extent.allocated) {
        at += extent.bytes;
        continue;
      }
      if (extent.zero && sparse > 0) {
        if (!zeroed) {
          if (Status s = target_.write_zeroes(start + at, extent.bytes, true); !s) return s;
        }
        at += extent.bytes;
        continue;
      }
      const std::span<u8> piece = std::span(buffer).first(std::min(extent.bytes, kPiece));
      if (Status s = source.read(at, piece); !s) return s;
      if (Status s = write(start + at, piece); !s) return s;
      at += piece.size();
    }
    return {};
  }

  // Without long enough runs of zeros.
  Status write(u64 at, std::span<const u8> bytes) {
    if (sparse == 0) return target_.write(at, bytes);
    u64 from = 0, n = 0;  // what is waiting to be written
    const auto put = [&](u64 end) -> Status {
      return end > from ? target_.write(at + from, bytes.subspan(from, end - from)) : Status();
    };
    while (n < bytes.size()) {
      const u64 part = std::min<u64>(sparse - (at + n) % sparse, bytes.size() - n);
      if (!all_zero(bytes.subspan(n, part))) {
        n += part;
        continue;
      }
      if (Status s = put(n); !s) return s;
      if (!zeroed) {
        if (Status s = target_.write_zeroes(at + n, part, true); !s) return s;
      }
      n += part;
      from = n;
    }
    return put(n);
  }

  Status run_compressed(BlockImage& source, u64 start) {
    const u64 cluster = std::max<u64>(target_.details().cluster_bytes, 512);
    std::vector<u8> buffer(cluster);
    for (u64 at = 0; at < source.size();) {
      tell(start + at);
      const auto found = chain_status(source, at, source.size() - at, base);
      if (!found) return found.error();
      const Extent& extent = found.value().extent;
      if ((extent.zero || (base && !extent.allocated)) && extent.bytes >= cluster) {
        at += align_down(extent.bytes, cluster);
        continue;
      }
      const std::span<u8> piece = std::span(buffer).first(std::min(cluster, source.size() - at));
      if (Status s = source.read(at, piece); !s) return s;
      if (!all_zero(piece)) {
        if (Status s = target_.write_compressed(start + at, piece); !s) return s;
      } else if (base) {
        if (Status s = target_.write_zeroes(start + at, piece.size(), true); !s) return s;
      }
      at += piece.size();
    }
    return {};
  }

  std::vector<std::unique_ptr<BlockImage>>& sources_;
  BlockImage& target_;
  Progress& progress_;
  u64 total_ = 0;
};

// snapshot.id=, snapshot.name= or the bare id or name
std::string snapshot_of(const std::string& text) {
  for (const char* prefix : {"snapshot.id=", "snapshot.name="}) {
    if (text.starts_with(prefix)) return text.substr(std::string_view(prefix).size());
  }
  return text;
}

}  // namespace

int convert(const Words& words) {
  const Arguments a(
      words, "hf:O:B:F:CcqnpS:o:l:t:T:r:m:WU",
      {"image-opts", "target-image-opts", "target-is-zero", "force-share", "bitmaps", "salvage", "source-format="});
  if (!a.wrong().empty()) return fail_usage(a.wrong());
  const std::string target_format = a.get("O", "raw");
  const ImageDriver* driver = find_image_driver(target_format);
  auto options = options_or_fail(a);
  if (!options) return 1;
  if (driver && help_for_options(a, *driver)) return 0;
  if (a.has("bitmaps"))
    return fail("This will continue to be invalid if there are no bitmaps: they are not kept by this version");
  if (a.files().size() < 2) return fail("Must specify image file name");
  const std::string& target_file = a.files().back();
  if (!driver) return fail(fmt::format("Unknown file format '{}'", target_format));
  if (a.has("c") && !can_compress(target_format, *options))
    return fail("Compression not supported for this file format");

  std::vector<std::unique_ptr<BlockImage>> sources;
  u64 total = 0;
  for (std::size_t n = 0; n + 1 < a.files().size(); ++n) {
    OpenFlags flags;
    if (a.has("l")) flags.snapshot = snapshot_of(a.get("l"));
    auto source = open_or_fail(a, a.files()[n], a.get("f"), ImageAccess::kReadOnly, flags);
    if (!source) return 1;
    total += source->size();
    sources.push_back(std::move(source));
  }

  CreateRequest request{.path = target_file, .bytes = total};
  request.backing_file = a.get("B", take_option(*options, "backing_file").value_or(""));
  request.backing_format = a.get("F", take_option(*options, "backing_fmt").value_or(""));
  if (const auto size = take_option(*options, "size")) {
    const auto bytes = size_or_fail(*size);
    if (!bytes) return 1;
    request.bytes = *bytes;
  }
  request.options = *options;
  const BlockImage* base = nullptr;
  if (!request.backing_file.empty()) {
    if (sources.size() > 1)
      return fail("Having a backing file for the target makes no sense when concatenating multiple input images");
    if (request.backing_format.empty()) return fail("backing file requires specified backing format");
    const std::string path = combine_paths(target_file, request.backing_file);
    auto backing =
        open_image({.file = path, .format = request.backing_format}, ImageAccess::kReadOnly, {.lock = false});
    if (!backing) return fail(fmt::format("Could not open backing file '{}': {}", path, plain(backing.error(), path)));
    // What the source has from the same file need not be copied.
    for (const BlockImage* below = sources[0]->backing(); below; below = const_cast<BlockImage*>(below)->backing()) {
      if (below->path() == path) base = below;
    }
  }
  const std::string sparse = a.get("S", "4096");
  const auto sparse_bytes = size_or_fail(sparse);
  if (!sparse_bytes) return 1;
  if (*sparse_bytes % 512 || *sparse_bytes > kPiece) {
    return fail(
        "Invalid buffer size for sparse output specified. Valid sizes are multiples of 512 up to 16777216. Select 0 to "
        "disable sparse detection (fully allocates output).");
  }
  if (!a.has("n")) {
    if (const int failed = create_and_say(target_format, request, true)) return failed;
  }
  OpenFlags flags;
  flags.backing = !request.backing_file.empty();
  const ImageSpec target_spec =
      spec_of(a, target_file, a.has("target-image-opts") ? "" : target_format, "target-image-opts");
  auto target = open_image(target_spec, ImageAccess::kReadWrite, flags);
  if (!target) return fail(fmt::format("Could not open '{}': {}", target_file, plain(target.error(), target_file)));
  if ((*target)->size() < total) {
    return fail("Output file is smaller than input file");
  }
  Progress progress(a.has("p") && !a.has("q"));
  Copy copy(sources, **target, progress);
  copy.sparse = *sparse_bytes;
  copy.compressed = a.has("c");
  copy.base = base;
  copy.zeroed = (!a.has("n") || a.has("target-is-zero")) && request.backing_file.empty();
  if (Status s = copy.run(); !s) return fail(fmt::format("error while converting: {}", s.error().message));
  return 0;
}

}  // namespace xlat::img
