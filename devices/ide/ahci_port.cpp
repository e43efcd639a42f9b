// A port of an AHCI controller: command lists, FISes and PRD tables (AHCI 1.0, 3.3, 4 and 5) in front of an IDE drive.
#include <algorithm>

#include "base/bits.h"
#include "devices/ide/ahci.h"
#include "devices/ide/ahci_bits.h"
#include "devices/ide/ata.h"

namespace xlat {

using namespace ata;
using namespace ahci;

namespace {

enum PortRegister : unsigned {
  kPxClb = 0x00,
  kPxClbu = 0x04,
  kPxFb = 0x08,
  kPxFbu = 0x0c,
  kPxIs = 0x10,
  kPxIe = 0x14,
  kPxCmd = 0x18,
  kPxTfd = 0x20,
  kPxSig = 0x24,
  kPxSsts = 0x28,
  kPxSctl = 0x2c,
  kPxSerr = 0x30,
  kPxSact = 0x34,
  kPxCi = 0x38,
};
// PxSERR: the link came up again.
constexpr u32 kDiagX = 1 << 26, kDiagN = 1 << 16;
constexpr u32 kNothing = 0x7f;  // PxTFD without a drive
// Command header.
constexpr u32 kHeaderAtapi = 1 << 5, kHeaderWrite = 1 << 6, kHeaderClearBusy = 1 << 10;
constexpr u8 kHostToDevice = 0x27, kCommandFis = 0x80, kSrst = 0x04;
constexpr unsigned kFisBytes = 20, kAcmd = 0x40, kPrdt = 0x80, kPrdBytes = 16;

}  // namespace

AhciPort::AhciPort(Ahci& hba, Clock& clock) : hba_(hba), clock_(clock), event_(clock, [this] { look(); }) {}

void AhciPort::plug(unsigned, std::unique_ptr<IdeDrive> drive) {
  drive_ = std::move(drive);
  disk_ = dynamic_cast<AtaDisk*>(drive_.get());
  if (drive_) drive_->plug(*this, false);
}

void AhciPort::reset() {
  list_ = received_ = 0;
  status_ = enable_ = control_ = error_ = issued_ = 0;
  command_ = kSud | kPod;
  signature_ = 0xffffffff;
  failed_ = false;
  slot_ = kNone;
  event_.cancel();
  restart_drive();
}

void AhciPort::restart_drive() {
  task_file_ = drive_ ? kBsy : kNothing;
  slot_ = kNone;
  issued_ = active_ = 0;
  end_queue();
  if (!drive_) return;
  wants_signature_ = true;
  drive_->reset();
}

void AhciPort::Cursor::serialize(Archive& ar) { ar(table)(entries)(entry)(used)(moved); }

void AhciPort::serialize(Archive& ar) {
  bool present = drive_ != nullptr;
  ar(present);
  if (present != (drive_ != nullptr)) return ar.fail("the machine has other drives than the state");
  ar(list_)(received_)(status_)(enable_)(command_)(task_file_)(signature_)(control_)(error_)(issued_)(active_)(failed_);
  ar(slot_)(header_)(wants_signature_);
  cursor_.serialize(ar);
  for (Queued& each : queue_) each.serialize(ar);
  if (!disk_) queue_ = {};
  if (slot_ != kNone && slot_ > 31) {
    ar.fail("no such command slot");
    slot_ = kNone;
  }
  event_.serialize(ar);
  if (drive_) drive_->serialize(ar);
}

u32 AhciPort::read(unsigned offset) const {
  switch (offset) {
    case kPxClb: return static_cast<u32>(list_);
    case kPxClbu: return static_cast<u32>(list_ >> 32);
    case kPxFb: return static_cast<u32>(received_);
    case kPxFbu: return static_cast<u32>(received_ >> 32);
    case kPxIs: return status_;
    case kPxIe: return enable_;
    case kPxCmd:
      return command_ | (command_ & kSt ? kCr : 0) | (command_ & kFre ? kFr : 0) |
             (command_ & kSt && slot_ != kNone ? u32{slot_} << 8 : 0);
    case kPxTfd: return task_file_;
    case kPxSig: return signature_;
    case kPxSsts: return drive_ && (control_ & 0xf) == 0 ? 0x123 : 0;  // there, 3 Gb/s, active
    case kPxSctl: return control_;
    case kPxSerr: return error_;
    case kPxSact: return active_;
    case kPxCi: return issued_;
    default: return 0;
  }
}

void AhciPort::write(unsigned offset, u32 value) {
  switch (offset) {
    case kPxClb: list_ = (list_ & ~mask(32)) | (value & ~0x3ffu); break;
    case kPxClbu: list_ = (list_ & mask(32)) | u64{value} << 32; break;
    case kPxFb: received_ = (received_ & ~mask(32)) | (value & ~0xffu); break;
    case kPxFbu: received_ = (received_ & mask(32)) | u64{value} << 32; break;
    case kPxIs: status_ &= ~value | kPcs | kPrcs; break;  // those two follow PxSERR
    case kPxIe: enable_ = value & kInterrupts; break;
    case kPxCmd: {
      const bool stops = (command_ & kSt) && !(value & kSt), shows = (value & kFre) && !(command_ & kFre);
      command_ = value & (kSt | kSud | kPod | kFre | kAtapi | kIcc);
      if ((value & kIcc) == u32{1} << 28) command_ &= ~kIcc;  // active already
      if (value & kClo) task_file_ &= ~u32{kBsy | kDrq};
      if (stops) {
        issued_ = active_ = 0;
        slot_ = kNone;
        failed_ = false;
        end_queue();
      }
      if (shows && !wants_signature_ && drive_ && signature_ == 0xffffffff) reset_done();
      event_.schedule(clock_.now());
      break;
    }
    case kPxSctl: {
      const bool ends = (control_ & 0xf) == 1 && (value & 0xf) == 0;
      control_ = value & 0xfff;
      if ((value & 0xf) == 1) task_file_ = drive_ ? kBsy : kNothing;
      if (!ends || !drive_) break;
      error_ |= kDiagX | kDiagN;
      raise(kPcs | kPrcs);
      restart_drive();
      break;
    }
    case kPxSerr:
      error_ &= ~value;
      if (!(error_ & kDiagX)) status_ &= ~kPcs;
      if (!(error_ & kDiagN)) status_ &= ~kPrcs;
      break;
    case kPxSact:
      if (command_ & kSt) active_ |= value;
      break;
    case kPxCi:
      if (!(command_ & kSt)) break;
      issued_ |= value;
      event_.schedule(clock_.now());
      break;
    default: break;
  }
}

void AhciPort::raise(u32 bits) {
  status_ |= bits;
  hba_.update_interrupt();
}

// ---- What the drive says: looked at when its own work is over ----

void AhciPort::interrupt_changed() {
  if (drive_->interrupt()) event_.schedule(clock_.now());
}
void AhciPort::wants_data() { event_.schedule(clock_.now()); }

// The drive's signature arrives as a register FIS after each reset (SATA 1.0a, 9.3).
void AhciPort::reset_done() {
  if (!(command_ & kFre)) {
    wants_signature_ = false;
    task_file_ = drive_->status() | u32{drive_->read_register(kFeatures, false)} << 8;
    return;
  }
  wants_signature_ = false;
  signature_ = u32{drive_->read_register(kLbaHigh, false)} << 24 | u32{drive_->read_register(kLbaMid, false)} << 16 |
               u32{drive_->read_register(kLbaLow, false)} << 8 | drive_->read_register(kCount, false);
  put_fis(Fis::kRegister, false, 0);
  event_.schedule(clock_.now());
}

void AhciPort::look() {
  if (!drive_) return;
  const bool told = drive_->interrupt();
  if (told) drive_->clear_interrupt();
  if (slot_ != kNone) {
    const u8 status = drive_->status();
    if (!(status & kBsy)) {
      if ((status & kDrq) && drive_->moves_by_port()) {
        move_data();
      } else if (told && !(status & kDrq)) {
        complete(true);
      }
    }
  }
  if (slot_ != kNone || failed_ || !(command_ & kSt) || !issued_ || (task_file_ & (kBsy | kDrq))) return;
  unsigned next = 0;
  while (!(issued_ >> next & 1)) ++next;
  begin(static_cast<u8>(next));
}

void AhciPort::begin(u8 slot) {
  const u64 header_at = list_ + u64{32} * slot;
  header_ = static_cast<u32>(hba_.memory_.read(header_at, 4));
  cursor_ = {.table = hba_.memory_.read(header_at + 8, 4) & ~u64{0x7f}, .entries = header_ >> 16};
  cursor_.table |= hba_.memory_.read(header_at + 12, 4) << 32;
  std::array<u8, kFisBytes> fis{};
  hba_.memory_.read_block(cursor_.table, fis);
  slot_ = slot;
  if (fis[0] != kHostToDevice) {  // nothing a drive would take
    task_file_ = kDrdy | kErr | u32{kAbrt} << 8;
    issued_ &= ~(u32{1} << slot);
    slot_ = kNone;
    failed_ = true;
    return raise(kTfes);
  }
  if (!(fis[1] & kCommandFis)) return control(fis);
  if (disk_ && (fis[2] == kReadQueued || fis[2] == kWriteQueued)) return begin_queued(slot, fis);
  // Between queued commands there is no room for others.
  if (queue_in_use()) {
    issued_ &= ~(u32{1} << slot);
    slot_ = kNone;
    return fail_queue(kNotQueued, kAbrt);
  }
  issue(fis);
}

void AhciPort::control(std::span<const u8> fis) {
  issued_ &= ~(u32{1} << slot_);
  slot_ = kNone;
  const bool resets = fis[15] & kSrst;
  if (resets) wants_signature_ = true;
  end_queue();
  drive_->set_srst(resets);
  // Software says in the header that BSY is not to keep the next one from being sent.
  if (wants_signature_) task_file_ = header_ & kHeaderClearBusy ? 0 : kBsy;
  event_.schedule(clock_.now());
}

void AhciPort::issue(std::span<const u8> fis) {
  static constexpr std::pair<u8, u8> kPlaces[] = {// register, byte of the FIS; the earlier content first
                                                  {kFeatures, 11}, {kFeatures, 3}, {kCount, 13}, {kCount, 12},
                                                  {kLbaLow, 8},    {kLbaLow, 4},   {kLbaMid, 9}, {kLbaMid, 5},
                                                  {kLbaHigh, 10},  {kLbaHigh, 6},  {kDevice, 7}};
  for (const auto& [reg, byte] : kPlaces)
    drive_->write_register(reg, reg == kDevice ? fis[byte] & ~kDeviceDev : fis[byte]);
  task_file_ = kBsy;
  drive_->write_command(fis[2]);
  // A command that the drive does not take ends nothing: software sees BSY until it resets.
}

// PIO: the drive's buffer and the PRD table, word by word as the port of a cable would.
void AhciPort::move_data() {
  std::vector<u8> bytes;
  if (drive_->gives_data()) {
    while ((drive_->status() & kDrq) && drive_->gives_data() && bytes.size() < IdeDrive::kBufferBytes) {
      const u32 word = drive_->read_data(2);
      bytes.push_back(static_cast<u8>(word));
      bytes.push_back(static_cast<u8>(word >> 8));
    }
    to_memory(bytes);
    put_fis(Fis::kPioSetup, true, static_cast<u32>(bytes.size()));
    // Unless the drive goes on, that was all of it.
    if (!(drive_->status() & (kBsy | kDrq))) complete(false);
    return;
  }
  bytes.resize(drive_->bytes_wanted());
  if ((header_ & kHeaderAtapi) && bytes.size() <= 16 && cursor_.moved == 0) {
    hba_.memory_.read_block(cursor_.table + kAcmd, bytes);
  } else {
    const std::size_t got = from_memory(bytes);
    std::fill(bytes.begin() + static_cast<std::ptrdiff_t>(got), bytes.end(), u8{0});
    put_fis(Fis::kPioSetup, true, static_cast<u32>(bytes.size()));
  }
  for (std::size_t n = 0; n < bytes.size(); n += 2) {
    const u32 high = n + 1 < bytes.size() ? bytes[n + 1] : 0;
    drive_->write_data(2, bytes[n] | high << 8);
  }
}

// `with_register_fis`: not after PIO to the host, whose last PIO setup says it all.
void AhciPort::complete(bool with_register_fis) {
  hba_.memory_.write(list_ + u64{32} * slot_ + 4, 4, cursor_.moved);
  issued_ &= ~(u32{1} << slot_);
  slot_ = kNone;
  if (with_register_fis) {
    put_fis(Fis::kRegister, true, 0);
  } else {
    task_file_ = drive_->status() | u32{drive_->read_register(kFeatures, false)} << 8;
  }
  if (drive_->status() & kErr) {
    failed_ = true;
    raise(kTfes);
  }
}

void AhciPort::put_received(u32 offset, std::span<const u8> fis) {
  if (command_ & kFre) hba_.memory_.write_block(received_ + offset, fis);
}

// SATA 1.0a, 8.5.2 and 8.5.7.
void AhciPort::put_fis(Fis kind, bool interrupt, u32 bytes) {
  std::array<u8, 20> fis{};
  const u8 status = drive_->status(), error = drive_->read_register(kFeatures, false);
  fis[0] = static_cast<u8>(kind);
  fis[1] = static_cast<u8>((interrupt ? 0x40 : 0) | (kind == Fis::kPioSetup && !(header_ & kHeaderWrite) ? 0x20 : 0));
  fis[2] = status;
  fis[3] = error;
  for (unsigned n = 0; n < 3; ++n) {
    fis[4 + n] = drive_->read_register(kLbaLow + n, false);
    fis[8 + n] = drive_->read_register(kLbaLow + n, true);
  }
  fis[7] = drive_->read_register(kDevice, false);
  fis[12] = drive_->read_register(kCount, false);
  fis[13] = drive_->read_register(kCount, true);
  if (kind == Fis::kPioSetup) {
    fis[15] = status;
    fis[16] = static_cast<u8>(bytes);
    fis[17] = static_cast<u8>(bytes >> 8);
  }
  put_received(kind == Fis::kPioSetup ? 0x20 : 0x40, fis);
  task_file_ = status | u32{error} << 8;
  if (interrupt) raise(kind == Fis::kPioSetup ? kPss : kDhrs);
}

// ---- The PRD table as the drive's bus master ----

bool AhciPort::running() const { return slot_ != kNone && hba_.bus_master(); }

template <class Move>
std::size_t AhciPort::walk(Cursor& cursor, std::size_t bytes, Move move) {
  std::size_t done = 0;
  while (done < bytes && cursor.entry < cursor.entries) {
    const u64 at = cursor.table + kPrdt + u64{kPrdBytes} * cursor.entry;
    const u64 address = (hba_.memory_.read(at, 4) & ~u64{1}) | hba_.memory_.read(at + 4, 4) << 32;
    const u32 size = (static_cast<u32>(hba_.memory_.read(at + 12, 4)) & 0x3fffff) + 1;
    const u32 left = size > cursor.used ? size - cursor.used : 0;
    const u32 run = static_cast<u32>(std::min<std::size_t>(left, bytes - done));
    if (run > 0) move(address + cursor.used, done, run);
    cursor.used += run;
    done += run;
    if (run == left) ++cursor.entry, cursor.used = 0;
  }
  cursor.moved += static_cast<u32>(done);
  return done;
}

std::size_t AhciPort::put(Cursor& cursor, std::span<const u8> from) {
  return walk(cursor, from.size(),
              [&](u64 at, std::size_t begin, u32 run) { hba_.memory_.write_block(at, from.subspan(begin, run)); });
}

std::size_t AhciPort::take(Cursor& cursor, std::span<u8> to) {
  return walk(cursor, to.size(),
              [&](u64 at, std::size_t begin, u32 run) { hba_.memory_.read_block(at, to.subspan(begin, run)); });
}

std::size_t AhciPort::to_memory(std::span<const u8> from) { return put(cursor_, from); }
std::size_t AhciPort::from_memory(std::span<u8> to) { return take(cursor_, to); }

}  // namespace xlat
