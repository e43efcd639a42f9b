// Images that say block by block where the disk's bytes are in the file, and take new blocks at the file's end: VDI,
// VHD, VHDX, Parallels, and VMDK's sparse extents. A format says how its map looks; what follows from it is here.
#pragma once

#include "block/block_image.h"
#include "block/storage.h"

namespace xlat {

class MappedImage : public BlockImage {
 public:
  u64 size() const override { return size_; }
  bool read_only() const override { return read_only_; }
  const std::string& path() const override { return file_->path(); }
  u64 allocated_bytes() const override { return file_->allocated(); }
  BlockImage* backing() override { return backing_; }
  Status read(u64 offset, std::span<u8> to) override;
  Status write(u64 offset, std::span<const u8> from) override;
  Status flush() override;
  Result<Extent> status(u64 offset, u64 bytes) override;
  Status write_zeroes(u64 offset, u64 bytes, bool unmap) override;
  Status make_empty() override;

 protected:
  enum class Kind : u8 { kNone, kZero, kData, kPacked };
  struct Place {
    Kind kind = Kind::kNone;
    u64 host = 0;  // where the block's first byte is in the file
  };

  MappedImage(std::unique_ptr<Storage> file, u64 size, u64 block_bytes, bool read_only)
      : file_(std::move(file)), size_(size), block_(block_bytes), read_only_(read_only) {}
  // What is not here is in the backing file, from `start` on. The owner keeps it.
  void set_backing_image(BlockImage* image, u64 start = 0) { backing_ = image, backing_start_ = start; }

  virtual Result<Place> find(u64 block) = 0;
  // Room for a block that has none, behind everything that is in use, which reads as zeros. The file's map may still
  // say that the block is not there.
  virtual Result<u64> take_room(u64 block) = 0;
  // From now on `block` is there; in memory, until write_map().
  virtual Status link(u64 block, Place place) = 0;
  // The map to the file. What it refers to is there already.
  virtual Status write_map() = 0;
  virtual bool map_changed() const = 0;
  virtual bool can_link_zero() const { return false; }
  // Of a block that is compressed.
  virtual Status read_packed(u64 block, u64 in_block, std::span<u8> to);
  // Whether this image has the bytes itself, within a block that is there; cuts `bytes` where that changes.
  virtual Result<bool> is_here(u64, u64 in_block, u64& bytes);
  // Bytes of a block were written, in whole sectors.
  virtual Status wrote(u64, u64, u64) { return {}; }
  // The smallest part that is here or not.
  virtual u64 part_bytes() const { return block_; }

  Status check_write(u64 offset, u64 bytes) const;
  Error damaged(const std::string& what) const;
  bool backing_has(u64 offset) const;
  Status read_backing(u64 offset, std::span<u8> to);

  std::unique_ptr<Storage> file_;
  u64 size_, block_;
  bool read_only_;
  bool written_ = false;  // something, since the last flush

 private:
  Status write_block(u64 block, u64 in_block, std::span<const u8> from);
  Status copy_backing(u64 disk, u64 host, u64 bytes);

  BlockImage* backing_ = nullptr;
  u64 backing_start_ = 0;
};

}  // namespace xlat
