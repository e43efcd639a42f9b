// Commands of the 82077AA that move, check or look for sectors.
#include <algorithm>

#include "base/bits.h"
#include "devices/floppy/fdc82077.h"

namespace xlat {

namespace {

enum St0 : u8 { kNormal = 0, kAbnormal = 0x40, kSeekEnd = 0x20 };
enum St1 : u8 {
  kEndOfCylinder = 0x80,
  kDataError = 0x20,
  kOverrun = 0x10,
  kNoData = 0x04,
  kNotWritable = 0x02,
  kMissingMark = 0x01
};
enum St2 : u8 {
  kControlMark = 0x40,
  kDataErrorInData = 0x20,
  kWrongCylinder = 0x10,
  kScanHit = 0x08,
  kScanFailed = 0x04,
  kBadCylinder = 0x02
};
constexpr u8 kMt = 0x80, kMfm = 0x40, kSk = 0x20;
constexpr u8 kEis = 0x40, kDmaGate = 0x08;
constexpr u8 kSectorCode = 2;  // N of 512-byte sectors

constexpr u64 kRevolutionNs = 25'000'000;
// How long a host without DMA may take for a sector.
constexpr u64 kOverrunNs = 200'000'000;

}  // namespace

u64 Fdc82077::revolution_ns() const { return kRevolutionNs; }

u64 Fdc82077::sector_ns() const {
  const FloppyDrive* d = drives_[params_[1] & 1].get();
  const unsigned sectors = d && (params_[1] & 2) == 0 ? d->format().sectors : 0;
  return kRevolutionNs / std::max(sectors, 8u);
}

void Fdc82077::after(Stage stage, u64 ns) {
  stage_ = stage;
  timer_.schedule(clock_.now() + ns);
}

// The controller looks for an address until it has seen the index hole twice.
void Fdc82077::fail_after_search(u8 st1, u8 st2) {
  st1_ |= st1;
  st2_ |= st2;
  after(Stage::kFail, 2 * revolution_ns());
}

void Fdc82077::start_data(Op op) {
  op_ = op;
  phase_ = Phase::kExecute;
  head_ = (params_[1] >> 2) & 1;
  st1_ = st2_ = 0;
  tc_ = seek_end_ = skipping_ = false;
  at_ = end_ = 0;
  left_ = 0;
  crossed_ = 0;
  c_ = h_ = r_ = 0;
  const bool dma = !(specify_[1] & 1);
  if (op == Op::kFormat) {
    left_ = params_[3];
  } else if (op != Op::kReadId) {
    c_ = params_[2], h_ = params_[3], r_ = params_[4];
    last_eot_ = params_[6];
    track_at_ = 1;
    if (op == Op::kReadTrack) left_ = params_[6];
    if (op == Op::kVerify && (params_[1] & 0x80)) {
      left_ = params_[8] ? params_[8] : 256;
      last_eot_ = params_[8];
    }
  }
  const unsigned n = params_[1] & 3;
  Unit& u = units_[n];
  const bool addressed = op != Op::kFormat && op != Op::kReadId;
  if (addressed && (config_ & kEis) && u.pcn != c_) {
    const auto steps = static_cast<u64>(std::abs(int{c_} - int{u.pcn}));
    return after(Stage::kImpliedSeek, step_ns() * steps);
  }
  if (dma && op != Op::kVerify && op != Op::kReadId) dma_.set_request(kDmaChannel, true);
  after(Stage::kSector, sector_ns());
}

void Fdc82077::data_fired() {
  const Stage stage = stage_;
  stage_ = Stage::kNone;
  switch (stage) {
    case Stage::kDisk: stage_ = stage; break;
    case Stage::kNone: break;
    case Stage::kResetDone:
      to_command_phase();
      if (!(config_ & 0x10)) {  // polling finds all four drives changed from not ready to ready
        reset_senses_ = 0x0f;
        set_int(true);
      }
      break;
    case Stage::kImpliedSeek: {
      const unsigned n = params_[1] & 3;
      move_head(n, int{c_} - int{units_[n].pcn});
      units_[n].pcn = c_;
      seek_end_ = true;
      if (op_ != Op::kVerify && !(specify_[1] & 1)) dma_.set_request(kDmaChannel, true);
      after(Stage::kSector, sector_ns());
      break;
    }
    case Stage::kSector: begin_sector(); break;
    case Stage::kCommit: end_sector(); break;
    case Stage::kFail: finish(kAbnormal); break;
    case Stage::kOverrun:
      st1_ |= kOverrun;
      finish(kAbnormal);
      break;
  }
}

// A disk is in the drive and its marks can be read at this data rate and density.
bool Fdc82077::check_medium() {
  const FloppyDrive* d = selected();
  const bool readable = d && d->has_disk() && bit(d->format().rates, dsr_ & 3) && (params_[0] & kMfm) &&
                        d->cylinder() < d->format().cylinders && head_ < d->format().heads;
  // A blank or unknown track shows no address mark.
  if (!readable) fail_after_search(kMissingMark, 0);
  return readable;
}

// Finds the sector C, H, R, N under the head.
bool Fdc82077::locate() {
  FloppyDrive& d = *selected();
  if (op_ == Op::kReadTrack) {
    const auto found = d.find(head_, track_at_);
    if (!found) {
      fail_after_search(kNoData, 0);
      return false;
    }
    if (c_ != d.cylinder() || h_ != head_ || r_ != track_at_ || params_[5] != kSectorCode) st1_ |= kNoData;
    sector_ = *found;
    return true;
  }
  if (c_ != d.cylinder()) {
    fail_after_search(kNoData, kWrongCylinder);
    return false;
  }
  const auto found = d.find(head_, r_);
  if (!found || h_ != head_ || params_[5] != kSectorCode) {
    fail_after_search(kNoData, 0);
    return false;
  }
  sector_ = *found;
  return true;
}

bool Fdc82077::wants_data() const {
  switch (op_) {
    case Op::kWrite:
    case Op::kWriteDeleted:
    case Op::kFormat:
    case Op::kScanEqual:
    case Op::kScanLow:
    case Op::kScanHigh: return true;
    default: return false;
  }
}

void Fdc82077::begin_sector() {
  const bool writes = op_ == Op::kWrite || op_ == Op::kWriteDeleted || op_ == Op::kFormat;
  FloppyDrive* d = selected();
  if (writes && d && d->write_protected()) {
    st1_ |= kNotWritable;
    return finish(kAbnormal);
  }
  if (op_ == Op::kFormat) {
    if (!check_medium()) return;
    if (left_ == 0) return finish(kNormal);
    return from_host();
  }
  if (!check_medium()) return;
  if (op_ == Op::kReadId) {
    // The next address to pass: the disk turns with time.
    const unsigned sectors = d->format().sectors;
    c_ = d->cylinder();
    h_ = head_;
    r_ = static_cast<u8>(1 + clock_.now() % revolution_ns() * sectors / revolution_ns());
    params_[5] = kSectorCode;
    return finish(kNormal);
  }
  if (!locate()) return;
  const bool wants_deleted = op_ == Op::kReadDeleted;
  if (!writes && op_ != Op::kReadTrack && d->deleted(sector_) != wants_deleted) {
    st2_ |= kControlMark;
    skipping_ = params_[0] & kSk;
    if (skipping_) return advance();
  }
  if (wants_data()) return from_host();
  stage_ = Stage::kDisk;
  d->read(sector_);
}

// The disk has been read or written, or could not be.
void Fdc82077::disk_done(const DiskRequest& request) {
  if (stage_ != Stage::kDisk) return;
  stage_ = Stage::kNone;
  const bool scans = op_ == Op::kScanEqual || op_ == Op::kScanLow || op_ == Op::kScanHigh;
  if (!request.status) {
    st1_ |= kDataError;
    if (op_ != Op::kFormat) st2_ |= kDataErrorInData;
    if (scans) st2_ |= kScanFailed;
    return finish(kAbnormal);
  }
  if (op_ == Op::kFormat) {
    // A TC before the last address ends the command there; the rest of the track keeps what it had.
    return --left_ == 0 || tc_ ? finish(kNormal) : after(Stage::kSector, sector_ns());
  }
  if (op_ == Op::kWrite || op_ == Op::kWriteDeleted) return advance();
  std::array<u8, 512> sector{};
  std::copy_n(request.data.begin(), std::min(request.data.size(), sector.size()), sector.begin());
  if (scans) {
    scan_sector(sector);
    return st2_ & kScanFailed ? advance() : finish(kNormal);
  }
  buffer_ = sector;
  op_ == Op::kVerify ? end_sector() : to_host();
}

void Fdc82077::to_host() {
  at_ = 0;
  end_ = 512;
  if (specify_[1] & 1) {
    phase_ = Phase::kReadByte;
    after(Stage::kOverrun, kOverrunNs);
    return set_int(true);
  }
  DmaResult moved;
  if (dor_ & kDmaGate) moved = dma_.transfer(kDmaChannel, buffer_, DmaDirection::kToMemory);
  tc_ = moved.terminal_count;
  if (!tc_ && moved.bytes < end_) {
    st1_ |= kOverrun;
    return finish(kAbnormal);
  }
  end_sector();
}

void Fdc82077::from_host() {
  at_ = 0;
  end_ = op_ == Op::kFormat ? 4 : 512;
  if (specify_[1] & 1) {
    phase_ = Phase::kWriteByte;
    after(Stage::kOverrun, kOverrunNs);
    return set_int(true);
  }
  DmaResult moved;
  const std::span<u8> wanted = std::span(buffer_).first(end_);
  // Bytes after the terminal count are written as zeros.
  std::fill(wanted.begin(), wanted.end(), u8{0});
  if (dor_ & kDmaGate) moved = dma_.transfer(kDmaChannel, wanted, DmaDirection::kFromMemory);
  tc_ = moved.terminal_count;
  if (!tc_ && moved.bytes < end_) {
    st1_ |= kOverrun;
    return finish(kAbnormal);
  }
  at_ = static_cast<u16>(moved.bytes);  // so many are to be compared
  end_sector();
}

// The sector's bytes have been moved one way or the other.
void Fdc82077::end_sector() {
  timer_.cancel();
  stage_ = Stage::kNone;
  phase_ = Phase::kExecute;
  FloppyDrive* d = selected();
  if (!d || !d->has_disk()) {  // taken out meanwhile
    return fail_after_search(kMissingMark, 0);
  }
  switch (op_) {
    case Op::kWrite:
    case Op::kWriteDeleted: stage_ = Stage::kDisk; return d->write(sector_, buffer_, op_ == Op::kWriteDeleted);
    case Op::kFormat: return format_sector();
    case Op::kScanEqual:
    case Op::kScanLow:
    case Op::kScanHigh: stage_ = Stage::kDisk; return d->read(sector_);
    default: break;
  }
  advance();
}

// From C, H, R, N of the host; an image holds the tracks of its own format and no others.
void Fdc82077::format_sector() {
  FloppyDrive& d = *selected();
  c_ = buffer_[0], h_ = buffer_[1], r_ = buffer_[2];
  const auto found = d.find(head_, r_);
  if (c_ != d.cylinder() || h_ != head_ || buffer_[3] != kSectorCode || params_[2] != kSectorCode || !found) {
    return fail_after_search(kNoData, 0);
  }
  std::array<u8, 512> fill;
  fill.fill(params_[5]);
  stage_ = Stage::kDisk;
  d.write(*found, fill, false);
}

// Compares the disk's sector with the host's, FFh from either side matching anything.
void Fdc82077::scan_sector(std::span<const u8> disk) {
  const unsigned count = specify_[1] & 1 ? 512u : at_;
  st2_ &= static_cast<u8>(~(kScanHit | kScanFailed));
  int order = 0;  // of the first bytes that differ
  for (unsigned n = 0; n < count && order == 0; ++n) {
    if (disk[n] == 0xff || buffer_[n] == 0xff) continue;
    order = int{disk[n]} - int{buffer_[n]};
  }
  if (order == 0) {
    st2_ |= kScanHit;
  } else if (op_ == Op::kScanEqual || (op_ == Op::kScanLow && order > 0) || (op_ == Op::kScanHigh && order < 0)) {
    st2_ |= kScanFailed;
  }
}

// C, H, R after a sector, as the result phase shows them (table 5-7).
void Fdc82077::next_address() {
  const bool scan = op_ == Op::kScanEqual || op_ == Op::kScanLow || op_ == Op::kScanHigh;
  if (r_ != params_[6] && !leaves_track()) {
    // A scan may take every second sector.
    r_ = static_cast<u8>(r_ + (scan && params_[8] == 2 ? 2 : 1));
    return;
  }
  r_ = 1;
  if (!(params_[0] & kMt)) {
    ++c_;
    return;
  }
  h_ ^= 1;
  if (head_ == 1) ++c_;
  head_ ^= 1;
}

// The last sector that there is was passed on the way to an EOT beyond it. BIOSes that do not know how many sectors a
// track has send the sum of sector and count, with MT, and rely on it that the transfer goes on with the other side,
// and behind that with the next cylinder.
bool Fdc82077::leaves_track() {
  if (!(params_[0] & kMt) || op_ == Op::kReadTrack) return false;
  const FloppyDrive* d = selected();
  return d && d->has_disk() && r_ < params_[6] && r_ >= d->format().sectors && r_ >= 1;
}

void Fdc82077::advance() {
  const u8 head = head_;
  const bool skipped = std::exchange(skipping_, false);
  if (op_ == Op::kReadTrack) {
    const bool last = --left_ == 0;
    ++track_at_;
    const u8 ic = st1_ & kNoData ? kAbnormal : kNormal;
    if (tc_) {
      next_address();
      return finish(ic);
    }
    if (last) {
      st1_ |= kEndOfCylinder;
      next_address();
      return finish(kAbnormal);
    }
    ++r_;
    return after(Stage::kSector, sector_ns());
  }
  // A sector with the other kind of mark that was moved all the same is the last; its address stays.
  const bool reads = op_ == Op::kRead || op_ == Op::kReadDeleted;
  if (reads && !skipped && selected()->deleted(sector_) != (op_ == Op::kReadDeleted)) return finish(kNormal);
  const bool at_eot = r_ == params_[6];
  const bool end_of_cylinder = at_eot && (!(params_[0] & kMt) || head == 1);
  const bool next_cylinder = leaves_track() && head == 1;
  next_address();
  if (tc_) {
    head_ = head;
    return finish(kNormal);
  }
  if (op_ == Op::kVerify && left_ > 0 && --left_ == 0) {
    head_ = head;
    return finish(kNormal);
  }
  if (end_of_cylinder) {
    head_ = head;
    const bool scan = op_ == Op::kScanEqual || op_ == Op::kScanLow || op_ == Op::kScanHigh;
    // VERIFY without a count ends here as asked; a scan has found nothing.
    if (scan || (op_ == Op::kVerify && !(params_[1] & 0x80))) return finish(kNormal);
    st1_ |= kEndOfCylinder;
    return finish(kAbnormal);
  }
  if (next_cylinder) {
    const unsigned n = params_[1] & 3;
    move_head(n, 1);
    units_[n].pcn = c_;
    ++crossed_;
    return after(Stage::kSector, step_ns());
  }
  after(Stage::kSector, sector_ns());
}

void Fdc82077::finish(u8 interrupt_code) {
  timer_.cancel();
  if (crossed_ > 0) {
    // Back to where the command began: that is where a BIOS believes the head to be.
    const unsigned unit = params_[1] & 3;
    move_head(unit, -int{crossed_});
    units_[unit].pcn = static_cast<u8>(units_[unit].pcn - crossed_);
    crossed_ = 0;
  }
  dma_.set_request(kDmaChannel, false);
  const u8 n = op_ == Op::kFormat ? params_[2] : params_[5];
  op_ = Op::kNone;
  stage_ = Stage::kNone;
  at_ = end_ = 0;
  const u8 st0 = static_cast<u8>(interrupt_code | (seek_end_ ? kSeekEnd : 0) | head_ << 2 | (params_[1] & 3));
  results({st0, st1_, st2_, c_, h_, r_, n});
  set_int(true);
}

}  // namespace xlat
