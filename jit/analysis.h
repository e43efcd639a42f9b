// What a back end wants to know of an IR block before it emits: which flags and values are used.
#pragma once

#include <vector>

#include "jit/ir.h"

namespace xlat::jit {

struct Analysis {
  std::vector<u32> uses;          // of each operation's value, by operations that are not dead
  std::vector<bool> dead;         // effects that nobody can see: flags overwritten before anything reads them
  std::vector<bool> exits;        // by instruction: it may fault or leave the translated code
  std::vector<u32> flags_live;    // by instruction: arithmetic flags that matter at its start
  std::vector<bool> conditional;  // by operation: it stands under a kWhen and may not happen
};

// After the block every flag is live. Within it a flag is live where an instruction may leave. The memory of `reuse` is
// used again.
Analysis analyse(const IrBlock& ir, Analysis reuse = {});

// Operands of an operation: how many of a, b, c are references.
unsigned operand_count(Op op);
bool is_value(Op op);
// Arithmetic flags condition code `cc` depends on.
u32 flags_of_condition(unsigned cc);

}  // namespace xlat::jit
