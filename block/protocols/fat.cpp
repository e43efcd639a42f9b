// fat: a folder of the host's as a disk or floppy with a FAT file system. All tables are made when it is opened; files
// are read when the guest reads them. What the guest writes is kept in memory, and with rw also written to the folder
// when the guest flushes and its file system is whole.
#include <dirent.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstring>
#include <ctime>
#include <filesystem>
#include <map>

#include "base/bits.h"
#include "base/spelling.h"
#include "block/host_file.h"
#include "block/protocol.h"
#include "block/protocols/fat_names.h"
#include "block/utf16.h"

namespace xlat {

namespace {

using namespace fat;

constexpr u64 kSector = 512;
constexpr unsigned kMostDeep = 32;
constexpr u64 kMostFiles = 100'000;

struct Options {
  std::string folder, label = "XLAT VVFAT";
  unsigned type = 0;  // bits of a FAT entry; 0: as usual
  bool floppy = false, writable = false;
};

struct Shape {
  unsigned type = 16;
  u64 sectors = 0, start = 0;  // of the disk; of the file system in it
  u64 heads = 16, track = 63, per_cluster = 16;
  u64 root_entries = 512;  // 0 on FAT32
  u64 fat_sectors = 0, clusters = 0;
  u64 reserved() const { return type == 32 ? 32 : 1; }
  u64 cluster_bytes() const { return per_cluster * kSector; }
  // Bytes from the disk's start.
  u64 fat_at() const { return (start + reserved()) * kSector; }
  u64 root_at() const { return fat_at() + 2 * fat_sectors * kSector; }
  u64 data_at() const { return root_at() + root_entries * kEntryBytes; }
  u64 cluster_at(u64 n) const { return data_at() + (n - 2) * cluster_bytes(); }

  void work_out() {
    // The tables take room from what they count; a few rounds settle it.
    fat_sectors = 1;
    for (int n = 0; n < 8; ++n) {
      clusters = (sectors * kSector - data_at()) / cluster_bytes();
      fat_sectors = ((clusters + 2) * type / 8 + kSector) / kSector;
    }
  }
};

struct Node {
  std::string name, path;
  bool folder = false;
  u64 bytes = 0, first = 0;
  std::time_t time = 0;
  std::vector<Node> inside;
  std::vector<u8> entries;  // of a folder, as they are on the disk
};

// Clusters one after another that are in a file of the host's.
struct Hosted {
  u64 first, clusters;
  u64 offset, bytes;  // in the file; how long that is
  std::string path;
};

u32 fat_time(std::time_t t) {
  std::tm parts{};
  gmtime_r(&t, &parts);
  if (parts.tm_year < 80) return 0x210000;
  const u32 date = static_cast<u32>((parts.tm_year - 80) << 9 | (parts.tm_mon + 1) << 5 | parts.tm_mday);
  return date << 16 | static_cast<u32>(parts.tm_hour << 11 | parts.tm_min << 5 | parts.tm_sec / 2);
}

class FatStorage final : public Storage {
 public:
  explicit FatStorage(Options options) : options_(std::move(options)), path_("fat:" + options_.folder) {}
  ~FatStorage() override { (void)flush(); }

  Status build() {
    Node root{.name = {}, .path = options_.folder, .folder = true, .inside = {}, .entries = {}};
    u64 files = 0;
    if (Status s = scan(root, 0, files); !s) return s;
    if (Status s = choose_shape(root); !s) return s;
    head_.assign(shape_.data_at(), 0);
    fat_.assign(shape_.clusters + 2, 0);
    fat_[0] = 0x0ffffff8;
    fat_[1] = 0x0fffffff;
    // Folders come first, so that all that is not a file's is one piece.
    next_ = 2;
    make_entries(root, nullptr);
    if (shape_.type == 32) give_clusters(root);
    if (Status s = place_folders(root); !s) return s;
    first_file_ = next_;
    if (Status s = place_files(root); !s) return s;
    head_.resize(shape_.cluster_at(first_file_));
    write_folder(root, shape_.type == 32 ? root.first : 0, 0);
    write_fat();
    write_boot_sectors(root);
    remember(root, "");
    return {};
  }

  u64 size() const override { return shape_.sectors * kSector; }
  bool read_only() const override { return false; }
  const std::string& path() const override { return path_; }
  std::string_view protocol() const override { return "vvfat"; }
  u64 allocated() const override { return head_.size(); }
  Status resize(u64) override { return error("'{}' has a fixed size", path_); }

  Status read(u64 offset, std::span<u8> to) override {
    while (!to.empty()) {
      const u64 in_sector = offset % kSector, n = std::min<u64>(to.size(), kSector - in_sector);
      const auto written = written_.find(offset / kSector);
      if (written != written_.end()) {
        std::copy_n(&written->second[in_sector], n, to.begin());
        to = to.subspan(n);
        offset += n;
        continue;
      }
      // As far as the next sector that was written.
      const auto next = written_.upper_bound(offset / kSector);
      const u64 end = next == written_.end() ? offset + to.size() : std::min(offset + to.size(), next->first * kSector);
      if (Status s = read_made(offset, to.first(end - offset)); !s) return s;
      to = to.subspan(end - offset);
      offset = end;
    }
    return {};
  }

  Status write(u64 offset, std::span<const u8> from) override {
    if (offset > size() || from.size() > size() - offset) return error("'{}' has a fixed size", path_);
    changed_ |= !from.empty();
    while (!from.empty()) {
      const u64 sector = offset / kSector, in_sector = offset % kSector,
                n = std::min<u64>(from.size(), kSector - in_sector);
      std::array<u8, kSector> bytes{};
      if (n < kSector) {
        if (Status s = read(sector * kSector, bytes); !s) return s;
      }
      std::copy_n(from.begin(), n, bytes.begin() + static_cast<std::ptrdiff_t>(in_sector));
      written_[sector] = bytes;
      from = from.subspan(n);
      offset += n;
    }
    return {};
  }

  Status flush() override;

 private:
  // What a guest has made of the file system.
  struct Found {
    bool folder = false;
    u64 bytes = 0;
    std::vector<u32> chain;
  };
  using Tree = std::map<std::string, Found>;

  Status scan(Node& node, unsigned depth, u64& files) {
    DIR* dir = opendir(node.path.c_str());
    if (!dir) return error("'{}': cannot open folder '{}': {}", path_, node.path, std::strerror(errno));
    while (const dirent* entry = readdir(dir)) {
      const std::string name = entry->d_name;
      struct stat st {};
      const std::string path = node.path + "/" + name;
      // Links may lead out of the folder.
      if (name == "." || name == ".." || lstat(path.c_str(), &st) != 0) continue;
      if ((!S_ISREG(st.st_mode) && !S_ISDIR(st.st_mode)) || name.size() > 255) continue;
      Node child{.name = name, .path = path, .folder = S_ISDIR(st.st_mode), .inside = {}, .entries = {}};
      child.bytes = child.folder ? 0 : static_cast<u64>(st.st_size);
      child.time = st.st_mtime;
      if (child.bytes > 0xffffffff) {
        closedir(dir);
        return error("'{}': the file '{}' is larger than 4 GiB, as no file on FAT is", path_, path);
      }
      node.inside.push_back(std::move(child));
      if (++files > kMostFiles) {
        closedir(dir);
        return error("'{}': the folder has more than {} files", path_, kMostFiles);
      }
    }
    closedir(dir);
    std::sort(node.inside.begin(), node.inside.end(), [](const Node& a, const Node& b) { return a.name < b.name; });
    for (Node& child : node.inside) {
      if (!child.folder) continue;
      if (depth >= kMostDeep) return error("'{}': folders are more than {} deep at '{}'", path_, kMostDeep, child.path);
      if (Status s = scan(child, depth + 1, files); !s) return s;
    }
    return {};
  }

  static u64 bytes_of(const Node& node) {
    u64 all = node.folder ? node.inside.size() * 4 * kEntryBytes + 65536 : node.bytes + 65536;
    for (const Node& child : node.inside) all += bytes_of(child);
    return all;
  }

  // QEMU's sizes.
  Status choose_shape(const Node& root) {
    Shape& s = shape_;
    s.type = options_.type ? options_.type : options_.floppy ? 12 : 16;
    if (options_.floppy) {
      if (s.type == 32) return error("'{}': a floppy has no FAT32", path_);
      s.heads = 2;
      s.track = options_.type == 12 ? 18 : 36;
      s.per_cluster = options_.type ? 1 : 2;
      s.sectors = 80 * s.heads * s.track;
      s.root_entries = s.track == 18 ? 224 : 240;
    } else {
      s.start = 63;
      s.sectors = (s.type == 12 ? 64 : 1024) * s.heads * s.track;
      if (s.type == 32) {
        s.per_cluster = 8;
        s.root_entries = 0;
        const u64 wanted = (bytes_of(root) * 5 / 4 + (u64{64} << 20)) / kSector, cylinder = s.heads * s.track;
        s.sectors = std::max(s.sectors, (wanted + cylinder - 1) / cylinder * cylinder);
      }
    }
    s.work_out();
    return {};
  }

  // A folder's entries but for first clusters, which are filled in when they are known.
  void make_entries(Node& node, const Node* parent) {
    std::set<std::string> taken;
    node.entries.clear();
    const auto add = [&](const std::string& short_name, u8 attributes, std::time_t time, u64 bytes) {
      const std::size_t at = node.entries.size();
      node.entries.resize(at + kEntryBytes);
      std::copy_n(short_name.begin(), 11, node.entries.begin() + static_cast<std::ptrdiff_t>(at));
      node.entries[at + 11] = attributes;
      const u32 stamp = fat_time(time);
      store_le<u16>(&node.entries[at + 22], static_cast<u16>(stamp));
      store_le<u16>(&node.entries[at + 24], static_cast<u16>(stamp >> 16));
      store_le<u32>(&node.entries[at + 28], static_cast<u32>(bytes));
    };
    if (parent) {
      add(".          ", kDirectory, node.time, 0);
      add("..         ", kDirectory, node.time, 0);
    } else {
      std::string label = options_.label;
      label.resize(11, ' ');
      add(label, kVolume, 0, 0);
    }
    for (Node& child : node.inside) {
      const std::string name = short_name(child.name, taken);
      const std::vector<u8> long_entries = long_name_entries(child.name, name);
      node.entries.insert(node.entries.end(), long_entries.begin(), long_entries.end());
      add(name, child.folder ? kDirectory : 0x20, child.time, child.bytes);
      if (child.folder) make_entries(child, &node);
    }
  }

  void give_clusters(Node& node) {
    const u64 bytes = node.folder ? node.entries.size() : node.bytes;
    const u64 n = (bytes + shape_.cluster_bytes() - 1) / shape_.cluster_bytes();
    node.first = n ? next_ : 0;
    for (u64 k = 0; k < n && next_ < fat_.size(); ++k, ++next_)
      fat_[next_] = k + 1 < n ? static_cast<u32>(next_ + 1) : 0x0fffffff;
    full_ |= n != 0 && next_ > shape_.clusters + 1 && fat_[shape_.clusters + 1] != 0x0fffffff;
  }

  Status check_room() const {
    if (!full_ && next_ <= shape_.clusters + 2) return {};
    return error("Directory does not fit in FAT{} (capacity {:.2f} MB)", shape_.type,
                 static_cast<double>(shape_.clusters * shape_.cluster_bytes()) / 1e6);
  }

  Status place_folders(Node& node) {
    if (shape_.type != 32 && node.path == options_.folder && node.entries.size() > shape_.root_entries * kEntryBytes) {
      return error("'{}': the folder has more files than a root folder of FAT{} can have; put them into another one",
                   path_, shape_.type);
    }
    for (Node& child : node.inside) {
      if (!child.folder) continue;
      give_clusters(child);
      if (Status s = check_room(); !s) return s;
      if (Status s = place_folders(child); !s) return s;
    }
    return {};
  }

  Status place_files(Node& node) {
    for (Node& child : node.inside) {
      if (child.folder) {
        if (Status s = place_files(child); !s) return s;
        continue;
      }
      const u64 before = next_;
      give_clusters(child);
      if (Status s = check_room(); !s) return s;
      if (child.first) files_.push_back({child.first, next_ - before, 0, child.bytes, child.path});
    }
    return {};
  }

  void write_folder(Node& node, u64 own, u64 parent) {
    std::size_t at = 0;
    const auto set_first = [&](u64 first) {
      store_le<u16>(&node.entries[at + 26], static_cast<u16>(first));
      if (shape_.type == 32) store_le<u16>(&node.entries[at + 20], static_cast<u16>(first >> 16));
      at += kEntryBytes;
    };
    if (node.path == options_.folder) {
      at += kEntryBytes;  // the label
    } else {
      set_first(own);
      set_first(parent);
    }
    for (Node& child : node.inside) {
      while (node.entries[at + 11] == kLongName) at += kEntryBytes;
      set_first(child.first);
      // The root folder is 0 to those in it, wherever it is.
      if (child.folder) write_folder(child, child.first, node.path == options_.folder ? 0 : own);
    }
    const u64 to = own ? shape_.cluster_at(own) : shape_.root_at();
    std::copy(node.entries.begin(), node.entries.end(), head_.begin() + static_cast<std::ptrdiff_t>(to));
  }

  void write_fat() {
    std::vector<u8> raw(shape_.fat_sectors * kSector);
    for (u64 n = 0; n < fat_.size(); ++n) {
      if (shape_.type == 32) {
        store_le<u32>(&raw[n * 4], fat_[n]);
      } else if (shape_.type == 16) {
        store_le<u16>(&raw[n * 2], static_cast<u16>(fat_[n]));
      } else {
        const u32 both = load_le<u16>(&raw[n * 3 / 2]);
        const u32 value = fat_[n] & 0xfff;
        store_le<u16>(&raw[n * 3 / 2], static_cast<u16>(n % 2 ? (both & 0xf) | value << 4 : (both & 0xf000) | value));
      }
    }
    if (options_.floppy) raw[0] = 0xf0;
    for (u64 n = 0; n < 2; ++n) {
      std::copy(raw.begin(), raw.end(), head_.begin() + static_cast<std::ptrdiff_t>(shape_.fat_at() + n * raw.size()));
    }
  }

  void write_boot_sectors(const Node& root) {
    const Shape& s = shape_;
    u8* b = &head_[s.start * kSector];
    const u8 jump[] = {0xeb, 0x3e, 0x90};
    std::copy_n(jump, 3, b);
    std::copy_n("MSWIN4.1", 8, b + 3);
    const u64 sectors = s.sectors - s.start;
    store_le<u16>(b + 11, kSector);
    b[13] = static_cast<u8>(s.per_cluster);
    store_le<u16>(b + 14, static_cast<u16>(s.reserved()));
    b[16] = 2;
    store_le<u16>(b + 17, static_cast<u16>(s.root_entries));
    store_le<u16>(b + 19, static_cast<u16>(sectors < 0x10000 ? sectors : 0));
    b[21] = options_.floppy ? 0xf0 : 0xf8;
    store_le<u16>(b + 22, static_cast<u16>(s.type == 32 ? 0 : s.fat_sectors));
    store_le<u16>(b + 24, static_cast<u16>(s.track));
    store_le<u16>(b + 26, static_cast<u16>(s.heads));
    store_le<u32>(b + 28, static_cast<u32>(s.start));
    store_le<u32>(b + 32, static_cast<u32>(sectors < 0x10000 ? 0 : sectors));
    u8* e = b + 36;
    if (s.type == 32) {
      store_le<u32>(b + 36, static_cast<u32>(s.fat_sectors));
      store_le<u32>(b + 44, static_cast<u32>(root.first));
      store_le<u16>(b + 48, 1);
      store_le<u16>(b + 50, 6);
      e = b + 64;
    }
    e[0] = options_.floppy ? 0 : 0x80;
    e[2] = 0x29;
    store_le<u32>(e + 3, 0xfabe1afd);
    std::string label = options_.label;
    label.resize(11, ' ');
    std::copy_n(label.begin(), 11, e + 7);
    std::copy_n(s.type == 32 ? "FAT32   " : s.type == 16 ? "FAT16   " : "FAT12   ", 8, e + 18);
    store_le<u16>(b + 510, 0xaa55);
    if (s.type == 32) {
      u8* info = b + kSector;
      store_le<u32>(info, 0x41615252);
      store_le<u32>(info + 484, 0x61417272);
      store_le<u32>(info + 488, static_cast<u32>(s.clusters + 2 - next_));
      store_le<u32>(info + 492, static_cast<u32>(next_));
      store_le<u32>(info + 508, 0xaa550000);
      std::copy_n(b, 2 * kSector, b + 6 * kSector);
    }
    if (s.start == 0) return;
    u8* mbr = &head_[0];
    store_le<u32>(mbr + 440, 0xbe1afdfa);
    u8* p = mbr + 446;
    p[0] = 0x80;
    const auto chs = [&](u8* to, u64 sector) {
      const u64 cylinder = std::min<u64>(sector / (s.track * s.heads), 1023);
      to[0] = static_cast<u8>(sector / s.track % s.heads);
      to[1] = static_cast<u8>((sector % s.track + 1) | (cylinder >> 8) << 6);
      to[2] = static_cast<u8>(cylinder);
    };
    chs(p + 1, s.start);
    chs(p + 5, s.sectors - 1);
    p[4] = s.type == 32 ? 0x0c : s.type == 16 ? 0x06 : 0x01;
    store_le<u32>(p + 8, static_cast<u32>(s.start));
    store_le<u32>(p + 12, static_cast<u32>(s.sectors - s.start));
    store_le<u16>(mbr + 510, 0xaa55);
  }

  // What was made when it was opened.
  Status read_made(u64 offset, std::span<u8> to) {
    std::fill(to.begin(), to.end(), u8{0});
    while (!to.empty()) {
      u64 n = to.size();
      if (offset < head_.size()) {
        n = std::min<u64>(n, head_.size() - offset);
        std::copy_n(head_.begin() + static_cast<std::ptrdiff_t>(offset), n, to.begin());
      } else {
        const auto after = std::partition_point(files_.begin(), files_.end(), [&](const Hosted& f) {
          return shape_.cluster_at(f.first + f.clusters) <= offset;
        });
        if (after == files_.end()) return {};
        const u64 start = shape_.cluster_at(after->first);
        if (offset < start) {
          n = std::min(n, start - offset);
        } else {
          n = std::min(n, shape_.cluster_at(after->first + after->clusters) - offset);
          if (Status s = read_file(*after, offset - start, to.first(n)); !s) return s;
        }
      }
      to = to.subspan(n);
      offset += n;
    }
    return {};
  }

  Status read_file(const Hosted& file, u64 offset, std::span<u8> to) {
    offset += file.offset;
    if (offset >= file.bytes) return {};
    if (open_path_ != file.path) {
      auto opened = open_host_file(file.path, ImageAccess::kReadOnly, false);
      if (!opened) return Error{opened.error().message, EIO};
      open_ = std::move(*opened);
      open_path_ = file.path;
    }
    return open_->read(offset, to.first(std::min<u64>(to.size(), file.bytes - offset)));
  }

  void remember(const Node& node, const std::string& prefix) {
    for (const Node& child : node.inside) {
      Found found{child.folder, child.bytes, {}};
      if (!child.folder && child.first) {
        for (u64 n = 0; n < (child.bytes + shape_.cluster_bytes() - 1) / shape_.cluster_bytes(); ++n) {
          found.chain.push_back(static_cast<u32>(child.first + n));
        }
      }
      known_[prefix + child.name] = std::move(found);
      if (child.folder) remember(child, prefix + child.name + "/");
    }
  }

  Result<u32> fat_entry(u64 n) {
    std::array<u8, 4> raw{};
    if (shape_.type == 12) {
      if (Status s = read(shape_.fat_at() + n * 3 / 2, std::span(raw).first(2)); !s) return s.error();
      const u32 both = load_le<u16>(&raw[0]);
      return n % 2 ? both >> 4 : both & 0xfff;
    }
    const u64 bytes = shape_.type / 8;
    if (Status s = read(shape_.fat_at() + n * bytes, std::span(raw).first(bytes)); !s) return s.error();
    return load_le<u32>(&raw[0]) & 0x0fffffff;
  }

  // An error if it does not end, or shares clusters with another.
  Result<std::vector<u32>> chain_of(u64 first, std::vector<bool>& used) {
    std::vector<u32> chain;
    const u32 end = shape_.type == 12 ? 0xff8 : shape_.type == 16 ? 0xfff8 : 0x0ffffff8;
    for (u64 n = first; n < end;) {
      if (n < 2 || n >= shape_.clusters + 2 || used[n]) return error("a chain of clusters is broken");
      used[n] = true;
      chain.push_back(static_cast<u32>(n));
      const auto next = fat_entry(n);
      if (!next) return next.error();
      n = next.value();
    }
    return chain;
  }

  Status parse(std::vector<u8> raw, const std::string& prefix, unsigned depth, std::vector<bool>& used, Tree& tree);
  Status write_file(const std::string& path, const Found& found);
  void read_from(const Tree& tree);
  bool touched(const std::vector<u32>& chain) const {
    return std::any_of(chain.begin(), chain.end(), [this](u32 n) {
      const u64 first = shape_.cluster_at(n) / kSector;
      const auto next = written_.lower_bound(first);
      return next != written_.end() && next->first < first + shape_.per_cluster;
    });
  }

  Options options_;
  std::string path_;
  Shape shape_;
  std::vector<u8> head_;  // from the disk's start to the first file
  std::vector<u32> fat_;
  std::vector<Hosted> files_;  // by their clusters
  u64 next_ = 2, first_file_ = 2;
  bool full_ = false;
  std::string open_path_;
  std::unique_ptr<Storage> open_;
  std::map<u64, std::array<u8, kSector>> written_;
  bool changed_ = false;  // since the folder was last written to
  Tree known_;            // what is in the folder
};

Status FatStorage::parse(std::vector<u8> raw, const std::string& prefix, unsigned depth, std::vector<bool>& used,
                         Tree& tree) {
  if (depth > kMostDeep) return error("folders are too deep");
  std::vector<u8> letters;  // of a long name, as far as it was read
  u8 sum = 0;
  for (std::size_t at = 0; at + kEntryBytes <= raw.size() && raw[at] != 0; at += kEntryBytes) {
    const std::span<const u8> entry = std::span(raw).subspan(at, kEntryBytes);
    if (entry[0] == 0xe5) {
      letters.clear();
      continue;
    }
    if ((entry[11] & 0x3f) == kLongName) {
      if (entry[0] & 0x40) letters.clear();
      std::vector<u8> part;
      for (const u8 place : {1, 3, 5, 7, 9, 14, 16, 18, 20, 22, 24, 28, 30})
        part.insert(part.end(), {entry[place], entry[place + 1u]});
      letters.insert(letters.begin(), part.begin(), part.end());
      if (letters.size() > 20 * 26) return error("a name is too long");
      sum = entry[13];
      continue;
    }
    std::string name = name_of(entry);
    if (!letters.empty() && sum == short_name_sum(entry.first(11))) name = utf8_of(letters, false);
    letters.clear();
    if ((entry[11] & kVolume) || name == "." || name == "..") continue;
    if (name.empty() || name.find('/') != std::string::npos || name.find('\0') != std::string::npos) {
      return error("a name cannot be one of the host's");
    }
    Found found{(entry[11] & kDirectory) != 0, load_le<u32>(&entry[28]), {}};
    const u64 first = load_le<u16>(&entry[26]) | (shape_.type == 32 ? u64{load_le<u16>(&entry[20])} << 16 : 0);
    if (first) {
      auto chain = chain_of(first, used);
      if (!chain) return chain.error();
      found.chain = std::move(*chain);
    }
    const u64 room = found.chain.size() * shape_.cluster_bytes();
    if (!found.folder && (found.bytes > room || room >= found.bytes + shape_.cluster_bytes() + (found.bytes ? 0 : 1))) {
      return error("a file's size is not that of its clusters");
    }
    const std::string path = prefix + name;
    if (!tree.emplace(path, found).second || tree.size() > kMostFiles) return error("two files have one name");
    if (!found.folder) continue;
    std::vector<u8> below(room);
    for (std::size_t n = 0; n < found.chain.size(); ++n) {
      if (Status s = read(shape_.cluster_at(found.chain[n]),
                          std::span(below).subspan(n * shape_.cluster_bytes(), shape_.cluster_bytes()));
          !s)
        return s;
    }
    if (Status s = parse(std::move(below), path + "/", depth + 1, used, tree); !s) return s;
  }
  return {};
}

// To a file beside it, which then takes its place.
Status FatStorage::write_file(const std::string& path, const Found& found) {
  const std::string name = options_.folder + "/" + path, aside = name + ".xlat-new";
  const int fd = open(aside.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_NOFOLLOW | O_CLOEXEC, 0644);
  if (fd < 0) return Error{fmt::format("'{}': cannot write '{}': {}", path_, aside, std::strerror(errno)), errno};
  std::vector<u8> bytes(shape_.cluster_bytes());
  Status done;
  for (u64 n = 0; done && n < found.chain.size(); ++n) {
    const u64 part = std::min(shape_.cluster_bytes(), found.bytes - n * shape_.cluster_bytes());
    done = read(shape_.cluster_at(found.chain[n]), bytes);
    for (u64 at = 0; done && at < part;) {
      const ssize_t k = ::write(fd, &bytes[at], part - at);
      if (k <= 0 && errno != EINTR)
        done = Error{fmt::format("'{}': cannot write '{}': {}", path_, aside, std::strerror(errno)), errno};
      if (k > 0) at += static_cast<u64>(k);
    }
  }
  if (done && fsync(fd) != 0)
    done = Error{fmt::format("'{}': cannot write '{}': {}", path_, aside, std::strerror(errno)), errno};
  close(fd);
  if (done && rename(aside.c_str(), name.c_str()) != 0) {
    done = Error{fmt::format("'{}': cannot write '{}': {}", path_, name, std::strerror(errno)), errno};
  }
  if (!done) unlink(aside.c_str());
  return done;
}

// The folder has it all now; what it has need not stay in memory.
void FatStorage::read_from(const Tree& tree) {
  files_.clear();
  for (const auto& [path, found] : tree) {
    for (u64 n = 0; !found.folder && n < found.chain.size();) {
      u64 end = n + 1;
      while (end < found.chain.size() && found.chain[end] == found.chain[end - 1] + 1) ++end;
      files_.push_back(
          {found.chain[n], end - n, n * shape_.cluster_bytes(), found.bytes, options_.folder + "/" + path});
      n = end;
    }
    for (const u32 n : found.chain) {
      // Where folders were in the beginning, their old bytes are below.
      if (found.folder || shape_.cluster_at(n) < head_.size()) continue;
      const u64 first = shape_.cluster_at(n) / kSector;
      written_.erase(written_.lower_bound(first), written_.lower_bound(first + shape_.per_cluster));
    }
  }
  std::sort(files_.begin(), files_.end(), [](const Hosted& a, const Hosted& b) { return a.first < b.first; });
}

Status FatStorage::flush() {
  if (!changed_ || !options_.writable) return {};
  std::vector<bool> used(shape_.clusters + 2);
  Tree tree;
  std::vector<u8> root(shape_.root_entries * kEntryBytes);
  if (shape_.type == 32) {
    auto chain = chain_of(load_le<u32>(&head_[shape_.start * kSector + 44]), used);
    if (!chain) return {};
    root.resize(chain->size() * shape_.cluster_bytes());
    for (std::size_t n = 0; n < chain->size(); ++n) {
      if (Status s = read(shape_.cluster_at((*chain)[n]),
                          std::span(root).subspan(n * shape_.cluster_bytes(), shape_.cluster_bytes()));
          !s)
        return s;
    }
  } else if (Status s = read(shape_.root_at(), root); !s) {
    return s;
  }
  // In the middle of something it is not whole; the next flush, or the end, will find it so.
  if (!parse(std::move(root), "", 0, used, tree)) return {};
  // New and changed ones first: a file that was renamed still has its bytes under the old name.
  std::vector<std::pair<std::string, const Found*>> to_write;
  for (const auto& [path, found] : tree) {
    const auto old = known_.find(path);
    const bool same_kind = old != known_.end() && old->second.folder == found.folder;
    if (found.folder) {
      if (!same_kind && mkdir((options_.folder + "/" + path).c_str(), 0755) != 0 && errno != EEXIST) {
        return Error{fmt::format("'{}': cannot make folder '{}': {}", path_, path, std::strerror(errno)), errno};
      }
    } else if (!same_kind || old->second.bytes != found.bytes || old->second.chain != found.chain ||
               touched(found.chain)) {
      to_write.emplace_back(path, &found);
    }
  }
  for (const auto& [path, found] : to_write) {
    if (Status s = write_file(path, *found); !s) return s;
  }
  for (auto old = known_.rbegin(); old != known_.rend(); ++old) {
    if (tree.contains(old->first)) continue;
    const std::string name = options_.folder + "/" + old->first;
    if ((old->second.folder ? rmdir(name.c_str()) : unlink(name.c_str())) != 0 && errno != ENOENT) {
      return Error{fmt::format("'{}': cannot remove '{}': {}", path_, name, std::strerror(errno)), errno};
    }
  }
  read_from(tree);
  known_ = std::move(tree);
  open_.reset();
  open_path_.clear();
  changed_ = false;
  return {};
}

// "fat:[TYPE:][floppy:][rw:]FOLDER" in any order
Result<Options> read_options(StorageRequest& request) {
  Options options;
  std::string name = take_option(request.options, "filename").value_or("");
  if (name.starts_with("fat:")) name.erase(0, 4);
  for (;;) {
    const auto colon = name.find(':');
    const std::string word = name.substr(0, colon);
    if (colon == std::string::npos) break;
    if (word == "floppy") {
      options.floppy = true;
    } else if (word == "rw") {
      options.writable = true;
    } else if (word == "12" || word == "16" || word == "32") {
      options.type = static_cast<unsigned>(*parse_number(word));
    } else {
      break;
    }
    name.erase(0, colon + 1);
  }
  options.folder = take_option(request.options, "dir").value_or(name);
  if (auto label = take_option(request.options, "label")) options.label = label->substr(0, 11);
  if (const auto type = take_option(request.options, "fat-type")) {
    const auto number = parse_number(*type);
    if (!number || (*number != 12 && *number != 16 && *number != 32))
      return error("Valid FAT types are only 12, 16 and 32");
    options.type = static_cast<unsigned>(*number);
  }
  for (const auto& [option, to] : {std::pair{"floppy", &options.floppy}, {"rw", &options.writable}}) {
    const auto on = take_switch(request.options, option, *to);
    if (!on) return on.error();
    *to = on.value();
  }
  while (options.folder.size() > 1 && options.folder.ends_with('/')) options.folder.pop_back();
  if (options.folder.empty()) return error("vvfat block driver requires a 'dir' option");
  options.writable &= request.access == ImageAccess::kReadWrite;
  return options;
}

}  // namespace

Result<std::unique_ptr<Storage>> open_fat(StorageRequest& request) {
  auto options = read_options(request);
  if (!options) return options.error();
  auto storage = std::make_unique<FatStorage>(std::move(*options));
  if (Status s = storage->build(); !s) return s.error();
  return std::unique_ptr<Storage>(std::move(storage));
}

}  // namespace xlat
