// Random programs on the host CPU, on the interpreter and on the IR evaluator: registers, defined flags and memory must
// agree. XLAT_SEQUENCES sets how many (the nightly form is 200000), XLAT_SEED where to start.
#include <fmt/format.h>

#include <catch2/catch.hpp>
#include <cstdlib>

#include "cpu/disasm.h"
#include "../support/hot_jit.h"
#include "jit/eval.h"
#include "native.h"
#include "random_program.h"

using namespace xlat;
using xlat::test::Native;

namespace {

u32 setting(const char* name, u32 otherwise) {
  const char* value = std::getenv(name);
  return value ? static_cast<u32>(std::strtoul(value, nullptr, 0)) : otherwise;
}

// A guest in flat 32-bit mode whose RAM lies where the native code's does.
template <class EngineType>
class Guest {
 public:
  Guest() : ram_(kBytes), cpu_(find_cpu_model("max").value(), memory_, ports_, clock_, log_), engine_(cpu_) {
    memory_.map_ram(Native::kCode, kBytes, ram_.data());
  }
  // Runs to the HLT behind the program.
  void run(std::span<const u8> code, std::span<const u8> data, test::NativeRegs& regs) {
    cpu_.reset();
    cpu_.s.cr0 |= kCr0Pe;
    for (unsigned n = 0; n < kSegRegs; ++n) {
      const bool is_code = n == kCs;
      cpu_.s.seg[n].load(static_cast<u16>(is_code ? 8 : 16), {0x0000ffff, is_code ? 0x00cf9b00u : 0x00cf9300u});
    }
    cpu_.update_tables();
    memory_.write_block(Native::kCode, code);
    memory_.write(Native::kCode + code.size(), 1, 0xf4);
    memory_.write_block(Native::kData, data);
    for (unsigned n = 0; n < 8; ++n) cpu_.s.gpr[n] = regs.gpr[n];
    cpu_.s.flags.set((regs.eflags & kArithFlags) | kFlagsFixed1);
    cpu_.s.ip = Native::kCode;
    halted_ = engine_.run(clock_.count() + 10'000) == Interp::Stop::kIdle;
    for (unsigned n = 0; n < 8; ++n) regs.gpr[n] = cpu_.s.reg32(n);
    regs.eflags = cpu_.s.flags.get();
  }
  bool halted() const { return halted_; }
  std::span<u8> data() { return {ram_.data() + (Native::kData - Native::kCode), Native::kDataBytes}; }

 private:
  static constexpr u32 kBytes = 0x10000 + Native::kDataBytes;
  AddressSpace memory_;
  PortBus ports_;
  Clock clock_;
  Log log_;
  std::vector<u8> ram_;
  Cpu cpu_;
  EngineType engine_;
  bool halted_ = false;
};

std::string describe(const test::NativeRegs& native, const test::NativeRegs& guest, u32 flags) {
  std::string text;
  static constexpr const char* kNames[] = {"eax", "ecx", "edx", "ebx", "esp", "ebp", "esi", "edi"};
  for (unsigned n = 0; n < 8; ++n) {
    if (native.gpr[n] != guest.gpr[n])
      text += fmt::format("{}: host {:08x}, xlat {:08x}\n", kNames[n], native.gpr[n], guest.gpr[n]);
  }
  if ((native.eflags ^ guest.eflags) & flags) {
    text += fmt::format("eflags: host {:08x}, xlat {:08x}, defined {:08x}\n", native.eflags, guest.eflags, flags);
  }
  return text;
}

template <class EngineType>
void compare_with_host(u32 sequences) {
  Native host;
  if (!host.available()) {
    WARN("this host cannot run 32-bit code natively; skipped");
    return;
  }
  Guest<EngineType> guest;
  u32 agreed = 0;
  const u32 first = setting("XLAT_SEED", 1);
  for (u32 seed = first; seed < first + sequences; ++seed) {
    const test::RandomProgram program = test::make_random_program(seed, Native::kData, 12);
    std::mt19937 rng(seed ^ 0x5eed);
    test::NativeRegs start;
    for (u32& r : start.gpr) r = static_cast<u32>(rng());
    start.gpr[kEsp] = Native::kData + 0x1800;
    start.gpr[kEdi] = Native::kData;
    std::vector<u8> data(Native::kDataBytes);
    for (u8& b : data) b = static_cast<u8>(rng());

    test::NativeRegs native = start, xlat = start;
    std::copy(data.begin(), data.end(), host.data().begin());
    host.run(program.code, native);
    guest.run(program.code, data, xlat);
    std::string difference = describe(native, xlat, program.defined_flags);
    if (!guest.halted()) difference += "xlat did not reach the end\n";
    if (!std::equal(host.data().begin(), host.data().end(), guest.data().begin())) difference += "memory differs\n";
    if (difference.empty()) {
      ++agreed;
      continue;
    }
    FAIL("seed " << seed << ":\n" << difference << disassemble(program.code, Native::kCode, 32));
  }
  CHECK(agreed == sequences);
}

}  // namespace

TEST_CASE("random programs run as on the host CPU: interpreter", "[oracle]") {
  compare_with_host<Interp>(setting("XLAT_SEQUENCES", 4000));
}

TEST_CASE("random programs run as on the host CPU: IR evaluator", "[oracle]") {
  compare_with_host<jit::EvalEngine>(setting("XLAT_SEQUENCES", 4000));
}

#ifdef XLAT_JIT_X64
TEST_CASE("random programs run as on the host CPU: JIT", "[oracle]") {
  compare_with_host<test::HotJit>(setting("XLAT_SEQUENCES", 4000));
}
#endif
