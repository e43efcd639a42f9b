// The first cluster of a qcow2 image, by QEMU's docs/interop/qcow2.txt.
#pragma once

#include <string>
#include <vector>

#include "base/result.h"
#include "block/storage.h"

namespace xlat::qcow2 {

enum Incompatible : u64 {
  kDirty = 1 << 0,  // refcounts may be wrong
  kCorrupt = 1 << 1,
  kDataFile = 1 << 2,
  kCompressionType = 1 << 3,
  kExtendedL2 = 1 << 4,
};
inline constexpr u64 kLazyRefcounts = 1;  // of the compatible features

// Byte offsets of fields that are changed one at a time, each in one write.
enum Field : u64 { kSizeAt = 24, kL1At = 36, kRefcountTableAt = 48, kSnapshotsAt = 60, kIncompatibleAt = 72 };

struct Extension {
  u32 type;
  std::vector<u8> bytes;
};

struct Header {
  u32 version = 3;
  u32 cluster_bits = 16;
  u64 size = 0;
  u32 l1_entries = 0;
  u64 l1_offset = 0;
  u64 refcount_table_offset = 0;
  u32 refcount_table_clusters = 0;
  u32 snapshots = 0;
  u64 snapshots_offset = 0;
  u64 incompatible = 0, compatible = 0, autoclear = 0;
  u32 refcount_order = 4;
  bool zstd = false;  // compressed clusters are zstd's, not zlib's
  std::string backing_file, backing_format;
  std::vector<Extension> extensions;  // all but the backing format

  u64 cluster_bytes() const { return u64{1} << cluster_bits; }

  // An error says what this version cannot do with the image, or what is wrong with it.
  static Result<Header> read(Storage& file);
  // The first cluster, or an error if it does not fit there.
  Result<std::vector<u8>> encode() const;
};

// What QEMU writes to tell older programs the names of features.
Extension feature_names();

}  // namespace xlat::qcow2
