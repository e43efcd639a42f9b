// The IR evaluator: runs lifted blocks on a Cpu. Slow and simple, it is the oracle of back ends and the proof that the
// lifter says what the interpreter does.
#pragma once

#include <unordered_map>

#include "cpu/interp/interp.h"
#include "jit/ir/ir.h"

namespace xlat::jit {

// The interpreter's loop and block cache, each instruction run from its IR.
class EvalEngine final : public Interp {
 public:
  explicit EvalEngine(Cpu& cpu);

  // Runs the instruction `i` of the current block.
  void evaluate(const Insn& i);

 private:
  const IrBlock& lifted();

  std::unordered_map<u64, IrBlock> blocks_ir_;  // by Block::serial
  std::vector<u64> values_;
};

}  // namespace xlat::jit
