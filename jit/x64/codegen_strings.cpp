// Repeated string instructions: a call of the routine that has the host do them.
#include "jit/x64/codegen.h"
#include "jit/x64/string_stubs.h"

namespace xlat::jit::x64 {

bool Codegen::is_string_run(unsigned n) const {
  const Insn& i = block_->insns[n];
  const auto routine = string_routine(i);
  const u8 segments = static_cast<u8>(1u << kEs | (routine && routine->reads_esi() ? 1u << i.seg : 0));
  return routine && (context_->flat & segments) == segments;
}

// The routine changes ECX, ESI and EDI as it goes; stopped anywhere, what is left is the same instruction again.
void Codegen::string_run(unsigned n) {
  store_flags();
  transfer_out(0xe8, stubs_.strings[string_routine(block_->insns[n])->number()]);
  slow_jump(Cond::kNotZero);
  committed_ = true;
}

}  // namespace xlat::jit::x64
