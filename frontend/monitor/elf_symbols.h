// The symbol table of an ELF file.
#pragma once

#include <optional>

#include "base/result.h"
#include "base/symbols.h"

namespace xlat {

// Functions and data objects of a 32-bit x86 file. `base`: where its first segment lies in memory, if not where it was
// linked to. The error says what is wrong with the file.
Result<SymbolTable> read_elf_symbols(const std::string& path, std::optional<u32> base);

}  // namespace xlat
