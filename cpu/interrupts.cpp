// Interrupts and exceptions: delivery in every mode, double and triple faults, instruction boundaries.
// SDM vol. 3, chapter 6, and INT in vol. 2.
#include "cpu/stack.h"

namespace xlat {

namespace {

// SDM vol. 3, table 6-5.
enum class Class : u8 { kBenign, kContributory, kPageFault };
Class class_of(u8 vector) {
  switch (vector) {
    case kDE:
    case kTS:
    case kNP:
    case kSS:
    case kGP: return Class::kContributory;
    case kPF: return Class::kPageFault;
    default: return Class::kBenign;
  }
}

}  // namespace

void Cpu::raise(u8 vector, u32 code) {
  if (faulted_) return;
  faulted_ = true;
  fault_ = {vector, code};
  leave_block();
}

void Cpu::deliver_fault() {
  ASSERT(faulted_);
  if (fault_.vector == kFreeze) {
    faulted_ = false;
    s.halted = true;
    return;
  }
  Fault fault = fault_;
  // What the instruction hit before it faulted will be hit again when it is restarted.
  s.debug_trap = 0;
  if (debug_points_) debug_points_->forget_hit();
  // A processor may hang here: #AC while #AC is delivered to a misaligned stack goes on for ever. Time passes between
  // one try and the next: the instruction faults again.
  for (unsigned tries = 0;; ++tries) {
    faulted_ = task_switched_ = false;
    s.shadow = Shadow::kNone;
    const u64 ip = s.ip;
    interrupt(fault.vector, Event::kException, has_error_code(fault.vector), fault.code);
    if (!faulted_) return;
    if (!task_switched_) s.ip = ip;
    const Class first = class_of(fault.vector), second = class_of(fault_.vector);
    if (fault.vector == kDF) break;
    const bool doubled = (first == Class::kContributory && second == Class::kContributory) ||
                         (first == Class::kPageFault && second != Class::kBenign);
    fault = doubled ? Fault{kDF, 0} : fault_;
    if (tries == 8 && !task_switched_) {
      faulted_ = false;
      return;
    }
  }
  log_.line(LogItem::kInt, "triple fault at {:04x}:{:08x}", s.seg[kCs].selector, s.ip);
  faulted_ = task_switched_ = false;
  s.halted = true;
  pins.shutdown();
  leave_block();
}

void Cpu::interrupt(u8 vector, Event event, bool with_code, u32 code) {
  if (log_.enabled(LogItem::kInt)) {
    log_.line(LogItem::kInt,
              "int {:02x} {} code {:04x} at {:04x}:{:08x} sp {:04x}:{:08x} cpl {} eax {:08x} cr2 {:08x}{}", vector,
              event == Event::kExternal    ? "external"
              : event == Event::kException ? "exception"
                                           : "software",
              code, s.seg[kCs].selector, s.ip, s.seg[kSs].selector, s.reg32(kEsp), s.cpl, s.reg32(kEax), s.cr2,
              log_.symbol(s.seg[kCs].base + static_cast<u32>(s.ip)));
  }
  flow_changed_ = true;
  ext_ = event == Event::kSoftware ? 0 : 1;
  if (s.protected_mode()) {
    interrupt_protected(vector, event, with_code, code);
  } else {
    interrupt_real(vector);
  }
  ext_ = 0;
  if (!faulted_) {
    s.mid_rep = false;
    s.halted = false;
    update_tables();
  }
}

void Cpu::software_interrupt(u8 vector, bool is_int_n) {
  if (is_int_n && s.vm86()) {
    if ((s.cr4 & kCr4Vme) && redirected(vector)) return interrupt_redirected(vector);
    if (faulted_) return;
    if (s.iopl() < 3) return raise(kGP, 0);
  }
  interrupt(vector, Event::kSoftware);
}

// With VME the 32 bytes before the TSS's I/O map say which INT n of virtual-8086 code goes to the 8086 program's own
// handler (bit clear). SDM vol. 3, 20.3.3.
bool Cpu::redirected(u8 vector) {
  const u32 at = io_map() - 32 + vector / 8;
  if (!faulted_ && at > s.tr.limit) raise(kGP, 0);
  return !(load_system(s.tr.base + at, 1) & (1u << (vector & 7))) && !faulted_;
}

// INT n to a handler of the 8086 program, through the interrupt table at linear address 0.
void Cpu::interrupt_redirected(u8 vector) {
  const u32 entry = static_cast<u32>(load_system(4u * vector, 4));
  const bool is_virtual = s.iopl() < 3;
  const u32 eflags = s.flags.get();
  enter_16bit_handler(entry, is_virtual ? CpuState::virtual_image(eflags) : eflags, kTf | (is_virtual ? kVif : kIf));
  if (!faulted_) flow_changed_ = true;
}

void Cpu::interrupt_real(u8 vector) {
  if (4u * vector + 3 > s.idtr.limit) return raise(kGP, 0);
  const u32 entry = static_cast<u32>(load_system(s.idtr.base + 4u * vector, 4));
  enter_16bit_handler(entry, s.flags.get(), kIf | kTf | kAc | kRf);
}

// Goes where `entry` of an 8086 interrupt table says. `flags` are pushed; those of `cleared` are clear in the handler.
void Cpu::enter_16bit_handler(u32 entry, u32 flags, u32 cleared) {
  Stack stack(*this);
  stack.push(flags & 0xffff, 2);
  stack.push_return(2);
  if (faulted_) return;
  s.gpr[kEsp] = stack.esp();
  s.flags.set_system(cleared, 0);
  load_segment(kCs, static_cast<u16>(entry >> 16));
  s.ip = entry & 0xffff;
}

void Cpu::interrupt_protected(u8 vector, Event event, bool with_code, u32 code) {
  const u16 gate_code = static_cast<u16>(vector * 8 + 2);  // error code: IDT bit set
  if (8u * vector + 7 > s.idtr.limit) return raise(kGP, gate_code | ext_);
  Descriptor gate;
  gate.low = static_cast<u32>(load_system(s.idtr.base + 8u * vector, 4));
  gate.high = static_cast<u32>(load_system(s.idtr.base + 8u * vector + 4, 4));
  if (faulted_) return;
  const u8 type = gate.type();
  const bool known = gate.system() && (type == kTaskGate || type == kInterruptGate16 || type == kTrapGate16 ||
                                       type == kInterruptGate32 || type == kTrapGate32);
  if (!known) return raise(kGP, gate_code | ext_);
  if (event == Event::kSoftware && gate.dpl() < s.cpl) return raise(kGP, gate_code);
  if (!gate.present()) return raise(kNP, gate_code | ext_);
  if (type == kTaskGate) {
    return switch_task(gate.gate_selector(), TaskVia::kCall, pushed_rf(vector, event), with_code, code);
  }
  interrupt_gate(vector, gate, event, with_code, code);
}

// Faults push RF set, so that a restarted instruction does not hit its breakpoint again; so does what comes between
// the iterations of a repeated one. SDM vol. 3, 17.3.1.1.
u32 Cpu::pushed_rf(u8 vector, Event event) const {
  return (event == Event::kException && vector != kDB) || s.mid_rep ? u32{kRf} : 0;
}

void Cpu::interrupt_gate(u8 vector, const Descriptor& gate, Event event, bool with_code, u32 code) {
  const bool is32 = gate.type() == kInterruptGate32 || gate.type() == kTrapGate32;
  const bool clears_if = gate.type() == kInterruptGate32 || gate.type() == kInterruptGate16;
  const unsigned bytes = is32 ? 4 : 2;
  const u16 target = gate.gate_selector();
  const u32 offset = gate.gate_offset(is32);
  if ((target & 0xfffc) == 0) return raise(kGP, ext_);
  Descriptor d;
  u32 linear = 0;
  if (!descriptor(target, d, linear)) return raise_selector(kGP, target);
  if (faulted_) return;
  if (!d.code() || d.dpl() > s.cpl) return raise_selector(kGP, target);
  if (!d.present()) return raise_selector(kNP, target);

  const bool from_vm86 = s.vm86();
  const bool inner = !d.conforming() && d.dpl() < s.cpl;
  if (from_vm86 && (!inner || d.dpl() != 0)) return raise_selector(kGP, target);

  const u32 eflags = s.flags.get() | pushed_rf(vector, event);

  const u8 cpl = inner ? static_cast<u8>(d.dpl()) : s.cpl;
  Segment ss = s.seg[kSs];
  u16 ss_selector = 0;
  u32 esp = s.reg32(kEsp), ss_linear = 0;
  if (inner) {
    if (!inner_stack(cpl, ss_selector, esp) || !load_inner_ss(ss_selector, cpl, kTS, ss, ss_linear)) return;
  }
  Stack stack(*this, ss, esp, cpl == 3, ss_selector);
  if (inner) {
    if (from_vm86) {
      for (const SegReg n : {kGs, kFs, kDs, kEs}) stack.push(s.seg[n].selector, bytes);
    }
    stack.push(s.seg[kSs].selector, bytes);
    stack.push(s.reg32(kEsp), bytes);
  }
  stack.push(eflags, bytes);
  stack.push_return(bytes);
  if (with_code) stack.push(code, bytes);
  if (faulted_) return;
  if (offset > d.limit()) return raise(kGP, ext_);
  // VM has to be clear before CS is loaded, and nothing may fault after.
  set_accessed(linear, d);
  if (faulted_) return;
  s.flags.set_system(kTf | kNt | kRf | kVm | (clears_if ? kIf : 0), 0);
  jump_to_code(target, d, linear, offset, cpl);
  if (inner) s.seg[kSs] = ss;
  s.gpr[kEsp] = stack.esp();
  if (from_vm86) {
    for (const SegReg n : {kGs, kFs, kDs, kEs}) s.seg[n].set_null(0);
  }
}

// ---- Instruction boundaries ----

void Cpu::set_irq(unsigned pin, bool level) {
  if (pin == kPinIntr) {
    pending_ = level ? pending_ | kPendingIntr : pending_ & ~u32{kPendingIntr};
  } else if (pin == kPinIgnne) {
    ignne_ = level;
  } else {
    if (level && !nmi_level_) pending_ |= kPendingNmi;
    nmi_level_ = level;
  }
  if (level) leave_block();
}

// Priorities: SDM vol. 3, table 6-2.
Cpu::Boundary Cpu::boundary(u64& events) {
  if (s.debug_trap != 0 && s.shadow != Shadow::kMovSs) {
    s.dr[6] |= s.debug_trap;
    s.debug_trap = 0;
    raise(kDB);
    deliver_fault();
    ++events;
    return Boundary::kStep;
  }
  const u32 pending = hold_interrupts_ ? 0 : pending_;
  if ((pending & kPendingNmi) && !s.nmi_blocked && s.shadow != Shadow::kMovSs) {
    pending_ &= ~u32{kPendingNmi};
    s.nmi_blocked = true;
    s.halted = false;
    interrupt(kNMI, Event::kExternal);
    if (faulted_) deliver_fault();
    ++events;
    return Boundary::kStep;
  }
  if ((pending & kPendingIntr) && (s.flags.image() & kIf) && s.shadow == Shadow::kNone) {
    publish_count();
    const u8 vector = pins.interrupt_acknowledge();
    s.halted = false;
    interrupt(vector, Event::kExternal);
    if (faulted_) deliver_fault();
    ++events;
    return Boundary::kStep;
  }
  if (s.halted) return Boundary::kIdle;
  // Instruction breakpoints are faults before the instruction, unless RF says they were taken (SDM vol. 3, 17.2) or a
  // load of SS holds debug exceptions off (6.8.3).
  if ((s.dr[7] & 0xff) && !(s.flags.image() & kRf) && s.shadow != Shadow::kMovSs) {
    const u32 linear = s.seg[kCs].base + static_cast<u32>(s.ip);
    u32 hits = 0;
    for (unsigned n = 0; n < 4; ++n) {
      const bool enabled = s.dr[7] & (3u << (2 * n));
      if (enabled && ((s.dr[7] >> (16 + 4 * n)) & 3) == 0 && s.dr[n] == linear) hits |= 1u << n;
    }
    if (hits) {
      s.dr[6] |= hits;
      raise(kDB);
      deliver_fault();
      ++events;
    }
  }
  const bool can_run = s.shadow == Shadow::kNone && (s.flags.image() & (kTf | kRf)) == 0 && (s.dr[7] & 0xff) == 0;
  return can_run ? Boundary::kRun : Boundary::kStep;
}

void Cpu::before_step() {
  step_tf_ = s.flags.image() & kTf;
  step_rf_ = s.flags.image() & kRf;
  s.shadow = Shadow::kNone;
  flow_changed_ = switched_task_ = rf_loaded_ = false;
}

// `completed`: the instruction did not fault. With `more_iterations` it is a repeated string instruction that goes on;
// its breakpoint was taken, and RF says so until it ends. SDM vol. 3, 17.3.1.1.
void Cpu::after_step(bool completed, bool more_iterations) {
  if (!completed) return;
  // Interrupt delivery clears TF and with it the trap of the instruction that asked for it (INT n). JMP, CALL and IRET
  // to another task trap before that task's first instruction, as TF was set when they began. SDM vol. 3, 17.3.1.4.
  if (step_tf_ && (!flow_changed_ || switched_task_)) s.debug_trap |= kDr6Bs;
  if (flow_changed_) return;
  if (more_iterations) {
    if (step_tf_ || (s.dr[7] & 0xff)) s.flags.set_system(kRf, kRf);
  } else if (step_rf_ && !rf_loaded_) {
    s.flags.set_system(kRf, 0);
  }
}

}  // namespace xlat
