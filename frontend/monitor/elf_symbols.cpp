// Reading .symtab. Everything in the file is looked at with its bounds: it may be anything. System V ABI, chapter 4.
#include "frontend/monitor/elf_symbols.h"

#include <cerrno>
#include <cstdio>
#include <cstring>
#include <optional>
#include <span>

#include "base/bits.h"

namespace xlat {

namespace {

constexpr std::size_t kMostBytes = std::size_t{1} << 30;
constexpr u32 kPtLoad = 1, kShtSymtab = 2;
constexpr u32 kSectionBytes = 40, kSegmentBytes = 32, kSymbolBytes = 16, kHeaderBytes = 52;

Result<std::vector<u8>> read_file(const std::string& path) {
  std::FILE* file = std::fopen(path.c_str(), "rb");
  if (!file) return error("cannot open '{}': {}", path, std::strerror(errno));
  std::vector<u8> bytes;
  u8 piece[1 << 16];
  std::size_t n = 0;
  while ((n = std::fread(piece, 1, sizeof piece, file)) > 0 && bytes.size() < kMostBytes) {
    bytes.insert(bytes.end(), piece, piece + n);
  }
  const bool broken = std::ferror(file) != 0;
  std::fclose(file);
  if (broken) return error("cannot read '{}'", path);
  return bytes;
}

class Elf {
 public:
  explicit Elf(std::span<const u8> bytes) : bytes_(bytes) {}

  bool inside(u64 at, u64 count) const { return at <= bytes_.size() && count <= bytes_.size() - at; }
  u32 word(u64 at) const { return inside(at, 4) ? static_cast<u32>(load_le_n(&bytes_[at], 4)) : 0; }
  u32 half(u64 at) const { return inside(at, 2) ? static_cast<u32>(load_le_n(&bytes_[at], 2)) : 0; }
  u32 byte(u64 at) const { return inside(at, 1) ? bytes_[at] : 0; }
  bool is_i386() const {
    return inside(0, kHeaderBytes) && std::memcmp(bytes_.data(), "\177ELF\1\1", 6) == 0 && half(18) == 3;
  }
  u64 section(u32 n) const { return word(32) + u64{n} * kSectionBytes; }
  u32 sections() const { return half(48); }

  // The lowest address something is loaded to.
  std::optional<u32> lowest() const {
    std::optional<u32> found;
    for (u32 n = 0; n < half(44); ++n) {
      const u64 at = word(28) + u64{n} * kSegmentBytes;
      if (!inside(at, kSegmentBytes) || word(at) != kPtLoad) continue;
      found = std::min(found.value_or(~u32{0}), word(at + 8));
    }
    return found;
  }
  std::string text(u64 at, u64 end) const {
    end = std::min<u64>(end, bytes_.size());
    std::string name;
    for (; at < end && bytes_[at] != 0 && name.size() < 256; ++at) {
      name += bytes_[at] >= 32 && bytes_[at] < 127 ? static_cast<char>(bytes_[at]) : '?';
    }
    return name;
  }

 private:
  std::span<const u8> bytes_;
};

// Functions, data and labels, but not sections, files and what is defined elsewhere.
void add_symbols(const Elf& elf, u64 table, u32 offset, std::vector<Symbol>& symbols) {
  const u64 start = elf.word(table + 16), bytes = elf.word(table + 20);
  const u64 names = elf.section(elf.word(table + 24));
  const u64 names_start = elf.word(names + 16), names_end = names_start + elf.word(names + 20);
  for (u64 at = start; at + kSymbolBytes <= start + bytes && elf.inside(at, kSymbolBytes); at += kSymbolBytes) {
    constexpr u32 kMostKinds = 2, kUndefined = 0, kAbsolute = 0xfff1;
    const u32 section = elf.half(at + 14);
    if ((elf.byte(at + 12) & 15) > kMostKinds || section == kUndefined || section == kAbsolute) continue;
    std::string name = elf.text(names_start + elf.word(at), names_end);
    if (!name.empty()) symbols.push_back({elf.word(at + 4) + offset, elf.word(at + 8), std::move(name)});
  }
}

}  // namespace

Result<SymbolTable> read_elf_symbols(const std::string& path, std::optional<u32> base) {
  const auto bytes = read_file(path);
  if (!bytes) return bytes.error();
  const Elf elf(bytes.value());
  if (!elf.is_i386()) return error("'{}' is not a 32-bit ELF file for x86", path);
  u32 offset = 0;
  if (base) {
    const auto lowest = elf.lowest();
    if (!lowest) return error("'{}' has nothing that is loaded, so that no base can be given", path);
    offset = *base - *lowest;
  }
  std::vector<Symbol> symbols;
  for (u32 n = 0; n < elf.sections(); ++n) {
    if (elf.word(elf.section(n) + 4) == kShtSymtab) add_symbols(elf, elf.section(n), offset, symbols);
  }
  if (symbols.empty()) return error("'{}' has no symbols; it may have been stripped", path);
  return SymbolTable(std::move(symbols));
}

}  // namespace xlat
