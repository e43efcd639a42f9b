// The JIT's intermediate representation: what the lifter writes down when it runs the instruction semantics.
#pragma once

#include <string>
#include <vector>

#include "cpu/emitter.h"

namespace xlat::jit {

// An operation on 64-bit values that are zero-extended from `w` bits. Operands are indices of earlier operations.
enum class Op : u8 {
  // Values
  kConst,  // imm
  kAdd,
  kSub,
  kMul,
  kUdiv,
  kUrem,
  kSdiv,
  kSrem,
  kAnd,
  kOr,
  kXor,  // a, b
  kShl,
  kShr,
  kSar,  // a by b; by w or more: zero, or the sign
  kNot,
  kTrunc,
  kBswap,
  kBitScanForward,
  kBitScanReverse,  // a
  kSext,            // a, from `aux` to w bits
  kEq,
  kNe,
  kUlt,
  kSlt,     // a, b: 0 or 1
  kSelect,  // a ? b : c
  // Processor state
  kGetReg,
  kSetReg,       // register aux (8 bits: 4..7 are AH CH DH BH); a
  kGetSelector,  // segment register aux
  kFlags,        // FlagKind aux; a, b, c as in LazyFlags::record
  kSetFlags,     // flags in imm from a
  kGetFlag,      // flag imm: 0 or 1
  kCondition,    // condition code aux: 0 or 1
  kNextIp,       // EIP of the next instruction, which is imm bytes from the block's start
  kSetIp,        // a
  // Memory: segment register aux, offset a
  kLoad,
  kStore /* b */,
  kProbe,
  // Faults, helpers, control inside an instruction
  kCheckTarget,  // #GP if a is beyond CS.limit
  kRaise,        // vector aux, error code imm
  kRaiseIf,      // if a, vector aux
  kCall,         // Helper imm, arguments a, b
  kWhen,         // if a is 0 go on at operation imm
  kRepeatIf,     // if a, the same instruction again (REP)
};

using Ref = u32;

struct Inst {
  Op op;
  u8 w = 0;
  u8 aux = 0;
  Ref a = 0, b = 0, c = 0;
  u64 imm = 0;
};

// A block of guest code. Operations [starts[n], starts[n + 1]) are instruction n's; no value crosses an instruction.
struct IrBlock {
  std::vector<Inst> code;
  std::vector<u32> starts;

  // A line an operation, for -d ir and for tests.
  std::string dump() const;
};

const char* name_of(Op op);

// Value operations on numbers; the folding of constants and the evaluator share it.
u64 compute(Op op, unsigned w, unsigned aux, u64 a, u64 b, u64 c);

}  // namespace xlat::jit
