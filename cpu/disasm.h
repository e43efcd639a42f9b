// Disassembly for people to read, by Capstone.
#pragma once

#include <span>
#include <string>

#include "base/types.h"

namespace xlat {

// One line an instruction: address, bytes, text. `bits` is 16, 32 or 64. Bytes that are no instruction come as ".byte".
std::string disassemble(std::span<const u8> bytes, u64 address, unsigned bits);

}  // namespace xlat
