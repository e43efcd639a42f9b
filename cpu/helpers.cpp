// The helpers: privilege checks and the work itself. SDM vol. 2 under each instruction.
#include "cpu/helpers.h"

#include "cpu/cpu.h"
#include "cpu/encoding.h"

namespace xlat::helper {

namespace {

// #GP(0) unless at privilege level 0 (real mode is).
bool cpl0(Cpu& c) {
  if (c.s.protected_mode() && c.s.cpl != 0) c.raise(kGP, 0);
  return !c.faulted();
}

bool real_or_vm86_is_ud(Cpu& c) {
  if (c.s.real_or_vm86()) c.raise(kUD);
  return !c.faulted();
}

void set_edx_eax(Cpu& c, u64 value) {
  c.s.gpr[kEax] = static_cast<u32>(value);
  c.s.gpr[kEdx] = static_cast<u32>(value >> 32);
}

// Looks a descriptor up for VERR, VERW, LAR, LSL: false, without a fault, where it may not be seen.
bool visible(Cpu& c, u16 selector, Descriptor& d) {
  u32 linear = 0;
  if ((selector & 0xfffc) == 0 || !c.descriptor(selector, d, linear) || c.faulted()) return false;
  return c.descriptor_visible(selector, d);
}

void store_table(Cpu& c, const Insn& i, u32 offset, const TableRegister& table) {
  const u32 linear = c.linear_for_write(i.seg, offset, 6);
  c.probe_store(linear, 2, c.user());
  c.probe_store(linear + 2, 4, c.user());
  c.store_slow(linear, 2, table.limit, c.user());
  c.store_slow(linear + 2, 4, table.base, c.user());
}

void load_table(Cpu& c, const Insn& i, u32 offset, TableRegister& table) {
  if (!cpl0(c)) return;
  const u32 linear = c.linear_for_read(i.seg, offset, 6);
  const u64 limit = c.load_slow(linear, 2, c.user());
  const u64 base = c.load_slow(linear + 2, 4, c.user());
  if (c.faulted()) return;
  table.limit = static_cast<u16>(limit);
  table.base = static_cast<u32>(i.osize == 2 ? base & 0xffffff : base);
}

}  // namespace

u64 load_segment(Cpu& c, const Insn& i, u64 a, u64) {
  const auto n = static_cast<SegReg>(i.op[0].reg);
  c.load_segment(n, static_cast<u16>(a));
  if (n == kSs && i.sem != "load_far"_sem && !c.faulted()) c.s.shadow = Shadow::kMovSs;
  return 0;
}

u64 far_jump(Cpu& c, const Insn& i, u64 a, u64 b) {
  c.far_jump(static_cast<u16>(b), static_cast<u32>(a), i.osize);
  return 0;
}
u64 far_call(Cpu& c, const Insn& i, u64 a, u64 b) {
  c.far_call(static_cast<u16>(b), static_cast<u32>(a), i.osize);
  return 0;
}
u64 far_return(Cpu& c, const Insn& i, u64, u64) {
  c.far_return(i.osize, static_cast<u16>(i.imm));
  return 0;
}
u64 interrupt_return(Cpu& c, const Insn& i, u64, u64) {
  c.interrupt_return(i.osize);
  return 0;
}
u64 sysenter(Cpu& c, const Insn&, u64, u64) {
  c.sysenter();
  return 0;
}
u64 sysexit(Cpu& c, const Insn&, u64, u64) {
  c.sysexit();
  return 0;
}
u64 software_interrupt(Cpu& c, const Insn&, u64 a, u64 b) {
  c.software_interrupt(static_cast<u8>(a), b != 0);
  return 0;
}
u64 icebp(Cpu& c, const Insn&, u64, u64) {
  c.interrupt(kDB, Cpu::Event::kIcebp);
  return 0;
}

u64 eflags(Cpu& c, const Insn&, u64, u64) { return c.s.flags.get(); }

// PUSHF and POPF of virtual-8086 code trap to the monitor, unless VME gives it a virtual IF: the 16-bit forms only.
u64 check_flags_access(Cpu& c, const Insn& i, u64, u64) {
  if (c.s.vm86() && c.s.iopl() < 3 && !(c.s.vme() && i.osize == 2)) c.raise(kGP, 0);
  return 0;
}

// VM and RF are clear in the image pushed; under VME it shows VIF as IF, and IOPL 3.
u64 pushed_eflags(Cpu& c, const Insn& i, u64, u64) {
  check_flags_access(c, i, 0, 0);
  const u32 image = c.s.flags.get() & ~(u32{kVm} | kRf);
  return c.s.vme() ? CpuState::virtual_image(image) : image;
}
u64 popf(Cpu& c, const Insn& i, u64 a, u64) {
  if (!c.check_flags(static_cast<u32>(a))) return 0;
  c.write_flags(static_cast<u32>(a), i.osize);
  if (i.osize == 4) c.s.flags.set_system(kRf, 0);
  c.leave_block_if_attention();
  return 0;
}

u64 check_io(Cpu& c, const Insn& i, u64 a, u64) {
  c.check_io(static_cast<u16>(a), i.width);
  return 0;
}
u64 in(Cpu& c, const Insn& i, u64 a, u64) { return c.in(static_cast<u16>(a), i.width); }
u64 out(Cpu& c, const Insn& i, u64 a, u64 b) {
  c.out(static_cast<u16>(a), i.width, static_cast<u32>(b));
  return 0;
}

u64 need_protected_mode(Cpu& c, const Insn&, u64, u64) {
  real_or_vm86_is_ud(c);
  return 0;
}
u64 need_cpl0(Cpu& c, const Insn&, u64, u64) {
  cpl0(c);
  return 0;
}

u64 sldt(Cpu& c, const Insn&, u64, u64) {
  real_or_vm86_is_ud(c);
  return c.s.ldtr.selector;
}
u64 str(Cpu& c, const Insn&, u64, u64) {
  real_or_vm86_is_ud(c);
  return c.s.tr.selector;
}
u64 smsw(Cpu& c, const Insn&, u64, u64) { return c.s.cr0; }
u64 lldt(Cpu& c, const Insn&, u64 a, u64) {
  if (!c.faulted() && cpl0(c)) c.load_ldt(static_cast<u16>(a));
  return 0;
}
u64 ltr(Cpu& c, const Insn&, u64 a, u64) {
  if (!c.faulted() && cpl0(c)) c.load_tr(static_cast<u16>(a));
  return 0;
}
// PE can be set but not cleared.
u64 lmsw(Cpu& c, const Insn&, u64 a, u64) {
  if (!cpl0(c)) return 0;
  const u32 loadable = kCr0Pe | kCr0Mp | kCr0Em | kCr0Ts;
  c.write_cr0((c.s.cr0 & ~(loadable & ~u32{kCr0Pe})) | (static_cast<u32>(a) & loadable));
  return 0;
}

u64 verify(Cpu& c, const Insn&, u64 a, u64 b) {
  Descriptor d;
  const bool seen = !c.faulted() && visible(c, static_cast<u16>(a), d);
  if (c.faulted()) return 0;
  c.s.flags.set_some(kZf, seen && (b ? d.writable_data() : d.readable()) ? kZf : 0);
  return 0;
}
u64 lar(Cpu& c, const Insn& i, u64 a, u64) {
  Descriptor d;
  if (c.faulted() || !visible(c, static_cast<u16>(a), d)) return 0;
  if (d.system()) {
    switch (d.type()) {
      case kTss16:
      case kLdtType:
      case kTss16Busy:
      case kCallGate16:
      case kTaskGate:
      case kTss32:
      case kTss32Busy:
      case kCallGate32: break;
      default: return 0;
    }
  }
  return u64{1} << 32 | (d.high & (i.osize == 2 ? 0xff00 : 0x00f0ff00));
}
u64 lsl(Cpu& c, const Insn&, u64 a, u64) {
  Descriptor d;
  if (c.faulted() || !visible(c, static_cast<u16>(a), d)) return 0;
  if (d.system()) {
    switch (d.type()) {
      case kTss16:
      case kLdtType:
      case kTss16Busy:
      case kTss32:
      case kTss32Busy: break;
      default: return 0;
    }
  }
  return u64{1} << 32 | d.limit();
}

u64 sgdt(Cpu& c, const Insn& i, u64 a, u64) {
  store_table(c, i, static_cast<u32>(a), c.s.gdtr);
  return 0;
}
u64 sidt(Cpu& c, const Insn& i, u64 a, u64) {
  store_table(c, i, static_cast<u32>(a), c.s.idtr);
  return 0;
}
u64 lgdt(Cpu& c, const Insn& i, u64 a, u64) {
  load_table(c, i, static_cast<u32>(a), c.s.gdtr);
  return 0;
}
u64 lidt(Cpu& c, const Insn& i, u64 a, u64) {
  load_table(c, i, static_cast<u32>(a), c.s.idtr);
  return 0;
}
u64 invlpg(Cpu& c, const Insn& i, u64 a, u64) {
  if (cpl0(c)) c.invalidate_page(c.s.seg[i.seg].base + static_cast<u32>(a));
  return 0;
}

u64 read_cr(Cpu& c, const Insn& i, u64, u64) {
  if (!cpl0(c)) return 0;
  switch (i.op[1].reg) {
    case 0: return c.s.cr0;
    case 2: return c.s.cr2;
    case 3: return c.s.cr3;
    default: return c.s.cr4;
  }
}
u64 write_cr(Cpu& c, const Insn& i, u64 a, u64) {
  if (!cpl0(c)) return 0;
  const u32 value = static_cast<u32>(a);
  switch (i.op[0].reg) {
    case 0: c.write_cr0(value); break;
    case 2: c.s.cr2 = value; break;
    case 3: c.write_cr3(value); break;
    default: c.write_cr4(value); break;
  }
  return 0;
}
u64 read_dr(Cpu& c, const Insn& i, u64, u64) { return cpl0(c) ? c.read_dr(i.op[1].reg) : 0; }
u64 write_dr(Cpu& c, const Insn& i, u64 a, u64) {
  if (cpl0(c)) c.write_dr(i.op[0].reg, static_cast<u32>(a));
  return 0;
}

u64 clts(Cpu& c, const Insn&, u64, u64) {
  if (cpl0(c)) c.s.cr0 &= ~u32{kCr0Ts};
  return 0;
}
u64 hlt(Cpu& c, const Insn&, u64, u64) {
  if (cpl0(c)) c.s.halted = true;
  return 0;
}
u64 cli(Cpu& c, const Insn&, u64, u64) {
  if (c.s.protected_mode() && c.s.cpl > c.s.iopl()) {
    if (!c.s.vme() && !c.s.pvi()) {
      c.raise(kGP, 0);
    } else {
      c.s.flags.set_system(kVif, 0);
    }
  } else {
    c.s.flags.set_system(kIf, 0);
  }
  return 0;
}
// Interrupts come on after the next instruction.
u64 sti(Cpu& c, const Insn&, u64, u64) {
  if (c.s.protected_mode() && c.s.cpl > c.s.iopl()) {
    if ((!c.s.vme() && !c.s.pvi()) || (c.s.flags.image() & kVip)) {
      c.raise(kGP, 0);
    } else {
      c.s.flags.set_system(kVif, kVif);
    }
  } else if (!(c.s.flags.image() & kIf)) {
    c.s.flags.set_system(kIf, kIf);
    c.s.shadow = Shadow::kSti;
    c.leave_block();
  }
  return 0;
}

u64 cpuid(Cpu& c, const Insn&, u64, u64) {
  const CpuModel::Leaf leaf = c.model().leaf(c.s.reg32(kEax));
  c.s.gpr[kEax] = leaf.eax;
  c.s.gpr[kEbx] = leaf.ebx;
  c.s.gpr[kEcx] = leaf.ecx;
  c.s.gpr[kEdx] = leaf.edx;
  return 0;
}
u64 rdtsc(Cpu& c, const Insn&, u64, u64) {
  if (c.may_read_tsc()) return c.tsc();
  c.raise(kGP, 0);
  return 0;
}
// Two counters, which count nothing.
u64 rdpmc(Cpu& c, const Insn&, u64, u64) {
  if ((c.s.protected_mode() && !(c.s.cr4 & kCr4Pce) && c.s.cpl != 0) || c.s.reg32(kEcx) > 1) {
    c.raise(kGP, 0);
  } else {
    set_edx_eax(c, 0);
  }
  return 0;
}
u64 rdmsr(Cpu& c, const Insn&, u64, u64) {
  if (!cpl0(c)) return 0;
  const u64 value = c.read_msr(c.s.reg32(kEcx));
  if (!c.faulted()) set_edx_eax(c, value);
  return 0;
}
u64 wrmsr(Cpu& c, const Insn&, u64, u64) {
  if (cpl0(c)) c.write_msr(c.s.reg32(kEcx), u64{c.s.reg32(kEdx)} << 32 | c.s.reg32(kEax));
  return 0;
}

}  // namespace xlat::helper
