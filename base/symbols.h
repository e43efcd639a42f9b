// Names of functions and data by address, for what people read.
#pragma once

#include <string>
#include <vector>

#include "base/types.h"

namespace xlat {

struct Symbol {
  u32 address = 0;
  u32 bytes = 0;  // 0: not known
  std::string name;
};

class SymbolTable {
 public:
  SymbolTable() = default;
  explicit SymbolTable(std::vector<Symbol> symbols);

  std::size_t size() const { return symbols_.size(); }
  // "name+0x12", or "name" at its start; empty if there is none for this address.
  std::string name(u32 address) const;

 private:
  std::vector<Symbol> symbols_;  // by address
};

}  // namespace xlat
