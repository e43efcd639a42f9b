// Framing, compression and checks of saved states.
#include "machine/state_file.h"

#include <zlib.h>
#include <zstd.h>

#include <algorithm>
#include <array>
#include <atomic>
#include <thread>

#include "base/bits.h"
#include "base/zeros.h"

namespace xlat {

namespace {

constexpr std::string_view kMagic = "xlat saved state";
constexpr u32 kVersion = 1;
// How a section's bytes are kept.
constexpr u32 kPlain = 0, kZstd = 1;
constexpr std::size_t kHeaderBytes = 24, kSectionBytes = 32, kMaxName = 256;
constexpr int kLevel = 1;  // three times as fast as zstd's usual one, for a tenth more

constexpr std::size_t kPage = 4096, kPiece = std::size_t{1} << 20;
constexpr std::size_t kMapBytes = kPiece / kPage / 8, kPieceHead = 8 + kMapBytes;
// Pieces that are at work at a time, over all threads.
constexpr std::size_t kBatch = 16;

template <std::unsigned_integral T>
void put(std::vector<u8>& to, T value) {
  to.resize(to.size() + sizeof(T));
  store_le(&to[to.size() - sizeof(T)], value);
}

u32 check_of(std::string_view name, std::span<const u8> bytes) {
  uLong crc = crc32(0, reinterpret_cast<const Bytef*>(name.data()), static_cast<uInt>(name.size()));
  if (!bytes.empty()) crc = crc32_z(crc, bytes.data(), bytes.size());  // of a null pointer it would begin anew
  return static_cast<u32>(crc);
}

std::vector<u8> framed(std::string_view name, std::span<const u8> bytes) {
  std::vector<u8> packed(ZSTD_compressBound(bytes.size()));
  const std::size_t size = ZSTD_compress(packed.data(), packed.size(), bytes.data(), bytes.size(), kLevel);
  const bool smaller = !ZSTD_isError(size) && size < bytes.size();
  const std::span<const u8> stored = smaller ? std::span<const u8>(packed).first(size) : bytes;
  std::vector<u8> out;
  out.reserve(kSectionBytes + name.size() + stored.size());
  put(out, static_cast<u32>(name.size()));
  put(out, smaller ? kZstd : kPlain);
  put(out, u64{bytes.size()});
  put(out, u64{stored.size()});
  put(out, check_of(name, stored));
  put(out, u32{0});
  out.insert(out.end(), name.begin(), name.end());
  out.insert(out.end(), stored.begin(), stored.end());
  return out;
}

// The section's bytes for `piece`, which lies at `offset`; nothing if it is zeros alone.
std::vector<u8> piece_section(u64 offset, std::span<const u8> piece) {
  std::array<u8, kMapBytes> map{};
  std::vector<u8> out;
  for (std::size_t page = 0; page * kPage < piece.size(); ++page) {
    const auto bytes = piece.subspan(page * kPage, std::min(kPage, piece.size() - page * kPage));
    if (all_zero(bytes)) continue;
    if (out.empty()) {
      out.reserve(kPieceHead + piece.size());
      put(out, offset);
      out.resize(kPieceHead);
    }
    map[page / 8] |= static_cast<u8>(1 << page % 8);
    out.insert(out.end(), bytes.begin(), bytes.end());
  }
  if (!out.empty()) std::copy(map.begin(), map.end(), out.begin() + 8);
  return out;
}

// A look alone leaves what was never used without memory of the host's.
void clear(std::span<u8> bytes) {
  for (std::size_t at = 0; at < bytes.size(); at += kPage) {
    const auto page = bytes.subspan(at, std::min(kPage, bytes.size() - at));
    if (!all_zero(page)) std::fill(page.begin(), page.end(), u8{0});
  }
}

// The other way round: `piece` is all of it.
Status unpack_piece(std::string_view name, std::span<const u8> section, std::span<u8> piece) {
  std::size_t at = kPieceHead;
  for (std::size_t page = 0; page * kPage < piece.size(); ++page) {
    const auto to = piece.subspan(page * kPage, std::min(kPage, piece.size() - page * kPage));
    if (section[8 + page / 8] >> page % 8 & 1) {
      if (section.size() - at < to.size()) return error("section '{}' is damaged: it has too few pages", name);
      std::copy_n(section.begin() + static_cast<std::ptrdiff_t>(at), to.size(), to.begin());
      at += to.size();
    } else {
      clear(to);
    }
  }
  return at == section.size() ? Status{} : error("section '{}' is damaged: it has too many pages", name);
}

Error misplaced(std::string_view name, u64 offset) {
  return error("section '{}' is damaged: a piece lies at {}", name, offset);
}

// work(n) for each n below `count`, on as many threads as the host has processors, to a few.
void in_parallel(std::size_t count, const std::function<void(std::size_t)>& work) {
  std::atomic<std::size_t> next = 0;
  const auto loop = [&] {
    for (std::size_t n = next++; n < count; n = next++) work(n);
  };
  std::vector<std::thread> threads;
  const std::size_t processors = std::clamp<std::size_t>(std::thread::hardware_concurrency(), 1, 8);
  while (threads.size() + 1 < std::min(processors, count)) threads.emplace_back(loop);
  loop();
  for (std::thread& thread : threads) thread.join();
}

}  // namespace

Status StateWriter::emit(std::span<const u8> bytes) {
  written_ += bytes.size();
  return sink_(bytes);
}

Status StateWriter::header() {
  if (std::exchange(begun_, true)) return {};
  std::vector<u8> bytes(kMagic.begin(), kMagic.end());
  put(bytes, kVersion);
  put(bytes, u32{0});
  return emit(bytes);
}

Status StateWriter::section(std::string_view name, std::span<const u8> bytes) {
  if (Status s = header(); !s) return s;
  return emit(framed(name, bytes));
}

Status StateWriter::section(std::string_view name, std::string_view text) {
  return section(name, std::span(reinterpret_cast<const u8*>(text.data()), text.size()));
}

// As many pieces as are at work at a time, the first of them at `offset`.
Status StateWriter::batch(std::string_view name, u64 offset, std::span<const u8> bytes) {
  if (Status s = header(); !s) return s;
  std::array<std::vector<u8>, kBatch> ready;
  in_parallel((bytes.size() + kPiece - 1) / kPiece, [&](std::size_t n) {
    const auto piece = bytes.subspan(n * kPiece, std::min(kPiece, bytes.size() - n * kPiece));
    const auto section = piece_section(offset + n * kPiece, piece);
    if (!section.empty()) ready[n] = framed(name, section);
  });
  for (const std::vector<u8>& section : ready) {
    if (section.empty()) continue;
    if (Status s = emit(section); !s) return s;
  }
  return {};
}

Status StateWriter::memory(std::string_view name, std::span<const u8> bytes, const Progress& progress) {
  for (u64 at = 0; at < bytes.size(); at += kBatch * kPiece) {
    if (progress) progress(at, bytes.size());
    if (Status s = batch(name, at, bytes.subspan(at, std::min(kBatch * kPiece, bytes.size() - at))); !s) return s;
  }
  return {};
}

Status StateWriter::memory(std::string_view name, u64 size, const Read& read, const Progress& progress) {
  std::vector<u8> bytes(std::min<u64>(kBatch * kPiece, size));
  for (u64 at = 0; at < size; at += bytes.size()) {
    if (progress) progress(at, size);
    const auto part = std::span(bytes).first(std::min<u64>(bytes.size(), size - at));
    if (Status s = read(at, part); !s) return s;
    if (Status s = batch(name, at, part); !s) return s;
  }
  return {};
}

Status StateWriter::end() { return section("end", std::span<const u8>()); }

Result<std::size_t> StateReader::check_header(std::span<const u8> all) {
  if (all.size() < kHeaderBytes || !std::equal(kMagic.begin(), kMagic.end(), all.begin())) {
    return error("this is no saved state of xlat's");
  }
  if (const u64 version = load_le<u32>(&all[kMagic.size()]); version != kVersion) {
    return error("the saved state is of format {}, and this xlat knows {}; load it with the xlat that saved it",
                 version, kVersion);
  }
  return kHeaderBytes;
}

// The section at `at`, which is moved behind it.
Result<std::pair<std::string, StateReader::Section>> StateReader::parse(std::span<const u8> all, std::size_t& at) {
  const std::size_t left = all.size() - at;
  const u64 name_size = left < kSectionBytes ? 0 : load_le<u32>(&all[at]);
  if (name_size == 0 || name_size > kMaxName || left - kSectionBytes < name_size) {
    return error("the saved state is damaged or cut off at byte {}", at);
  }
  const u32 kept = load_le<u32>(&all[at + 4]);
  const u64 length = load_le<u64>(&all[at + 8]), stored = load_le<u64>(&all[at + 16]);
  const std::size_t begin = at + kSectionBytes + name_size;
  const std::string name(all.begin() + static_cast<std::ptrdiff_t>(at + kSectionBytes),
                         all.begin() + static_cast<std::ptrdiff_t>(begin));
  if (stored > all.size() - begin) return error("the saved state is cut off in its section '{}'", name);
  const auto content = all.subspan(begin, stored);
  if (kept > kZstd || (kept == kPlain && stored != length) || check_of(name, content) != load_le<u32>(&all[at + 24])) {
    return error("the saved state is damaged: the check of section '{}' at byte {} is wrong", name, at);
  }
  at = begin + stored;
  return std::pair(name, Section{content, length, kept == kZstd});
}

Result<StateReader> StateReader::open(std::vector<u8> bytes) {
  StateReader reader(std::move(bytes));
  const std::span<const u8> all = reader.bytes_;
  auto at = check_header(all);
  if (!at) return at.error();
  while (*at < all.size()) {
    auto section = parse(all, *at);
    if (!section) return section.error();
    if (section->first == "end") return reader;
    reader.sections_[section->first].push_back(section->second);
  }
  return error("the saved state is cut off: its end is missing");
}

Result<std::vector<u8>> StateReader::peek(std::span<const u8> beginning, std::string_view name, u64 limit) {
  auto at = check_header(beginning);
  if (!at) return at.error();
  auto section = parse(beginning, *at);
  if (!section) return section.error();
  if (section->first != name) return error("the saved state begins with section '{}'", section->first);
  return unpacked(name, section->second, limit);
}

Result<std::vector<u8>> StateReader::unpacked(std::string_view name, const Section& section, u64 limit) {
  if (section.length > limit) return error("section '{}' of the saved state is too long", name);
  std::vector<u8> bytes(section.length);
  if (Status s = unpack(section, bytes); !s) {
    return error("section '{}' of the saved state is damaged: {}", name, s.error().message);
  }
  return bytes;
}

Status StateReader::unpack(const Section& section, std::span<u8> to) {
  if (!section.compressed) {
    std::copy(section.stored.begin(), section.stored.end(), to.begin());
    return {};
  }
  const std::size_t size = ZSTD_decompress(to.data(), to.size(), section.stored.data(), section.stored.size());
  return !ZSTD_isError(size) && size == to.size() ? Status{} : error("it does not unpack");
}

Result<std::vector<u8>> StateReader::section(std::string_view name, u64 limit) const {
  const auto found = sections_.find(name);
  if (found == sections_.end()) return error("the saved state has no section '{}'", name);
  return unpacked(name, found->second.front(), limit);
}

std::span<const StateReader::Section> StateReader::pieces(std::string_view name) const {
  const auto found = sections_.find(name);
  return found == sections_.end() ? std::span<const Section>() : found->second;
}

// What piece_section() made, of a space of `size` bytes, and where that is.
Result<std::pair<u64, std::vector<u8>>> StateReader::piece(std::string_view name, const Section& section, u64 size) {
  if (section.length < kPieceHead || section.length > kPieceHead + kPiece) {
    return error("section '{}' is damaged: it has an odd length", name);
  }
  std::vector<u8> bytes(section.length);
  if (Status s = unpack(section, bytes); !s) return s.error();
  const u64 offset = load_le<u64>(bytes.data());
  if (offset % kPiece != 0 || offset >= size) return misplaced(name, offset);
  return std::pair(offset, std::move(bytes));
}

Status StateReader::memory(std::string_view name, std::span<u8> to) const {
  const std::span<const Section> all = pieces(name);
  std::vector<Status> failed(all.size());
  std::vector<std::atomic<bool>> seen((to.size() + kPiece - 1) / kPiece);
  const auto part = [to](u64 offset) { return to.subspan(offset, std::min<u64>(kPiece, to.size() - offset)); };
  in_parallel(all.size(), [&](std::size_t n) {
    const auto found = piece(name, all[n], to.size());
    if (!found) {
      failed[n] = found.error();
      return;
    }
    const auto& [offset, bytes] = found.value();
    failed[n] =
        seen[offset / kPiece].exchange(true) ? misplaced(name, offset) : unpack_piece(name, bytes, part(offset));
  });
  for (const Status& s : failed) {
    if (!s) return s;
  }
  in_parallel(seen.size(), [&](std::size_t n) {
    if (!seen[n]) clear(part(n * kPiece));
  });
  return {};
}

Status StateReader::memory(std::string_view name, u64 size, const Take& take) const {
  std::vector<u8> content(kPiece);
  u64 expected = 0;
  for (const Section& section : pieces(name)) {
    const auto found = piece(name, section, size);
    if (!found) return found.error();
    const auto& [offset, bytes] = found.value();
    if (offset < expected) return misplaced(name, offset);
    expected = offset + kPiece;
    const auto part = std::span(content).first(std::min<u64>(kPiece, size - offset));
    if (Status s = unpack_piece(name, bytes, part); !s) return s;
    if (Status s = take(offset, part); !s) return s;
  }
  return {};
}

}  // namespace xlat
