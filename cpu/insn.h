// A decoded instruction: what both engines work from.
#pragma once

#include "base/types.h"
#include "cpu/registers.h"

namespace xlat {

// Operand width in bits, as a constant that C++ overloads and templates can see: Width<8> .. Width<64>.
template <unsigned N>
struct Width {
  static constexpr unsigned bits = N;
  static constexpr unsigned bytes = N / 8;
  constexpr operator unsigned() const { return N; }
};

// What decides how bytes decode and how a block behaves; part of every block's key.
struct CodeMode {
  bool cs32 = false;  // CS.D
  bool ss32 = false;  // SS.B: the stack pointer is ESP
  bool pe = false;    // CR0.PE
  bool vm86 = false;  // EFLAGS.VM

  constexpr u8 key() const { return static_cast<u8>(cs32 | ss32 << 1 | pe << 2 | vm86 << 3); }
  static constexpr CodeMode from_key(u8 k) { return {(k & 1) != 0, (k & 2) != 0, (k & 4) != 0, (k & 8) != 0}; }
  bool operator==(const CodeMode&) const = default;
};

// What an instruction does, whichever encoding says it: its name in cpu/opcodes.inc as a number, "ret"_sem in C++
// (cpu/encoding.h).
enum class Sem : u16 {};

struct Operand {
  enum Kind : u8 {
    kNone,
    kReg,  // general register `reg`; for 8-bit widths 4..7 are AH CH DH BH
    kMem,  // at the instruction's effective address; of x87 numbers `reg` is 1 for an integer, 0 for a real
    kImm,  // Insn::imm
    kSeg,  // segment register `reg`
    kCr,
    kDr,
    kMm,   // MMX register
    kSt,   // x87 register ST(reg)
    kOne,  // the constant 1 (D0, D1)
    kRel,  // branch displacement in Insn::imm, sign-extended
    kFar,  // far pointer in Insn::imm (offset) and Insn::imm2 (selector)
  };
  Kind kind = kNone;
  u8 reg = 0;
};

enum class Rep : u8 { kNone, kRepne /* F2 */, kRep /* F3 */ };

// 64 bytes, so that an instruction is one cache line.
struct alignas(64) Insn {
  void (*handler)() = nullptr;  // the interpreter's; its true type is the interpreter's business
  u64 imm = 0;                  // immediate, extended to the operand width as the encoding says
  i32 disp = 0;                 // displacement of the memory operand, or the whole address of a moffs
  u16 imm2 = 0;                 // second immediate: ENTER's level, a far pointer's selector
  u16 encoding = 0;             // line in cpu/opcodes.inc
  Sem sem{};
  u16 off = 0;                  // offset from the start of the block, in bytes
  u8 len = 0;
  u8 opcode = 0;  // last opcode byte, for its fields: cc, register, ST(i)
  u8 modrm = 0;
  u8 width = 4;  // operand width in bytes
  u8 osize = 4;  // operand-size attribute in bytes: 2 or 4
  u8 asize = 4;  // address-size attribute in bytes: 2 or 4
  u8 seg = kDs;  // segment of the memory operand
  u8 base = kZeroReg;
  u8 index = kZeroReg;
  u8 scale = 0;
  Rep rep = Rep::kNone;
  bool lock = false;
  bool has_mem = false;  // ModRM names memory
  CodeMode mode;
  Operand op[3];

  unsigned cc() const { return opcode & 15; }
};

static_assert(sizeof(Insn) == 64);

}  // namespace xlat
