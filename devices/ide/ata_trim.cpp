// DATA SET MANAGEMENT with TRIM: what the host says it no longer needs (ATA-8 ACS-2, 7.10).
#include "base/bits.h"
#include "devices/ide/ata.h"

namespace xlat {

using namespace ata;

namespace {

constexpr u8 kTrim = 1;  // in the features register

// An entry of what the host sends: 48 bits of LBA, 16 of a number of sectors. None: it is not used.
constexpr std::size_t kRange = 8;
struct Range {
  explicit Range(const u8* at) : lba(load_le<u64>(at) & mask(48)), count(load_le<u64>(at) >> 48) {}
  u64 lba, count;
};

}  // namespace

void AtaDisk::data_set_management() {
  const u32 blocks = count_.now | u32{count_.before} << 8;
  if (features_ != kTrim || blocks == 0 || blocks > kTrimBlocks || disk_.read_only() || !dma() ||
      (mwdma_ == 0xff && udma_ == 0xff)) {
    return abort_command();
  }
  access_ = Access::kTrim;
  by_dma_ = true;
  ext_ = true;
  lba_ = left_ = 0;
  block_ = in_buffer_ = blocks;
  wait_for_dma();
}

// All ranges are looked at before any is given back.
void AtaDisk::take_ranges() {
  const std::size_t bytes = std::size_t{in_buffer_} * 512;
  const std::span<u8> list = std::span(buffer_).first(std::min(bytes, std::size_t{kTrimBlocks} * 512));
  if (dma()->from_memory(list) < list.size()) return table_ended();
  for (std::size_t at = 0; at < list.size(); at += kRange) {
    const Range range(&list[at]);
    if (range.count > 0 && (range.lba >= sectors_ || range.count > sectors_ - range.lba)) {
      access_ = Access::kNone;
      return finish(kDrdy | kDsc | kErr, kIdnf);
    }
  }
  pos_ = 0;
  end_ = static_cast<u32>(list.size());
  trim_next();
}

void AtaDisk::trim_next() {
  for (; pos_ + kRange <= end_; pos_ += kRange) {
    const Range range(&buffer_[pos_]);
    if (range.count == 0) continue;
    pos_ += kRange;
    disk_.submit(
        {.op = DiskRequest::Op::kDiscard, .tag = kDiscarded, .offset = range.lba * 512, .bytes = range.count * 512});
    return wait_for_disk();
  }
  access_ = Access::kNone;
  count_ = {0, 0};
  succeed();
}

}  // namespace xlat
