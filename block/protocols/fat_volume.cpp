// Looking at the folder, giving clusters, writing tables and boot sectors.
#include "block/protocols/fat_volume.h"

#include <dirent.h>
#include <sys/stat.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <ctime>

#include "base/bits.h"

namespace xlat::fat {

namespace {

struct Node {
  std::string name, path;
  bool folder = false;
  u64 bytes = 0, first = 0;
  std::time_t time = 0;
  std::vector<Node> inside;
  std::vector<u8> entries;  // of a folder, as they are on the disk
};

u32 fat_time(std::time_t t) {
  std::tm parts{};
  gmtime_r(&t, &parts);
  if (parts.tm_year < 80) return 0x210000;
  const u32 date = static_cast<u32>((parts.tm_year - 80) << 9 | (parts.tm_mon + 1) << 5 | parts.tm_mday);
  return date << 16 | static_cast<u32>(parts.tm_hour << 11 | parts.tm_min << 5 | parts.tm_sec / 2);
}

class Builder {
 public:
  Builder(const Options& options, std::string path) : options_(options), path_(std::move(path)) {}

  Result<Volume> build() {
    Node root{.name = {}, .path = options_.folder, .folder = true, .inside = {}, .entries = {}};
    u64 files = 0;
    if (Status s = scan(root, 0, files); !s) return s.error();
    if (Status s = choose_shape(root); !s) return s.error();
    head_.assign(shape_.data_at(), 0);
    fat_.assign(shape_.clusters + 2, 0);
    fat_[0] = 0x0ffffff8;
    fat_[1] = 0x0fffffff;
    // Folders come first, so that all that is not a file's is one piece.
    next_ = 2;
    make_entries(root, nullptr);
    if (shape_.type == 32) give_clusters(root);
    if (Status s = place_folders(root); !s) return s.error();
    const u64 first_file = next_;
    if (Status s = place_files(root); !s) return s.error();
    head_.resize(shape_.cluster_at(first_file));
    write_folder(root, shape_.type == 32 ? root.first : 0, 0);
    write_fat();
    write_boot_sectors(root);
    remember(root, "");
    return Volume{shape_, std::move(head_), std::move(files_), std::move(known_)};
  }

 private:
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

  const Options& options_;
  std::string path_;
  Shape shape_;
  std::vector<u8> head_;
  std::vector<u32> fat_;
  std::vector<Hosted> files_;
  u64 next_ = 2;  // cluster
  bool full_ = false;
  Tree known_;
};

}  // namespace

Result<Volume> make_volume(const Options& options, const std::string& name) { return Builder(options, name).build(); }

}  // namespace xlat::fat
