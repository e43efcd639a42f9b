// IDENTIFY DEVICE data of a hard disk (ATA/ATAPI-6, 8.15).
#include <algorithm>

#include "base/bits.h"
#include "devices/ide/ata.h"

namespace xlat {

void put_identify_text(std::span<u8> words, unsigned first_word, unsigned word_count, const std::string& text) {
  for (unsigned i = 0; i < word_count * 2; ++i) {
    words[first_word * 2 + (i ^ 1)] = i < text.size() ? static_cast<u8>(text[i]) : u8{' '};
  }
}

void put_identify_checksum(std::span<u8> words) {
  words[510] = 0xa5;
  u8 sum = 0;
  for (unsigned i = 0; i < 511; ++i) sum = static_cast<u8>(sum + words[i]);
  words[511] = static_cast<u8>(-sum);
}

void AtaDisk::identify() {
  const std::span<u8> out = std::span(buffer_).first(512);
  std::fill(out.begin(), out.end(), u8{0});
  const auto word = [out](unsigned n, u64 value) { store_le<u16>(&out[n * 2], static_cast<u16>(value)); };
  const DiskGeometry& g = geometry_;
  word(0, 0x0040);  // ATA, fixed drive
  word(1, g.cylinders);
  word(3, g.heads);
  word(4, 512u * g.sectors);  // retired: unformatted bytes a track and a sector
  word(5, 512);
  word(6, g.sectors);
  put_identify_text(out, 10, 10, identity_.serial);
  word(20, 3);    // retired: buffer type
  word(21, 512);  // retired: buffer size in sectors
  word(22, 4);    // retired: ECC bytes
  put_identify_text(out, 23, 4, identity_.firmware);
  put_identify_text(out, 27, 20, identity_.model);
  word(47, 0x8010);                               // READ/WRITE MULTIPLE: 16 sectors at most
  word(48, 1);                                    // doubleword I/O on the data port works
  word(49, 1 << 11 | 1 << 10 | 1 << 9 | 1 << 8);  // IORDY and its disable, LBA, DMA
  word(50, 0x4000);
  word(51, 0x0200);  // PIO timing mode 2
  word(52, 0x0200);
  word(53, 7);  // words 54-58, 64-70 and 88 are valid
  const bool as_default = heads_ == g.heads && spt_ == g.sectors;
  const u64 cylinders = as_default ? g.cylinders : std::clamp<u64>(sectors_ / (u64{heads_} * spt_), 1, 65535);
  const u64 chs_capacity = std::min<u64>(cylinders * heads_ * spt_, mask(32));
  word(54, cylinders);
  word(55, heads_);
  word(56, spt_);
  word(57, chs_capacity);
  word(58, chs_capacity >> 16);
  word(59, multiple_ ? 0x100 | multiple_ : 0);
  const u64 lba28 = std::min<u64>(sectors_, 0x0fff'ffff);
  word(60, lba28);
  word(61, lba28 >> 16);
  word(63, 0x07 | (mwdma_ <= 2 ? 0x100 << mwdma_ : 0));
  word(64, 0x03);  // PIO modes 3 and 4
  word(65, 120);   // cycle times in ns
  word(66, 120);
  word(67, 120);
  word(68, 120);
  word(80, 0x01fe);                                  // ATA-1 to ATA8-ACS, of no particular revision
  word(82, 1 << 14 | 1 << 6 | 1 << 5 | 1 << 3 | 1);  // NOP, look-ahead, write cache, power management, SMART
  word(83, 1 << 14 | 1 << 13 | 1 << 12 | 1 << 10);   // FLUSH CACHE, FLUSH CACHE EXT, LBA48
  word(84, 1 << 14 | 1 << 1 | 1);                    // SMART's self-test and its logs
  word(85, 1 << 14 | look_ahead_ << 6 | disk_.write_cache() << 5 | 1 << 3 | smart_);
  word(86, 1 << 13 | 1 << 12 | 1 << 10);
  word(87, 1 << 14 | 1 << 1 | 1);
  word(88, 0x3f | (udma_ <= 5 ? 0x100 << udma_ : 0));
  if (identity_.sata) {
    word(75, 31);                             // 32 commands queued
    word(76, 1 << 8 | 1 << 2 | 1 << 1);       // natively; SATA of 1.5 and 3 Gb/s
    word(84, 1 << 14 | 1 << 5 | 1 << 1 | 1);  // and logs of general purpose
    word(87, 1 << 14 | 1 << 5 | 1 << 1 | 1);
  }
  if (!identity_.sata)
    word(93, 1 << 14 | 1 << 13 | 1 | (is_slave_ ? 1 << 9 | 1 << 8 : 1 << 1));  // 80-wire cable, how DEV was found
  word(69, 1 << 14);  // what was trimmed reads the same each time
  word(105, kTrimBlocks);
  word(169, 1);  // TRIM
  for (unsigned i = 0; i < 4; ++i) word(100 + i, sectors_ >> (16 * i));
  put_identify_checksum(out);
  send_sector();
}

}  // namespace xlat
