// x87 and MMX instructions that the host executes in translated code: whatever happens around them, the JIT leaves the
// same state as the interpreter, down to the pointers that FSTENV shows and to undefined condition codes.
#include "tests/support/hot_jit.h"

#ifdef XLAT_JIT_X64

#include <catch2/catch.hpp>

#include "oracle.h"
#include "tests/support/bare_cpu.h"
#include "tests/support/settings.h"

using namespace xlat;
using namespace xlat::test;

namespace {

constexpr u32 kCode = 0x1000, kStack = 0x80000, kGdt = 0x500, kIdt = 0x600, kHandlers = 0x3000, kCounters = 0x8000;
constexpr u32 kDirectory = 0x10000, kTable = 0x11000, kArrays = 0x20000, kLostPage = 0x40000;
constexpr u8 kVector = 0x40;

using Bytes = std::vector<u8>;

Bytes operator+(Bytes a, const Bytes& b) {
  a.insert(a.end(), b.begin(), b.end());
  return a;
}
Bytes word(u32 value) {
  return {static_cast<u8>(value), static_cast<u8>(value >> 8), static_cast<u8>(value >> 16),
          static_cast<u8>(value >> 24)};
}
Bytes count(u32 n) { return Bytes{0xff, 0x05} + word(kCounters + 4 * n); }  // inc dword [counter n]
Bytes mov(unsigned reg, u32 value) { return Bytes{static_cast<u8>(0xb8 | reg)} + word(value); }
// `body`, then ESI counts down, then again from the body's start.
Bytes loop(u32 times, const Bytes& body) {
  const Bytes back = Bytes{0x0f, 0x85} + word(0u - static_cast<u32>(body.size() + 7));
  return mov(kEsi, times) + body + Bytes{0x4e} + back + Bytes{0xf4};
}

// A machine with handlers that put right what stopped the program, and count.
template <class EngineType>
class FpuMachine : public BareMachine<EngineType> {
 public:
  explicit FpuMachine(const Bytes& code) : BareMachine<EngineType>(1 << 20) {
    this->flat32(kCode, kStack);
    CpuState& s = this->cpu.s;
    s.fpu.control = 0x037f;
    s.fpu.tag = 0xffff;
    this->put32(kGdt + 8, 0x0000ffff);
    this->put32(kGdt + 12, 0x00cf9b00);
    this->put32(kGdt + 16, 0x0000ffff);
    this->put32(kGdt + 20, 0x00cf9300);
    s.gdtr = {kGdt, 0x17};
    s.idtr = {kIdt, 0x7ff};
    handler(kNM, count(0) + Bytes{0x0f, 0x06, 0xcf});  // clts
    handler(kMF, count(1) + Bytes{0xdb, 0xe2, 0xcf});  // fnclex
    handler(kPF, count(2) + Bytes{0x50, 0xb8} + word(kLostPage | 3) + Bytes{0xa3} + word(pte()) +
                     Bytes{0x58, 0x83, 0xc4, 0x04, 0xcf});
    handler(kVector, count(3) + Bytes{0xcf});
    for (u32 at = 0; at < 0x4000; at += 4) this->put32(kArrays + at, at % 8 ? 0x40000000 + at * 977 : at * 7);
    this->put32(kDirectory, kTable | 3);
    for (u32 page = 0; page < 256; ++page) this->put32(kTable + 4 * page, page << 12 | 3);
    this->cpu.pins.interrupt_acknowledge = [this] {
      this->cpu.set_irq(Cpu::kPinIntr, false);
      return kVector;
    };
    s.cr0 |= kCr0Ne;
    this->put(kCode, code);
  }
  static u32 pte() { return kTable + 4 * (kLostPage >> 12); }
  u32 counter(u32 n) { return this->get32(kCounters + 4 * n); }

 private:
  void handler(u8 vector, const Bytes& code) {
    const u32 at = kHandlers + 64 * next_++;
    this->put(at, code);
    this->put32(kIdt + 8 * vector, 8 << 16 | at);
    this->put32(kIdt + 8 * vector + 4, 0x8e00);
  }
  u32 next_ = 0;
};

struct Both {
  explicit Both(const Bytes& code) : interp(code), jit(code) {}

  // Both halt after the same instructions, and agree whenever they are stopped on the way.
  void run(u32 step, bool interrupts = false) {
    for (unsigned runs = 0; runs < 100000; ++runs) {
      if (interrupts && runs % 7 == 0) {
        interp.cpu.set_irq(Cpu::kPinIntr, true);
        jit.cpu.set_irq(Cpu::kPinIntr, true);
      }
      const Interp::Stop stop = interp.run(step);
      const bool same_stop = jit.run(step) == stop;
      const bool states = interp.state() == jit.state(), rams = interp.ram == jit.ram;
      if (!same_stop || !states || !rams || interp.clock.count() != jit.clock.count()) {
        INFO("step " << step << ", run " << runs << ", " << std::hex << interp.cpu.s.ip << " and " << jit.cpu.s.ip);
        CHECK(same_stop);
        CHECK(states);
        CHECK(rams);
        CHECK(interp.clock.count() == jit.clock.count());
        return;
      }
      if (stop == Interp::Stop::kIdle) {
        if (step > 64) CHECK(jit.interp.counters().entries > 0);
        return;
      }
    }
    FAIL("no end");
  }

  FpuMachine<Interp> interp;
  FpuMachine<HotJit> jit;
};

// fld qword [edi]; fmul qword [edi+8]; fld st(0); fstp qword [ebp+16]; faddp
const Bytes kWork = {0xdd, 0x07, 0xdc, 0x4f, 0x08, 0xd9, 0xc0, 0xdd, 0x5d, 0x10, 0xde, 0xc1};
const Bytes kPrepare = mov(kEdi, kArrays) + mov(kEbp, kArrays + 0x800) + Bytes{0xd9, 0xee};

constexpr u32 kSteps[] = {1, 7, 64, 1000, 100000};

}  // namespace

TEST_CASE("the x87 state is the guest's whenever translated code is left", "[jit]") {
  for (const u32 step : kSteps) {
    Both both(kPrepare + Bytes{0xfb} + loop(500, kWork));
    both.run(step, true);
    CHECK(both.jit.counter(3) > 0);
    if (step > 64) CHECK(both.jit.interp.counters().fpu_loads < 2000);
  }
}

TEST_CASE("#NM in the middle of a translated loop", "[jit]") {
  // test esi, 15; jnz +9; mov eax, cr0; or al, 8; mov cr0, eax (TS)
  const Bytes set_ts = {0xf7, 0xc6, 0x0f, 0, 0, 0, 0x75, 0x08, 0x0f, 0x20, 0xc0, 0x0c, 0x08, 0x0f, 0x22, 0xc0};
  for (const u32 step : kSteps) {
    Both both(kPrepare + loop(400, kWork + set_ts));
    both.run(step);
    CHECK(both.jit.counter(0) == 25);
    // The same without a branch: every time, amid the block.
    Both inside(kPrepare + loop(50, Bytes{0xd9, 0xe8, 0x0f, 0x20, 0xc0, 0x0c, 0x08, 0x0f, 0x22, 0xc0} + kWork));
    inside.run(step);
    CHECK(inside.jit.counter(0) == 50);
  }
}

TEST_CASE("CR0.EM keeps x87 and MMX from the host", "[jit]") {
  for (const u32 step : kSteps) {
    Both both(kPrepare + loop(40, kWork));
    both.interp.cpu.s.cr0 |= kCr0Em;
    both.jit.cpu.s.cr0 |= kCr0Em;
    both.interp.run(step * 10);
    both.jit.run(step * 10);
    CHECK(both.interp.state() == both.jit.state());
    CHECK(both.jit.interp.counters().fpu_loads == 0);
  }
}

TEST_CASE("an exception that FLDCW unmasks in a translated loop", "[jit]") {
  // fldcw [counters+0x20]; fld1; fdiv dword [counters+0x30] (zero); fstp st(0); fldcw [counters+0x24]
  const Bytes divide = Bytes{0xd9, 0x2d} + word(kCounters + 0x20) + Bytes{0xd9, 0xe8, 0xd8, 0x35} +
                       word(kCounters + 0x30) + Bytes{0x9b, 0xdd, 0xd8, 0xd9, 0x2d} + word(kCounters + 0x24);
  for (const u32 step : kSteps) {
    Both both(kPrepare + loop(100, kWork + divide));
    for (const u16 control : {0x037b, 0x037f, 0x0c7f}) {
      both.interp.put32(kCounters + 0x20, control);
      both.jit.put32(kCounters + 0x20, control);
      both.interp.put32(kCounters + 0x24, 0x037f);
      both.jit.put32(kCounters + 0x24, 0x037f);
      both.interp.cpu.s.ip = both.jit.cpu.s.ip = kCode;
      both.interp.cpu.s.halted = both.jit.cpu.s.halted = false;
      both.run(step);
      CHECK(both.jit.counter(1) == 100);
    }
  }
}

TEST_CASE("page faults of x87 operands in a translated loop", "[jit]") {
  // mov dword [pte], 0; invlpg [page]; fld qword [page+8]; fadd tbyte..; fstp tbyte [page-4]: over the border
  const Bytes lose =
      Bytes{0xc7, 0x05} + word(kTable + 4 * (kLostPage >> 12)) + word(0) + Bytes{0x0f, 0x01, 0x3d} + word(kLostPage);
  const Bytes every[] = {
      Bytes{0xdd, 0x05} + word(kLostPage + 8) + Bytes{0xdd, 0xd8},        // fld qword; fstp st(0)
      Bytes{0xd9, 0xe8, 0xdd, 0x1d} + word(kLostPage + 8),                // fld1; fstp qword
      Bytes{0xd9, 0xeb, 0xdb, 0x3d} + word(kLostPage - 4),                // fldpi; fstp tbyte, over the border
      Bytes{0xdb, 0x2d} + word(kLostPage - 6) + Bytes{0xdd, 0xd8},        // fld tbyte; fstp st(0), over the border
      Bytes{0xd9, 0xeb, 0xdf, 0x3d} + word(kLostPage - 1),                // fldpi; fistp qword, over the border
      Bytes{0xdd, 0x3d} + word(kLostPage + 2),                            // fnstsw
      Bytes{0x0f, 0xfc, 0x0d} + word(kLostPage) + Bytes{0x0f, 0x77},      // paddb mm1, [page]; emms
      Bytes{0x0f, 0x7f, 0x0d} + word(kLostPage - 2) + Bytes{0x0f, 0x77},  // movq [page-2], mm1; emms
      Bytes{0x0f, 0x60, 0x0d} + word(kLostPage - 4) + Bytes{0x0f, 0x77},  // punpcklbw mm1, [page-4]: no fault
  };
  for (const Bytes& access : every) {
    INFO("access " << &access - every);
    for (const u32 step : kSteps) {
      Both both(kPrepare + loop(60, kWork + lose + access));
      for (Cpu* cpu : {&both.interp.cpu, &both.jit.cpu}) {
        cpu->write_cr3(kDirectory);
        cpu->write_cr0(cpu->s.cr0 | kCr0Pg);
      }
      both.run(step);
      CHECK(both.jit.counter(2) == (&access - every == 8 ? 0 : 60));
    }
  }
}

TEST_CASE("what FSTENV and FSAVE show after translated code", "[jit]") {
  const Bytes stores[] = {
      Bytes{0xd9, 0x35} + word(kCounters + 0x100),                                                // fnstenv
      Bytes{0xdd, 0x35} + word(kCounters + 0x100) + Bytes{0xdd, 0x25} + word(kCounters + 0x100),  // fnsave, frstor
      Bytes{0x0f, 0xae, 0x05} + word(kCounters + 0x100),                                          // fxsave
      Bytes{0x66, 0xd9, 0x35} + word(kCounters + 0x100),
  };
  const Bytes before[] = {
      {},
      {0xd9, 0x45, 0x20, 0xdd, 0xd8},                    // fld dword [ebp+0x20] (SS); fstp st(0)
      {0xd8, 0xc0, 0x9b, 0xdf, 0xe0},                    // fadd st, st(0); fwait; fnstsw ax
      {0xd9, 0x7d, 0x30},                                // fnstcw [ebp+0x30]
      {0x0f, 0x6e, 0xc0, 0x0f, 0x77},                    // movd mm0, eax; emms
      {0xdb, 0xe2},                                      // fnclex
      {0x26, 0xda, 0x07, 0x8b, 0x07, 0x89, 0x47, 0x04},  // fiadd dword es:[edi]; mov eax, [edi]; mov [edi+4], eax
      {0xd9, 0xfe, 0xd9, 0xd0},                          // fsin (interpreted); fnop
  };
  for (const Bytes& b : before) {
    for (const Bytes& s : stores) {
      INFO("before " << &b - before << ", store " << &s - stores);
      for (const u32 step : kSteps) Both(kPrepare + loop(40, kWork + b + Bytes{0x40} + s)).run(step);
    }
  }
  // An exit between: the pointers are of the block before.
  for (const u32 step : kSteps) Both(kPrepare + loop(40, kWork + Bytes{0xeb, 0x00} + stores[0])).run(step);
}

TEST_CASE("MMX and x87 in one translated loop", "[jit]") {
  const Bytes mmx = {
      0x0f, 0x6e, 0xc6,        // movd mm0, esi
      0x0f, 0x6e, 0xcc,        // movd mm1, esp
      0x0f, 0xfe, 0xc1,        // paddd mm0, mm1
      0x0f, 0xdb, 0x47, 0x08,  // pand mm0, [edi+8]
      0x0f, 0x71, 0xf0, 0x03,  // psllw mm0, 3
      0x0f, 0x60, 0x4f, 0x04,  // punpcklbw mm1, [edi+4]
      0x0f, 0x7e, 0xc2,        // movd edx, mm0
      0x0f, 0x7f, 0x4d, 0x28,  // movq [ebp+0x28], mm1
      0x0f, 0x7e, 0x4d, 0x33,  // movd [ebp+0x33], mm1
      0x0f, 0x6f, 0xd1,        // movq mm2, mm1
  };
  for (const u32 step : kSteps) {
    Both(kPrepare + loop(100, kWork + mmx + Bytes{0x0f, 0x77})).run(step);
    Both(kPrepare + loop(100, kWork + mmx)).run(step);  // x87 on a full stack
    // movd esp, mm0 and back
    Both(kPrepare + loop(100, Bytes{0x0f, 0x6e, 0xc4, 0x0f, 0x7e, 0xc3, 0x0f, 0x7e, 0xc4} + kWork)).run(step);
  }
}

TEST_CASE("EFLAGS of FCOMI and for FCMOV in translated code", "[jit]") {
  for (unsigned n = 0; n < 8; ++n) {
    const u8 cmov_op = n < 4 ? 0xda : 0xdb, cmov_rm = static_cast<u8>(0xc1 | (n & 3) << 3);
    const Bytes body =
        kWork + Bytes{0xdd,    0x47,    0x20,                                      // fld qword [edi+0x20]
                      0xdb,    0xf1,                                               // fcomi st(1)
                      0x0f,    0x92,    0xc0,    0x0f,    0x98, 0xc4, 0x9c, 0x5a,  // setc al; sets ah; pushf; pop edx
                      cmov_op, cmov_rm,                                            // fcmovcc st, st(1)
                      0x39,    0xf7,    cmov_op, cmov_rm,                          // cmp edi, esi; fcmovcc
                      0xd1,    0xe0,    0xdf,    0xe9,    0x11, 0xd3};  // shl eax, 1; fucomip st(1); adc ebx, edx
    for (const u32 step : kSteps) Both(kPrepare + loop(60, body)).run(step);
  }
}

TEST_CASE("random programs leave the same state on interpreter and JIT", "[oracle]") {
  OracleGuest<Interp> interp;
  OracleGuest<HotJit> jit;
  const u32 first = test_setting("XLAT_SEED", 1), sequences = test_setting("XLAT_SEQUENCES", 4000);
  unsigned found = 0;
  for (u32 seed = first; seed < first + sequences && found < test_setting("XLAT_DIFFERENCES", 3); ++seed) {
    const Program program = make_random_program(seed, 16);
    for (unsigned run = 0; run < 2; ++run) {
      UserState a = program.start, b = program.start;
      interp.run(program.code(), program.data, a);
      jit.run(program.code(), program.data, b);
      const bool states = interp.processor() == jit.processor();
      const bool memory = std::ranges::equal(interp.data(), jit.data());
      if (states && memory) continue;
      ++found;
      const FpuState &x = interp.fpu(), &y = jit.fpu();
      FAIL_CHECK("seed " << seed << ", run " << run << ":\n"
                         << compare(a, b, ~u32{0}) << describe(program)
                         << fmt::format("status {:04x} {:04x} opcode {:03x} {:03x} ip {:08x} {:08x} cs {:x} {:x} dp "
                                        "{:08x} {:08x} ds {:x} {:x}",
                                        x.status, y.status, x.opcode, y.opcode, x.ip, y.ip, x.cs, y.cs, x.dp, y.dp,
                                        x.ds, y.ds));
      break;
    }
  }
  CHECK(found == 0);
}

#endif
