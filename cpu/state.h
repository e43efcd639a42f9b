// The architectural state of a processor: what a snapshot holds and what two engines must agree on.
#pragma once

#include <array>

#include "cpu/flags.h"
#include "cpu/insn.h"
#include "cpu/segment.h"
#include "cpu/x87/state.h"

namespace xlat {

// What the next instruction boundary must not do. SDM vol. 3, 6.8.3.
enum class Shadow : u8 { kNone, kSti /* no INTR */, kMovSs /* no INTR, NMI or debug trap */ };

struct CpuState {
  u64 gpr[17] = {};  // encoding order; [kZeroReg] is always 0. 64 bits wide, so that long mode needs no other state
  u64 ip = 0;
  LazyFlags flags;
  Segment seg[kSegRegs];
  Segment ldtr, tr;
  TableRegister gdtr, idtr;
  u32 cr0 = 0, cr2 = 0, cr3 = 0, cr4 = 0;
  u32 dr[8] = {};
  u64 efer = 0;
  std::array<u64, 4> pdpte{};
  u8 cpl = 0;
  bool halted = false;
  bool nmi_blocked = false;
  Shadow shadow = Shadow::kNone;
  bool mid_rep = false;  // a repeated string instruction made some of its iterations and goes on
  u32 debug_trap = 0;    // DR6 bits of a trap to be taken at the next boundary

  u64 sysenter_cs = 0, sysenter_esp = 0, sysenter_eip = 0;
  u64 tsc_offset = 0;
  u64 pat = 0x0007040600070406;
  u64 mtrr_def_type = 0;
  std::array<u64, 11> mtrr_fixed{};
  std::array<u64, 16> mtrr_variable{};
  FpuState fpu;

  bool operator==(const CpuState&) const = default;

  u32 reg32(unsigned n) const { return static_cast<u32>(gpr[n]); }
  CodeMode mode() const {
    const bool vm = flags.image() & kVm;
    const bool pe = cr0 & kCr0Pe;
    return {seg[kCs].big(), seg[kSs].big(), pe, vm && pe};
  }
  bool protected_mode() const { return cr0 & kCr0Pe; }
  bool vm86() const { return flags.image() & kVm; }
  // Segment registers are loaded by multiplication: real-address or virtual-8086 mode.
  bool real_or_vm86() const { return !protected_mode() || vm86(); }
  // CLI, STI, PUSHF, POPF, IRET and INT n of virtual-8086 code work on VIF (SDM vol. 3, 20.3.3.4).
  bool vme() const { return vm86() && iopl() < 3 && (cr4 & kCr4Vme); }
  // CLI and STI of protected-mode code at CPL 3 work on VIF (SDM vol. 3, 20.4).
  bool pvi() const { return !vm86() && cpl == 3 && iopl() < 3 && (cr4 & kCr4Pvi); }
  // What PUSHF and a redirected INT n show then: IF is VIF, IOPL is 3.
  static constexpr u32 virtual_image(u32 eflags) {
    return (eflags & ~u32{kIf}) | ((eflags & kVif) ? u32{kIf} : 0) | kIopl;
  }
  unsigned iopl() const { return (flags.image() & kIopl) >> 12; }

  // Values after RESET; `signature` is what EDX then holds. SDM vol. 3, table 9-1.
  void reset(u32 signature);
  void serialize(Archive& ar);
};

}  // namespace xlat
