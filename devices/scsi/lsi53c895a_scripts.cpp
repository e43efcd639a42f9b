// The SCRIPTS processor (chapter 5 of the manual).
#include <algorithm>

#include "devices/scsi/lsi53c895a.h"

namespace xlat {

using namespace lsi;

namespace {

// What one event does at most: an instruction is one, and so are 64 bytes. Then the guest runs for a while.
constexpr u32 kBudget = 1024, kBytesOfOne = 64;
constexpr u64 kPauseNs = 50'000;
constexpr u32 kPiece = 4096;
// With SEL off a chip waits for ever. Firmware that has only seen chips in software (SeaBIOS) leaves it off, and looks
// for the time-out.
constexpr u64 kUnsetSelectionNs = 250'000;

u32 extended(u32 offset) { return static_cast<u32>(sign_extend(offset & 0xffffff, 24)); }

}  // namespace

u32 Lsi53c895a::next_dword() {
  const u32 at = get32(kDsp);
  put32(kDsp, at + 4);
  return fetch(selected(kSfs, at));
}

void Lsi53c895a::run() {
  budget_ = kBudget;
  while (state_ != State::kStopped && bus_master()) {
    if (budget_ == 0) {
      wake(kPauseNs);
      break;
    }
    --budget_;
    if (!execute()) break;
    if (state_ == State::kFetch && (registers_[kDcntl] & kSsm)) dma_interrupt(kSsi);
  }
}

bool Lsi53c895a::execute() {
  switch (state_) {
    case State::kStopped: return false;
    case State::kFetch: return decode();
    case State::kBlock: return move_block();
    case State::kMemory: return move_memory();
    case State::kPhase: return transfer_control();
    case State::kDisconnect:
      targets_.acknowledge();
      watch_bus();
      if (state_ != State::kDisconnect || targets_.connected() || selection_.pending()) return false;
      state_ = State::kFetch;
      return true;
    case State::kReselect: return wait_for_reselection();
    case State::kSelect: return select();
  }
  return false;
}

bool Lsi53c895a::decode() {
  const u32 at = get32(kDsp), instruction = next_dword();
  // A block move of no bytes by the manual; but firmware fills its scripts up with such (SeaBIOS).
  if (instruction == 0) return true;
  put32(kDbc, instruction);  // and DCMD
  put32(kDsps, next_dword());
  put32(kDnad, get32(kDsps));
  switch (instruction >> 30) {
    case 0:
      put32(kIa, at);
      begin_block_move();
      return true;
    case 1: return io_instruction();
    case 2:
      if (instruction & 1 << 22) put32(kSfs, next_dword());  // the 64-bit forms
      state_ = State::kPhase;
      return true;
    default:
      if (instruction & 1 << 29) {
        load_or_store();
      } else {
        // TEMP, as the manual has it, would be lost for scripts that keep something there; drivers rely on it.
        destination_ = next_dword();
        state_ = count() ? State::kMemory : State::kFetch;
      }
      return true;
  }
}

// ---- Block moves, 5.3 ----

void Lsi53c895a::begin_block_move() {
  const u8 command = registers_[kDcmd];
  const bool table = command & 0x10, indirect = command & 0x20;
  if (registers_[kScntl0] & kTrg) return dma_interrupt(kIid);
  address_high_ = get32(kSbms);
  entry_top_ = command;
  if (table) {
    const u32 entry = get32(kDsa) + extended(get32(kDsps));
    const u32 first = fetch(selected(kDrs, entry));
    put32(kEsa, entry);
    put32(kDnad, fetch(selected(kDrs, entry + 4)));
    set_count(first);
    entry_top_ = static_cast<u8>(first >> 24);
    if (registers_[kCcntl1] & kEn64tibmv) {
      if (registers_[kCcntl1] & kTimod64) {
        address_high_ = entry_top_;  // 40-bit addresses
      } else {
        // One of SCRATCHC to SCRATCHR, or of the six selectors.
        const u8 which = entry_top_ & 0x1f;
        if (which >= 22) return dma_interrupt(kIid);
        address_high_ = get32(static_cast<u8>(which < 16 ? kScratchC + 4 * which : kMmrs + 4 * (which - 16)));
      }
    }
  } else if (indirect) {
    put32(kDnad, fetch(selected(kDrs, get32(kDsps))));
  } else if (registers_[kCcntl1] & kEn64dbmv) {
    address_high_ = next_dword();
  }
  put32(kDnad64, static_cast<u32>(address_high_));
  if (count() == 0) return dma_interrupt(kIid);
  first_byte_ = true;
  state_ = State::kBlock;
}

bool Lsi53c895a::move_block() {
  // Whoever goes on has taken the last message.
  targets_.acknowledge();
  watch_bus();
  if (state_ != State::kBlock) return false;
  if (count() == 0) {  // of a state that was loaded
    state_ = State::kFetch;
    return true;
  }
  if (!targets_.connected()) {
    if (!selection_.pending()) scsi_interrupt(kUdc, 0);
    return false;
  }
  const auto wanted = static_cast<ScsiTargets::Phase>(registers_[kDcmd] & 7);
  if (wanted == ScsiTargets::Phase::kMessageOut) targets_.expect_messages();
  if (!targets_.requesting()) {
    const u8 limit = registers_[kStime0] >> 4;
    if (limit && !handshake_.pending())
      handshake_.schedule(clock_.now() + time_of(limit, registers_[kStime1] & kHthsf));
    return false;
  }
  if (targets_.phase() != wanted) {
    phase_mismatch();
    return state_ != State::kStopped;
  }
  std::array<u8, kPiece> piece;
  const u32 most = std::min<u32>({count(), kPiece, (budget_ + 1) * kBytesOfOne});
  const std::span<u8> bytes = std::span(piece).first(most);
  const u64 at = address_high_ << 32 | get32(kDnad);
  std::size_t moved = 0;
  const bool comes_in = static_cast<u8>(wanted) & 1;
  if (comes_in) {
    moved = targets_.receive(bytes);
    if (moved > 0) {
      if (std::exchange(first_byte_, false)) registers_[kSfbr] = piece[0];
      registers_[kSidl] = piece[moved - 1];
    }
  } else {
    memory_.read_block(at, bytes);
    moved = targets_.send(bytes);
    if (moved > 0) registers_[kSodl] = piece[moved - 1];
  }
  const u32 left = count() - static_cast<u32>(moved);
  set_count(left);
  put32(kDnad, static_cast<u32>(at) + static_cast<u32>(moved));
  if (wanted == ScsiTargets::Phase::kDataOut || wanted == ScsiTargets::Phase::kDataIn) {
    put32(kCsbc, get32(kCsbc) + static_cast<u32>(moved));
  }
  if (left == 0) {
    state_ = State::kFetch;
    // ATN goes with the last byte of the last message.
    if (wanted == ScsiTargets::Phase::kMessageOut) targets_.set_attention(false);
  }
  budget_ -= std::min(budget_, static_cast<u32>(moved) / kBytesOfOne);
  watch_bus();
  // Last, as it may reach our own registers.
  if (comes_in) memory_.write_block(at, bytes.first(moved));
  return state_ != State::kStopped;
}

// CCNTL0's ENPMJ: the script goes on elsewhere, with all it needs to know in registers.
void Lsi53c895a::phase_mismatch() {
  const u8 wanted = registers_[kDcmd] & 7;
  const u8 control = model_ == Model::k895a ? registers_[kCcntl0] : 0;
  put32(kUa, get32(kDnad));
  put32(kRbc, u32{entry_top_} << 24 | count());
  put32(kSbc, 0);
  const bool jumps = (control & kEnpmj) && (wanted <= 1 || (control & kEnndj));
  if (!jumps) return scsi_interrupt(kMa, 0);
  const bool second = control & kPmjctl ? (wanted & 1) : (registers_[kScntl2] & kWsr);
  put32(kDsp, get32(second ? kPmjad2 : kPmjad1));
  state_ = State::kFetch;
}

// ---- Memory moves, and loads and stores, 5.7 and 5.8 ----

bool Lsi53c895a::move_memory() {
  std::array<u8, kPiece> piece;
  const u32 bytes = std::min(count(), kPiece), from = get32(kDsps), to = destination_;
  set_count(count() - bytes);
  put32(kDsps, from + bytes);
  destination_ = to + bytes;
  if (count() == 0) state_ = State::kFetch;
  budget_ -= std::min(budget_, bytes / kBytesOfOne);
  // These may reach our own registers, and stop or reset what goes on here.
  memory_.read_block(selected(kMmrs, from), std::span(piece).first(bytes));
  memory_.write_block(selected(kMmws, to), std::span(piece).first(bytes));
  return state_ != State::kStopped;
}

void Lsi53c895a::load_or_store() {
  const u8 command = registers_[kDcmd], first = registers_[kDbc + 2];
  const u32 bytes = registers_[kDbc] & 7;
  const u32 address = get32(kDsps);
  const u64 at = command & 0x10 ? selected(kDrs, get32(kDsa) + extended(address)) : selected(kDrs, address);
  // It must stay in a doubleword, at the same place in memory and registers.
  if (bytes == 0 || bytes > 4 || (first & 3) + bytes > 4) return dma_interrupt(kIid);
  std::array<u8, 4> data{};
  if (command & 1) {
    memory_.read_block(at, std::span(data).first(bytes));
    for (u32 n = 0; n < bytes; ++n) write_register(static_cast<u8>(first + n), data[n]);
  } else {
    for (u32 n = 0; n < bytes; ++n) data[n] = read_register(static_cast<u8>(first + n));
    memory_.write_block(at, std::span(data).first(bytes));
  }
}

// ---- I/O and register instructions, 5.4 and 5.5 ----

bool Lsi53c895a::io_instruction() {
  const u8 operation = registers_[kDcmd] >> 3 & 7;
  if (operation >= 5) {
    modify_register();
    return state_ != State::kStopped;
  }
  if (operation < 3 && (registers_[kScntl0] & kTrg)) {
    dma_interrupt(kIid);
    return false;
  }
  switch (operation) {
    case 0: state_ = State::kSelect; return true;
    case 1: state_ = State::kDisconnect; return true;
    case 2: state_ = State::kReselect; return true;
    default: set_or_clear(operation == 3); return state_ != State::kStopped;
  }
}

// The processor goes on as soon as it has won the bus, and waits where it needs an answer.
bool Lsi53c895a::select() {
  if (selection_.pending()) return false;
  state_ = State::kFetch;
  const u32 instruction = get32(kDbc);
  u8 target = instruction >> 16 & 15;
  if (instruction & 1 << 25) {  // from a table
    const u32 entry = fetch(selected(kDrs, get32(kDsa) + extended(instruction)));
    registers_[kScntl3] = static_cast<u8>(entry >> 24);
    target = entry >> 16 & 15;
    registers_[kSxfer] = static_cast<u8>(entry >> 8);
  }
  registers_[kSdid] = target;
  if (targets_.acknowledge_due()) {
    // Firmware that has only seen chips in software does not take the last message of the command before.
    registers_[kScntl2] &= static_cast<u8>(~kSdu);
    targets_.acknowledge();
    watch_bus();
  }
  if (targets_.connected()) {  // a target was faster
    put32(kDsp, instruction & 1 << 26 ? get32(kDsp) + extended(get32(kDsps)) : get32(kDsps));
    return true;
  }
  registers_[kScntl1] &= static_cast<u8>(~kIarb);
  registers_[kSstat0] |= kWoa;
  if (!targets_.select(target, instruction & 1 << 24)) {
    const u8 limit = registers_[kStime0] & 15;
    selection_.schedule(clock_.now() + (limit ? time_of(limit, false) : kUnsetSelectionNs));
    return true;
  }
  watch_bus();
  return true;
}

bool Lsi53c895a::wait_for_reselection() {
  if (selection_.pending()) return false;
  if (targets_.connected()) {
    state_ = State::kFetch;
    return true;
  }
  if (registers_[kIstat0] & kSigp) {  // the initiator has something else to do
    const u32 relative = get32(kDbc) & 1 << 26;
    put32(kDsp, relative ? get32(kDsp) + extended(get32(kDsps)) : get32(kDsps));
    state_ = State::kFetch;
    return true;
  }
  const u16 answers = static_cast<u16>(registers_[kRespid0] | registers_[kRespid1] << 8);
  const bool listens = (registers_[kScid] & kRre) && (answers >> (registers_[kScid] & 15) & 1);
  if (!listens || !targets_.wants_reselection()) return false;
  registers_[kSsid] = kVal | targets_.reselect();
  state_ = State::kFetch;
  watch_bus();
  // Drivers that leave it masked do not know the bit, and take it for an error where they see it.
  if (registers_[kSien0] & kRsl) scsi_interrupt(kRsl, 0);
  return state_ != State::kStopped;
}

void Lsi53c895a::set_or_clear(bool set) {
  const u32 which = get32(kDbc);
  if (which & 1 << 10) carry_ = set;
  if (which & 1 << 9) registers_[kScntl0] = static_cast<u8>((registers_[kScntl0] & ~kTrg) | (set ? kTrg : 0));
  if (which & 1 << 3) targets_.set_attention(set);
  if ((which & 1 << 6) && !set) targets_.acknowledge();
  watch_bus();
}

u8 Lsi53c895a::add(u8 a, u8 b, bool carry_in) {
  const unsigned sum = unsigned{a} + b + carry_in;
  carry_ = sum > 0xff;
  return static_cast<u8>(sum);
}

// MOVE with SFBR to a register, a register to SFBR, or a register to itself.
void Lsi53c895a::modify_register() {
  const u32 instruction = get32(kDbc);
  const u8 operation = instruction >> 27 & 7, how = instruction >> 24 & 7;
  const u8 reg = static_cast<u8>((instruction >> 16 & 0x7f) | (instruction & 0x80));
  const u8 data = instruction & 1 << 23 ? registers_[kSfbr] : static_cast<u8>(instruction >> 8);
  u8 value = operation == 5 ? registers_[kSfbr] : how == 0 ? 0 : read_register(reg);
  switch (how) {
    case 0: value = data; break;
    case 1: {  // the bit that goes out is the carry, and the carry comes in
      const bool out = value & 0x80;
      value = static_cast<u8>(value << 1 | u8{carry_});
      carry_ = out;
      break;
    }
    case 2: value |= data; break;
    case 3: value ^= data; break;
    case 4: value &= data; break;
    case 5: {
      const bool out = value & 1;
      value = static_cast<u8>(value >> 1 | (carry_ ? 0x80 : 0));
      carry_ = out;
      break;
    }
    case 6: value = add(value, data, false); break;
    default: value = add(value, data, carry_); break;
  }
  if (operation == 6) {
    registers_[kSfbr] = value;
  } else {
    write_register(reg, value);
  }
}

// ---- Transfer control, 5.6 ----

bool Lsi53c895a::transfer_control() {
  const u32 instruction = get32(kDbc);
  const bool phase_test = instruction & 1 << 17, data_test = instruction & 1 << 18, carry_test = instruction & 1 << 21;
  // WHEN: a phase is valid while REQ is there.
  const bool answer_due = targets_.connected() ? !targets_.requesting() : selection_.pending();
  if ((instruction & 1 << 16) && phase_test && answer_due) return false;
  state_ = State::kFetch;
  const bool if_true = instruction & 1 << 19;
  // Without a test: always, or for "if false" never. With several: all of them are true, or all are false.
  bool jumps = if_true || phase_test || data_test || carry_test;
  if (carry_test) jumps &= carry_ == if_true;
  if (phase_test) jumps &= ((registers_[kSstat1] & 7) == (instruction >> 24 & 7)) == if_true;
  if (data_test) {
    const u8 care = static_cast<u8>(~(instruction >> 8));
    jumps &= ((registers_[kSfbr] & care) == (instruction & care)) == if_true;
  }
  if (!jumps) return true;
  const u32 next = get32(kDsp);
  const u32 to = instruction & 1 << 23 ? next + extended(get32(kDsps)) : get32(kDsps);
  switch (instruction >> 27 & 7) {
    case 0: put32(kDsp, to); return true;
    case 1:
      put32(kTemp, next);
      put32(kDsp, to);
      return true;
    case 2: put32(kDsp, get32(kTemp)); return true;
    case 3:
      if (instruction & 1 << 20) {  // on the fly
        registers_[kIstat0] |= kIntf;
        update_interrupt();
        return true;
      }
      dma_interrupt(kSir);
      return false;
    default: dma_interrupt(kIid); return false;
  }
}

}  // namespace xlat
