// Native command queuing: commands that the drive has at once, by their slots (Serial ATA II: Extensions 1.0, clause 4;
// AHCI 1.0, 5.6).
#include <algorithm>

#include "base/bits.h"
#include "devices/ide/ahci.h"
#include "devices/ide/ahci_bits.h"
#include "devices/ide/ata.h"

namespace xlat {

using namespace ata;
using namespace ahci;

namespace {

constexpr u32 kPieceSectors = 2048;  // asked of the medium at once
constexpr u32 kDmaSetupBytes = 28, kDeviceBitsAt = 0x58;

}  // namespace

void AhciPort::Queued::serialize(Archive& ar) {
  ar(active)(write)(through)(lba);
  ar.range(left, 0u, 65536u);
  ar.range(piece, 0u, std::min(left, kPieceSectors));
  cursor.serialize(ar);
}

bool AhciPort::queue_in_use() const {
  return std::any_of(queue_.begin(), queue_.end(), [](const Queued& each) { return each.active; });
}

// What was asked of the medium is done, and told to nobody.
void AhciPort::end_queue() {
  if (queue_in_use() && drive_) drive_->drop_queued();
  queue_ = {};
}

void AhciPort::begin_queued(u8 slot, std::span<const u8> fis) {
  issued_ &= ~(u32{1} << slot);
  slot_ = kNone;
  Queued& q = queue_[slot];
  const u8 tag = fis[12] >> 3;
  const bool again = q.active;
  const u64 lba =
      u64{fis[4]} | u64{fis[5]} << 8 | u64{fis[6]} << 16 | u64{fis[8]} << 24 | u64{fis[9]} << 32 | u64{fis[10]} << 40;
  u32 count = fis[3] | u32{fis[11]} << 8;
  if (count == 0) count = 65536;
  const bool write = fis[2] == kWriteQueued;
  if (again || tag != slot || !(active_ >> slot & 1) || !(fis[7] & kDeviceLba) || (write && disk_->read_only()))
    return fail_queue(tag, kAbrt);
  q = {.active = true, .write = write, .through = (fis[7] & 0x80) != 0, .lba = lba, .left = count, .cursor = cursor_};
  if (lba >= disk_->sectors() || count > disk_->sectors() - lba) return fail_queue(tag, kIdnf);
  put_fis(Fis::kRegister, false, 0);  // the drive has it, and is free for the next one
  next_piece(slot);
  event_.schedule(clock_.now());
}

void AhciPort::next_piece(u8 slot) {
  Queued& q = queue_[slot];
  if (!hba_.bus_master()) return;  // nothing can move until a reset
  q.piece = std::min(q.left, kPieceSectors);
  const u64 bytes = u64{q.piece} * 512;
  DiskRequest request{.offset = q.lba * 512, .bytes = bytes};
  if (q.write) {
    request.op = DiskRequest::Op::kWrite;
    request.through = q.through;
    request.data.resize(bytes);
    if (take(q.cursor, request.data) < bytes) return fail_queue(slot, kAbrt);
  }
  std::array<u8, kDmaSetupBytes> setup{0x41, static_cast<u8>(q.write ? 0 : 0x20)};
  setup[4] = slot;
  store_le<u32>(&setup[20], static_cast<u32>(bytes));
  put_received(0, setup);
  drive_->submit_queued(slot, std::move(request));
}

void AhciPort::queued_done(u8 slot, DiskRequest& request) {
  if (slot >= queue_.size() || !queue_[slot].active || !disk_) return;
  Queued& q = queue_[slot];
  const u64 bytes = u64{q.piece} * 512;
  const bool meant = request.bytes == bytes && (request.op == DiskRequest::Op::kWrite) == q.write && q.piece > 0;
  if (!meant) return fail_queue(slot, kAbrt);  // in a state that nobody saved
  if (!request.status) return fail_queue(slot, q.write ? kAbrt : kUnc);
  if (!q.write && put(q.cursor, request.data) < bytes) return fail_queue(slot, kAbrt);
  q.lba += q.piece;
  q.left -= q.piece;
  q.piece = 0;
  if (q.left > 0) return next_piece(slot);
  q.active = false;
  const u32 bit = u32{1} << slot;
  active_ &= ~bit;
  task_file_ = kDrdy | kDsc;
  put_device_bits(bit);
  raise(kSdbs);
}

// One that fails takes all others with it; PxSACT says which those are until the port is stopped.
void AhciPort::fail_queue(u8 tag, u8 error) {
  const Queued failed = tag < queue_.size() ? queue_[tag] : Queued{};
  disk_->note_queued_error(
      {.tag = tag, .status = kDrdy | kErr, .error = error, .lba = failed.lba, .count = static_cast<u16>(failed.left)});
  end_queue();
  failed_ = true;
  task_file_ = kDrdy | kErr | u32{error} << 8;
  put_device_bits(0);
  raise(kSdbs | kTfes);
}

// The set device bits FIS: which commands are over (SATA II: Extensions 1.0, 4.3).
void AhciPort::put_device_bits(u32 completed) {
  std::array<u8, 8> fis{0xa1, 0x40, static_cast<u8>(task_file_ & 0x77), static_cast<u8>(task_file_ >> 8)};
  store_le<u32>(&fis[4], completed);
  put_received(kDeviceBitsAt, fis);
}

}  // namespace xlat
