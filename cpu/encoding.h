// The encoding table as data: what cpu/opcodes.inc says, in a form the decoder and the tests can walk.
#pragma once

#include <span>
#include <string_view>

#include "base/types.h"
#include "cpu/insn.h"

namespace xlat {

// Operand codes, SDM vol. 2, A.2. Ib2 is a second immediate byte; Ibs a sign-extended one; Zb/Zv the register in the
// low three bits of the opcode; Mr/Mi a real number or an integer in memory.
enum class OpCode : u8 {
  _,
  Eb,
  Ew,
  Ed,
  Ev,
  Eq,
  Gb,
  Gw,
  Gd,
  Gv,
  Ib,
  Ib2,
  Ibs,
  Iw,
  Iz,
  Iv,
  Jb,
  Jz,
  Ap,
  M,
  Mr,
  Mi,
  Ob,
  Ov,
  Sw,
  Cd,
  Dd,
  Rd,
  Zb,
  Zv,
  AL,
  rAX,
  CL,
  DX,
  One,
  SegES,
  SegCS,
  SegSS,
  SegDS,
  SegFS,
  SegGS,
  Pq,
  Pd,
  Qq,
  Qd,
  ST0,
  STi,
};

enum class WidthClass : u8 { b, w, d, q, v, x };

// Conditions beside the opcode byte.
namespace match {
inline constexpr u32 Any = 0;
inline constexpr u32 Mem = 1 << 8;        // ModRM names memory
inline constexpr u32 Reg = 1 << 9;        // ModRM names a register
inline constexpr u32 NoPrefix = 1 << 10;  // none of 66, F2, F3
inline constexpr u32 OpReg = 1 << 11;     // stands for eight opcodes, the low three bits name a register
inline constexpr u32 OpCc = 1 << 12;      // stands for sixteen opcodes, the low four bits are a condition
inline constexpr u32 kHasExt = 1 << 13;
inline constexpr u32 kHasRm = 1 << 14;
constexpr u32 Ext(u32 n) { return kHasExt | n; }      // ModRM.reg is n
constexpr u32 Rm(u32 byte) { return kHasRm | byte; }  // ModRM is this byte
}  // namespace match

namespace attr {
inline constexpr u32 Lock = 1 << 0;
inline constexpr u32 Branch = 1 << 1;
inline constexpr u32 End = 1 << 2;
inline constexpr u32 Str = 1 << 3;
inline constexpr u32 StrZ = 1 << 4 | Str;
inline constexpr u32 Seg = 1 << 5;
inline constexpr u32 FI486 = 1 << 8;
inline constexpr u32 FInvlpg = FI486;
inline constexpr u32 FCpuid = 1 << 9;
inline constexpr u32 FTsc = 1 << 10;
inline constexpr u32 FMsr = 1 << 11;
inline constexpr u32 FCx8 = 1 << 12;
inline constexpr u32 FP6 = 1 << 13;
inline constexpr u32 FSep = 1 << 14;
inline constexpr u32 FCmov = 1 << 15;
inline constexpr u32 FMmx = 1 << 16;
inline constexpr u32 FFxsr = 1 << 17;
inline constexpr u32 FFpu = 1 << 18;
inline constexpr u32 kFeatures = 0xffffff00;
}  // namespace attr

// The names in the order of the table; the pseudo-encodings follow the last real one.
inline constexpr std::string_view kEncodingNames[] = {
#define OP(group, map, opcode, match, name, width, o1, o2, o3, attributes) #name,
#include "cpu/opcodes.inc"
#undef OP
    "invalid",   // #UD
    "too_long",  // #GP(0): more than 15 bytes
};

// The number of a name is that of the first line that has it. One that no line has does not compile.
consteval Sem operator""_sem(const char* name, std::size_t size) {
  u16 n = 0;
  while (kEncodingNames[n] != std::string_view(name, size)) ++n;
  return Sem{n};
}

struct Encoding {
  const char* name;
  Sem sem;
  u8 map;
  u8 opcode;
  u32 match;
  WidthClass width;
  OpCode operands[3];
  u32 attributes;
};

// In the order of cpu/opcodes.inc; Insn::encoding indexes it.
std::span<const Encoding> encodings();

// Index of the pseudo-encodings that decoding failures turn into.
inline constexpr u16 kEncodingTooLong = std::size(kEncodingNames) - 1;
inline constexpr u16 kEncodingInvalid = kEncodingTooLong - 1;

}  // namespace xlat
