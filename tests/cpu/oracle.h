// The host CPU against an engine: runs a program on both, says how they differ, and shrinks a program that differs.
#pragma once

#include <fmt/format.h>

#include <functional>

#include "random_program.h"
#include "tests/support/bare_cpu.h"

namespace xlat::test {

// How two runs may end.
struct Verdict {
  bool valid = true;  // the program means something
  std::string difference;
  bool differs() const { return valid && !difference.empty(); }
};

using Judge = std::function<Verdict(const Program&)>;

// A smaller program on which `judge` still finds a difference. The program given must differ.
Program shrink(Program program, const Judge& judge);

// Disassembly, bytes, and what of the start is not zero.
std::string describe(const Program& program);

std::string compare(const UserState& host, const UserState& guest, u32 flags);

// A guest in 32-bit user mode with the segments of the host's process, whose RAM lies where the native code's does.
template <class EngineType>
class OracleGuest {
 public:
  OracleGuest()
      : ram_(kBytes),
        system_(0x10000),
        cpu_(find_cpu_model("max").value(), memory_, ports_, clock_, log_),
        engine_(cpu_) {
    memory_.map_ram(0, system_.size(), system_.data());
    memory_.map_ram(Native::kCode, kBytes, ram_.data());
  }

  void run(std::span<const u8> code, std::span<const u8> data, UserState& state) {
    CpuState& s = cpu_.s;
    cpu_.reset();
    s.cr0 |= kCr0Pe | kCr0Ne;
    tables();
    for (unsigned n = 0; n < kSegRegs; ++n) load(s.seg[n], state.seg[n]);
    load(s.tr, 0x18);
    load(s.ldtr, 0x30);
    cpu_.set_cpl(3);
    // The same program again meets what the engine made of it the first time.
    if (!std::equal(code.begin(), code.end(), code_.begin(), code_.end())) {
      code_.assign(code.begin(), code.end());
      memory_.write_block(Native::kCode, code);
      memory_.write(Native::kCode + code.size(), 1, 0xf4);  // #GP at CPL 3
    }
    memory_.write_block(Native::kData, data);
    for (unsigned n = 0; n < 8; ++n) s.gpr[n] = state.gpr[n];
    s.flags.set(state.eflags | kIf | kFlagsFixed1);
    load_fpu(state.fpu);
    s.ip = Native::kCode;
    const bool idle = engine_.run(clock_.count() + 20'000) == Interp::Stop::kIdle;
    for (unsigned n = 0; n < kSegRegs; ++n) state.seg[n] = s.seg[n].selector;
    for (unsigned n = 0; n < 8; ++n) state.gpr[n] = s.reg32(n);
    save_fpu(state.fpu);
    const u32 at = static_cast<u32>(s.ip) - 1 - kHandlers;
    if (!idle || at >= 64) {
      state.trap = 0xbad;
      return;
    }
    // The frame on the inner stack.
    const bool coded = has_error_code(static_cast<u8>(at));
    const u32 frame = s.reg32(kEsp) + (coded ? 4 : 0);
    state.trap = static_cast<int>(at);
    state.trap_code = coded ? word(s.reg32(kEsp)) : 0;
    state.trap_ip = word(frame);
    state.eflags = word(frame + 8);
    state.gpr[kEsp] = word(frame + 12);
    state.seg[kCs] = static_cast<u16>(word(frame + 4));
    state.seg[kSs] = static_cast<u16>(word(frame + 16));
    if (at == kGP && state.trap_ip == Native::kCode + code.size()) state.trap = UserState::kNoTrap;
  }
  std::span<u8> data() { return {ram_.data() + (Native::kData - Native::kCode), Native::kDataBytes}; }
  EngineType& engine() { return engine_; }
  // The processor's whole state, as a snapshot has it.
  std::vector<u8> processor() {
    Archive ar = Archive::saver();
    cpu_.serialize(ar);
    return ar.bytes();
  }
  const FpuState& fpu() const { return cpu_.s.fpu; }

 private:
  static constexpr u32 kBytes = 0x10000 + Native::kDataBytes;
  static constexpr u32 kGdt = 0x1000, kLdt = 0x1100, kTssBase = 0x1200, kIdtBase = 0x2000, kHandlers = 0x3000,
                       kStack = 0x8000;

  u32 word(u32 at) { return static_cast<u32>(memory_.read(at, 4)); }
  void put(u32 at, u32 low, u32 high) {
    memory_.write(at, 4, low);
    memory_.write(at + 4, 4, high);
  }
  void load(Segment& segment, u16 selector) {
    if ((selector & ~3) == 0) return segment.set_null(selector);
    const u32 at = ((selector & 4) ? kLdt : kGdt) + (selector & ~7u);
    segment.load(selector, {word(at), word(at + 4)});
  }
  void tables() {
    put(kGdt + 0x08, 0x0000ffff, 0x00cf9b00);
    put(kGdt + 0x10, 0x0000ffff, 0x00cf9300);
    put(kGdt + 0x18, kTssBase << 16 | 0x67, 0x00008b00);
    put(kGdt + 0x20, 0x0000ffff, 0x00cffb00);
    put(kGdt + 0x28, 0x0000ffff, 0x00cff300);
    put(kGdt + 0x30, kLdt << 16 | 0x17, 0x00008200);
    constexpr u32 kLow = (Native::kData & 0xffff) << 16 | Native::kLdtLimit;
    constexpr u32 kBase = (Native::kData & 0xff000000) | (Native::kData >> 16 & 0xff);
    put(kLdt, kLow, kBase | 0x0050f300);
    put(kLdt + 8, kLow, kBase | 0x0010f300);
    put(kLdt + 16, kLow, kBase | 0x0050f100);
    for (u32 v = 0; v < 64; ++v) {
      put(kIdtBase + 8 * v, 0x08 << 16 | (kHandlers + v), 0x8e00);
      memory_.write(kHandlers + v, 1, 0xf4);
    }
    memory_.write(kTssBase + 4, 4, kStack);
    memory_.write(kTssBase + 8, 4, 0x10);
    memory_.write(kTssBase + 0x64, 4, 0x680000);
    cpu_.s.gdtr = {kGdt, 0x37};
    cpu_.s.idtr = {kIdtBase, 64 * 8 - 1};
  }
  void load_fpu(const std::array<u8, 108>& image) {
    FpuState& f = cpu_.s.fpu;
    f = {};
    f.control = load_le<u16>(image.data());
    f.status = load_le<u16>(image.data() + 4);
    f.tag = load_le<u16>(image.data() + 8);
    for (unsigned n = 0; n < 8; ++n) {
      const u8* r = image.data() + 28 + 10 * n;
      f.regs[(f.top() + n) & 7] = {load_le<u64>(r), load_le<u16>(r + 8)};
    }
  }
  void save_fpu(std::array<u8, 108>& image) const {
    const FpuState& f = cpu_.s.fpu;
    store_le<u16>(image.data(), f.control);
    store_le<u16>(image.data() + 4, f.status);
    store_le<u16>(image.data() + 8, f.tag);
    for (unsigned n = 0; n < 8; ++n) {
      const F80& r = f.regs[(f.top() + n) & 7];
      store_le<u64>(image.data() + 28 + 10 * n, r.mantissa);
      store_le<u16>(image.data() + 36 + 10 * n, r.sign_exp);
    }
  }

  AddressSpace memory_;
  PortBus ports_;
  Clock clock_;
  Log log_;
  std::vector<u8> ram_, system_, code_;
  Cpu cpu_;
  EngineType engine_;
};

// Runs programs on the host and in a guest. `defect` may change the code that the guest gets, to test the tests.
template <class EngineType>
class Oracle {
 public:
  using Defect = std::function<void(std::vector<u8>&)>;
  explicit Oracle(Native& host, Defect defect = nullptr) : host_(host), defect_(std::move(defect)) {}

  Verdict operator()(const Program& program) {
    const auto flags = program.defined_flags();
    std::vector<u8> code = program.code();
    if (!flags || code.size() > Native::kCodeBytes - 16) return {false, {}};
    UserState native = program.start, guest = program.start;
    std::copy(program.data.begin(), program.data.end(), host_.data().begin());
    host_.run(code, native);
    constexpr int kPageFault = 14;
    if (native.trap == kPageFault)
      return {false, fmt::format("the host took a page fault at {:08x}\n", native.trap_ip)};
    if (defect_) defect_(code);
    Verdict verdict;
    for (unsigned run = 0; run < 2 && verdict.difference.empty(); ++run) {
      guest = program.start;
      guest_.run(code, program.data, guest);
      verdict.difference = compare(native, guest, native.trap == UserState::kNoTrap ? *flags : 0) + compare_memory();
      if (run == 1 && verdict.differs()) verdict.difference += "in the second run\n";
    }
    return verdict;
  }
  EngineType& engine() { return guest_.engine(); }

 private:
  std::string compare_memory() {
    std::string text;
    const auto a = host_.data(), b = guest_.data();
    unsigned shown = 0;
    for (u32 n = 0; n < Native::kDataBytes && shown < 16; ++n) {
      if (a[n] == b[n]) continue;
      text += fmt::format("memory {:08x}: host {:02x}, xlat {:02x}\n", Native::kData + n, a[n], b[n]);
      ++shown;
    }
    return text;
  }

  Native& host_;
  OracleGuest<EngineType> guest_;
  Defect defect_;
};

}  // namespace xlat::test
