// Looking for the last symbol before an address.
#include "base/symbols.h"

#include <fmt/format.h>

#include <algorithm>

namespace xlat {

namespace {
// A symbol without a size reaches as far as the next one, but not further than this: behind the last one is nothing.
constexpr u32 kMostWithoutSize = 1 << 16;
}  // namespace

SymbolTable::SymbolTable(std::vector<Symbol> symbols) : symbols_(std::move(symbols)) {
  std::stable_sort(symbols_.begin(), symbols_.end(), [](const Symbol& a, const Symbol& b) {
    // Of several at one address the one with a size is found first, seen from behind.
    return a.address != b.address ? a.address < b.address : a.bytes < b.bytes;
  });
}

std::string SymbolTable::name(u32 address) const {
  auto at = std::upper_bound(symbols_.begin(), symbols_.end(), address,
                             [](u32 value, const Symbol& symbol) { return value < symbol.address; });
  if (at == symbols_.begin()) return {};
  const Symbol& symbol = *--at;
  const u32 offset = address - symbol.address;
  if (offset >= (symbol.bytes != 0 ? symbol.bytes : kMostWithoutSize)) return {};
  return offset == 0 ? symbol.name : fmt::format("{}+{:#x}", symbol.name, offset);
}

}  // namespace xlat
