// Breakpoints, going on, and telling why the machine stopped.
#include "frontend/gdb/stub.h"

namespace xlat {

namespace {
constexpr std::string_view kInvalid = "E22", kNoRoom = "E28", kMissing = "E02", kOk = "OK";
// GDB's own numbers of signals.
constexpr int kSigInt = 2, kSigQuit = 3, kSigTrap = 5, kSigIo = 23;

int signal_for(Machine::RunState why) {
  switch (why) {
    case Machine::RunState::kDebug: return kSigTrap;
    case Machine::RunState::kShutdown: return kSigQuit;
    case Machine::RunState::kIoError: return kSigIo;
    default: return kSigInt;
  }
}
}  // namespace

// Ztype,address,kind: kind is the length of a watchpoint. Conditions and commands are not offered, so none come.
GdbStub::Reply GdbStub::point(GdbText text, bool insert) {
  u64 type = 0, address = 0, length = 0;
  if (!text.take_hex(type) || !text.take(",") || !text.take_hex(address) || !text.take(",") || !text.take_hex(length) ||
      !text.at_end() || address >= AddressSpace::kSize) {
    return std::string(kInvalid);
  }
  const auto linear = static_cast<u32>(address);
  const auto answer = [&](auto kind, auto... size) -> Reply {
    if (insert) return std::string(points_->insert(kind, linear, size...) ? kOk : kNoRoom);
    return std::string(points_->remove(kind, linear, size...) ? kOk : kMissing);
  };
  if (type <= 1) return answer(type == 0 ? DebugPoints::Breakpoint::kSoftware : DebugPoints::Breakpoint::kHardware);
  if (type > 4) return std::string();
  if (length == 0 || length > AddressSpace::kSize - address || length > 0xffffffff) return std::string(kInvalid);
  const auto kind = type == 2   ? DebugPoints::Watch::kWrite
                    : type == 3 ? DebugPoints::Watch::kRead
                                : DebugPoints::Watch::kAccess;
  return answer(kind, static_cast<u32>(length));
}

// c, s [ADDRESS]; C, S SIGNAL[;ADDRESS]. There are no signals that could be passed on.
GdbStub::Reply GdbStub::resume(GdbText text, bool step, bool with_signal) {
  u64 signal = 0, address = 0;
  if (with_signal && (!text.take_hex(signal) || (!text.at_end() && !text.take(";")))) return std::string(kInvalid);
  if (!text.at_end()) {
    if (!text.take_hex(address) || !text.at_end() || address >= AddressSpace::kSize) return std::string(kInvalid);
    GdbRegisters::Value value{};
    store_le_n(value.data(), 4, address);
    set_register(GdbRegisters::kEip, value);
  }
  range_ = {};
  go(step);
  return std::nullopt;
}

// vCont;ACTION[:THREAD]...: the first action that is for our thread counts.
GdbStub::Reply GdbStub::vcont(GdbText text) {
  if (!text.take(";")) return std::string(kInvalid);
  bool step = false, halt = false, found = false;
  std::pair<u64, u64> range{};
  while (!text.at_end()) {
    GdbText action(text.take_until(';'));
    GdbText what(action.take_until(':'));
    u64 signal = 0;
    bool steps = false, halts = false;
    std::pair<u64, u64> within{};
    if (what.take("C") || (steps = what.take("S"))) {
      if (!what.take_hex(signal)) return std::string(kInvalid);
    } else if ((steps = what.take("r"))) {
      if (!what.take_hex(within.first) || !what.take(",") || !what.take_hex(within.second))
        return std::string(kInvalid);
    } else if (!what.take("c") && !(steps = what.take("s")) && !(halts = what.take("t"))) {
      return std::string(kInvalid);
    }
    if (!what.at_end()) return std::string(kInvalid);
    if (!action.at_end() && thread(action, true) != std::string(kOk)) continue;
    if (std::exchange(found, true)) continue;
    step = steps;
    halt = halts;
    range = within;
  }
  if (!found) return std::string(kInvalid);
  if (halt) {
    if (wiring_.machine.paused()) return stop_reply();
    waiting_ = true;
    wiring_.machine.stop();
    return std::nullopt;
  }
  range_ = range;
  go(step);
  return std::nullopt;
}

void GdbStub::go(bool step) {
  waiting_ = true;
  if (step) {
    wiring_.machine.step({.interrupts = !(step_bits_ & kStepNoInterrupts), .timers = !(step_bits_ & kStepNoTimers)});
  } else {
    range_ = {};
    wiring_.machine.cont();
  }
}

// The machine stopped, whoever asked for it.
void GdbStub::stopped(Machine::RunState why) {
  using RunState = Machine::RunState;
  if (why == RunState::kDebug && waiting_ && range_.first < range_.second && !points_->hit()) {
    const auto value = GdbRegisters::read(pc().cpu, GdbRegisters::kEip);
    const u64 linear = load_le_n(value.data(), 4);
    const bool inside = linear >= range_.first && linear < range_.second;
    if (inside && !points_->breakpoint_at(static_cast<u32>(linear))) return go(true);
  }
  range_ = {};
  signal_ = signal_for(why);
  if (std::exchange(waiting_, false)) packets_.send(stop_reply());
}

std::string GdbStub::stop_reply() const {
  return fmt::format("T{:02x}{}thread:1;", signal_, signal_ == kSigTrap ? watch_reply() : std::string());
}

// What the processor met, if it met something.
std::string GdbStub::watch_reply() const {
  if (const auto& hit = points_->hit()) {
    const char* kind = hit->kind == DebugPoints::Watch::kWrite  ? "watch"
                       : hit->kind == DebugPoints::Watch::kRead ? "rwatch"
                                                                : "awatch";
    return fmt::format("{}:{:x};", kind, hit->linear);
  }
  const CpuState& s = pc().cpu.s;
  const auto breakpoint = points_->breakpoint_at(s.seg[kCs].base + static_cast<u32>(s.ip));
  if (!breakpoint || !reports_breakpoints_) return {};
  return *breakpoint == DebugPoints::Breakpoint::kSoftware ? "swbreak:;" : "hwbreak:;";
}

}  // namespace xlat
