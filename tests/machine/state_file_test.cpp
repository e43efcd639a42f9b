// Saved states as files: what is written comes back, and what is damaged is refused with what is wrong.
#include "machine/state_file.h"

#include <catch2/catch.hpp>
#include <random>

using namespace xlat;

namespace {

struct Memory {
  std::vector<u8> bytes;
  StateWriter writer{[this](std::span<const u8> more) {
    bytes.insert(bytes.end(), more.begin(), more.end());
    return Status{};
  }};
};

std::vector<u8> random_bytes(std::size_t count, unsigned seed) {
  std::mt19937 random(seed);
  std::vector<u8> bytes(count);
  for (u8& b : bytes) b = static_cast<u8>(random());
  return bytes;
}

// Pages of zeros, of one value and of noise, over several pieces and an odd end.
std::vector<u8> a_memory() {
  std::vector<u8> memory((5 << 20) + 4096 * 3 + 100);
  const std::vector<u8> noise = random_bytes(4096, 1);
  for (std::size_t page = 0; page * 4096 < memory.size(); ++page) {
    if (page / 256 == 2 || page % 3 == 0) continue;  // one piece of zeros alone
    const std::size_t size = std::min<std::size_t>(4096, memory.size() - page * 4096);
    for (std::size_t n = 0; n < size; ++n) memory[page * 4096 + n] = page % 3 == 1 ? static_cast<u8>(page) : noise[n];
  }
  return memory;
}

std::string text(const std::vector<u8>& bytes) { return {bytes.begin(), bytes.end()}; }

}  // namespace

TEST_CASE("a saved state gives back its sections and its memory") {
  Memory file;
  const std::vector<u8> memory = a_memory(), noise = random_bytes(1000, 2);
  REQUIRE(file.writer.section("first", "a line of text"));
  REQUIRE(file.writer.section("empty", std::span<const u8>()));
  REQUIRE(file.writer.section("noise", noise));
  REQUIRE(file.writer.section("zeros", std::vector<u8>(100'000)));
  u64 told = 0;
  REQUIRE(file.writer.memory("memory", memory, [&told](u64 done, u64 all) {
    CHECK(done >= told);
    CHECK(done <= all);
    told = done;
  }));
  REQUIRE(file.writer.memory("disk", memory.size(), [&memory](u64 at, std::span<u8> to) {
    std::copy_n(memory.begin() + static_cast<std::ptrdiff_t>(at), to.size(), to.begin());
    return Status{};
  }));
  REQUIRE(file.writer.end());
  CHECK(file.writer.written() == file.bytes.size());
  CHECK(file.bytes.size() < memory.size() / 10);

  CHECK(text(StateReader::peek(std::span(file.bytes).first(200), "first", 100).value()) == "a line of text");
  CHECK_FALSE(StateReader::peek(std::span(file.bytes).first(200), "second", 100).ok());
  CHECK_FALSE(StateReader::peek(std::span(file.bytes).first(60), "first", 100).ok());
  auto opened = StateReader::open(file.bytes);
  REQUIRE(opened);
  const StateReader& reader = opened.value();
  CHECK(text(reader.section("first").value()) == "a line of text");
  CHECK(reader.section("empty").value().empty());
  CHECK(reader.section("noise").value() == noise);
  CHECK(reader.section("zeros").value() == std::vector<u8>(100'000));
  CHECK_FALSE(reader.section("zeros", 99'999).ok());
  CHECK_FALSE(reader.section("nothing").ok());
  CHECK_FALSE(reader.has("end"));
  std::vector<u8> loaded(memory.size(), 0xee);  // what was there before is gone, also where nothing was saved
  REQUIRE(reader.memory("memory", loaded));
  CHECK(loaded == memory);
  std::vector<u8> by_piece(memory.size());
  REQUIRE(reader.memory("disk", memory.size(), [&by_piece](u64 at, std::span<const u8> piece) {
    CHECK(at / (1 << 20) != 2);
    std::copy(piece.begin(), piece.end(), by_piece.begin() + static_cast<std::ptrdiff_t>(at));
    return Status{};
  }));
  CHECK(by_piece == memory);
  std::vector<u8> smaller(memory.size() - (1 << 20));
  CHECK_FALSE(reader.memory("memory", smaller).ok());
}

TEST_CASE("a saved state that is damaged anywhere, or cut off, is refused") {
  Memory file;
  REQUIRE(file.writer.section("config", "-m 128\n"));
  REQUIRE(file.writer.memory("memory", random_bytes(20'000, 3)));
  REQUIRE(file.writer.section("chip", random_bytes(300, 4)));
  REQUIRE(file.writer.end());
  REQUIRE(StateReader::open(file.bytes));
  std::mt19937 random(5);
  unsigned harmless = 0;
  for (unsigned n = 0; n < 3000; ++n) {
    std::vector<u8> bytes = file.bytes;
    bytes[random() % bytes.size()] ^= static_cast<u8>(1 << random() % 8);
    const auto opened = StateReader::open(bytes);
    if (!opened) {
      CHECK_FALSE(opened.error().message.empty());
      continue;
    }
    ++harmless;  // bytes without a meaning, and lengths of what is compressed, which are looked at later
    std::vector<u8> memory(20'000);
    (void)opened.value().memory("memory", memory);
  }
  CHECK(harmless < 100);
  for (std::size_t size = 0; size < file.bytes.size(); size += size < 200 ? 1 : 97) {
    CHECK_FALSE(StateReader::open({file.bytes.begin(), file.bytes.begin() + static_cast<std::ptrdiff_t>(size)}).ok());
  }
}

TEST_CASE("what the sink of a saved state says is what its writer says") {
  unsigned calls = 0;
  StateWriter writer([&calls](std::span<const u8>) -> Status {
    return ++calls < 3 ? Status{} : error("no room");
  });
  CHECK(writer.section("one", "1"));
  const Status failed = writer.memory("memory", random_bytes(9000, 6));
  REQUIRE_FALSE(failed.ok());
  CHECK(failed.error().message == "no room");
}
