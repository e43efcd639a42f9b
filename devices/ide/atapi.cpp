// The PACKET protocol of the CD-ROM drive and its ATA commands (ATA/ATAPI-6, 8.23 to 8.25 and 9.8, 9.9).
#include "devices/ide/atapi.h"

#include <algorithm>

#include "base/bits.h"

namespace xlat {

using namespace ata;

namespace {
// Interrupt reason, in the sector count register.
constexpr u8 kCod = 1, kIo = 2;
constexpr u8 kChk = kErr;
constexpr std::size_t kUserBytes = 2048;
constexpr std::size_t kRefillSectors = 48;
}  // namespace

AtapiCdrom::AtapiCdrom(Clock& clock, std::string drive_name, std::unique_ptr<BlockImage> image, DriveIdentity identity,
                       DiskSetup setup)
    : IdeDrive(clock, std::move(drive_name), std::move(image), std::move(setup)),
      identity_(std::move(identity)),
      audio_(clock) {
  reset();
}

void AtapiCdrom::load_signature() {
  count_ = {1, 0};
  lba_low_ = {1, 0};
  lba_mid_ = {0x14, 0};
  lba_high_ = {0xeb, 0};
  device_ = 0;
  error_ = 0x01;
  stage_ = Stage::kNone;
  reply_at_ = reply_end_ = 0;
  cd_left_ = 0;
}

void AtapiCdrom::reset_settings() {
  sense_ = {0, 0, 0};
  audio_.reset();
  locked_ = false;
  mwdma_ = 2;
  udma_ = 0xff;
}

bool AtapiCdrom::accepts(u8) const { return true; }

void AtapiCdrom::device_reset() {
  const u8 dev = device_ & kDeviceDev;
  load_signature();
  device_ = dev;
  phase_ = Phase::kIdle;
  status_ = reset_status();
}

Status AtapiCdrom::insert(std::unique_ptr<BlockImage> image) {
  audio_.stop();
  disk_.exchange(std::move(image));
  tray_open_ = false;
  attention_ = disk_.present();
  event_ = disk_.present() ? 2 : 3;  // NewMedia, MediaRemoval
  return {};
}

bool AtapiCdrom::eject(bool force) {
  if (locked_ && !force) {
    event_ = 1;  // EjectRequest
    return false;
  }
  if (disk_.present()) event_ = 3;
  audio_.stop();
  disk_.exchange(nullptr);
  attention_ = false;
  return true;
}

void AtapiCdrom::abort_command() {
  stage_ = Stage::kNone;
  finish(kDrdy | kDsc | kErr, kAbrt);
}

void AtapiCdrom::good() {
  stage_ = Stage::kNone;
  reply_at_ = reply_end_ = 0;
  cd_left_ = 0;
  count_.now = kIo | kCod;
  finish(kDrdy | kDsc, 0);
}

void AtapiCdrom::fail(Sense sense) {
  sense_ = sense;
  stage_ = Stage::kNone;
  reply_at_ = reply_end_ = 0;
  cd_left_ = 0;
  count_.now = kIo | kCod;
  finish(kDrdy | kDsc | kChk, static_cast<u8>(sense.key << 4 | kAbrt));
}

void AtapiCdrom::answer(const std::optional<std::vector<u8>>& data, std::size_t allocation) {
  if (!data) return fail({5, 0x24, 0});  // INVALID FIELD IN CDB
  reply_at_ = 0;
  reply_end_ = static_cast<u32>(std::min(data->size(), allocation));
  std::copy_n(data->begin(), reply_end_, buffer_.begin());
  cd_left_ = 0;
  stage_ = Stage::kReply;
  if (use_dma_ && reply_end_ > 0) {
    wait_for_dma();
  } else {
    next_in();
  }
}

void AtapiCdrom::start_read(u64 lba, u64 count, u8 parts) {
  if (lba >= media_sectors() || count > media_sectors() - lba) {
    if (!(count == 0 && lba <= media_sectors())) return fail({5, 0x21, 0});  // LOGICAL BLOCK ADDRESS OUT OF RANGE
  }
  cd_parts_ = parts;
  audio_.stop();
  if (count == 0 || mmc::sector_bytes(parts) == 0) return good();
  cd_lba_ = lba;
  cd_left_ = count;
  reply_at_ = reply_end_ = 0;
  stage_ = Stage::kReply;
  if (use_dma_) {
    wait_for_dma();
  } else {
    next_in();
  }
}

// Asks for the next sectors.
void AtapiCdrom::refill() {
  reply_at_ = reply_end_ = 0;
  if (!media_present()) return fail({2, 0x3a, 0});
  const u64 total = media_sectors();
  if (cd_lba_ >= total) return fail({5, 0x21, 0});
  cd_asked_ = static_cast<u32>(std::min({cd_left_, u64{kRefillSectors}, total - cd_lba_}));
  const u64 at = cd_lba_ * kUserBytes;
  disk_.read(0, at, cd_parts_ & 0x10 ? std::min<u64>(cd_asked_ * kUserBytes, disk_.size() - at) : 0);
  wait_for_disk();
}

void AtapiCdrom::disk_done(DiskRequest& request) {
  if (phase_ != Phase::kDisk) return;
  if (stage_ != Stage::kReply) return abort_command();
  if (!request.status) return disk_.present() ? fail({3, 0x11, 0}) : fail({2, 0x3a, 0});  // UNRECOVERED READ ERROR
  take_sectors(request.data);
  if (!use_dma_) return next_in();
  const IdeDma* engine = dma();
  engine && engine->running() ? dma_step() : wait_for_dma();
}

// Makes sectors as the host wants them of their user data, of which the last ones may be missing.
void AtapiCdrom::take_sectors(std::span<const u8> user_data) {
  std::array<u8, kUserBytes> user{};
  for (; cd_asked_ > 0; --cd_asked_) {
    const std::size_t have = std::min(kUserBytes, user_data.size());
    std::copy_n(user_data.begin(), have, user.begin());
    std::fill(user.begin() + static_cast<std::ptrdiff_t>(have), user.end(), u8{0});
    user_data = user_data.subspan(have);
    reply_end_ += mmc::put_sector(&buffer_[reply_end_], cd_parts_, cd_lba_++, user.data());
    --cd_left_;
  }
}

void AtapiCdrom::next_in() {
  if (stage_ != Stage::kReply) return abort_command();
  if (reply_at_ >= reply_end_) return cd_left_ == 0 ? good() : refill();
  u32 chunk = reply_end_ - reply_at_;
  if (chunk > limit_) chunk = limit_;
  count_.now = kIo;
  lba_mid_.now = static_cast<u8>(chunk);
  lba_high_.now = static_cast<u8>(chunk >> 8);
  const u32 start = reply_at_;
  reply_at_ += chunk;
  data_in(chunk, start);
}

void AtapiCdrom::dma_step() {
  if (stage_ != Stage::kReply) return abort_command();
  if (reply_at_ >= reply_end_) return cd_left_ == 0 ? good() : refill();
  const std::span<const u8> bytes = std::span(buffer_).subspan(reply_at_, reply_end_ - reply_at_);
  const std::size_t moved = dma()->to_memory(bytes);
  reply_at_ += static_cast<u32>(moved);
  if (moved < bytes.size()) {  // the PRD table was too small: nothing more comes until the host resets
    stage_ = Stage::kNone;
    cd_left_ = 0;
    phase_ = Phase::kIdle;
    status_ = kDrdy | kDsc;
    return;
  }
  if (cd_left_ == 0) return good();
  wait_for_dma();
}

void AtapiCdrom::out_done() {
  if (stage_ == Stage::kCdb) {
    std::copy_n(buffer_.begin(), cdb_.size(), cdb_.begin());
    packet();
  } else if (stage_ == Stage::kParameters) {
    mode_select();
  } else {
    abort_command();
  }
}

void AtapiCdrom::execute() {
  stage_ = Stage::kNone;
  switch (command_) {
    case 0xa0:                                       // PACKET
      if (features_ & 0x02) return abort_command();  // overlapped: not offered
      use_dma_ = features_ & 0x01;
      if (use_dma_ && !dma()) return abort_command();
      limit_ = lba_mid_.now | u32{lba_high_.now} << 8;
      if (limit_ == 0 || limit_ == 0xffff) limit_ = 0xfffe;
      if (limit_ > 1) limit_ &= ~1u;
      stage_ = Stage::kCdb;
      count_.now = kCod;
      return data_out(cdb_.size(), false);
    case 0xa1: return identify();  // IDENTIFY PACKET DEVICE
    case 0xec:                     // IDENTIFY DEVICE: aborted with the signature, which is how hosts tell
    case 0x20: {
      const u8 dev = device_ & kDeviceDev;
      load_signature();
      device_ = dev;
      return abort_command();
    }
    case 0xef: return set_features();
    case 0xe5:
    case 0x98:  // CHECK POWER MODE: active or idle
      count_.now = 0xff;
      return finish(kDrdy | kDsc, 0);
    case 0xe0:
    case 0xe1:
    case 0xe2:
    case 0xe3:
    case 0xe6:
    case 0x94:
    case 0x95:
    case 0x96:
    case 0x97:
    case 0x99: return finish(kDrdy | kDsc, 0);
    default: return abort_command();
  }
}

void AtapiCdrom::set_features() {
  const u8 mode = count_.now & 7;
  bool known = features_ == 0xcc || features_ == 0x66;
  if (features_ == 0x03) {
    switch (count_.now >> 3) {
      case 0: known = mode <= 1; break;
      case 1: known = mode <= 4; break;
      case 4:
        known = mode <= 2;
        if (known) mwdma_ = mode, udma_ = 0xff;
        break;
      case 8:
        known = mode <= 5;
        if (known) udma_ = mode, mwdma_ = 0xff;
        break;
      default: break;
    }
  }
  known ? finish(kDrdy | kDsc, 0) : abort_command();
}

void AtapiCdrom::identify() {
  const std::span<u8> out = std::span(buffer_).first(512);
  std::fill(out.begin(), out.end(), u8{0});
  const auto word = [out](unsigned n, u64 value) { store_le<u16>(&out[n * 2], static_cast<u16>(value)); };
  word(0, 2 << 14 | 5 << 8 | 1 << 7 | 2 << 5);  // ATAPI CD-ROM, removable, DRQ within 50 us, 12-byte packets
  put_identify_text(out, 10, 10, identity_.serial);
  put_identify_text(out, 23, 4, identity_.firmware);
  put_identify_text(out, 27, 20, identity_.model);
  word(48, 1);
  word(49, 1 << 11 | 1 << 10 | 1 << 9 | 1 << 8);  // IORDY, LBA, DMA
  word(50, 0x4000);
  word(51, 0x0200);
  word(53, 7);
  word(63, 0x07 | (mwdma_ <= 2 ? 0x100 << mwdma_ : 0));
  word(64, 3);
  word(65, 120);
  word(66, 120);
  word(67, 120);
  word(68, 120);
  word(71, 30);  // ns from PACKET and from SERVICE to bus release: nominal
  word(72, 30);
  word(80, 0x007e);
  word(82, 1 << 14 | 1 << 9 | 1 << 4 | 1 << 3);  // NOP, DEVICE RESET, PACKET, power management
  word(83, 1 << 14);
  word(84, 1 << 14);
  word(85, 1 << 14 | 1 << 9 | 1 << 4 | 1 << 3);
  word(87, 1 << 14);
  word(88, 0x3f | (udma_ <= 5 ? 0x100 << udma_ : 0));
  word(93, 1 << 14 | 1 << 13 | 1 | (is_slave_ ? 1 << 9 | 1 << 8 : 1 << 1));
  put_identify_checksum(out);
  data_in(512);
}

void AtapiCdrom::serialize(Archive& ar) {
  IdeDrive::serialize(ar);
  ar(cdb_);
  ar.range(stage_, Stage::kNone, Stage::kLast);
  ar(use_dma_);
  ar.range(limit_, 0u, 0xfffeu);
  ar.range(reply_end_, 0u, static_cast<u32>(kRefillSectors * 2352));
  ar.range(reply_at_, 0u, reply_end_);
  ar.raw(std::span(buffer_).first(reply_end_));
  ar(cd_lba_)(cd_left_)(cd_parts_).range(cd_asked_, 0u, static_cast<u32>(kRefillSectors));
  if (ar.loading() && (cd_asked_ > cd_left_ || (cd_asked_ > 0 && reply_end_ > 0))) {
    ar.fail("more sectors on their way than wanted");
    cd_asked_ = 0;
  }
  ar(sense_.key)(sense_.asc)(sense_.ascq)(attention_)(event_)(tray_open_)(locked_)(mwdma_)(udma_);
  audio_.serialize(ar);
  if (ar.loading() && limit_ == 0 && stage_ == Stage::kReply) limit_ = 0xfffe;
}

}  // namespace xlat
