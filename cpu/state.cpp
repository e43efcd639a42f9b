// RESET values and the snapshot section of the processor.
#include "cpu/state.h"

namespace xlat {

void CpuState::reset(u32 signature) {
  *this = CpuState{};
  gpr[kEdx] = signature;
  cr0 = kCr0Cd | kCr0Nw | kCr0Et;
  ip = 0xfff0;
  for (unsigned n = 0; n < kSegRegs; ++n) {
    seg[n].load_v86(0);
    seg[n].attr = kAttrP | kAttrS | kTypeWritable | kTypeAccessed;
    seg[n].update();
  }
  // Writable although it is CS: real mode stores through CS.
  seg[kCs].selector = 0xf000;
  seg[kCs].base = 0xffff0000;
  ldtr.attr = kAttrP | kLdtType;
  ldtr.limit = 0xffff;
  tr.attr = kAttrP | kTss32Busy;
  tr.limit = 0xffff;
  dr[6] = kDr6Fixed1;
  dr[7] = kDr7Fixed1;
  fpu.control = 0x0040;
  fpu.tag = 0;  // reads as 5555H: full and zero
}

void CpuState::serialize(Archive& ar) {
  ar.section("cpu", 1);
  ar(gpr)(ip);
  u32 eflags = flags.get();
  ar(eflags);
  if (ar.loading()) {
    flags.set(eflags);
    gpr[kZeroReg] = 0;
  }
  for (Segment& s : seg) s.serialize(ar);
  ldtr.serialize(ar);
  tr.serialize(ar);
  ar(gdtr.base)(gdtr.limit)(idtr.base)(idtr.limit);
  ar(cr0)(cr2)(cr3)(cr4)(dr)(efer)(pdpte);
  ar.range(cpl, u8{0}, u8{3});
  ar(halted)(nmi_blocked);
  ar(mid_rep).range(shadow, Shadow::kNone, Shadow::kMovSs);
  ar(debug_trap)(sysenter_cs)(sysenter_esp)(sysenter_eip)(tsc_offset)(pat);
  ar(mtrr_def_type)(mtrr_fixed)(mtrr_variable);
  fpu.serialize(ar);
}

}  // namespace xlat
