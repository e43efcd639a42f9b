// ATA commands of a hard disk: media access in CHS, LBA28 and LBA48 by PIO and DMA, settings, power management.
#include "devices/ide/ata.h"

#include <algorithm>

#include "base/bits.h"

namespace xlat {

using namespace ata;

namespace {
constexpr u32 kSectorBytes = 512;
constexpr u32 kMaxMultiple = 16;
constexpr u32 kDmaSectors = 2048;  // moved at once by DMA
}  // namespace

AtaDisk::AtaDisk(Clock& clock, std::string drive_name, std::unique_ptr<BlockImage> image, DriveIdentity identity,
                 DiskSetup setup)
    : IdeDrive(clock, std::move(drive_name), std::move(image), std::move(setup)),
      identity_(std::move(identity)),
      sectors_(std::min<u64>(disk_.size() / kSectorBytes, mask(48))),
      write_cache_at_power_on_(disk_.write_cache()) {
  std::array<u8, kSectorBytes> first{};
  if (!disk_.image()->read(0, first)) first.fill(0);  // the guest will see that for itself
  geometry_ = guess_geometry(sectors_, first);
  reset();
}

void AtaDisk::load_signature() {
  count_ = {1, 0};
  lba_low_ = {1, 0};
  lba_mid_ = lba_high_ = {0, 0};
  device_ = 0;
  error_ = 0x01;
  access_ = Access::kNone;
  left_ = 0;
  power_ = 0xff;
  asleep_ = false;
}

void AtaDisk::reset_settings() {
  heads_ = geometry_.heads;
  spt_ = geometry_.sectors;
  multiple_ = 0;
  mwdma_ = 2;
  udma_ = 0xff;
  disk_.set_write_cache(write_cache_at_power_on_);
  look_ahead_ = true;
}

bool AtaDisk::accepts(u8 command) const { return command != 0x08 && !asleep_; }

bool AtaDisk::take_address(bool ext) {
  ext_ = ext;
  if (ext) {
    lba_ = u64{lba_low_.now} | u64{lba_mid_.now} << 8 | u64{lba_high_.now} << 16 | u64{lba_low_.before} << 24 |
           u64{lba_mid_.before} << 32 | u64{lba_high_.before} << 40;
    left_ = count_.now | u32{count_.before} << 8;
    if (left_ == 0) left_ = 65536;
    return true;
  }
  left_ = count_.now ? count_.now : 256;
  if (device_ & kDeviceLba) {
    lba_ = u64{lba_low_.now} | u64{lba_mid_.now} << 8 | u64{lba_high_.now} << 16 | u64(device_ & 15) << 24;
    return true;
  }
  const u64 cylinder = lba_mid_.now | u32{lba_high_.now} << 8;
  const u32 head = device_ & 15, sector = lba_low_.now;
  if (sector == 0 || sector > spt_ || head >= heads_) return false;
  lba_ = (cylinder * heads_ + head) * spt_ + sector - 1;
  return true;
}

void AtaDisk::put_address(u64 lba) {
  if (ext_) {
    lba_low_ = {static_cast<u8>(lba), static_cast<u8>(lba >> 24)};
    lba_mid_ = {static_cast<u8>(lba >> 8), static_cast<u8>(lba >> 32)};
    lba_high_ = {static_cast<u8>(lba >> 16), static_cast<u8>(lba >> 40)};
    return;
  }
  u32 high;
  if (device_ & kDeviceLba) {
    lba_low_.now = static_cast<u8>(lba);
    lba_mid_.now = static_cast<u8>(lba >> 8);
    lba_high_.now = static_cast<u8>(lba >> 16);
    high = static_cast<u32>(lba >> 24);
  } else {
    lba_low_.now = static_cast<u8>(lba % spt_ + 1);
    const u64 cylinder = lba / spt_ / heads_;
    lba_mid_.now = static_cast<u8>(cylinder);
    lba_high_.now = static_cast<u8>(cylinder >> 8);
    high = static_cast<u32>(lba / spt_ % heads_);
  }
  device_ = static_cast<u8>((device_ & 0xf0) | (high & 15));
}

void AtaDisk::media_error(u64 lba, u8 err) {
  put_address(lba);
  count_.now = static_cast<u8>(left_);
  count_.before = static_cast<u8>(left_ >> 8);
  access_ = Access::kNone;
  left_ = 0;
  finish(kDrdy | kDsc | kErr, err);
}

void AtaDisk::begin(Access access, bool ext, bool use_dma, unsigned block) {
  const bool addressed = take_address(ext);
  if (!addressed || lba_ >= sectors_ || left_ > sectors_ - lba_) {
    finish(kDrdy | kDsc | kErr, kIdnf);
    left_ = 0;
    return;
  }
  if (access == Access::kWrite && disk_.read_only()) {
    left_ = 0;
    abort_command();
    return;
  }
  if (use_dma && (!dma() || (mwdma_ == 0xff && udma_ == 0xff))) {
    left_ = 0;
    abort_command();
    return;
  }
  access_ = access;
  by_dma_ = use_dma;
  block_ = block;
  short_ = false;
  power_ = 0xff;
  if (use_dma) {
    wait_for_dma();
  } else if (access == Access::kWrite) {
    in_buffer_ = std::min(block_, left_);
    data_out(std::size_t{in_buffer_} * kSectorBytes, false);
  } else {
    load_block();
  }
}

void AtaDisk::load_block() {
  in_buffer_ = std::min(block_, left_);
  disk_.read(kTransfer, lba_ * kSectorBytes, u64{in_buffer_} * kSectorBytes);
  wait_for_disk();
}

void AtaDisk::store_block(std::vector<u8> bytes) {
  const bool fua = command_ == 0x3d || command_ == 0xce;
  disk_.write(kTransfer, lba_ * kSectorBytes, std::move(bytes), fua);
  wait_for_disk();
}

// FLUSH CACHE, FLUSH CACHE EXT, and what else ends with everything safe.
void AtaDisk::flush() {
  disk_.flush(kFlush);
  wait_for_disk();
}

void AtaDisk::disk_done(DiskRequest& request) {
  if (phase_ != Phase::kDisk) return;
  if (request.tag == kTransfer && access_ != Access::kTrim) return block_done(request);
  if (request.tag == kDiscarded && access_ == Access::kTrim)
    return request.status ? trim_next() : media_error(lba_, kAbrt);
  request.status ? succeed() : finish(kDrdy | kDsc | kDf | kErr, kAbrt);
}

void AtaDisk::block_done(DiskRequest& request) {
  if (!request.status) return media_error(lba_, access_ == Access::kWrite ? kAbrt : kUnc);
  if (short_) return table_ended();
  if (access_ == Access::kRead && by_dma_) {
    IdeDma* engine = dma();
    // Stopped meanwhile: the block is read again when it is started.
    if (!engine || !engine->running()) return wait_for_dma();
    if (engine->to_memory(request.data) < request.data.size()) return table_ended();
  }
  lba_ += in_buffer_;
  left_ -= in_buffer_;
  if (access_ == Access::kRead && !by_dma_) {
    if (left_ == 0) {
      put_address(lba_ - 1);
      count_ = {0, 0};
    }
    std::copy_n(request.data.begin(), std::min(request.data.size(), buffer_.size()), buffer_.begin());
    return data_in(request.data.size());
  }
  if (left_ == 0) return finish_transfer();
  if (by_dma_) return wait_for_dma();
  if (access_ != Access::kWrite) return load_block();
  in_buffer_ = std::min(block_, left_);
  data_out(std::size_t{in_buffer_} * kSectorBytes, true);
}

// The PRD table is smaller than the transfer: the engine stopped without an interrupt and the host resets us. We go
// idle silently.
void AtaDisk::table_ended() {
  access_ = Access::kNone;
  left_ = 0;
  phase_ = Phase::kIdle;
  status_ = kDrdy | kDsc;
}

void AtaDisk::finish_transfer() {
  if (lba_ > 0) put_address(lba_ - 1);
  count_ = {0, 0};
  access_ = Access::kNone;
  left_ = 0;
  succeed();
}

void AtaDisk::next_in() {
  access_ == Access::kRead ? load_block() : abort_command();  // only a state from elsewhere can get here with another
}

void AtaDisk::out_done() {
  if (access_ != Access::kWrite) return abort_command();
  const auto from = buffer_.begin();
  store_block({from, from + static_cast<std::ptrdiff_t>(std::size_t{in_buffer_} * kSectorBytes)});
}

void AtaDisk::dma_step() {
  if (access_ == Access::kTrim) return take_ranges();
  if (access_ == Access::kRead) return load_block();
  in_buffer_ = std::min(block_, left_);
  std::vector<u8> bytes = disk_.buffer(std::size_t{in_buffer_} * kSectorBytes);
  const std::size_t moved = dma()->from_memory(bytes);
  short_ = moved < bytes.size();
  bytes.resize(align_down(moved, kSectorBytes));
  bytes.empty() ? table_ended() : store_block(std::move(bytes));
}

void AtaDisk::set_features() {
  const auto select_mode = [this](u8 value) {
    const u8 mode = value & 7;
    switch (value >> 3) {
      case 0: return mode <= 1;  // PIO default
      case 1: return mode <= 4;  // PIO flow control
      case 4:                    // multiword DMA
        if (mode > 2) return false;
        mwdma_ = mode;
        udma_ = 0xff;
        return true;
      case 8:  // Ultra DMA
        if (mode > 5) return false;
        udma_ = mode;
        mwdma_ = 0xff;
        return true;
      default: return false;
    }
  };
  bool known = true;
  switch (features_) {
    case 0x02: disk_.set_write_cache(true); break;
    case 0x82: disk_.set_write_cache(false); return flush();
    case 0x03: known = select_mode(count_.now); break;
    case 0xaa: look_ahead_ = true; break;
    case 0x55: look_ahead_ = false; break;
    case 0x66:         // keep settings over SRST: ours always do
    case 0xcc: break;  // revert to power-on defaults at SRST
    case 0x05:         // APM and acoustic levels, accepted and without effect
    case 0x85:
    case 0x42:
    case 0xc2: break;
    default: known = false;
  }
  known ? succeed() : abort_command();
}

void AtaDisk::init_parameters() {
  if (count_.now == 0) {
    abort_command();
    return;
  }
  heads_ = static_cast<u8>((device_ & 15) + 1);
  spt_ = count_.now;
  succeed();
}

void AtaDisk::set_multiple() {
  const u8 n = count_.now;
  if (n > kMaxMultiple || (n & (n - 1)) != 0) {
    abort_command();
    return;
  }
  multiple_ = n;
  succeed();
}

void AtaDisk::read_native_max(bool ext) {
  if (!ext && !(device_ & kDeviceLba)) {
    abort_command();
    return;
  }
  ext_ = ext;
  put_address(ext ? sectors_ - 1 : std::min<u64>(sectors_ - 1, 0x0fff'ffff));
  succeed();
}

void AtaDisk::power(u8 command) {
  switch (command) {
    case 0xe5:
    case 0x98: count_.now = power_; break;  // CHECK POWER MODE
    case 0xe0:
    case 0x94:
    case 0xe2:
    case 0x96: power_ = 0x00; return flush();  // STANDBY IMMEDIATE, STANDBY
    case 0xe1:
    case 0x95:
    case 0xe3:
    case 0x97: power_ = 0x80; break;  // IDLE IMMEDIATE, IDLE
    case 0xe6:
    case 0x99: asleep_ = true; break;  // SLEEP: until a reset
  }
  succeed();
}

void AtaDisk::execute() {
  const bool multiple_ok = multiple_ != 0;
  switch (command_) {
    case 0x20:
    case 0x21: return begin(Access::kRead, false, false, 1);  // READ SECTOR(S)
    case 0x24: return begin(Access::kRead, true, false, 1);   // READ SECTOR(S) EXT
    case 0x30:
    case 0x31:
    case 0x3c: return begin(Access::kWrite, false, false, 1);  // WRITE SECTOR(S), WRITE VERIFY
    case 0x34: return begin(Access::kWrite, true, false, 1);   // WRITE SECTOR(S) EXT
    case 0xc4: return multiple_ok ? begin(Access::kRead, false, false, multiple_) : abort_command();
    case 0x29: return multiple_ok ? begin(Access::kRead, true, false, multiple_) : abort_command();
    case 0xc5: return multiple_ok ? begin(Access::kWrite, false, false, multiple_) : abort_command();
    case 0x39:
    case 0xce: return multiple_ok ? begin(Access::kWrite, true, false, multiple_) : abort_command();
    case 0xc8:
    case 0xc9: return begin(Access::kRead, false, true, kDmaSectors);  // READ DMA
    case 0x25: return begin(Access::kRead, true, true, kDmaSectors);   // READ DMA EXT
    case 0xca:
    case 0xcb: return begin(Access::kWrite, false, true, kDmaSectors);  // WRITE DMA
    case 0x35:
    case 0x3d: return begin(Access::kWrite, true, true, kDmaSectors);  // WRITE DMA EXT, FUA EXT
    case 0x40:
    case 0x41: return begin(Access::kVerify, false, false, kDmaSectors);  // READ VERIFY SECTOR(S)
    case 0x42: return begin(Access::kVerify, true, false, kDmaSectors);   // READ VERIFY SECTOR(S) EXT
    case 0xec: return identify();
    case 0xef: return set_features();
    case 0xb0: return smart();
    case 0x06: return data_set_management();
    case 0x2f: return read_log();
    case 0x91: return init_parameters();
    case 0xc6: return set_multiple();
    case 0xf8: return read_native_max(false);
    case 0x27: return read_native_max(true);
    case 0xe7:
    case 0xea:  // FLUSH CACHE, FLUSH CACHE EXT
      return flush();
    case 0xe0:
    case 0xe1:
    case 0xe2:
    case 0xe3:
    case 0xe5:
    case 0xe6:
    case 0x94:
    case 0x95:
    case 0x96:
    case 0x97:
    case 0x98:
    case 0x99: return power(command_);
    default:
      if ((command_ & 0xf0) == 0x70) {  // SEEK
        const bool addressed = take_address(false);
        left_ = 0;
        return addressed && lba_ < sectors_ ? succeed() : finish(kDrdy | kDsc | kErr, kIdnf);
      }
      if ((command_ & 0xf0) == 0x10) return succeed();  // RECALIBRATE
      return abort_command();                           // NOP included: it always aborts
  }
}

void AtaDisk::serialize(Archive& ar) {
  IdeDrive::serialize(ar);
  ar.range(access_, Access::kNone, Access::kLast);
  ar(ext_);
  ar.range(lba_, u64{0}, sectors_);
  ar.range(left_, 0u, 65536u);
  ar.range(block_, 0u, kDmaSectors);
  ar.range(in_buffer_, 0u, kDmaSectors);
  ar(by_dma_)(short_);
  if (ar.loading() && left_ > sectors_ - lba_) {
    ar.fail("transfer beyond the end of the disk");
    left_ = 0;
  }
  const bool fits = in_buffer_ <= block_ && (by_dma_ || access_ == Access::kVerify || block_ <= kMaxMultiple);
  if (ar.loading() && (!fits || (phase_ >= Phase::kDataOut && access_ != Access::kNone && access_ != Access::kTrim &&
                                 in_buffer_ > left_))) {
    ar.fail("a block that is more than the transfer or the buffer");
    in_buffer_ = 0;
    block_ = 1;
  }
  ar.range(heads_, u8{1}, u8{16}).range(spt_, u8{1}, u8{255});
  ar.range(multiple_, u8{0}, static_cast<u8>(kMaxMultiple));
  ar(mwdma_)(udma_)(look_ahead_)(power_)(asleep_)(smart_)(smart_autosave_)(self_tests_)(self_test_count_);
  ar(queued_error_.tag)(queued_error_.status)(queued_error_.error)(queued_error_.lba)(queued_error_.count);
}

}  // namespace xlat
