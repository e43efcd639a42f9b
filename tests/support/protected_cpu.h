// A processor in protected mode with descriptor tables, an inner stack and handlers that halt, for tests of privilege,
// gates, tasks and exceptions.
#pragma once

#include <optional>

#include "bare_cpu.h"

namespace xlat::test {

// Access bytes. SDM vol. 3, 3.5; DPL goes to bits 5 and 6.
inline constexpr u8 kRwData = 0x93, kRoData = 0x91, kDownData = 0x97, kCodeRead = 0x9b, kCodeOnly = 0x99,
                    kConforming = 0x9f, kDpl3 = 0x60;

class ProtectedCpu : public BareCpu {
 public:
  static constexpr u32 kGdt = 0x3000, kIdt = 0x4000, kHandlers = 0x5000, kTss = 0x6000, kCode = 0x8000,
                       kStack0 = 0xa000, kStack3 = 0xc000, kData = 0x10000;
  enum Selector : u16 {
    kCode0 = 0x08,
    kData0 = 0x10,
    kCode3 = 0x1b,
    kData3 = 0x23,
    kTssSel = 0x28,
    kCode16 = 0x30,
    kData16 = 0x38,
    kFree = 0x40,  // up to 0xf8 for the test
  };

  explicit ProtectedCpu(const char* model = "max") : BareCpu(4 << 20, model) {
    flat32(kCode, kStack0);
    segment(kCode0, 0, 0xfffff, kCodeRead, 0xc);
    segment(kData0, 0, 0xfffff, kRwData, 0xc);
    segment(kCode3, 0, 0xfffff, kCodeRead | kDpl3, 0xc);
    segment(kData3, 0, 0xfffff, kRwData | kDpl3, 0xc);
    segment(kTssSel, kTss, 0x67, 0x8b, 0);
    segment(kCode16, 0, 0xffff, kCodeRead, 0);
    segment(kData16, 0, 0xffff, kRwData, 0);
    for (u32 v = 0; v < 256; ++v) {
      idt(static_cast<u8>(v), kCode0, kHandlers + 2 * v, 0x8e);
      put(kHandlers + 2 * v, {0xf4});
    }
    put32(kTss + 4, kStack0);
    put32(kTss + 8, kData0);
    put32(kTss + 0x64, 0x680000);  // no I/O permission bitmap
    cpu.s.gdtr = {kGdt, 0xff};
    cpu.s.idtr = {kIdt, 0x7ff};
    load(cpu.s.tr, kTssSel);
  }

  Descriptor descriptor(u16 selector) { return {get32(kGdt + (selector & ~7u)), get32(kGdt + (selector & ~7u) + 4)}; }
  // `flags`: G D L AVL as a nibble.
  void segment(u16 selector, u32 base, u32 limit, u8 access, u8 flags) {
    put32(kGdt + (selector & ~7u), (base << 16) | (limit & 0xffff));
    put32(kGdt + (selector & ~7u) + 4,
          (base & 0xff000000) | u32{flags} << 20 | (limit & 0xf0000) | u32{access} << 8 | ((base >> 16) & 0xff));
  }
  void gate(u32 at, u16 selector, u32 offset, u8 access, unsigned params = 0) {
    put32(at, u32{selector} << 16 | (offset & 0xffff));
    put32(at + 4, (offset & 0xffff0000) | u32{access} << 8 | params);
  }
  void call_gate(u16 at, u16 selector, u32 offset, u8 access, unsigned params = 0) {
    gate(kGdt + (at & ~7u), selector, offset, access, params);
  }
  void idt(u8 vector, u16 selector, u32 offset, u8 access) { gate(kIdt + 8u * vector, selector, offset, access); }
  void load(Segment& s, u16 selector) { s.load(selector, descriptor(selector)); }

  // Privilege 3, flat.
  void user(u32 ip = kCode, u32 esp = kStack3) {
    load(cpu.s.seg[kCs], kCode3);
    for (const SegReg n : {kEs, kSs, kDs, kFs, kGs}) load(cpu.s.seg[n], kData3);
    cpu.s.ip = ip;
    cpu.s.gpr[kEsp] = esp;
    cpu.set_cpl(3);
  }
  // Virtual-8086 mode with every segment at `seg`.
  void v86(u16 seg, u16 ip, u16 sp, unsigned iopl) {
    for (Segment& s : cpu.s.seg) s.load_v86(seg);
    cpu.s.flags.set(kFlagsFixed1 | kVm | iopl << 12);
    cpu.s.ip = ip;
    cpu.s.gpr[kEsp] = sp;
    cpu.set_cpl(3);
  }
  // 16-bit protected mode, privilege 0.
  void code16(u32 ip = kCode, u32 esp = 0xa000) {
    load(cpu.s.seg[kCs], kCode16);
    for (const SegReg n : {kEs, kSs, kDs, kFs, kGs}) load(cpu.s.seg[n], kData16);
    cpu.s.ip = ip;
    cpu.s.gpr[kEsp] = esp;
  }
  // Identity paging with two-level tables at 0x100000; `rights` for every page.
  void paging(u32 rights = 7) {
    for (u32 n = 0; n < 1024; ++n) put32(0x101000 + 4 * n, n << 12 | rights);
    put32(0x100000, 0x101000 | 7);
    cpu.s.cr3 = 0x100000;
    cpu.write_cr0(cpu.s.cr0 | kCr0Pg | kCr0Wp);
  }
  void page(u32 linear, u32 entry) {
    put32(0x101000 + 4 * (linear >> 12), entry);
    cpu.flush_tlb();
  }

  // Runs until a handler halts and says which; nothing if no handler was reached.
  std::optional<unsigned> vector() {
    run(1000);
    const u64 at = cpu.s.ip - 1 - kHandlers;
    if (!cpu.s.halted || at >= 512 || (at & 1)) return std::nullopt;
    return static_cast<unsigned>(at / 2);
  }
  // Word `n` on the stack, 32-bit.
  u32 pushed(u32 n) { return get32(cpu.s.seg[kSs].base + cpu.s.reg32(kEsp) + 4 * n); }
};

}  // namespace xlat::test
