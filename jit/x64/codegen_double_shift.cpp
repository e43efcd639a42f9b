// The flags of SHLD and SHRD, and of shifts by more than the operand is wide: as flags_of() says, from the first
// operand, the count and the result.
#include "jit/x64/codegen.h"

namespace xlat::jit::x64 {

// By a count that is known, and not zero.
void Codegen::double_shift_flags(const Inst& f) {
  const auto count = constant(f.b);
  if (!count || *count == 0 || f.w > 32) return fail();
  const unsigned w = f.w, a = reg_of(f.a), r = low_bits_of(f.c, w), scratch = temp();
  flags_dirty_ = host_valid_ = false;
  recipe_ = {};
  std::optional<unsigned> bit;
  if (*count <= w) bit = static_cast<unsigned>(f.aux == static_cast<u8>(FlagKind::kShl) ? w - *count : *count - 1);
  pack_shift_flags(f, a, r, scratch, bit);
  free_temp(scratch);
  use(f.a);
  use(f.b);
  use(f.c);
  committed_ = true;
}

// By a count that may be zero, which leaves the flags alone; they are in memory. 32 bits.
void Codegen::double_shift_flags_unless_zero(const Inst& f) {
  const unsigned a = reg_of(f.a), r = low_bits_of(f.c, 32);
  const unsigned n = modifiable(f.b);
  const Label skip = a_.newLabel();
  a_.test(gp32(n), gp32(n));
  a_.long_().jz(skip);
  // The bit shifted out last; the host takes its number modulo 32.
  f.aux == static_cast<u8>(FlagKind::kShl) ? a_.neg(gp32(n)) : a_.dec(gp32(n));
  pack_shift_flags(f, a, r, n, std::nullopt);
  a_.bind(skip);
  free_temp(n);
  use(f.a);
  use(f.c);
  committed_ = true;
}

// `bit` of `a`, or the one whose number is in `scratch` if the shift is of 32 bits, becomes CF.
void Codegen::pack_shift_flags(const Inst& f, unsigned a, unsigned r, unsigned scratch, std::optional<unsigned> bit) {
  const unsigned w = f.w, rax = temp();
  a_.mov(gp64(rax), host::rax);
  // From here on the guest's EAX is there.
  if (a == host::rax.id()) a = rax;
  if (r == host::rax.id()) r = rax;
  a_.test(gp(r, w), gp(r, w));
  a_.lahf();
  a_.and_(host::ah, static_cast<i32>(static_cast<u8>(~kAf)));
  const bool known = constant(f.b).has_value();
  if (bit) a_.bt(gp32(a), *bit);
  if (!known) a_.bt(gp32(a), gp32(scratch));
  if (bit || !known) a_.adc(host::ah, 0);
  if (f.aux == static_cast<u8>(FlagKind::kShl)) {
    overflow_of_shl();
  } else {
    a_.lea(gp32(scratch), host::ptr(gp64(r), gp64(r)));
    a_.xor_(gp32(scratch), gp32(r));
    a_.shr(gp32(scratch), w - 1);
    a_.and_(gp32(scratch), 1);
    a_.mov(host::al, gp(scratch, 8));
  }
  a_.mov(layout_.at(layout_.packed_flags, 2), host::ax);
  a_.mov(host::rax, gp64(rax));
  free_temp(rax);
}

}  // namespace xlat::jit::x64
