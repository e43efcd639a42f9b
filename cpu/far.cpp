// Far jumps, calls and returns, call gates, IRET, SYSENTER. SDM vol. 2, JMP, CALL, RET, IRET.
#include "cpu/stack.h"

namespace xlat {

// The descriptor a far JMP or CALL leads to.
bool Cpu::find_target(u16 selector, Descriptor& d, u32& linear) {
  if ((selector & 0xfffc) == 0) {
    raise(kGP, 0);
  } else if (!descriptor(selector, d, linear)) {
    raise_selector(kGP, selector);
  }
  return !faulted_;
}

// Rights of a direct far transfer to a code segment.
bool Cpu::check_code_target(u16 selector, const Descriptor& d) {
  const unsigned rpl = selector & 3;
  const bool allowed = d.conforming() ? d.dpl() <= s.cpl : rpl <= s.cpl && d.dpl() == s.cpl;
  if (!allowed) {
    raise_selector(kGP, selector);
  } else if (!d.present()) {
    raise_selector(kNP, selector);
  }
  return !faulted_;
}

// The last step of every transfer: nothing can fault after the limit check and the accessed bit.
void Cpu::jump_to_code(u16 selector, const Descriptor& d, u32 linear, u32 offset, u8 cpl) {
  if (faulted_) return;
  if (offset > d.limit()) return raise(kGP, ext_);
  set_accessed(linear, d);
  if (faulted_) return;
  s.seg[kCs].load(static_cast<u16>((selector & 0xfffc) | cpl), d);
  s.seg[kCs].attr |= kTypeAccessed;
  s.ip = offset;
  if (cpl != s.cpl) set_cpl(cpl);
}

// CALL to a code segment of the same level.
void Cpu::call_code(u16 selector, const Descriptor& d, u32 linear, u32 offset, unsigned bytes) {
  if (offset > d.limit()) return raise(kGP, 0);
  Stack stack(*this);
  stack.push_return(bytes);
  jump_to_code(selector, d, linear, offset, s.cpl);
  if (!faulted_) s.gpr[kEsp] = stack.esp();
}

void Cpu::far_jump(u16 selector, u32 offset, unsigned bytes) {
  if (faulted_) return;
  if (bytes == 2) offset &= 0xffff;
  if (s.real_or_vm86()) {
    if (offset > s.seg[kCs].limit) return raise(kGP, 0);
    load_segment(kCs, selector);
    s.ip = offset;
    return;
  }
  Descriptor d;
  u32 linear = 0;
  if (!find_target(selector, d, linear)) return;
  if (d.code()) {
    if (check_code_target(selector, d)) jump_to_code(selector, d, linear, offset, s.cpl);
    return;
  }
  call_gate(selector, d, false);
}

void Cpu::far_call(u16 selector, u32 offset, unsigned bytes) {
  if (faulted_) return;
  if (bytes == 2) offset &= 0xffff;
  if (s.real_or_vm86()) {
    if (offset > s.seg[kCs].limit) return raise(kGP, 0);
    Stack stack(*this);
    stack.push_return(bytes);
    if (faulted_) return;
    s.gpr[kEsp] = stack.esp();
    load_segment(kCs, selector);
    s.ip = offset;
    return;
  }
  Descriptor d;
  u32 linear = 0;
  if (!find_target(selector, d, linear)) return;
  if (!d.code()) return call_gate(selector, d, true);
  if (check_code_target(selector, d)) call_code(selector, d, linear, offset, bytes);
}

// A far JMP or CALL whose selector names a system descriptor: call gate, task gate or TSS.
void Cpu::call_gate(u16 selector, const Descriptor& gate, bool is_call) {
  const unsigned rpl = selector & 3;
  if (!gate.system()) return raise_selector(kGP, selector);
  const TaskVia via = is_call ? TaskVia::kCall : TaskVia::kJump;
  switch (gate.type()) {
    case kTss16:
    case kTss32:
    case kTaskGate:
    case kCallGate16:
    case kCallGate32: break;
    default: return raise_selector(kGP, selector);
  }
  if (gate.dpl() < s.cpl || gate.dpl() < rpl) return raise_selector(kGP, selector);
  if (!gate.present()) return raise_selector(kNP, selector);
  if (gate.type() == kTss16 || gate.type() == kTss32) return switch_task(selector, via);
  if (gate.type() == kTaskGate) return switch_task(gate.gate_selector(), via);

  const bool is32 = gate.type() == kCallGate32;
  const unsigned bytes = is32 ? 4 : 2;
  const u16 target = gate.gate_selector();
  const u32 offset = gate.gate_offset(is32);
  Descriptor d;
  u32 linear = 0;
  if (!find_target(target, d, linear)) return;
  if (!d.code() || d.dpl() > s.cpl) return raise_selector(kGP, target);
  if (!is_call && !d.conforming() && d.dpl() != s.cpl) return raise_selector(kGP, target);
  if (!d.present()) return raise_selector(kNP, target);
  if (!is_call) return jump_to_code(target, d, linear, offset, s.cpl);
  if (d.conforming() || d.dpl() == s.cpl) return call_code(target, d, linear, offset, bytes);

  // To an inner level: the stack comes from the TSS, parameters are copied.
  const u8 cpl = static_cast<u8>(d.dpl());
  u16 ss_selector = 0;
  u32 esp = 0, ss_linear = 0;
  Segment ss;
  if (!inner_stack(cpl, ss_selector, esp) || !load_inner_ss(ss_selector, cpl, kTS, ss, ss_linear)) return;
  Stack old_stack(*this);
  Stack stack(*this, ss, esp, cpl == 3, ss_selector);
  stack.push(s.seg[kSs].selector, bytes);
  stack.push(s.reg32(kEsp), bytes);
  for (unsigned n = gate.gate_params(); n-- > 0;) stack.push(old_stack.peek(n * bytes, bytes), bytes);
  stack.push_return(bytes);
  jump_to_code(target, d, linear, offset, cpl);
  if (faulted_) return;
  s.seg[kSs] = ss;
  s.gpr[kEsp] = stack.esp();
}

// SS:ESP of an inner level from the current TSS. SDM vol. 3, figures 7-2 and 7-10.
bool Cpu::inner_stack(unsigned cpl, u16& ss, u32& esp) {
  const bool is32 = s.tr.tss32();
  const u32 at = is32 ? 4 + 8 * cpl : 2 + 4 * cpl;
  if (!s.tr.usable() || at + (is32 ? 5 : 3) > s.tr.limit) {
    raise_selector(kTS, s.tr.selector);
    return false;
  }
  esp = static_cast<u32>(load_system(s.tr.base + at, is32 ? 4 : 2));
  ss = static_cast<u16>(load_system(s.tr.base + at + (is32 ? 4 : 2), 2));
  return !faulted_;
}

// Checks a stack segment for level `cpl` and loads it into `out`, not into SS. `vector` is #TS, or #GP for returns.
bool Cpu::load_inner_ss(u16 selector, unsigned cpl, u8 vector, Segment& out, u32& linear) {
  Descriptor d;
  if ((selector & 0xfffc) == 0) {
    raise(vector, ext_);
  } else if (!descriptor(selector, d, linear)) {
    raise_selector(vector, selector);
  } else if (!faulted_) {
    if ((selector & 3u) != cpl || d.dpl() != cpl || !d.writable_data()) {
      raise_selector(vector, selector);
    } else if (!d.present()) {
      raise_selector(kSS, selector);
    } else {
      set_accessed(linear, d);
      out.load(selector, d);
      out.attr |= kTypeAccessed;
    }
  }
  return !faulted_;
}

// Finds the code segment that RET or IRET goes back to, and checks that it may.
bool Cpu::check_return_target(u16 cs, Descriptor& d, u32& linear) {
  const unsigned rpl = cs & 3;
  if (!find_target(cs, d, linear)) return false;
  if (!d.code() || rpl < s.cpl || (d.conforming() ? d.dpl() > rpl : d.dpl() != rpl)) {
    raise_selector(kGP, cs);
  } else if (!d.present()) {
    raise_selector(kNP, cs);
  }
  return !faulted_;
}

void Cpu::far_return(unsigned bytes, u16 release) {
  if (faulted_) return;
  Stack stack(*this);
  const u32 ip = stack.pop(bytes);
  const u16 cs = static_cast<u16>(stack.pop(bytes));
  if (faulted_) return;
  if (s.real_or_vm86()) {
    if (ip > s.seg[kCs].limit) return raise(kGP, 0);
    stack.move(release);
    s.gpr[kEsp] = stack.esp();
    load_segment(kCs, cs);
    s.ip = ip;
    return;
  }
  Descriptor d;
  u32 linear = 0;
  if (!check_return_target(cs, d, linear)) return;
  if ((cs & 3) == s.cpl) {
    stack.move(release);
    jump_to_code(cs, d, linear, ip, s.cpl);
    if (!faulted_) s.gpr[kEsp] = stack.esp();
    return;
  }
  return_outer(cs, ip, d, linear, bytes, release, 0, false);
}

// The part of RET and IRET that goes to an outer level: SS:ESP are popped as well.
void Cpu::return_outer(u16 cs, u32 ip, const Descriptor& d, u32 linear, unsigned bytes, u16 release, u32 eflags,
                       bool is_iret) {
  Stack stack(*this);
  stack.move((is_iret ? 3 : 2) * bytes + release);
  const u32 esp = stack.pop(bytes);
  const u16 ss_selector = static_cast<u16>(stack.pop(bytes));
  if (faulted_) return;
  const u8 cpl = cs & 3;
  Segment ss;
  u32 ss_linear = 0;
  if (!load_inner_ss(ss_selector, cpl, kGP, ss, ss_linear)) return;
  if (ip > d.limit()) return raise(kGP, 0);
  if (is_iret) write_flags(eflags, bytes);
  jump_to_code(cs, d, linear, ip, cpl);
  if (faulted_) return;
  s.seg[kSs] = ss;
  // A 16-bit stack takes SP only.
  const u32 top = esp + release;
  s.gpr[kEsp] = ss.big() ? top : (s.reg32(kEsp) & 0xffff0000) | (top & 0xffff);
  if (ss.big() && bytes == 2) s.gpr[kEsp] = (esp & 0xffff) + release;
  invalidate_outer_segments();
}

// IRET is the one way to set RF; what it sets holds for the instruction returned to.
void Cpu::load_rf(u32 eflags, unsigned bytes) {
  s.flags.set_system(kRf, bytes == 4 ? eflags & kRf : 0);
  rf_loaded_ = true;
}

void Cpu::interrupt_return(unsigned bytes) {
  if (faulted_) return;
  if (s.vm86() && s.iopl() < 3 && !(s.vme() && bytes == 2)) return raise(kGP, 0);
  if (s.protected_mode() && !s.vm86() && (s.flags.image() & kNt)) {
    const u16 link = static_cast<u16>(load_system(s.tr.base, 2));
    if (!faulted_) switch_task(link, TaskVia::kIret);
    if (!faulted_) s.nmi_blocked = false;
    return;
  }
  Stack stack(*this);
  const u32 ip = stack.pop(bytes);
  const u16 cs = static_cast<u16>(stack.pop(bytes));
  const u32 eflags = stack.pop(bytes);
  if (faulted_) return;
  if (s.real_or_vm86()) {
    if (ip > s.seg[kCs].limit) return raise(kGP, 0);
    if (!check_flags(eflags)) return;
    s.gpr[kEsp] = stack.esp();
    load_segment(kCs, cs);
    s.ip = ip;
    write_flags(eflags, bytes);
    load_rf(eflags, bytes);
    s.nmi_blocked = false;
    return;
  }
  if ((eflags & kVm) && bytes == 4 && s.cpl == 0) {
    u32 frame[6];  // ESP SS ES DS FS GS
    for (u32& word : frame) word = stack.pop(4);
    if (faulted_) return;
    if (ip > 0xffff) return raise(kGP, 0);
    s.flags.set((eflags & (kArithFlags | kTf | kIf | kDf | kIopl | kNt | kRf | kVm | kAc | kVif | kVip | kId)) |
                kFlagsFixed1);
    s.seg[kCs].load_v86(cs);
    s.seg[kSs].load_v86(static_cast<u16>(frame[1]));
    s.seg[kEs].load_v86(static_cast<u16>(frame[2]));
    s.seg[kDs].load_v86(static_cast<u16>(frame[3]));
    s.seg[kFs].load_v86(static_cast<u16>(frame[4]));
    s.seg[kGs].load_v86(static_cast<u16>(frame[5]));
    s.gpr[kEsp] = frame[0];
    s.ip = ip;
    set_cpl(3);
    rf_loaded_ = true;
    s.nmi_blocked = false;
    return;
  }
  Descriptor d;
  u32 linear = 0;
  if (!check_return_target(cs, d, linear)) return;
  if ((cs & 3) == s.cpl) {
    jump_to_code(cs, d, linear, ip, s.cpl);
    if (faulted_) return;
    s.gpr[kEsp] = stack.esp();
    write_flags(eflags, bytes);
  } else {
    return_outer(cs, ip, d, linear, bytes, 0, eflags, true);
    if (faulted_) return;
  }
  load_rf(eflags, bytes);
  s.nmi_blocked = false;
}

// Under VME neither TF nor an IF with an interrupt pending may be set. SDM vol. 2, POPF and IRET.
bool Cpu::check_flags(u32 value) {
  if (s.vme() && ((value & kTf) || ((value & kIf) && (s.flags.image() & kVip)))) raise(kGP, 0);
  return !faulted_;
}

// POPF and IRET. SDM vol. 2, POPF, table 4-16: IOPL changes at CPL 0 only, IF when CPL <= IOPL; VM and RF never here.
void Cpu::write_flags(u32 value, unsigned bytes) {
  u32 may = kArithFlags | kTf | kDf | kNt;
  if (bytes == 4) may |= kAc | kId;
  if (!s.protected_mode()) {
    may |= kIf | kIopl;
  } else if (s.vme()) {
    may |= kVif;
    value = (value & ~u32{kVif}) | ((value & kIf) ? u32{kVif} : 0);
  } else if (s.vm86()) {
    may |= kIf;  // only reached with IOPL 3
  } else {
    if (s.cpl == 0) may |= kIopl | (bytes == 4 ? kVif | kVip : 0);
    if (s.cpl <= s.iopl()) may |= kIf;
  }
  s.flags.set_some(may, value);
  update_tables();
}

// SDM vol. 2, SYSENTER and SYSEXIT: flat segments made up on the spot.
void Cpu::sysenter() {
  if (!s.protected_mode() || (s.sysenter_cs & 0xfffc) == 0) return raise(kGP, 0);
  const u16 cs = s.sysenter_cs & 0xfffc;
  s.flags.set_system(kVm | kIf, 0);
  set_cpl(0);
  s.seg[kCs].load(cs, {0x0000ffff, 0x00cf9b00});
  s.seg[kSs].load(static_cast<u16>(cs + 8), {0x0000ffff, 0x00cf9300});
  s.gpr[kEsp] = static_cast<u32>(s.sysenter_esp);
  s.ip = static_cast<u32>(s.sysenter_eip);
}

void Cpu::sysexit() {
  if (!s.protected_mode() || s.cpl != 0 || (s.sysenter_cs & 0xfffc) == 0) return raise(kGP, 0);
  const u16 cs = s.sysenter_cs & 0xfffc;
  s.seg[kCs].load(static_cast<u16>((cs + 16) | 3), {0x0000ffff, 0x00cffb00});
  s.seg[kSs].load(static_cast<u16>((cs + 24) | 3), {0x0000ffff, 0x00cff300});
  s.gpr[kEsp] = s.reg32(kEcx);
  s.ip = s.reg32(kEdx);
  set_cpl(3);
}

}  // namespace xlat
