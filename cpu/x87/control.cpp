// x87 control: availability, pending exceptions, control and status words, environments and images.
#include "base/bits.h"
#include "cpu/helpers.h"
#include "cpu/x87/tag.h"
#include "cpu/x87/unit.h"

namespace xlat {

namespace x87 {

void update_summary(Cpu& c) {
  FpuState& f = c.s.fpu;
  const bool was = f.status & kSwEs;
  const bool now = f.status & ~f.control & kExceptions;
  f.status = static_cast<u16>((f.status & ~(kSwEs | kSwBusy)) | (now ? kSwEs | kSwBusy : 0));
  if (now && !was && !(c.s.cr0 & kCr0Ne)) c.pins.ferr(true);
  if (!now && was) c.pins.ferr(false);
}

void set_control(Cpu& c, u16 value) {
  c.s.fpu.control = (value & kControlBits) | kControlFixed1;
  update_summary(c);
}

// SDM vol. 2, FINIT.
void reset(Cpu& c) {
  FpuState& f = c.s.fpu;
  f.control = 0x037f;
  f.status &= kSwEs;
  f.tag = 0xffff;
  f.opcode = f.cs = f.ds = 0;
  f.ip = f.dp = 0;
  update_summary(c);
}

namespace {

bool available(Cpu& c) {
  if (c.s.cr0 & (kCr0Em | kCr0Ts)) c.raise(kNM);
  return !c.faulted();
}

// With CR0.NE clear the processor stops before the instruction until an interrupt comes, unless IGNNE# is active.
// SDM vol. 1, 8.7.2.
bool no_pending(Cpu& c) {
  if (!(c.s.fpu.status & kSwEs)) [[likely]]
    return true;
  if (c.s.cr0 & kCr0Ne) {
    c.raise(kMF);
    return false;
  }
  c.pins.ferr(true);
  if (!c.ignne()) c.freeze();
  return !c.faulted();
}

// Tag of a register that is not empty.
unsigned tag_of(const F80& r) {
  const unsigned exponent = r.sign_exp & 0x7fff;
  if (exponent == 0 && r.mantissa == 0) return kTagZero;
  if (exponent == 0 || exponent == 0x7fff || !(r.mantissa >> 63)) return kTagSpecial;
  return kTagValid;
}

}  // namespace

u16 full_tag(const FpuState& f) {
  unsigned tag = 0;
  for (unsigned n = 0; n < 8; ++n) tag |= (is_empty(f, n) ? kTagEmpty : tag_of(f.regs[n])) << (2 * n);
  return static_cast<u16>(tag);
}

namespace {

// An image in guest memory. All of it is checked before the first byte is written, and read before anything changes.
class Image {
 public:
  Image(Cpu& c, const Insn& i, u64 offset, unsigned bytes, bool write) : c_(c) {
    linear_ = write ? c.linear_for_write(i.seg, static_cast<u32>(offset), bytes)
                    : c.linear_for_read(i.seg, static_cast<u32>(offset), bytes);
    if (write) {
      c.probe_store(linear_, i.osize, c.user());
      c.probe_store(linear_ + bytes - 1, 1, c.user());
    }
  }
  template <unsigned kBytes>
  u64 get(unsigned at) {
    return c_.faulted() ? 0 : c_.load<kBytes>(linear_ + at);
  }
  template <unsigned kBytes>
  void put(unsigned at, u64 value) {
    if (!c_.faulted()) c_.store<kBytes>(linear_ + at, value);
  }

 private:
  Cpu& c_;
  u32 linear_ = 0;
};

// The seven fields of an environment. SDM vol. 1, figures 8-9 to 8-12.
struct Environment {
  u32 field[7];
};

bool is_protected(const Insn& i) { return i.mode.pe && !i.mode.vm86; }

Environment environment(const FpuState& f, const Insn& i) {
  const u32 ones = 0xffff0000;
  Environment env{{ones | f.control, ones | f.status, ones | full_tag(f), 0, 0, 0, 0}};
  if (is_protected(i)) {
    env.field[3] = f.ip;
    env.field[4] = f.cs | (i.osize == 4 ? u32{f.opcode} << 16 : 0);
    env.field[5] = f.dp;
    env.field[6] = ones | f.ds;
  } else {
    const u32 ip = (u32{f.cs} << 4) + f.ip, dp = (u32{f.ds} << 4) + f.dp;
    env.field[3] = ones | (ip & 0xffff);
    env.field[4] = (ip >> 16) << 12 | f.opcode;
    env.field[5] = ones | (dp & 0xffff);
    env.field[6] = (dp >> 16) << 12;
  }
  return env;
}

void put_environment(Image& image, const Environment& env, const Insn& i) {
  for (unsigned n = 0; n < 7; ++n) {
    if (i.osize == 4) {
      image.put<4>(4 * n, env.field[n]);
    } else {
      image.put<2>(2 * n, env.field[n]);
    }
  }
}

Environment get_environment(Image& image, const Insn& i) {
  Environment env{};
  for (unsigned n = 0; n < 7; ++n) {
    env.field[n] = static_cast<u32>(i.osize == 4 ? image.get<4>(4 * n) : image.get<2>(2 * n));
  }
  return env;
}

void set_environment(Cpu& c, const Environment& env, const Insn& i) {
  FpuState& f = c.s.fpu;
  const bool wide = i.osize == 4;
  f.status = static_cast<u16>((env.field[1] & ~(kSwEs | kSwBusy)) | (f.status & kSwEs));
  f.tag = 0;
  for (unsigned n = 0; n < 8; ++n) set_empty(f, n, ((env.field[2] >> (2 * n)) & 3) == kTagEmpty);
  if (is_protected(i)) {
    f.ip = env.field[3];
    f.cs = static_cast<u16>(env.field[4]);
    if (wide) f.opcode = (env.field[4] >> 16) & 0x7ff;
    f.dp = env.field[5];
    f.ds = static_cast<u16>(env.field[6]);
  } else {
    f.ip = (env.field[3] & 0xffff) | ((env.field[4] >> 12) & (wide ? 0xffff : 0xf)) << 16;
    f.opcode = env.field[4] & 0x7ff;
    f.dp = (env.field[5] & 0xffff) | ((env.field[6] >> 12) & (wide ? 0xffff : 0xf)) << 16;
    f.cs = f.ds = 0;
  }
  set_control(c, static_cast<u16>(env.field[0]));
}

unsigned environment_bytes(const Insn& i) { return i.osize == 4 ? 28 : 14; }

}  // namespace
}  // namespace x87

namespace helper {

using namespace x87;

u64 fpu_available(Cpu& c, const Insn&, u64, u64) {
  available(c);
  return 0;
}
u64 fpu_check(Cpu& c, const Insn&, u64, u64) {
  if (available(c)) no_pending(c);
  return 0;
}

// #NM only with MP and TS. SDM vol. 2, WAIT.
u64 fwait(Cpu& c, const Insn&, u64, u64) {
  if ((c.s.cr0 & (kCr0Mp | kCr0Ts)) == (kCr0Mp | kCr0Ts)) {
    c.raise(kNM);
  } else {
    no_pending(c);
  }
  return 0;
}

u64 fninit(Cpu& c, const Insn&, u64, u64) {
  if (available(c)) reset(c);
  return 0;
}
u64 fnclex(Cpu& c, const Insn&, u64, u64) {
  if (!available(c)) return 0;
  c.s.fpu.status &= static_cast<u16>(~(kExceptions | kSwSf));
  update_summary(c);
  return 0;
}
u64 fpu_control(Cpu& c, const Insn&, u64, u64) {
  available(c);
  return c.s.fpu.control;
}
u64 fpu_status(Cpu& c, const Insn&, u64, u64) {
  available(c);
  return c.s.fpu.status;
}
u64 fldcw(Cpu& c, const Insn&, u64 a, u64) {
  set_control(c, static_cast<u16>(a));
  return 0;
}

u64 fnop(Cpu& c, const Insn& i, u64, u64) {
  note(c, i);
  return 0;
}
u64 fdecstp(Cpu& c, const Insn& i, u64, u64) {
  note(c, i);
  c.s.fpu.status &= static_cast<u16>(~kSwC1);
  c.s.fpu.set_top(c.s.fpu.top() - 1);
  return 0;
}
u64 fincstp(Cpu& c, const Insn& i, u64, u64) {
  note(c, i);
  c.s.fpu.status &= static_cast<u16>(~kSwC1);
  c.s.fpu.set_top(c.s.fpu.top() + 1);
  return 0;
}
u64 ffree(Cpu& c, const Insn& i, u64, u64) {
  FpuState& f = c.s.fpu;
  note(c, i);
  f.status &= static_cast<u16>(~kSwC1);
  set_empty(f, (f.top() + i.op[0].reg) & 7, true);
  return 0;
}
u64 ffreep(Cpu& c, const Insn& i, u64, u64) {
  ffree(c, i, 0, 0);
  FpuState& f = c.s.fpu;
  set_empty(f, f.top(), true);
  f.set_top(f.top() + 1);
  return 0;
}

// Masks all exceptions after storing.
u64 fnstenv(Cpu& c, const Insn& i, u64 a, u64) {
  if (!available(c)) return 0;
  Image image(c, i, a, environment_bytes(i), true);
  put_environment(image, environment(c.s.fpu, i), i);
  if (!c.faulted()) set_control(c, c.s.fpu.control | kExceptions);
  return 0;
}
u64 fldenv(Cpu& c, const Insn& i, u64 a, u64) {
  Image image(c, i, a, environment_bytes(i), false);
  const Environment env = get_environment(image, i);
  if (!c.faulted()) set_environment(c, env, i);
  return 0;
}

// Registers in stack order, ten bytes each, after the environment; then as after FNINIT.
u64 fnsave(Cpu& c, const Insn& i, u64 a, u64) {
  if (!available(c)) return 0;
  const FpuState& f = c.s.fpu;
  const unsigned base = environment_bytes(i);
  Image image(c, i, a, base + 80, true);
  put_environment(image, environment(f, i), i);
  for (unsigned n = 0; n < 8; ++n) {
    const F80& r = f.regs[(f.top() + n) & 7];
    // By words, as no more than the image's own alignment is asked for.
    for (unsigned k = 0; k < 4; ++k) image.put<2>(base + 10 * n + 2 * k, bits(r.mantissa, 16 * k, 16));
    image.put<2>(base + 10 * n + 8, r.sign_exp);
  }
  if (!c.faulted()) reset(c);
  return 0;
}
u64 frstor(Cpu& c, const Insn& i, u64 a, u64) {
  const unsigned base = environment_bytes(i);
  Image image(c, i, a, base + 80, false);
  const Environment env = get_environment(image, i);
  std::array<F80, 8> regs{};
  for (unsigned n = 0; n < 8; ++n) {
    for (unsigned k = 0; k < 4; ++k) regs[n].mantissa |= image.get<2>(base + 10 * n + 2 * k) << (16 * k);
    regs[n].sign_exp = static_cast<u16>(image.get<2>(base + 10 * n + 8));
  }
  if (c.faulted()) return 0;
  set_environment(c, env, i);
  FpuState& f = c.s.fpu;
  for (unsigned n = 0; n < 8; ++n) f.regs[(f.top() + n) & 7] = regs[n];
  return 0;
}

// 512 bytes, of which the last 352 belong to SSE and are not touched. The MXCSR field is there with CR4.OSFXSR.
// SDM vol. 2, FXSAVE.
namespace {
constexpr u32 kMxcsrMask = 0x0000ffbf;

bool fx_allowed(Cpu& c, const Insn& i, u64 offset) {
  if (!available(c)) return false;
  if ((c.s.seg[i.seg].base + static_cast<u32>(offset)) & 15) c.raise(kGP, 0);
  return !c.faulted();
}
}  // namespace

u64 fxsave(Cpu& c, const Insn& i, u64 a, u64) {
  if (!fx_allowed(c, i, a)) return 0;
  const FpuState& f = c.s.fpu;
  Image image(c, i, a, 512, true);
  u64 present = 0;
  for (unsigned n = 0; n < 8; ++n) present |= u64{!is_empty(f, n)} << n;
  image.put<8>(0, f.control | u64{f.status} << 16 | present << 32 | u64{f.opcode} << 48);
  image.put<8>(8, f.ip | u64{f.cs} << 32);
  image.put<8>(16, f.dp | u64{f.ds} << 32);
  if (c.s.cr4 & kCr4Osfxsr) image.put<8>(24, f.mxcsr | u64{kMxcsrMask} << 32);
  for (unsigned n = 0; n < 8; ++n) {
    const F80& r = f.regs[(f.top() + n) & 7];
    image.put<8>(32 + 16 * n, r.mantissa);
    image.put<8>(40 + 16 * n, r.sign_exp);
  }
  return 0;
}
u64 fxrstor(Cpu& c, const Insn& i, u64 a, u64) {
  if (!fx_allowed(c, i, a)) return 0;
  Image image(c, i, a, 512, false);
  const u64 words = image.get<8>(0), code = image.get<8>(8), data = image.get<8>(16);
  const u32 mxcsr = static_cast<u32>(image.get<4>(24));
  image.get<1>(511);
  std::array<F80, 8> regs{};
  for (unsigned n = 0; n < 8; ++n) {
    regs[n] = {image.get<8>(32 + 16 * n), static_cast<u16>(image.get<2>(40 + 16 * n))};
  }
  if (c.faulted()) return 0;
  const bool with_mxcsr = c.s.cr4 & kCr4Osfxsr;
  if (with_mxcsr && (mxcsr & ~kMxcsrMask)) {
    c.raise(kGP, 0);
    return 0;
  }
  FpuState& f = c.s.fpu;
  if (with_mxcsr) f.mxcsr = mxcsr;
  f.status = static_cast<u16>((bits(words, 16, 16) & ~u64{kSwEs | kSwBusy}) | (f.status & kSwEs));
  for (unsigned n = 0; n < 8; ++n) set_empty(f, n, !bit(words, 32 + n));
  f.opcode = bits(words, 48, 11);
  f.ip = static_cast<u32>(code);
  f.cs = static_cast<u16>(code >> 32);
  f.dp = static_cast<u32>(data);
  f.ds = static_cast<u16>(data >> 32);
  for (unsigned n = 0; n < 8; ++n) f.regs[(f.top() + n) & 7] = regs[n];
  set_control(c, static_cast<u16>(words));
  return 0;
}

// #UD with EM, #NM with TS, then pending x87 exceptions. SDM vol. 3, table 2-2 and 12.1.
u64 mmx_check(Cpu& c, const Insn&, u64, u64) {
  if (c.s.cr0 & kCr0Em) {
    c.raise(kUD);
  } else if (available(c)) {
    no_pending(c);
  }
  return 0;
}
// SDM vol. 1, 9.5.1.
u64 mmx_enter(Cpu& c, const Insn&, u64, u64) {
  c.s.fpu.tag = 0;
  c.s.fpu.set_top(0);
  return 0;
}
u64 emms(Cpu& c, const Insn&, u64, u64) {
  c.s.fpu.tag = 0xffff;
  c.s.fpu.set_top(0);
  return 0;
}

}  // namespace helper
}  // namespace xlat
