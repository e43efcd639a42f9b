// x87 arithmetic: not there yet.
#include "cpu/x87/helpers.h"
#include "cpu/x87/unit.h"

namespace xlat::helper {

#define X(name) \
  u64 name(Cpu& c, const Insn& i, u64, u64) { \
    x87::note(c, i); \
    return 0; \
  }
X(fadd) X(fmul) X(fsub) X(fsubr) X(fdiv) X(fdivr)
X(fcom) X(fcomp) X(fcompp) X(fucom) X(fucomp) X(fucompp) X(fcomi) X(fcomip) X(fucomi) X(fucomip) X(ftst) X(fxam)
X(fld) X(fst_st) X(fstp_st) X(fxch) X(fld_constant) X(fchs) X(fabs)
X(fsqrt) X(frndint) X(fscale) X(fxtract) X(fprem) X(fprem1)
X(f2xm1) X(fyl2x) X(fyl2xp1) X(fptan) X(fpatan) X(fsin) X(fcos) X(fsincos)
X(fld_m80) X(fbld) X(fst) X(fstp) X(fstp_m80) X(fbstp) X(fcmov)
#undef X

}  // namespace xlat::helper
