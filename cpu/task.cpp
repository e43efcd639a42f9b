// The hardware task switch. SDM vol. 3, 7.3; layouts in figures 7-2 (32-bit TSS) and 7-10 (16-bit TSS).
#include "cpu/stack.h"

namespace xlat {

namespace {

struct TaskImage {
  u32 cr3 = 0, ip = 0, eflags = 0;
  u32 gpr[8] = {};
  u16 seg[kSegRegs] = {};
  u16 ldt = 0;
  bool trap = false;
};

struct Layout {
  u32 ip, flags, gpr, seg, ldt;
  unsigned word;      // bytes a register takes
  unsigned seg_step;  // bytes between selectors
  unsigned segs;      // selectors: ES CS SS DS (FS GS)
  u32 min_limit;
};
constexpr Layout kLayout32{0x20, 0x24, 0x28, 0x48, 0x60, 4, 4, 6, 0x67};
constexpr Layout kLayout16{0x0e, 0x10, 0x12, 0x22, 0x2a, 2, 2, 4, 0x2b};

bool is_tss32(u16 attr) { return attr & 8; }

}  // namespace

void Cpu::switch_task(u16 selector, TaskVia via, u32 rf, bool has_code, u32 code) {
  const u8 bad = via == TaskVia::kIret ? kTS : kGP;
  Descriptor d;
  u32 linear = 0;
  if ((selector & 0xfffc) == 0 || (selector & 4) || !descriptor(selector, d, linear))
    return raise_selector(bad, selector);
  if (faulted_) return;
  const bool known = d.system() && (d.type() & 5) == 1;  // 1, 3, 9, 11
  const bool busy = d.type() & 2;
  if (!known || busy != (via == TaskVia::kIret)) return raise_selector(bad, selector);
  if (!d.present()) return raise_selector(kNP, selector);
  const Layout& in = is_tss32(d.type()) ? kLayout32 : kLayout16;
  if (d.limit() < in.min_limit) return raise_selector(kTS, selector);
  const Layout& out = is_tss32(s.tr.attr) ? kLayout32 : kLayout16;
  const u32 old_base = s.tr.base, new_base = d.base();

  // Everything that can page-fault is touched before anything changes.
  TaskImage task;
  if (&in == &kLayout32) task.cr3 = static_cast<u32>(load_system(new_base + 0x1c, 4));
  task.ip = static_cast<u32>(load_system(new_base + in.ip, in.word));
  task.eflags = static_cast<u32>(load_system(new_base + in.flags, in.word));
  for (unsigned n = 0; n < 8; ++n) {
    task.gpr[n] = static_cast<u32>(load_system(new_base + in.gpr + n * in.word, in.word));
    if (in.word == 2) task.gpr[n] |= 0xffff0000;
  }
  for (unsigned n = 0; n < in.segs; ++n) {
    task.seg[n] = static_cast<u16>(load_system(new_base + in.seg + n * in.seg_step, 2));
  }
  task.ldt = static_cast<u16>(load_system(new_base + in.ldt, 2));
  if (&in == &kLayout32) task.trap = load_system(new_base + 0x64, 2) & 1;
  probe_store(old_base + out.ip, 4, false);
  probe_store(old_base + out.seg + out.segs * out.seg_step - 2, 2, false);
  if (via == TaskVia::kCall) probe_store(new_base, 2, false);
  if (faulted_) return;

  // Leave the old task.
  if (via != TaskVia::kCall) {
    Descriptor old;
    u32 old_linear = 0;
    if (descriptor(s.tr.selector, old, old_linear)) store_system(old_linear + 4, 4, old.high & ~(2u << 8));
  }
  u32 eflags = s.flags.get() | rf;
  if (via == TaskVia::kIret) eflags &= ~u32{kNt};
  store_system(old_base + out.ip, out.word, s.ip);
  store_system(old_base + out.flags, out.word, eflags);
  for (unsigned n = 0; n < 8; ++n) store_system(old_base + out.gpr + n * out.word, out.word, s.reg32(n));
  for (unsigned n = 0; n < out.segs; ++n) {
    store_system(old_base + out.seg + n * out.seg_step, 2, s.seg[n].selector);
  }
  if (via == TaskVia::kCall) {
    store_system(new_base, 2, s.tr.selector);
    task.eflags |= kNt;
  }
  if (via != TaskVia::kIret) store_system(linear + 4, 4, d.high | 2u << 8);

  // The commit point: from here on faults belong to the new task.
  if (faulted_) return;
  task_switched_ = true;
  s.tr.load(selector, d);
  s.tr.attr |= 2;
  s.cr0 |= kCr0Ts;
  if (&in == &kLayout32 && (s.cr0 & kCr0Pg)) {
    const u32 cr3 = s.cr3;
    s.cr3 = task.cr3;
    if (s.cr4 & kCr4Pae) load_pdptes(task.cr3);
    if (cr3 != task.cr3) switch_address_space();
  }
  s.ip = task.ip;
  for (unsigned n = 0; n < 8; ++n) s.gpr[n] = task.gpr[n];
  constexpr u32 kLoadable = kArithFlags | kTf | kIf | kDf | kIopl | kNt | kRf | kVm | kAc | kVif | kVip | kId;
  s.flags.set((task.eflags & kLoadable) | kFlagsFixed1);
  s.dr[7] &= ~0x155u;  // local breakpoints
  switched_task_ = !flow_changed_;
  flow_changed_ = true;

  // Selectors first, all unusable; then the descriptors one by one.
  for (unsigned n = 0; n < kSegRegs; ++n) s.seg[n].set_null(task.seg[n]);
  s.ldtr.set_null(task.ldt);
  set_cpl(s.vm86() ? 3 : task.seg[kCs] & 3);
  if (task.ldt & 0xfffc) {
    Descriptor ldt;
    u32 at = 0;
    if ((task.ldt & 4) || !descriptor(task.ldt, ldt, at) || !ldt.system() || ldt.type() != kLdtType || !ldt.present()) {
      raise_selector(kTS, task.ldt);
    } else {
      s.ldtr.load(task.ldt, ldt);
    }
  }
  if (s.vm86()) {
    for (unsigned n = 0; n < kSegRegs; ++n) s.seg[n].load_v86(task.seg[n]);
  } else if (!faulted_) {
    const unsigned cpl = s.cpl;
    Segment ss;
    u32 at = 0;
    if (load_inner_ss(task.seg[kSs], cpl, kTS, ss, at)) s.seg[kSs] = ss;
    Descriptor cs;
    if (faulted_) {
    } else if ((task.seg[kCs] & 0xfffc) == 0 || !descriptor(task.seg[kCs], cs, at)) {
      raise_selector(kTS, task.seg[kCs]);
    } else if (!faulted_) {
      if (!cs.code() || (cs.conforming() ? cs.dpl() > cpl : cs.dpl() != cpl)) {
        raise_selector(kTS, task.seg[kCs]);
      } else if (!cs.present()) {
        raise_selector(kNP, task.seg[kCs]);
      } else {
        set_accessed(at, cs);
        s.seg[kCs].load(task.seg[kCs], cs);
      }
    }
    for (const SegReg n : {kEs, kDs, kFs, kGs}) {
      if (faulted_ || (task.seg[n] & 0xfffc) == 0) continue;
      const u16 sel = task.seg[n];
      Descriptor data;
      if (!descriptor(sel, data, at)) {
        raise_selector(kTS, sel);
      } else if (!faulted_) {
        const unsigned rpl = sel & 3;
        if (!data.readable() || (!data.conforming() && (rpl > data.dpl() || cpl > data.dpl()))) {
          raise_selector(kTS, sel);
        } else if (!data.present()) {
          raise_selector(kNP, sel);
        } else {
          set_accessed(at, data);
          s.seg[n].load(sel, data);
        }
      }
    }
  }
  update_tables();
  if (has_code && !faulted_) {
    Stack stack(*this);
    stack.push(code, in.word);
    if (!faulted_) s.gpr[kEsp] = stack.esp();
  }
  if (task.trap) s.debug_trap |= kDr6Bt;
  if (!faulted_ && s.ip > s.seg[kCs].limit) raise(kGP, 0);
  if (!faulted_) task_switched_ = false;
}

}  // namespace xlat
