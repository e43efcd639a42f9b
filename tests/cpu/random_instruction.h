// One random instruction, whose operand may lie anywhere and be written in any form. Where operands lie is decided
// first; registers and displacements are then chosen so that the address comes out.
#pragma once

#include "effects.h"
#include "program_draft.h"

namespace xlat::test {

// For 32-bit user code, with everything that xlat has.
const Decoder& oracle_decoder();
inline constexpr CodeMode kOracleMode{true, true, true, false};

class RandomInstruction : public ProgramDraft {
 protected:
  explicit RandomInstruction(u32 seed) : ProgramDraft(seed) {}

  // Instruction `n` of the table, if it can be used and works out. Only at the `top` of a program may it move ESP; it
  // leaves the registers of `keep` alone. ESP is known before and after.
  std::optional<Unit> instruction(u16 n, bool top, u32 keep = 0);

 private:
  struct Form {
    Bytes bytes;
    std::size_t disp_at = 0;
    unsigned disp_bytes = 0;
  };

  Form draw(const Encoding& e);
  void modrm(Form& f, unsigned reg, bool memory, bool small);
  bool aim(const Insn& i, Form& f, u32& linear, u32 avoid, u32 esp, std::vector<Bytes>& setup);
  u32 draw_target(const Insn& i);
  std::optional<Unit> try_instruction(u16 n, bool top, u32 keep);
  bool special(const std::string& name, const Insn& i, std::vector<Bytes>& late, bool top);
  void clear_pointers(const Insn& i, u32 target, std::vector<Bytes>& after);
  void image_for(const Insn& i, u32 target, std::vector<Bytes>& late);
  void bcd_at(u32 target, std::vector<Bytes>& late);
  void forget(const Insn& i, const std::string& name);

  u16 next_selector_ = 0;
  std::optional<std::pair<u8, u32>> new_base_;
};

}  // namespace xlat::test
