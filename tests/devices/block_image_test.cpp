// Raw images, locking, odd sizes, and the snapshot overlay.
#include "devices/block_image.h"

#include <sys/stat.h>
#include <unistd.h>

#include <catch2/catch.hpp>
#include <cstdio>
#include <fstream>
#include <vector>

using namespace xlat;

namespace {

struct TempFile {
  explicit TempFile(const std::string& content) {
    char name[] = "/tmp/xlat-test-XXXXXX";
    const int fd = mkstemp(name);
    path = name;
    close(fd);
    std::ofstream(path, std::ios::binary) << content;
  }
  ~TempFile() { std::remove(path.c_str()); }
  std::string content() const {
    std::ifstream in(path, std::ios::binary);
    return {std::istreambuf_iterator<char>(in), {}};
  }
  std::string path;
};

std::vector<u8> read_bytes(BlockImage& image, u64 offset, std::size_t n) {
  std::vector<u8> bytes(n, 0xcc);
  REQUIRE(image.read(offset, bytes));
  return bytes;
}

}  // namespace

TEST_CASE("raw image: bytes of the file, and writes land in it") {
  TempFile file(std::string(1024, 'a'));
  auto image = open_raw_image(file.path, ImageAccess::kReadWrite);
  REQUIRE(image);
  CHECK((*image)->size() == 1024);
  CHECK(read_bytes(**image, 512, 4) == std::vector<u8>(4, 'a'));
  const u8 bytes[] = {1, 2, 3};
  REQUIRE((*image)->write(510, bytes));
  REQUIRE((*image)->flush());
  CHECK(file.content().substr(510, 3) == std::string("\1\2\3"));
  CHECK(file.content().size() == 1024);
  std::vector<u8> too_far(2);
  CHECK_FALSE((*image)->read(1023, too_far));
  CHECK_FALSE((*image)->write(~u64{0}, too_far));
}

TEST_CASE("raw image: a size that is no multiple of 512") {
  TempFile file(std::string(700, 'b'));
  auto image = open_raw_image(file.path, ImageAccess::kReadWrite);
  REQUIRE(image);
  CHECK((*image)->size() == 1024);
  CHECK(read_bytes(**image, 698, 4) == std::vector<u8>{'b', 'b', 0, 0});
  CHECK(file.content().size() == 700);  // reading changes nothing
  REQUIRE((*image)->write(512, std::vector<u8>(512, 'c')));
  CHECK(file.content().size() == 1024);
}

TEST_CASE("raw image: what cannot be opened says why") {
  CHECK(open_raw_image("/nonexistent/disk.img", ImageAccess::kReadOnly).error().message.find("/nonexistent/disk.img") !=
        std::string::npos);
  CHECK(open_raw_image("/tmp", ImageAccess::kReadOnly).error().message.find("directory") != std::string::npos);
  CHECK(open_raw_image("/tmp", ImageAccess::kReadWrite).error().message.find("directory") != std::string::npos);
  TempFile empty("");
  CHECK(open_raw_image(empty.path, ImageAccess::kReadOnly).error().message.find("empty") != std::string::npos);
  CHECK_FALSE(open_raw_image("/dev/null", ImageAccess::kReadOnly));
}

TEST_CASE("raw image: one writer or many readers") {
  TempFile file(std::string(512, 'd'));
  {
    auto writer = open_raw_image(file.path, ImageAccess::kReadWrite);
    REQUIRE(writer);
    CHECK(open_raw_image(file.path, ImageAccess::kReadWrite).error().message.find("in use") != std::string::npos);
    CHECK_FALSE(open_raw_image(file.path, ImageAccess::kReadOnly));
  }
  auto one = open_raw_image(file.path, ImageAccess::kReadOnly);
  auto two = open_raw_image(file.path, ImageAccess::kReadOnly);
  CHECK(one);
  CHECK(two);
  CHECK((*one)->read_only());
  CHECK_FALSE((*one)->write(0, std::vector<u8>(1)));
  CHECK_FALSE(open_raw_image(file.path, ImageAccess::kReadWrite));
}

TEST_CASE("snapshot: sees its own writes, leaves the image alone") {
  std::string content;
  for (int i = 0; i < 20000; ++i) content += static_cast<char>(i * 7);
  TempFile file(content);
  auto base = open_raw_image(file.path, ImageAccess::kReadOnly);
  REQUIRE(base);
  auto snapshot = make_snapshot_image(std::move(*base));
  REQUIRE(snapshot);
  BlockImage& image = **snapshot;
  CHECK_FALSE(image.read_only());
  std::vector<u8> expected(image.size());
  std::copy(content.begin(), content.end(), expected.begin());
  u32 seed = 1;
  for (int round = 0; round < 200; ++round) {
    seed = seed * 1664525 + 1013904223;
    const u64 offset = seed % expected.size();
    const std::size_t n = std::min<std::size_t>(expected.size() - offset, (seed >> 8) % 9000);
    const std::vector<u8> bytes(n, static_cast<u8>(round));
    REQUIRE(image.write(offset, bytes));
    std::copy(bytes.begin(), bytes.end(), expected.begin() + static_cast<std::ptrdiff_t>(offset));
    if (round % 20 == 0) REQUIRE(read_bytes(image, 0, expected.size()) == expected);
  }
  CHECK(read_bytes(image, 0, expected.size()) == expected);
  CHECK(file.content() == content);
}
