// What semantics hand over to Cpu by Emitter::call. Signature: Helper in cpu/emitter.h.
#pragma once

#include "base/types.h"

namespace xlat {

class Cpu;
struct Insn;

namespace helper {

// clang-format off
#define XLAT_HELPERS(X)                                                                 \
  X(load_segment) /* a: selector, into segment register op[0] */                        \
  X(far_jump)                                                                           \
  X(far_call) /* a: offset, b: selector */                                              \
  X(far_return) X(interrupt_return) X(sysenter) X(sysexit)                              \
  X(software_interrupt) /* a: vector, b: 1 for INT n */                                 \
  X(icebp) X(eflags) X(pushed_eflags) X(check_flags_access)                             \
  X(popf) /* a: the value popped */                                                     \
  X(check_io) X(in) /* a: port */                                                       \
  X(out) /* a: port, b: value */                                                        \
  X(need_protected_mode) X(need_cpl0) X(sldt) X(str) X(smsw) X(lldt) X(ltr) X(lmsw)     \
  X(verify) /* a: selector, b: 1 for writing; sets ZF */                                \
  X(lar) X(lsl) /* a: selector; bit 32 of the result: it is good */                     \
  X(sgdt) X(sidt) X(lgdt) X(lidt) X(invlpg) /* a: effective address */                  \
  X(read_cr) X(write_cr) X(read_dr) X(write_dr) /* register op[0] or op[1]; a: value */ \
  X(clts) X(hlt) X(cli) X(sti) X(cpuid) X(rdtsc) /* gives it */ X(rdpmc) X(rdmsr) X(wrmsr)
// clang-format on

#define X(name) u64 name(Cpu& cpu, const Insn& i, u64 a, u64 b);
XLAT_HELPERS(X)
#undef X

}  // namespace helper
}  // namespace xlat
