// A qcow2 image that is open. What is on disk is consistent at any moment: tables are kept in memory and written in the
// order refcounts, L2 tables, L1 table, and clusters are given back only after that.
#pragma once

#include <map>
#include <unordered_set>

#include "block/block_image.h"
#include "block/formats/qcow2/header.h"
#include "block/image_driver.h"
#include "block/table_cache.h"

namespace xlat::qcow2 {

inline constexpr u64 kFlagCopied = u64{1} << 63, kFlagCompressed = u64{1} << 62, kFlagZero = 1;
inline constexpr u64 kOffsetMask = 0x00ff'ffff'ffff'fe00;
inline constexpr u64 kMostL1Bytes = u64{32} << 20, kMostRefcountTableBytes = u64{8} << 20;

enum class Kind : u8 { kUnallocated, kZero, kZeroAllocated, kData, kCompressed };

// Clusters of one kind, one after another in the file if they are data.
struct Mapping {
  Kind kind = Kind::kUnallocated;
  u64 bytes = 0;  // from the offset asked for
  u64 host = 0;   // where these are
  u64 entry = 0;  // of the first one
  bool in_place() const { return kind == Kind::kData && (entry & kFlagCopied); }
};

class Image final : public BlockImage, public SnapshotStore {
 public:
  static Result<std::unique_ptr<BlockImage>> open(ImageRequest request);
  static Status create(const CreateRequest& request);
  ~Image() override;

  u64 size() const override { return header_.size & ~u64{511}; }
  bool read_only() const override { return read_only_; }
  const std::string& path() const override { return file_->path(); }
  std::string_view format() const override { return "qcow2"; }
  Status read(u64 offset, std::span<u8> to) override;
  Status write(u64 offset, std::span<const u8> from) override;
  Status flush() override;
  Result<Extent> status(u64 offset, u64 bytes) override;
  Status write_zeroes(u64 offset, u64 bytes, bool unmap) override;
  Status discard(u64 offset, u64 bytes) override;
  Status resize(u64 bytes) override;
  SnapshotStore* snapshots() override { return this; }
  BlockImage* backing() override { return backing_.get(); }
  std::unique_ptr<BlockImage> exchange_backing(std::unique_ptr<BlockImage> other) override {
    return std::exchange(backing_, std::move(other));
  }
  ImageDetails details() const override;
  u64 allocated_bytes() const override { return file_->allocated(); }
  Result<CheckReport> check(Repair repair) override;
  Status write_compressed(u64 offset, std::span<const u8> cluster) override;
  Status set_backing(const std::string& file, const std::string& format) override;
  Status make_empty() override;

  std::vector<SnapshotInfo> list() const override;
  Status create(SnapshotInfo info, std::span<const u8> vm_state) override;
  Result<std::vector<u8>> load_state(std::string_view which) override;
  Status apply(std::string_view which) override;
  Status remove(std::string_view which) override;

 private:
  struct Snapshot {
    SnapshotInfo info;
    u64 l1_offset = 0;
    u32 l1_entries = 0;
    std::vector<u8> more;  // of the extra data that nobody knows
  };
  using L1 = std::vector<u64>;
  class Checker;

  Image(ImageRequest request, Header header);
  Status load();
  Error damaged(const std::string& what) const;
  Status check_write(u64 offset, u64 bytes) const;

  // image.cpp, change.cpp: from the disk's offsets to the file's.
  u64 cluster_bytes() const { return header_.cluster_bytes(); }
  u64 l2_entries() const { return cluster_bytes() / 8; }
  u64 l2_covers() const { return cluster_bytes() * l2_entries(); }  // bytes of the disk
  u64 l1_for(u64 bytes) const { return (bytes + l2_covers() - 1) / l2_covers(); }
  Result<Mapping> map(const L1& l1, u64 offset, u64 bytes);
  Kind kind_of(u64 entry) const;
  Status read_by(const L1& l1, u64 offset, std::span<u8> to);
  Status read_compressed(u64 entry, u64 in_cluster, std::span<u8> to);
  Status read_backing(u64 offset, std::span<u8> to);
  bool backing_has(u64 offset) const { return backing_ && offset < std::min(size(), backing_->size()); }
  Status write_at(u64 offset, std::span<const u8> from);
  Status write_new(u64 offset, std::span<const u8> from);
  Status write_part(u64 offset, std::span<const u8> from, const Mapping& old);
  Status write_part_zero(u64 offset, u64 bytes);  // by zeros, where there are none
  Result<std::span<u8>> writable_l2(u64 l1_index);
  // Makes `entry` what is said of the cluster at `offset`, and gives back what was.
  Status link(u64 offset, u64 entry);
  Status link_zero(u64 offset, u64 bytes, bool unmap);
  Status forget(u64 offset, u64 bytes);         // entries become 0
  Status preallocate(const std::string& mode);  // of a new image
  Status grow_l1(u64 entries);
  Result<L1> read_l1(u64 offset, u64 entries) const;
  Status write_l1(u64 offset, const L1& l1) const;
  struct Packed {
    u64 offset, bytes;
  };
  Packed packed(u64 entry) const;  // where a compressed cluster lies, in whole sectors

  // refcounts.cpp: which clusters of the file are in use.
  u64 block_entries() const { return cluster_bytes() * 8 >> header_.refcount_order; }
  u64 most_references() const {
    return header_.refcount_order == 6 ? ~u64{0} : (u64{1} << (1 << header_.refcount_order)) - 1;
  }
  Status load_refcount_table();
  Result<u64> references(u64 cluster);
  Status set_references(u64 cluster, u64 n);
  Status refer(u64 cluster, i64 delta);
  Status refer_entry(u64 entry, i64 delta);
  Result<u64> allocate(u64 clusters = 1);
  Result<u64> allocate_at_end(u64 clusters);
  Status add_block(u64 block, u64 cluster);
  Status grow_refcount_table(u64 blocks);
  Result<u64> allocate_bytes(u64 bytes);
  bool is_metadata(u64 offset, u64 bytes) const;
  void free_later(u64 offset, u64 bytes);
  void free_entry_later(u64 entry);
  Status write_refcounts();
  Status write_tables();
  Status write_tables_if_crowded();
  Status write_header();
  Status write_field(u64 at, std::span<const u8> bytes);

  // snapshots.cpp
  u64 vm_state_at(u64 disk_bytes) const { return l1_for(disk_bytes) * l2_covers(); }
  Status load_snapshots();
  Status write_snapshots(const std::vector<Snapshot>& all);
  Result<std::size_t> find(std::string_view which) const;
  Status refer_tree(const L1& l1, i64 delta);
  Status set_copied_flags();  // by the refcounts
  Status forget_vm_state();
  Status show(std::string_view which);

  std::unique_ptr<Storage> file_;
  std::unique_ptr<BlockImage> backing_;
  Header header_;
  bool read_only_;
  L1 l1_;
  bool l1_changed_ = false;
  std::vector<u64> refcount_table_;
  bool refcount_table_changed_ = false;
  std::unordered_set<u64> refcount_blocks_;  // their offsets
  TableCache l2_, refcounts_;
  u64 free_hint_ = 0;       // no cluster before it is free
  u64 virgin_ = 0;          // nothing was ever written to the file from here on
  u64 packed_end_ = 0;      // where the next compressed cluster can go; 0: into a new cluster
  std::vector<u64> frees_;  // clusters that are referred to once less when the tables are written
  std::vector<Snapshot> snapshots_;
  u64 snapshots_bytes_ = 0;  // of their table
  u64 unpacked_entry_ = 0;   // the compressed cluster that is in `unpacked_`
  std::vector<u8> unpacked_;
};

}  // namespace xlat::qcow2
