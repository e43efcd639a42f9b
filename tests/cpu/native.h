// Runs 32-bit code natively: the host CPU as an oracle. x86-64 Linux hosts only.
#pragma once

#include <span>

#include "base/types.h"

namespace xlat::test {

struct NativeRegs {
  u32 gpr[8] = {};  // encoding order
  u32 eflags = 2;
};

// Host memory at fixed addresses below 4 GiB, so that the same code with the same addresses runs here and in a guest.
class Native {
 public:
  static constexpr u32 kCode = 0x10000000;
  static constexpr u32 kData = 0x10010000;
  static constexpr u32 kDataBytes = 0x4000;

  Native();
  ~Native();
  // False where the host cannot do it (address taken, no 32-bit code segment).
  bool available() const { return memory_ != nullptr; }

  // Runs `code` (placed at kCode; it must fall out of its end) in 32-bit mode with `regs`, which it updates.
  void run(std::span<const u8> code, NativeRegs& regs);
  std::span<u8> data() { return {memory_ + (kData - kCode), kDataBytes}; }

 private:
  u8* memory_ = nullptr;
};

}  // namespace xlat::test
