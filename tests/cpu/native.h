// Runs 32-bit code natively: the host CPU as an oracle. x86-64 Linux hosts only.
#pragma once

#include <array>
#include <span>

#include "base/types.h"

namespace xlat::test {

// What goes into a run and comes out of it, natively or in a guest.
struct UserState {
  static constexpr int kNoTrap = -1;

  u32 gpr[8] = {};  // encoding order
  u32 eflags = 2;
  u16 seg[6] = {0x2b, 0x23, 0x2b, 0x2b, 0, 0};  // encoding order
  std::array<u8, 108> fpu{};                    // as FNSAVE has it with 32-bit operands in protected mode

  // Where the program ended if not at its end.
  int trap = kNoTrap;  // vector
  u32 trap_code = 0;
  u32 trap_ip = 0;
};

// Host memory at fixed addresses below 4 GiB and segments in the LDT, so that the same code with the same addresses
// runs here and in a guest.
class Native {
 public:
  static constexpr u32 kCode = 0x10000000;
  static constexpr u32 kCodeBytes = 0xe000;
  static constexpr u32 kData = 0x10010000;
  static constexpr u32 kDataBytes = 0x4000;

  // Selectors of both sides. The LDT's segments lie over the data area; their limit leaves its last 2 KiB out.
  static constexpr u16 kCodeSel = 0x23, kFlatSel = 0x2b, kBasedSel = 0x07, kStack16Sel = 0x0f, kReadOnlySel = 0x17;
  static constexpr u32 kLdtLimit = kDataBytes - 0x801;

  Native();
  ~Native();
  Native(const Native&) = delete;
  Native& operator=(const Native&) = delete;
  // False where the host cannot do it (address taken, no 32-bit code segment, no LDT).
  bool available() const { return available_; }

  // Runs `code` (placed at kCode; it must fall out of its end) in 32-bit mode with `state`, which it updates.
  void run(std::span<const u8> code, UserState& state);
  std::span<u8> data() { return {memory_ + (kData - kCode), kDataBytes}; }

 private:
  struct Saved;

  u8* memory_ = nullptr;
  Saved* saved_ = nullptr;
  bool available_ = false;
};

}  // namespace xlat::test
