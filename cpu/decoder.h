// Bytes to Insn, by the encoding table. 16- and 32-bit code; maps 2 and 3, VEX and EVEX have their places reserved.
#pragma once

#include <span>
#include <vector>

#include "cpu/encoding.h"
#include "cpu/insn.h"

namespace xlat {

inline constexpr unsigned kMaxInsnBytes = 15;

bool uses_modrm(const Encoding& e);

class Decoder {
 public:
  // `features`: the attr::F... bits of the encodings this processor has; the others decode as invalid.
  explicit Decoder(u32 features);

  // Decodes one instruction from `bytes`. False when the bytes end before the instruction does. What is no instruction
  // becomes the pseudo-encoding that raises #UD; more than 15 bytes the one that raises #GP(0).
  bool decode(std::span<const u8> bytes, CodeMode mode, Insn& out) const;

 private:
  u32 features_;
  std::vector<u16> candidates_[2][256];  // encodings of a map's opcode, in table order
};

}  // namespace xlat
