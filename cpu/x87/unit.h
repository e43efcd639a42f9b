// What the x87 helpers share: the status word's bits, availability, the stack.
#pragma once

#include "cpu/cpu.h"
#include "cpu/x87/softfloat80.h"

namespace xlat::x87 {

// Status word, beside the exceptions. SDM vol. 1, 8.1.3.
inline constexpr u16 kSwEs = 1 << 7, kSwC0 = 1 << 8, kSwC1 = 1 << 9, kSwC2 = 1 << 10, kSwC3 = 1 << 14,
                     kSwBusy = 1 << 15, kExceptions = 0x3f;

// Control word: bit 6 reads as one, 7 and 13-15 as zero. SDM vol. 1, 8.1.5.
inline constexpr u16 kControlBits = 0x1f3f, kControlFixed1 = 0x0040;

// Two bits a register in the tag word; only empty or not is kept, the rest is worked out when it is asked for.
inline constexpr unsigned kTagValid = 0, kTagZero = 1, kTagSpecial = 2, kTagEmpty = 3;
inline bool is_empty(const FpuState& f, unsigned physical) { return ((f.tag >> (2 * physical)) & 3) == kTagEmpty; }
inline void set_empty(FpuState& f, unsigned physical, bool empty) {
  const unsigned field = 3u << (2 * physical);
  f.tag = static_cast<u16>(empty ? f.tag | field : f.tag & ~field);
}

// ES and B follow the unmasked exceptions; FERR# follows ES while CR0.NE is clear.
void update_summary(Cpu& c);
void set_control(Cpu& c, u16 value);
void reset(Cpu& c);

// Remembers the instruction for FSTENV: FIP, FCS, FOP, and with a memory operand at `offset` FDP and FDS.
inline void note(Cpu& c, const Insn& i) {
  FpuState& f = c.s.fpu;
  f.ip = static_cast<u32>(c.s.ip) - i.len;
  f.cs = c.s.seg[kCs].selector;
  f.opcode = static_cast<u16>((i.opcode & 7) << 8 | i.modrm);
}
inline void note(Cpu& c, const Insn& i, u64 offset) {
  note(c, i);
  c.s.fpu.dp = static_cast<u32>(offset);
  c.s.fpu.ds = c.s.seg[i.seg].selector;
}

}  // namespace xlat::x87
