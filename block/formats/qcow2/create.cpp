// Making qcow2 images, and the format's row.
#include <algorithm>
#include <bit>

#include "base/bits.h"
#include "base/spelling.h"
#include "block/formats/qcow2/image.h"
#include "block/host_file.h"

namespace xlat {

using namespace qcow2;

namespace {

struct Wanted {
  Header header;
  std::string preallocation = "off";
};

Result<Wanted> read_options(const CreateRequest& request) {
  ImageOptions options = request.options;
  Wanted w;
  Header& h = w.header;
  h.size = request.bytes;
  h.backing_file = request.backing_file;
  h.backing_format = request.backing_format;
  const std::string compat = take_option(options, "compat").value_or("1.1");
  if (compat == "0.10" || compat == "v2") {
    h.version = 2;
  } else if (compat != "1.1" && compat != "v3") {
    return error("Invalid parameter '{}': compat is 0.10 (v2) or 1.1 (v3)", compat);
  }
  const u64 cluster = parse_size(take_option(options, "cluster_size").value_or("65536"), 1).value_or(0);
  if (!std::has_single_bit(cluster) || cluster < 512 || cluster > (2u << 20)) {
    return error("Cluster size must be a power of two between 512 and 2048k");
  }
  h.cluster_bits = static_cast<u32>(std::countr_zero(cluster));
  const auto lazy = take_switch(options, "lazy_refcounts", false);
  if (!lazy) return lazy.error();
  if (lazy.value()) {
    if (h.version < 3)
      return error("Lazy refcounts only supported with compatibility level 1.1 and above (use version=v3 or greater)");
    h.compatible |= kLazyRefcounts;
  }
  const u64 bits = parse_number(take_option(options, "refcount_bits").value_or("16")).value_or(0);
  if (bits > 64 || !std::has_single_bit(bits))
    return error("Refcount width must be a power of two and may not exceed 64 bits");
  if (h.version < 3 && bits != 16) {
    return error(
        "Different refcount widths than 16 bits require compatibility level 1.1 or above (use version=v3 or greater)");
  }
  h.refcount_order = static_cast<u32>(std::countr_zero(bits));
  const std::string compression = take_option(options, "compression_type").value_or("zlib");
  if (compression != "zlib" && compression != "zstd") return error("Invalid parameter '{}'", compression);
  if (compression == "zstd") {
    if (h.version < 3)
      return error(
          "Non-zlib compression type is only supported with compatibility level 1.1 and above (use version=v3 or "
          "greater)");
    h.zstd = true;
    h.incompatible |= kCompressionType;
  }
  const auto extended = take_switch(options, "extended_l2", false);
  if (!extended) return extended.error();
  if (extended.value()) return error("extended_l2=on: this version cannot make images with subclusters");
  for (const std::string_view name : {"data_file", "encryption", "encrypt.format"}) {
    const auto value = take_option(options, name);
    if (value && *value != "off") return error("{}={}: this version cannot make such images", name, *value);
  }
  w.preallocation = take_option(options, "preallocation").value_or("off");
  if (w.preallocation != "off" && w.preallocation != "metadata" && w.preallocation != "falloc" &&
      w.preallocation != "full") {
    return error("Invalid parameter '{}'", w.preallocation);
  }
  if (h.version == 3) h.extensions.push_back(feature_names());
  return w;
}

}  // namespace

// The header, the refcount table, its blocks and the L1 table, one after another.
Status Image::create(const CreateRequest& request) {
  auto wanted = read_options(request);
  if (!wanted) return wanted.error();
  Header& h = wanted->header;
  const u64 cluster = h.cluster_bytes(), entries = cluster * 8 >> h.refcount_order;
  const u64 covers = cluster * (cluster / 8);
  h.l1_entries = 0;
  const u64 l1_entries = (h.size + covers - 1) / covers;
  if (h.size > (u64{1} << 62) || l1_entries * 8 > kMostL1Bytes) {
    return error("The image size is too large for file format 'qcow2' (try using a larger cluster size)");
  }
  const u64 l1_clusters = std::max<u64>((l1_entries * 8 + cluster - 1) / cluster, 1);
  u64 blocks = 1, table = 1;
  for (;;) {
    const u64 all = 1 + table + blocks + l1_clusters;
    const u64 b = (all + entries - 1) / entries, t = (b * 8 + cluster - 1) / cluster;
    if (b == blocks && t == table) break;
    blocks = std::max(b, blocks);
    table = std::max(t, table);
  }
  h.refcount_table_offset = cluster;
  h.refcount_table_clusters = static_cast<u32>(table);
  h.l1_entries = static_cast<u32>(l1_entries);
  h.l1_offset = (1 + table + blocks) * cluster;
  auto head = h.encode();
  if (!head) return head.error();

  auto file = create_host_file(request.path);
  if (!file) return file.error();
  std::vector<u8> raw(table * cluster);
  for (u64 n = 0; n < blocks; ++n) store_be<u64>(&raw[n * 8], (1 + table + n) * cluster);
  if (Status s = (*file)->write(h.refcount_table_offset, raw); !s) return s;
  if (Status s = (*file)->resize(h.l1_offset + std::max<u64>(l1_entries * 8, 1)); !s) return s;
  if (Status s = (*file)->write(0, *head); !s) return s;

  auto opened = open({.file = std::move(*file),
                      .access = ImageAccess::kReadWrite,
                      .options = {},
                      .open_backing = {},
                      .open_part = {}});
  if (!opened) return opened.error();
  auto& image = static_cast<Image&>(**opened);
  for (u64 n = 0; n < 1 + table + blocks + l1_clusters; ++n) {
    if (Status s = image.set_references(n, 1); !s) return s;
  }
  image.free_hint_ = 1 + table + blocks + l1_clusters;
  if (wanted->preallocation != "off") {
    if (Status s = image.preallocate(wanted->preallocation); !s) return s;
  }
  return image.flush();
}

// A cluster of the file for every one of the disk's, in order.
Status Image::preallocate(const std::string& mode) {
  const u64 cluster = cluster_bytes(), end = align_up(size(), cluster);
  if (backing_ || !header_.backing_file.empty()) {
    return error("Preallocation cannot be used at the same time as a backing file or extended L2 entries");
  }
  for (u64 at = 0; at < end; at += cluster) {
    const auto fresh = allocate();
    if (!fresh) return fresh.error();
    if (Status s = link(at, fresh.value() | kFlagCopied); !s) return s;
    if (Status s = write_tables_if_crowded(); !s) return s;
  }
  if (mode == "metadata") return file_->resize(std::max(file_->size(), virgin_));
  if (Status s = write_tables(); !s) return s;
  return file_->preallocate(file_->size(), virgin_ > file_->size() ? virgin_ - file_->size() : 0, mode == "full");
}

namespace {

using CreateKind = CreateOption::Kind;
// In the order that qemu-img prints them.
constexpr CreateOption kOptions[] = {
    {"cluster_size", CreateKind::kSize, "qcow2 cluster size", "65536"},
    {"extended_l2", CreateKind::kSwitch, "Extended L2 tables", "off"},
    {"preallocation", CreateKind::kText, "Preallocation mode (allowed values: off, metadata, falloc, full)"},
    {"compression_type", CreateKind::kText, "Compression method used for image cluster compression", "zlib"},
    {"size", CreateKind::kSize, "Virtual disk size"},
    {"compat", CreateKind::kText, "Compatibility level (v2 [0.10] or v3 [1.1])"},
    {"data_file", CreateKind::kText, "File name of an external data file"},
    {"backing_file", CreateKind::kText, "File name of a base image"},
    {"backing_fmt", CreateKind::kText, "Image format of the base image"},
    {"lazy_refcounts", CreateKind::kSwitch, "Postpone refcount updates", "off"},
    {"refcount_bits", CreateKind::kNumber, "Width of a reference count entry in bits", "16"},
};

// Tuning, and what is as it should be anyway.
constexpr std::string_view kOpenOptions[] = {
    "lazy-refcounts",      "cache-size",           "l2-cache-size",         "l2-cache-entry-size",
    "refcount-cache-size", "cache-clean-interval", "pass-discard-request",  "pass-discard-snapshot",
    "pass-discard-other",  "overlap-check",        "overlap-check.template"};

bool probe(std::span<const u8> head, std::string_view) {
  return has_magic(head, 0, "QFI\xfb") && head.size() >= 8 && load_be<u32>(&head[4]) != 1;
}

}  // namespace

extern const ImageDriver kQcow2Driver{.name = "qcow2",
                                      .describe = "a QCOW2 image",
                                      .probe = probe,
                                      .open = Image::open,
                                      .create = Image::create,
                                      .options = kOptions,
                                      .open_options = kOpenOptions,
                                      .has_backing = true};

}  // namespace xlat
