// Loading segment registers, LDTR and TR. SDM vol. 3, 5.4-5.7 and MOV, LLDT, LTR in vol. 2.
#include "cpu/cpu.h"

namespace xlat {

// Finds a descriptor; false if the selector lies outside its table. The read may leave a page fault.
bool Cpu::descriptor(u16 selector, Descriptor& d, u32& linear) {
  u32 base = s.gdtr.base, limit = s.gdtr.limit;
  if (selector & 4) {
    if (!s.ldtr.usable()) return false;
    base = s.ldtr.base;
    limit = s.ldtr.limit;
  }
  if ((selector | 7u) > limit) return false;
  linear = base + (selector & 0xfff8);
  d.low = static_cast<u32>(load_system(linear, 4));
  d.high = static_cast<u32>(load_system(linear + 4, 4));
  return true;
}

void Cpu::set_accessed(u32 linear, const Descriptor& d) {
  if (!(d.attr() & kTypeAccessed)) store_system(linear + 5, 1, ((d.high >> 8) & 0xff) | kTypeAccessed);
}

u8 Cpu::data_segment_fault(const Descriptor& d, unsigned rpl) const {
  if (!d.readable()) return kGP;
  if (!d.conforming() && (rpl > d.dpl() || s.cpl > d.dpl())) return kGP;
  return d.present() ? 0 : kNP;
}

bool Cpu::descriptor_fast(u16 selector, Descriptor& d) const {
  const bool local = selector & 4;
  if ((local && !s.ldtr.usable()) || (selector | 7u) > (local ? s.ldtr.limit : s.gdtr.limit)) return false;
  const u32 linear = (local ? s.ldtr.base : s.gdtr.base) + (selector & 0xfff8);
  const std::uintptr_t addend = system_table_[linear >> 12];
  if (addend == 0 || (linear & 0xfff) > 4096 - 8) return false;
  const u64 both = load_le_fixed<8>(reinterpret_cast<const void*>(addend + linear));
  d = {static_cast<u32>(both), static_cast<u32>(both >> 32)};
  return true;
}

bool Cpu::load_segment_fast(SegReg n, u16 selector) {
  Segment& seg = s.seg[n];
  Segment next = seg;
  if (s.real_or_vm86()) {
    s.vm86() ? next.load_v86(selector) : next.load_real(selector);
  } else if ((selector & 0xfffc) == 0) {
    next.set_null(selector);
  } else {
    Descriptor d;
    if (!descriptor_fast(selector, d) || data_segment_fault(d, selector & 3)) return false;
    if (!(d.attr() & kTypeAccessed)) return false;
    next.load(selector, d);
  }
  if (next.flat != seg.flat) return false;
  seg = next;
  return true;
}

void Cpu::load_segment(SegReg n, u16 selector) {
  if (faulted_) return;
  if (s.real_or_vm86()) {
    s.vm86() ? s.seg[n].load_v86(selector) : s.seg[n].load_real(selector);
    return;
  }
  const unsigned rpl = selector & 3;
  if ((selector & 0xfffc) == 0) {
    if (n == kSs) return raise(kGP, 0);
    s.seg[n].set_null(selector);
    return;
  }
  Descriptor d;
  u32 linear = 0;
  if (!descriptor(selector, d, linear)) return raise_selector(kGP, selector);
  if (faulted_) return;
  if (n == kSs) {
    if (rpl != s.cpl || !d.writable_data() || d.dpl() != s.cpl) return raise_selector(kGP, selector);
    if (!d.present()) return raise_selector(kSS, selector);
  } else {
    if (const u8 vector = data_segment_fault(d, rpl)) return raise_selector(vector, selector);
  }
  set_accessed(linear, d);
  if (faulted_) return;
  s.seg[n].load(selector, d);
  s.seg[n].attr |= kTypeAccessed;
}

void Cpu::load_ldt(u16 selector) {
  if ((selector & 0xfffc) == 0) {
    s.ldtr.set_null(selector);
    return;
  }
  Descriptor d;
  u32 linear = 0;
  if ((selector & 4) || !descriptor(selector, d, linear)) return raise_selector(kGP, selector);
  if (faulted_) return;
  if (!d.system() || d.type() != kLdtType) return raise_selector(kGP, selector);
  if (!d.present()) return raise_selector(kNP, selector);
  s.ldtr.load(selector, d);
}

void Cpu::load_tr(u16 selector) {
  if ((selector & 0xfffc) == 0) return raise(kGP, 0);
  Descriptor d;
  u32 linear = 0;
  if ((selector & 4) || !descriptor(selector, d, linear)) return raise_selector(kGP, selector);
  if (faulted_) return;
  if (!d.system() || (d.type() != kTss16 && d.type() != kTss32)) return raise_selector(kGP, selector);
  if (!d.present()) return raise_selector(kNP, selector);
  store_system(linear + 4, 4, d.high | 2 << 8);  // busy
  if (faulted_) return;
  s.tr.load(selector, d);
  s.tr.attr |= 2;
}

// On a return to less privileged code, data segments it may not use become null. SDM vol. 2, RET.
void Cpu::invalidate_outer_segments() {
  for (const SegReg n : {kEs, kDs, kFs, kGs}) {
    const Segment& seg = s.seg[n];
    if (!seg.usable()) continue;
    const bool is_code = seg.attr & kTypeCode;
    if (is_code && (seg.attr & kTypeConforming)) continue;
    if (seg.dpl() < s.cpl) s.seg[n].set_null(0);
  }
}

}  // namespace xlat
