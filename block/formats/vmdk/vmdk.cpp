// vmdk: VMware's disks. A descriptor, in a file of its own or inside, lists the extents that the disk consists of.
#include <algorithm>

#include "base/bits.h"
#include "base/spelling.h"
#include "block/formats/vmdk/descriptor.h"
#include "block/formats/vmdk/sparse_extent.h"
#include "block/host_file.h"

namespace xlat {

using namespace vmdk;

namespace {

using namespace std::string_view_literals;

constexpr u64 kMostDescriptor = 1 << 20;
constexpr u64 kSplit = u64{2} << 30;  // bytes of an extent of the split kinds
constexpr u64 kTextAt = 512;          // of the descriptor inside a sparse file

// FLAT: the disk's bytes as they are, from `start` on. ZERO: none.
class FlatExtent final : public MappedImage {
 public:
  FlatExtent(std::unique_ptr<Storage> file, u64 size, u64 start, bool read_only)
      : MappedImage(std::move(file), size, std::max<u64>(size, 512), read_only), start_(start) {}
  std::string_view format() const override { return "vmdk"; }

 protected:
  Result<Place> find(u64) override { return Place{Kind::kData, start_}; }
  Result<u64> take_room(u64) override { return damaged("a flat extent is fixed"); }
  Status link(u64, Place) override { return {}; }
  bool map_changed() const override { return false; }
  Status write_map() override { return {}; }

 private:
  u64 start_;
};

struct Piece {
  u64 start = 0;
  std::unique_ptr<BlockImage> image;  // null: zeros
  u64 bytes = 0;
  std::string kind;
};

class VmdkImage final : public BlockImage {
 public:
  VmdkImage(std::string path, Descriptor descriptor, bool read_only)
      : path_(std::move(path)), descriptor_(std::move(descriptor)), read_only_(read_only) {}
  ~VmdkImage() override { (void)flush(); }

  u64 size() const override { return size_; }
  bool read_only() const override { return read_only_; }
  const std::string& path() const override { return path_; }
  std::string_view format() const override { return "vmdk"; }
  BlockImage* backing() override { return backing_.get(); }
  u64 allocated_bytes() const override {
    u64 all = text_ ? text_->allocated() : 0;
    for (const Piece& piece : pieces_) all += piece.image ? piece.image->allocated_bytes() : 0;
    return all;
  }

  // `sparse`: null unless it is of that kind.
  void add(u64 bytes, std::unique_ptr<BlockImage> image, std::string kind) {
    pieces_.push_back({size_, std::move(image), bytes, std::move(kind)});
    size_ += bytes;
  }
  // Where the descriptor is, for its content ID: a file of its own, or inside the first extent.
  void set_text(std::unique_ptr<Storage> own, Storage& file, u64 at, u64 bytes) {
    text_ = std::move(own);
    text_file_ = &file;
    text_at_ = at;
    text_bytes_ = bytes;
  }
  void set_parent(std::unique_ptr<BlockImage> parent) {
    backing_ = std::move(parent);
    for (Piece& piece : pieces_) {
      if (auto* sparse = dynamic_cast<SparseExtent*>(piece.image.get()))
        sparse->set_backing_image(backing_.get(), piece.start);
    }
  }

  Status read(u64 offset, std::span<u8> to) override {
    if (Status s = check_image_range(*this, "read", offset, to.size()); !s) return s;
    return each(offset, to.size(), [&](Piece& piece, u64 at, u64 done, u64 n) -> Status {
      const std::span<u8> part = to.subspan(done, n);
      if (piece.image) return piece.image->read(at, part);
      std::fill(part.begin(), part.end(), u8{0});
      return {};
    });
  }
  Status write(u64 offset, std::span<const u8> from) override {
    if (Status s = begin_write(offset, from.size()); !s) return s;
    return each(offset, from.size(), [&](Piece& piece, u64 at, u64 done, u64 n) -> Status {
      if (!piece.image) return error("'{}': a ZERO extent cannot be written", path_);
      return piece.image->write(at, from.subspan(done, n));
    });
  }
  Status write_compressed(u64 offset, std::span<const u8> cluster) override {
    if (Status s = begin_write(offset, cluster.size()); !s) return s;
    if (pieces_.size() != 1) return error("'{}': only VMDKs of one extent can be compressed", path_);
    return pieces_[0].image->write_compressed(offset, cluster);
  }
  Status write_zeroes(u64 offset, u64 bytes, bool unmap) override {
    if (Status s = begin_write(offset, bytes); !s) return s;
    return each(offset, bytes, [&](Piece& piece, u64 at, u64, u64 n) {
      return piece.image ? piece.image->write_zeroes(at, n, unmap) : Status();
    });
  }
  Status flush() override {
    for (Piece& piece : pieces_) {
      if (!piece.image) continue;
      if (Status s = piece.image->flush(); !s) return s;
    }
    return text_ && !read_only_ ? text_->flush() : Status();
  }
  Result<Extent> status(u64 offset, u64 bytes) override {
    if (Status s = check_image_range(*this, "read", offset, bytes); !s) return s.error();
    for (Piece& piece : pieces_) {
      if (offset < piece.start || offset - piece.start >= piece.bytes) continue;
      const u64 at = offset - piece.start;
      if (!piece.image) return Extent{.bytes = std::min(bytes, piece.bytes - at), .data = false, .zero = true};
      auto extent = piece.image->status(at, std::min(bytes, piece.bytes - at));
      if (extent) extent->file = &piece.image->path();
      return extent;
    }
    return Extent{.bytes = bytes};
  }
  Result<CheckReport> check(Repair repair) override {
    if (repair != Repair::kNone) return error("This image format does not support repairs");
    CheckReport report;
    for (u64 at = 0; at < size_;) {
      const auto extent = status(at, size_ - at);
      if (!extent) {
        report.lines.push_back(
            fmt::format("ERROR: could not find extent for sector {}: {}", at / 512, extent.error().message));
        ++report.corruptions;
        break;
      }
      at += extent.value().bytes;
    }
    return report;
  }

  ImageDetails details() const override {
    ImageDetails d;
    if (const BlockImage* first = pieces_.empty() ? nullptr : pieces_[0].image.get())
      d.cluster_bytes = first->details().cluster_bytes;
    d.backing_file = descriptor_.parent_cid == kNoParent ? "" : descriptor_.parent_file;
    if (!d.backing_file.empty()) d.backing_format = "vmdk";
    d.specific.emplace_back("cid", u64{descriptor_.cid});
    d.specific.emplace_back("parent cid", u64{descriptor_.parent_cid});
    d.specific.emplace_back("create type", descriptor_.create_type);
    for (const Piece& piece : pieces_) {
      if (!piece.image) continue;
      const auto* sparse = dynamic_cast<const SparseExtent*>(piece.image.get());
      d.parts.push_back({piece.image->path(), piece.kind, piece.bytes, piece.image->details().cluster_bytes,
                         sparse && sparse->compressed()});
    }
    return d;
  }

 private:
  template <class Do>
  Status each(u64 offset, u64 bytes, Do what) {
    u64 done = 0;
    for (Piece& piece : pieces_) {
      if (done == bytes) break;
      if (offset + done >= piece.start + piece.bytes || piece.bytes == 0) continue;
      const u64 at = offset + done - piece.start, n = std::min(bytes - done, piece.bytes - at);
      if (Status s = what(piece, at, done, n); !s) return s;
      done += n;
    }
    return {};
  }

  // The content ID says to what is based on this image that it is not what it was.
  Status begin_write(u64 offset, u64 bytes) {
    if (Status s = check_image_range(*this, "write", offset, bytes); !s) return s;
    if (read_only_) return error("'{}' is open read-only; nothing was written", path_);
    if (announced_) return {};
    announced_ = true;
    std::vector<u8> raw(text_bytes_);
    if (Status s = text_file_->read(text_at_, raw); !s) return s;
    const std::string_view text(reinterpret_cast<const char*>(raw.data()), raw.size());
    const auto line = text.starts_with("CID=") ? 0 : text.find("\nCID=");
    if (line == std::string_view::npos) return {};
    const std::size_t at = line + (line ? 5 : 4);
    // QEMU writes it without leading zeros: only the digits that are there are changed, as a line end follows.
    const std::size_t end = text.find_first_not_of("0123456789abcdefABCDEF", at);
    const std::size_t digits = std::min<std::size_t>(std::min(end, text.size()) - at, 8);
    if (!digits) return {};
    descriptor_.cid = (descriptor_.cid * 1664525 + 1013904223) & (~u32{0} >> (32 - 4 * digits));
    if (descriptor_.cid == kNoParent) descriptor_.cid = 1;
    const std::string id = fmt::format("{:0{}x}", descriptor_.cid, digits);
    return text_file_->write(text_at_ + at, {reinterpret_cast<const u8*>(id.data()), id.size()});
  }

  std::string path_;
  Descriptor descriptor_;
  bool read_only_, announced_ = false;
  u64 size_ = 0;
  std::unique_ptr<BlockImage> backing_;
  std::vector<Piece> pieces_;
  std::unique_ptr<Storage> text_;
  Storage* text_file_ = nullptr;
  u64 text_at_ = 0, text_bytes_ = 0;
};

Result<std::string> read_text(Storage& file, u64 at, u64 bytes) {
  std::string text(std::min(bytes, kMostDescriptor), '\0');
  if (Status s = file.read(at, {reinterpret_cast<u8*>(text.data()), text.size()}); !s) return s.error();
  text.resize(std::min(text.size(), text.find('\0')));
  return text;
}

Status add_parent(ImageRequest& request, VmdkImage& image, const Descriptor& d) {
  if (d.parent_cid == kNoParent || d.parent_file.empty() || !request.open_backing) return {};
  auto parent = request.open_backing(d.parent_file, "vmdk");
  if (!parent) return parent.error();
  image.set_parent(std::move(*parent));
  return {};
}

Result<std::unique_ptr<BlockImage>> open_one_file(ImageRequest request) {
  const std::string path = request.file->path();
  const bool read_only = request.read_only();
  auto extent = SparseExtent::open(std::move(request.file), read_only);
  if (!extent) return extent.error();
  const SparseHeader& h = (*extent)->header();
  if (h.descriptor_at == 0) {
    return error("'{}' is a part of a VMDK that consists of several files; open the one with the descriptor", path);
  }
  Storage& file = (*extent)->file();
  auto text = read_text(file, h.descriptor_at * 512, h.descriptor_sectors * 512);
  if (!text) return text.error();
  auto descriptor = Descriptor::parse(*text, path);
  if (!descriptor) return descriptor.error();
  auto image = std::make_unique<VmdkImage>(path, *descriptor, read_only);
  image->set_text(nullptr, file, h.descriptor_at * 512, text->size());
  const u64 bytes = (*extent)->size();
  image->add(bytes, std::move(*extent), "");
  if (Status s = add_parent(request, *image, *descriptor); !s) return s.error();
  return std::unique_ptr<BlockImage>(std::move(image));
}

Result<std::unique_ptr<BlockImage>> open_described(ImageRequest request) {
  const std::string path = request.file->path();
  auto text = read_text(*request.file, 0, request.file->size());
  if (!text) return text.error();
  auto descriptor = Descriptor::parse(*text, path);
  if (!descriptor) return descriptor.error();
  static constexpr std::string_view kTypes[] = {
      "monolithicFlat",  "vmfs",  "vmfsSparse", "twoGbMaxExtentSparse", "twoGbMaxExtentFlat", "monolithicSparse",
      "streamOptimized", "custom"};
  if (std::find(std::begin(kTypes), std::end(kTypes), descriptor->create_type) == std::end(kTypes)) {
    return error("'{}': Unsupported image type '{}'", path, descriptor->create_type);
  }
  auto image = std::make_unique<VmdkImage>(path, *descriptor, request.read_only());
  for (const ExtentLine& line : descriptor->extents) {
    const u64 bytes = line.sectors * 512;
    if (line.access == "NOACCESS" || line.kind == "ZERO") {
      image->add(bytes, nullptr, line.kind);
      continue;
    }
    const bool flat = line.kind == "FLAT" || line.kind == "VMFS";
    if (!flat && line.kind != "SPARSE") return error("'{}': Unsupported extent type '{}'", path, line.kind);
    if (line.file.empty()) {
      return error("'{}': Invalid extent line: {} without a file of its own", path, line.kind);
    }
    auto file = request.open_part(line.file);
    if (!file) return file.error();
    if (flat) {
      if (line.start * 512 + bytes > (*file)->size() + 511) {
        return error("'{}': the extent '{}' is shorter than the descriptor says", path, line.file);
      }
      image->add(bytes, std::make_unique<FlatExtent>(std::move(*file), bytes, line.start * 512, request.read_only()),
                 "FLAT");
      continue;
    }
    auto extent = SparseExtent::open(std::move(*file), request.read_only());
    if (!extent) return extent.error();
    if ((*extent)->size() < bytes)
      return error("'{}': the extent '{}' is shorter than the descriptor says", path, line.file);
    image->add(bytes, std::move(*extent), "SPARSE");
  }
  Storage& file = *request.file;
  image->set_text(std::move(request.file), file, 0, text->size());
  if (Status s = add_parent(request, *image, *descriptor); !s) return s.error();
  return std::unique_ptr<BlockImage>(std::move(image));
}

Result<std::unique_ptr<BlockImage>> open_vmdk(ImageRequest request) {
  std::array<u8, 512> head{};
  const u64 n = std::min<u64>(head.size(), request.file->size());
  if (Status s = request.file->read(0, std::span(head).first(n)); !s) return s.error();
  if (has_magic(head, 0, "KDMV")) return open_one_file(std::move(request));
  if (has_magic(head, 0, "COWD")) {
    return error(
        "'{}': VMDKs of ESX 2 (COWD) cannot be opened by this version; make a raw one: qemu-img convert -O raw",
        request.file->path());
  }
  if (!looks_like_descriptor({reinterpret_cast<const char*>(head.data()), n})) {
    return error("'{}': invalid VMDK image descriptor", request.file->path());
  }
  return open_described(std::move(request));
}

bool probe(std::span<const u8> head, std::string_view) {
  return has_magic(head, 0, "KDMV") || has_magic(head, 0, "COWD") ||
         looks_like_descriptor({reinterpret_cast<const char*>(head.data()), head.size()});
}

struct Subformat {
  std::string_view name;
  bool split, flat, compressed;
};
constexpr Subformat kSubformats[] = {{"monolithicSparse", false, false, false},
                                     {"monolithicFlat", false, true, false},
                                     {"twoGbMaxExtentSparse", true, false, false},
                                     {"twoGbMaxExtentFlat", true, true, false},
                                     {"streamOptimized", false, false, true}};

// "disk-s001.vmdk" beside "disk.vmdk"
std::string extent_name(const std::string& path, const Subformat& f, u64 n) {
  const auto dot = path.rfind('.');
  const bool suffixed = dot != std::string::npos && path.find('/', dot) == std::string::npos;
  const std::string stem = suffixed ? path.substr(0, dot) : path, suffix = suffixed ? path.substr(dot) : "";
  return f.split ? fmt::format("{}-{}{:03}{}", stem, f.flat ? 'f' : 's', n, suffix) : stem + "-flat" + suffix;
}

Result<u32> cid_of(const std::string& path) {
  auto file = open_host_file(path, ImageAccess::kReadOnly, false);
  if (!file) return file.error();
  std::array<u8, 512> head{};
  if (Status s = (*file)->read(0, head); !s) return s.error();
  const bool sparse = has_magic(head, 0, "KDMV");
  auto text = read_text(**file, sparse ? kTextAt : 0, sparse ? kDescriptorSectors * 512 : (*file)->size());
  if (!text) return text.error();
  auto descriptor = Descriptor::parse(*text, path);
  if (!descriptor) return error("Invalid backing file type. Must be vmdk");
  return descriptor->cid;
}

Status create_vmdk(const CreateRequest& request) {
  ImageOptions options = request.options;
  const std::string name = take_option(options, "subformat").value_or("monolithicSparse");
  const auto* f =
      std::find_if(std::begin(kSubformats), std::end(kSubformats), [&](const Subformat& s) { return s.name == name; });
  if (f == std::end(kSubformats)) return error("Invalid parameter '{}'", name);
  const std::string adapter = take_option(options, "adapter_type").value_or("ide");
  if (adapter != "ide" && adapter != "buslogic" && adapter != "lsilogic" && adapter != "legacyESX") {
    return error("Unknown adapter type: {}", adapter);
  }
  const auto compat6 = take_switch(options, "compat6", false), zeroed = take_switch(options, "zeroed_grain", false);
  if (!compat6) return compat6.error();
  if (!zeroed) return zeroed.error();
  std::string hardware = take_option(options, "hwversion").value_or("undefined");
  if (compat6.value() && hardware != "undefined") return error("compat6 cannot be enabled with hwversion set");
  if (hardware == "undefined") hardware = compat6.value() ? "6" : "4";
  const std::string tools = take_option(options, "toolsversion").value_or("2147483647");
  if (f->flat && !request.backing_file.empty()) return error("Flat image can't have backing file");
  if (f->flat && zeroed.value()) return error("Flat image can't enable zeroed grain");
  if (!request.backing_format.empty() && request.backing_format != "vmdk")
    return error("backing_file must be a vmdk image");
  u32 parent_cid = kNoParent;
  std::string parent_line;
  if (!request.backing_file.empty()) {
    const auto slash = request.path.rfind('/');
    const bool beside = !request.backing_file.starts_with('/') && slash != std::string::npos;
    const auto cid = cid_of(beside ? request.path.substr(0, slash + 1) + request.backing_file : request.backing_file);
    if (!cid) return cid.error();
    parent_cid = cid.value();
    parent_line = fmt::format("parentFileNameHint=\"{}\"\n", request.backing_file);
  }
  const u64 bytes = align_up(request.bytes, 512);
  const auto base = [](const std::string& path) { return path.substr(path.rfind('/') + 1); };
  std::string lines;
  std::vector<std::pair<std::string, u64>> files;
  if (!f->split) {
    files.emplace_back(f->flat ? extent_name(request.path, *f, 0) : request.path, bytes);
  } else {
    for (u64 at = 0, n = 1; at < bytes || n == 1; at += kSplit, ++n)
      files.emplace_back(extent_name(request.path, *f, n), std::min(bytes - at, kSplit));
  }
  for (const auto& [path, part] : files) {
    lines +=
        fmt::format("RW {} {} \"{}\"{}\n", part / 512, f->flat ? "FLAT" : "SPARSE", base(path), f->flat ? " 0" : "");
  }
  const auto uuid = make_uuid();
  const u64 heads = adapter == "ide" ? 16 : 255;
  const std::string text = fmt::format(
      "# Disk DescriptorFile\nversion=1\nCID={:08x}\nparentCID={:08x}\ncreateType=\"{}\"\n{}\n# Extent "
      "description\n{}\n"
      "# The Disk Data Base\n#DDB\n\nddb.virtualHWVersion = \"{}\"\nddb.geometry.cylinders = \"{}\"\n"
      "ddb.geometry.heads = \"{}\"\nddb.geometry.sectors = \"63\"\nddb.adapterType = \"{}\"\nddb.toolsVersion = "
      "\"{}\"\n",
      load_le<u32>(uuid.data()) & 0x7fffffff, parent_cid, name, parent_line, lines, hardware,
      bytes / (63 * heads * 512), heads, adapter, tools);
  const bool inside = !f->split && !f->flat;
  for (const auto& [path, part] : files) {
    auto file = create_host_file(path);
    if (!file) return file.error();
    const Status s = f->flat ? (*file)->resize(part)
                             : SparseExtent::create(**file, part, inside ? std::string_view(text) : std::string_view(),
                                                    f->compressed, zeroed.value());
    if (!s) return s;
  }
  if (inside) return {};
  auto file = create_host_file(request.path);
  if (!file) return file.error();
  return (*file)->write(0, {reinterpret_cast<const u8*>(text.data()), text.size()});
}

using OptionKind = CreateOption::Kind;
constexpr CreateOption kOptions[] = {
    {"size", OptionKind::kSize, "Virtual disk size"},
    {"adapter_type", OptionKind::kText,
     "Virtual adapter type, can be one of ide (default), lsilogic, buslogic or legacyESX"},
    {"backing_file", OptionKind::kText, "File name of a base image"},
    {"backing_fmt", OptionKind::kText, "Must be 'vmdk' if present"},
    {"compat6", OptionKind::kSwitch, "VMDK version 6 image", "off"},
    {"hwversion", OptionKind::kText, "VMDK hardware version", "undefined"},
    {"toolsversion", OptionKind::kText, "VMware guest tools version"},
    {"subformat", OptionKind::kText,
     "VMDK flat extent format, can be one of {monolithicSparse (default) | monolithicFlat | twoGbMaxExtentSparse | "
     "twoGbMaxExtentFlat | streamOptimized} "},
    {"zeroed_grain", OptionKind::kSwitch, "Enable efficient zero writes using the zeroed-grain GTE feature"},
};

}  // namespace

extern const ImageDriver kVmdkDriver{.name = "vmdk",
                                     .describe = "a VMDK image",
                                     .probe = probe,
                                     .open = open_vmdk,
                                     .create = create_vmdk,
                                     .options = kOptions,
                                     .has_backing = true};

}  // namespace xlat
