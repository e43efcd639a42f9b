// What x87 and MMX semantics hand over to Cpu by Emitter::call. Signature: Helper in cpu/emitter.h.
#pragma once

#include "base/types.h"

namespace xlat {

class Cpu;
struct Insn;

namespace helper {

// clang-format off
// a: the bits of the memory operand, b: its offset.
#define XLAT_FPU_OPERATIONS(X)                                                                                     \
  X(fadd) X(fmul) X(fsub) X(fsubr) X(fdiv) X(fdivr) X(faddp) X(fmulp) X(fsubp) X(fsubrp) X(fdivp) X(fdivrp)        \
  X(fcom) X(fcomp) X(fcompp) X(fucom) X(fucomp) X(fucompp) X(fcomi) X(fcomip) X(fucomi) X(fucomip) X(ftst) X(fxam) \
  X(fld) X(fst_st) X(fstp_st) X(fstpnce) X(fxch) X(fld_constant)                                                              \
  X(fchs) X(fabs) X(fsqrt) X(frndint) X(fscale) X(fxtract) X(fprem) X(fprem1)                                      \
  X(f2xm1) X(fyl2x) X(fyl2xp1) X(fptan) X(fpatan) X(fsin) X(fcos) X(fsincos)                                       \
  X(fnop) X(fdecstp) X(fincstp) X(ffree) X(ffreep) X(fldcw)

// a: the offset of the memory operand, which the helper reads or writes.
#define XLAT_FPU_MEMORY_OPERATIONS(X) X(fld_m80) X(fbld) X(fst) X(fstp) X(fstp_m80) X(fbstp) X(fldenv) X(frstor)

#define XLAT_FPU_OTHERS(X)                                          \
  X(fpu_available) /* #NM */                                        \
  X(fpu_check) /* #NM, then #MF or FERR# for a pending exception */ \
  X(fwait) X(fninit) X(fnclex) X(fpu_control) X(fpu_status)         \
  X(fcmov) /* a: the condition */                                   \
  X(fnstenv) X(fnsave) X(fxsave) X(fxrstor) /* a: offset */         \
  X(mmx_check) X(mmx_enter) X(emms)                                 \
  X(mmx_value) /* of register op[1] */

// a: the source, unless it is an MMX register.
#define XLAT_MMX_OPERATIONS(X)                                                                                      \
  X(punpcklbw) X(punpcklwd) X(punpckldq) X(punpckhbw) X(punpckhwd) X(punpckhdq) X(packsswb) X(packssdw) X(packuswb) \
  X(pcmpgtb) X(pcmpgtw) X(pcmpgtd) X(pcmpeqb) X(pcmpeqw) X(pcmpeqd)                                                 \
  X(movq) X(pand) X(pandn) X(por) X(pxor)                                                                           \
  X(psrlw) X(psrld) X(psrlq) X(psraw) X(psrad) X(psllw) X(pslld) X(psllq)                                           \
  X(pmullw) X(pmulhw) X(pmaddwd)                                                                                    \
  X(paddb) X(paddw) X(paddd) X(paddsb) X(paddsw) X(paddusb) X(paddusw)                                              \
  X(psubb) X(psubw) X(psubd) X(psubsb) X(psubsw) X(psubusb) X(psubusw)
// clang-format on

#define X(name) u64 name(Cpu& cpu, const Insn& i, u64 a, u64 b);
XLAT_FPU_OPERATIONS(X)
XLAT_FPU_MEMORY_OPERATIONS(X)
XLAT_FPU_OTHERS(X)
XLAT_MMX_OPERATIONS(X)
#undef X

}  // namespace helper
}  // namespace xlat
