// Registers, phases and the commands that move no data of the 82077AA.
#include "devices/floppy/fdc82077.h"

#include <algorithm>

#include "base/bits.h"

namespace xlat {

namespace {

enum Dor : u8 { kDorReset = 0x04, kDorDmaGate = 0x08 };  // RESET# and DMAGATE#: active when clear
enum Dsr : u8 { kDsrReset = 0x80, kDsrPowerDown = 0x40 };
enum Msr : u8 { kRqm = 0x80, kDio = 0x40, kNonDma = 0x20, kCmdBusy = 0x10 };
enum St0 : u8 { kAbnormal = 0x40, kReadyChanged = 0xc0, kSeekEnd = 0x20, kEquipment = 0x10 };
enum St3 : u8 { kWriteProtected = 0x40, kReady = 0x20, kTrack0 = 0x10, kTwoSided = 0x08 };
enum Configure : u8 { kEis = 0x40, kEfifo = 0x20, kPollOff = 0x10 };

constexpr u8 kVersion = 0x90;
constexpr u64 kResetNs = 100'000;
constexpr int kMostRecalibrateSteps = 79;

struct CommandCode {
  u8 mask, code;
  u8 parameters;
};
// Data sheet, table 5-1. MT, MFM and SK are outside the mask where the command has them.
constexpr CommandCode kCommands[] = {
    {0x1f, 0x06, 8},  // READ DATA
    {0x1f, 0x0c, 8},  // READ DELETED DATA
    {0x3f, 0x05, 8},  // WRITE DATA
    {0x3f, 0x09, 8},  // WRITE DELETED DATA
    {0xbf, 0x02, 8},  // READ TRACK
    {0x1f, 0x16, 8},  // VERIFY
    {0xff, 0x10, 0},  // VERSION
    {0xbf, 0x0d, 5},  // FORMAT TRACK
    {0x1f, 0x11, 8},  // SCAN EQUAL
    {0x1f, 0x19, 8},  // SCAN LOW OR EQUAL
    {0x1f, 0x1d, 8},  // SCAN HIGH OR EQUAL
    {0xff, 0x07, 1},  // RECALIBRATE
    {0xff, 0x08, 0},  // SENSE INTERRUPT STATUS
    {0xff, 0x03, 2},  // SPECIFY
    {0xff, 0x04, 1},  // SENSE DRIVE STATUS
    {0xff, 0x0f, 2},  // SEEK
    {0xff, 0x13, 3},  // CONFIGURE
    {0xbf, 0x8f, 2},  // RELATIVE SEEK
    {0xff, 0x0e, 0},  // DUMPREG
    {0xbf, 0x0a, 1},  // READ ID
    {0xff, 0x12, 1},  // PERPENDICULAR MODE
    {0x7f, 0x14, 0},  // LOCK
};

const CommandCode* find_command(u8 value) {
  for (const CommandCode& c : kCommands) {
    if ((value & c.mask) == c.code) return &c;
  }
  return nullptr;
}

}  // namespace

Fdc82077::Fdc82077(PortBus& ports, Clock& clock, Dma8237& dma, IrqLine irq)
    : clock_(clock),
      dma_(dma),
      irq_(irq),
      timer_(clock, [this] { data_fired(); }),
      seek_timers_{{{clock, [this] { seek_fired(0); }},
                    {clock, [this] { seek_fired(1); }},
                    {clock, [this] { seek_fired(2); }},
                    {clock, [this] { seek_fired(3); }}}},
      low_(ports, 0x3f2, 4, *this),
      dir_(ports, 0x3f7, 1, *this) {}

FloppyDrive& Fdc82077::attach(unsigned n, FloppyType type, DiskSetup setup) {
  ASSERT(n < kDrives);
  drives_[n] = std::make_unique<FloppyDrive>(clock_, type, std::move(setup),
                                             [this](const DiskRequest& request) { disk_done(request); });
  return *drives_[n];
}

// The RESET pin.
void Fdc82077::reset() {
  dor_ = tdr_ = 0;
  dsr_ = kRate250K;
  lock_ = false;
  perpendicular_ = 0;
  specify_[0] = specify_[1] = 0;
  last_eot_ = 0;
  units_ = {};
  enter_reset();
}

// By DOR, DSR or pin: everything under way ends.
void Fdc82077::enter_reset() {
  timer_.cancel();
  for (auto& d : drives_) {
    if (d) d->drop();
  }
  for (unsigned n = 0; n < 4; ++n) {
    seek_timers_[n].cancel();
    units_[n].seeking = units_[n].pending = false;
  }
  if (!lock_) {
    config_ = kEfifo;
    pretrk_ = 0;
  }
  perpendicular_ &= 0x3c;  // GAP and WGATE
  op_ = Op::kNone;
  stage_ = Stage::kNone;
  crossed_ = 0;
  reset_senses_ = 0;
  have_ = need_ = result_at_ = result_end_ = 0;
  at_ = end_ = 0;
  dma_.set_request(kDmaChannel, false);
  phase_ = Phase::kReset;
  set_int(false);
}

void Fdc82077::leave_reset() {
  stage_ = Stage::kResetDone;
  timer_.schedule(clock_.now() + kResetNs);
}

void Fdc82077::write_dor(u8 value) {
  const u8 changed = dor_ ^ value;
  dor_ = value;
  if (changed & kDorReset) {
    if (value & kDorReset) {
      leave_reset();
    } else {
      enter_reset();
    }
  }
  update_irq();
}

void Fdc82077::write_dsr(u8 value) {
  dsr_ = value & 0x7f;  // the reset bit clears itself
  if (value & kDsrReset) {
    enter_reset();
    if (dor_ & kDorReset) leave_reset();
  } else if ((value & kDsrPowerDown) && (dor_ & kDorReset)) {
    enter_reset();  // until a reset
  }
}

void Fdc82077::set_int(bool on) {
  int_ = on;
  update_irq();
}

void Fdc82077::acknowledge_int() {
  set_int(false);
  if (std::any_of(units_.begin(), units_.end(), [](const Unit& u) { return u.pending; })) set_int(true);
}

void Fdc82077::update_irq() { irq_.set(int_ && (dor_ & kDorDmaGate)); }

u8 Fdc82077::main_status() const {
  if (phase_ == Phase::kReset) return 0;
  u8 value = 0;
  for (unsigned n = 0; n < 4; ++n) value = with_bit(value, n, units_[n].seeking);
  switch (phase_) {
    case Phase::kReset: break;
    case Phase::kCommand: return static_cast<u8>(value | kRqm | (have_ ? kCmdBusy : 0));
    case Phase::kExecute: return static_cast<u8>(value | kCmdBusy);
    case Phase::kReadByte: return static_cast<u8>(value | kRqm | kDio | kNonDma | kCmdBusy);
    case Phase::kWriteByte: return static_cast<u8>(value | kRqm | kNonDma | kCmdBusy);
    case Phase::kResult: return static_cast<u8>(value | kRqm | kDio | kCmdBusy);
  }
  return value;
}

void Fdc82077::to_command_phase() {
  phase_ = Phase::kCommand;
  op_ = Op::kNone;
  stage_ = Stage::kNone;
  have_ = need_ = 0;
}

void Fdc82077::results(std::initializer_list<u8> bytes) {
  std::copy(bytes.begin(), bytes.end(), result_.begin());
  result_at_ = 0;
  result_end_ = static_cast<u8>(bytes.size());
  phase_ = Phase::kResult;
}

u8 Fdc82077::read_fifo() {
  if (phase_ == Phase::kResult) {
    acknowledge_int();
    const u8 value = result_[result_at_++];
    if (result_at_ >= result_end_) to_command_phase();
    return value;
  }
  if (phase_ == Phase::kReadByte) {
    set_int(false);
    const u8 value = buffer_[at_++];
    if (at_ < end_) {
      set_int(true);  // for each byte
    } else {
      end_sector();
    }
    return value;
  }
  return 0;
}

void Fdc82077::write_fifo(u8 value) {
  if (phase_ == Phase::kWriteByte) {
    set_int(false);
    buffer_[at_++] = value;
    if (at_ < end_) {
      set_int(true);
    } else {
      phase_ = Phase::kExecute;
      after(Stage::kCommit, sector_ns());
    }
    return;
  }
  if (phase_ != Phase::kCommand) return;
  if (have_ == 0) {
    const CommandCode* command = find_command(value);
    params_ = {};
    params_[0] = value;
    if (!command) return invalid();
    need_ = static_cast<u8>(1 + command->parameters);
    have_ = 1;
  } else {
    params_[have_++] = value;
  }
  if (have_ == need_) run_command();
}

void Fdc82077::run_command() {
  const unsigned unit = params_[1] & 3;
  switch (params_[0] & 0x1f) {
    case 0x06: return start_data(Op::kRead);
    case 0x0c: return start_data(Op::kReadDeleted);
    case 0x05: return start_data(Op::kWrite);
    case 0x09: return start_data(Op::kWriteDeleted);
    case 0x02: return start_data(Op::kReadTrack);
    case 0x16: return start_data(Op::kVerify);
    case 0x0d: return start_data(Op::kFormat);
    case 0x11: return start_data(Op::kScanEqual);
    case 0x19: return start_data(Op::kScanLow);
    case 0x1d: return start_data(Op::kScanHigh);
    case 0x0a: return start_data(Op::kReadId);
    case 0x10: return results({kVersion});
    case 0x08: return sense_interrupt();
    case 0x04: return sense_drive();
    case 0x0e: return dump_registers();
    case 0x14: lock_ = params_[0] & 0x80; return results({static_cast<u8>(lock_ << 4)});
    case 0x07: start_seek(unit, 0, true); break;
    case 0x0f:
      if (params_[0] & 0x80) {  // RELATIVE SEEK, inwards with bit 6
        const u8 pcn = units_[unit].pcn;
        start_seek(unit, static_cast<u8>(params_[0] & 0x40 ? pcn + params_[2] : pcn - params_[2]), false);
      } else {
        start_seek(unit, params_[2], false);
      }
      break;
    case 0x03: specify_[0] = params_[1], specify_[1] = params_[2]; break;
    case 0x13:
      config_ = params_[2] & 0x7f;
      pretrk_ = params_[3];
      break;
    case 0x12:
      // OW lets D3-D0 change.
      perpendicular_ =
          static_cast<u8>((params_[1] & 0x80 ? params_[1] & 0x3c : perpendicular_ & 0x3c) | (params_[1] & 3));
      break;
    default: break;
  }
  to_command_phase();
}

void Fdc82077::sense_interrupt() {
  set_int(false);
  for (unsigned n = 0; n < 4; ++n) {
    if (bit(reset_senses_, n)) {
      reset_senses_ = with_bit(reset_senses_, n, false);
      return results({static_cast<u8>(kReadyChanged | n), units_[n].pcn});
    }
  }
  for (unsigned n = 0; n < 4; ++n) {
    if (!units_[n].pending) continue;
    units_[n].pending = false;
    acknowledge_int();
    return results({units_[n].st0, units_[n].pcn});
  }
  invalid();
}

void Fdc82077::sense_drive() {
  u8 st3 = static_cast<u8>(kReady | kTwoSided | (params_[1] & 7));
  if (const FloppyDrive* d = selected()) {
    if (d->write_protected()) st3 |= kWriteProtected;
    if (d->cylinder() == 0) st3 |= kTrack0;
  }
  results({st3});
}

void Fdc82077::dump_registers() {
  results({units_[0].pcn, units_[1].pcn, units_[2].pcn, units_[3].pcn, specify_[0], specify_[1], last_eot_,
           static_cast<u8>(lock_ << 7 | perpendicular_), config_, pretrk_});
}

// SRT counts down from 16 in units that depend on the data rate (table 5-9).
u64 Fdc82077::step_ns() const {
  constexpr u64 kUnit[4] = {1'000'000, 1'667'000, 2'000'000, 500'000};
  return (16u - (specify_[0] >> 4)) * kUnit[dsr_ & 3];
}

void Fdc82077::start_seek(unsigned n, u8 target, bool recalibrate) {
  Unit& u = units_[n];
  const FloppyDrive* d = drive(n);
  int steps = 0;
  if (recalibrate) {
    steps = d ? std::min<int>(d->cylinder(), kMostRecalibrateSteps) : kMostRecalibrateSteps;
  } else {
    steps = std::abs(int{target} - int{u.pcn});
  }
  u.target = target;
  u.recalibrating = recalibrate;
  u.seeking = true;
  u.pending = false;
  u.st0 = static_cast<u8>(params_[1] & 7);
  seek_timers_[n].schedule(clock_.now() + step_ns() * static_cast<u64>(std::max(steps, 1)));
}

void Fdc82077::move_head(unsigned n, int cylinders) {
  if (FloppyDrive* d = drive(n)) d->step(cylinders);
}

void Fdc82077::seek_fired(unsigned n) {
  Unit& u = units_[n];
  if (!u.seeking) return;
  u.seeking = false;
  u.st0 |= kSeekEnd;
  if (u.recalibrating) {
    move_head(n, -kMostRecalibrateSteps);
    u.pcn = 0;
    const FloppyDrive* d = drive(n);
    if (!d || d->cylinder() != 0) u.st0 |= kAbnormal | kEquipment;
  } else {
    move_head(n, int{u.target} - int{u.pcn});
    u.pcn = u.target;
  }
  u.pending = true;
  set_int(true);
}

u32 Fdc82077::read(u64 port, unsigned) {
  switch (port) {
    case 0x3f2: return dor_;
    case 0x3f3: return 0xfc | tdr_;
    case 0x3f4: return main_status();
    case 0x3f5: return read_fifo();
    default: {  // DIR: bits 6:0 are the hard disk's, which leaves them alone
      const FloppyDrive* d = drive(dor_ & 3);
      return d && d->disk_changed() ? 0x80 : 0;
    }
  }
}

void Fdc82077::write(u64 port, unsigned, u32 value) {
  const u8 v = static_cast<u8>(value);
  switch (port) {
    case 0x3f2: write_dor(v); break;
    case 0x3f3: tdr_ = v & 3; break;
    case 0x3f4: write_dsr(v); break;
    case 0x3f5: write_fifo(v); break;
    default: dsr_ = static_cast<u8>((dsr_ & ~3) | (v & 3)); break;  // CCR
  }
}

void Fdc82077::serialize(Archive& ar) {
  if (ar.section("i82077", 2) < 2) ar.fail("version 1, without requests to the disk, is not read any more");
  ar(dor_).range(tdr_, u8{0}, u8{3}).range(dsr_, u8{0}, u8{0x7f})(int_);
  ar.range(phase_, Phase::kReset, Phase::kLast);
  for (Unit& u : units_) ar(u.pcn)(u.target)(u.seeking)(u.recalibrating)(u.pending)(u.st0);
  ar.range(reset_senses_, u8{0}, u8{15});
  ar(specify_).range(config_, u8{0}, u8{0x7f})(pretrk_).range(perpendicular_, u8{0}, u8{0x3f})(lock_)(last_eot_);
  ar(params_).range(need_, u8{0}, static_cast<u8>(params_.size())).range(have_, u8{0}, need_);
  ar(result_).range(result_end_, u8{0}, static_cast<u8>(result_.size())).range(result_at_, u8{0}, result_end_);
  ar.range(op_, Op::kNone, Op::kLast).range(stage_, Stage::kNone, Stage::kLast);
  ar(c_)(h_)(r_).range(head_, u8{0}, u8{1})(st1_)(st2_)(seek_end_)(crossed_)(tc_)(left_)(track_at_);
  ar.range(sector_, u32{0}, FloppyDrive::kMostSectors)(skipping_);
  ar(buffer_).range(end_, u16{0}, u16{512}).range(at_, u16{0}, end_);
  timer_.serialize(ar);
  for (Timer& t : seek_timers_) t.serialize(ar);
  for (auto& d : drives_) {
    if (d) d->serialize(ar);
  }
  const bool moves = phase_ == Phase::kReadByte || phase_ == Phase::kWriteByte;
  if (ar.loading() && ((phase_ == Phase::kResult && result_at_ >= result_end_) || (moves && at_ >= end_) ||
                       (phase_ == Phase::kCommand && have_ > 0 && have_ >= need_))) {
    ar.fail("a phase without its bytes");
    to_command_phase();
  }
}

}  // namespace xlat
