// What a back end wants to know of an IR block before it emits: which flags and values are used.
#pragma once

#include <vector>

#include "cpu/flags.h"
#include "jit/ir/ir.h"

namespace xlat::jit {

struct Analysis {
  std::vector<u32> uses;          // of each operation's value, by operations that are not dead
  std::vector<bool> dead;         // effects that nobody can see: flags overwritten before anything reads them
  std::vector<u32> flags_live;    // by instruction: arithmetic flags that matter at its start
  std::vector<bool> conditional;  // by operation: it may not happen, as under a kWhen
};

// After the block every flag is live. Within it a flag is live where an instruction may leave. The memory of `reuse` is
// used again.
Analysis analyse(const IrBlock& ir, Analysis reuse = {});

// Arithmetic flags condition code `cc` depends on.
u32 flags_of_condition(unsigned cc);
// Arithmetic flags that an operation looks at, but for helpers.
inline u32 flags_read(const Inst& i) {
  switch (i.op) {
    case Op::kGetFlag: return static_cast<u32>(i.imm) & kArithFlags;
    case Op::kCondition: return flags_of_condition(i.aux);
    default: return 0;
  }
}

// Flags of any kind that it makes anew, but for helpers.
inline u32 flags_written(const Inst& i) {
  switch (i.op) {
    case Op::kFlags:
    case Op::kShiftFlags: return flags_set_by(static_cast<FlagKind>(i.aux));
    case Op::kSetFlags: return static_cast<u32>(i.imm);
    default: return 0;
  }
}

}  // namespace xlat::jit
