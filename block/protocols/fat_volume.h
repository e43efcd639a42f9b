// A folder as the tables of a FAT file system, before anybody writes to it.
#pragma once

#include <map>
#include <string>
#include <vector>

#include "base/result.h"
#include "block/protocols/fat_names.h"

namespace xlat::fat {

inline constexpr u64 kSector = 512;
inline constexpr unsigned kMostDeep = 32;  // folders in folders
inline constexpr u64 kMostFiles = 100'000;

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

// Clusters one after another that are in a file of the host's.
struct Hosted {
  u64 first, clusters;
  u64 offset, bytes;  // in the file; how long that is
  std::string path;
};

// A file or folder, by the clusters that it has.
struct Found {
  bool folder = false;
  u64 bytes = 0;
  std::vector<u32> chain;
};
// By paths without the folder's own.
using Tree = std::map<std::string, Found>;

struct Volume {
  Shape shape;
  std::vector<u8> head;       // from the disk's start to the first file
  std::vector<Hosted> files;  // by their clusters
  Tree tree;
};

// `name` is the image's, for errors.
Result<Volume> make_volume(const Options& options, const std::string& name);

}  // namespace xlat::fat
