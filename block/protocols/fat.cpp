// fat: a folder of the host's as a disk or floppy with a FAT file system. All tables are made when it is opened; files
// are read when the guest reads them. What the guest writes is kept in memory, and with rw also written to the folder
// when the guest flushes and its file system is whole.
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstring>
#include <map>

#include "base/bits.h"
#include "base/spelling.h"
#include "block/host_file.h"
#include "block/protocol.h"
#include "block/protocols/fat_names.h"
#include "block/protocols/fat_volume.h"
#include "block/utf16.h"

namespace xlat {

namespace {

using namespace fat;

class FatStorage final : public Storage {
 public:
  FatStorage(Options options, std::string path, Volume volume)
      : options_(std::move(options)),
        path_(std::move(path)),
        shape_(volume.shape),
        head_(std::move(volume.head)),
        files_(std::move(volume.files)),
        known_(std::move(volume.tree)) {}
  ~FatStorage() override { (void)flush(); }

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
  using Tree = std::map<std::string, Found>;

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
  std::vector<u8> head_;       // from the disk's start to the first file
  std::vector<Hosted> files_;  // by their clusters
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
  const std::string path = "fat:" + options->folder;
  auto volume = make_volume(*options, path);
  if (!volume) return volume.error();
  return std::unique_ptr<Storage>(new FatStorage(std::move(*options), path, std::move(*volume)));
}

}  // namespace xlat
