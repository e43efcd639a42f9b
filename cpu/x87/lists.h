// x87 and MMX instructions that are one helper each (cpu/helpers.inc).
#pragma once

// clang-format off
// a: the bits of the memory operand, b: its offset.
#define XLAT_FPU_OPERATIONS(X)                                                                                     \
  X(fadd) X(fmul) X(fsub) X(fsubr) X(fdiv) X(fdivr) X(faddp) X(fmulp) X(fsubp) X(fsubrp) X(fdivp) X(fdivrp)        \
  X(fcom) X(fcomp) X(fcompp) X(fucom) X(fucomp) X(fucompp) X(ftst) X(fxam)                                         \
  X(fld) X(fst_st) X(fstp_st) X(fstpnce) X(fxch) X(fld_constant)                                                   \
  X(fchs) X(fabs) X(fsqrt) X(frndint) X(fscale) X(fxtract) X(fprem) X(fprem1)                                      \
  X(f2xm1) X(fyl2x) X(fyl2xp1) X(fptan) X(fpatan) X(fsin) X(fcos) X(fsincos)                                       \
  X(fnop) X(fdecstp) X(fincstp) X(ffree) X(ffreep) X(fldcw)

// These compare into EFLAGS.
#define XLAT_FPU_TO_EFLAGS(X) X(fcomi) X(fcomip) X(fucomi) X(fucomip)

// a: the offset of the memory operand, which the helper reads or writes.
#define XLAT_FPU_MEMORY_OPERATIONS(X) X(fld_m80) X(fbld) X(fst) X(fstp) X(fstp_m80) X(fbstp) X(fldenv) X(frstor)

// a: the source, unless it is an MMX register.
#define XLAT_MMX_OPERATIONS(X)                                                                                     \
  X(punpcklbw) X(punpcklwd) X(punpckldq) X(punpckhbw) X(punpckhwd) X(punpckhdq) X(packsswb) X(packssdw) X(packuswb)\
  X(pcmpgtb) X(pcmpgtw) X(pcmpgtd) X(pcmpeqb) X(pcmpeqw) X(pcmpeqd)                                                \
  X(movq) X(pand) X(pandn) X(por) X(pxor)                                                                          \
  X(psrlw) X(psrld) X(psrlq) X(psraw) X(psrad) X(psllw) X(pslld) X(psllq)                                          \
  X(pmullw) X(pmulhw) X(pmaddwd)                                                                                   \
  X(paddb) X(paddw) X(paddd) X(paddsb) X(paddsw) X(paddusb) X(paddusw)                                             \
  X(psubb) X(psubw) X(psubd) X(psubsb) X(psubsw) X(psubusb) X(psubusw)
// clang-format on
