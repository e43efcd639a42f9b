// Raw images, locking, odd sizes, and the snapshot overlay.
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <catch2/catch.hpp>
#include <cerrno>
#include <cstdio>
#include <fstream>
#include <random>
#include <vector>

#include "block/open_image.h"

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

Result<std::unique_ptr<BlockImage>> open_raw_image(const std::string& path, ImageAccess access, OpenFlags flags = {}) {
  return open_image({.file = path, .format = "raw"}, access, flags);
}

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

namespace {
// A lock of another program on one byte, as QEMU sets them.
struct OtherLock {
  OtherLock(const std::string& path, std::initializer_list<off_t> bytes) : fd(open(path.c_str(), O_RDWR)) {
    for (const off_t at : bytes) {
      struct flock lock {};
      lock.l_type = F_RDLCK, lock.l_whence = SEEK_SET, lock.l_start = at, lock.l_len = 1;
      REQUIRE(fcntl(fd, F_OFD_SETLK, &lock) == 0);
    }
  }
  ~OtherLock() { close(fd); }
  int fd;
};

// The bytes from 100 on that somebody else has locked.
std::vector<off_t> locked_bytes(const std::string& path) {
  const int fd = open(path.c_str(), O_RDWR);
  std::vector<off_t> found;
  for (off_t at = 100; at < 300; ++at) {
    struct flock lock {};
    lock.l_type = F_WRLCK, lock.l_whence = SEEK_SET, lock.l_start = at, lock.l_len = 1;
    if (fcntl(fd, F_OFD_GETLK, &lock) == 0 && lock.l_type != F_UNLCK) found.push_back(at);
  }
  close(fd);
  return found;
}
}  // namespace

TEST_CASE("raw image: locks as QEMU's, seen both ways") {
  TempFile file(std::string(512, 'e'));
  {
    auto writer = open_raw_image(file.path, ImageAccess::kReadWrite);
    REQUIRE(writer);
    CHECK(locked_bytes(file.path) == std::vector<off_t>{100, 101, 201});
  }
  {
    auto reader = open_raw_image(file.path, ImageAccess::kReadOnly);
    REQUIRE(reader);
    CHECK(locked_bytes(file.path) == std::vector<off_t>{100, 201, 203});
  }
  CHECK(locked_bytes(file.path).empty());
  const auto refusal = [&](ImageAccess access) {
    const auto image = open_raw_image(file.path, access);
    return image ? std::string() : image.error().message;
  };
  {
    const OtherLock writes(file.path, {100, 101, 201});
    CHECK(refusal(ImageAccess::kReadWrite).find("Failed to get \"write\" lock") != std::string::npos);
    CHECK(refusal(ImageAccess::kReadOnly).find("Failed to get shared \"write\" lock") != std::string::npos);
    CHECK(open_raw_image(file.path, ImageAccess::kReadWrite, {.lock = false}));
  }
  {
    const OtherLock reads(file.path, {100, 201, 203});
    CHECK(refusal(ImageAccess::kReadWrite).find("Failed to get \"write\" lock") != std::string::npos);
    CHECK(refusal(ImageAccess::kReadOnly).empty());
  }
  {
    const OtherLock resizes(file.path, {103});
    CHECK(refusal(ImageAccess::kReadOnly).find("Failed to get shared \"resize\" lock") != std::string::npos);
    CHECK(refusal(ImageAccess::kReadWrite).empty());
  }
  const OtherLock keeps_readers_out(file.path, {200});
  CHECK(refusal(ImageAccess::kReadOnly).find("\"consistent read\"") != std::string::npos);
}

TEST_CASE("raw image: formats that only look raw to who does not look") {
  const auto probed = [](const std::string& content, bool guest = true) {
    TempFile file(content);
    const auto format = find_format({.file = file.path}, false);
    REQUIRE(format);
    const auto image = open_image({.file = file.path}, ImageAccess::kReadWrite, {.guest = guest});
    CHECK(open_raw_image(file.path, ImageAccess::kBeside));
    CHECK(file.content() == content);
    // What ends like another format is only refused.
    return format.value()->name == "raw" && !image ? image.error().message : std::string(format.value()->name);
  };
  using namespace std::string_literals;
  const std::string rest(4096, '\0');
  const std::pair<std::string, const char*> kHeads[] = {
      {"QFI\xfb\0\0\0\1"s, "qcow"},          {"QFI\xfb\0\0\0\2"s, "qcow2"},
      {"QFI\xfb\0\0\0\3"s, "qcow2"},         {"QED\0"s, "qed"},
      {"LUKS\xba\xbe\0\1"s, "luks"},         {"LUKS\xba\xbe\0\2"s, "luks"},
      {"Bochs Virtual HD Image\0"s, "bochs"}};
  for (const auto& [head, name] : kHeads) {
    INFO(name);
    CHECK(probed(head + rest) == name);
    CHECK(probed("x" + head + rest) == "raw");
  }
  for (const char* raw : {"version=4\n", "#!/bin/sh\nexit\n", "#\n\n", "", "KDM", "\xeb\x3c"}) {
    INFO(raw);
    CHECK(probed(raw + rest) == "raw");
    CHECK(probed(raw + "z"s) == "raw");
  }
}

TEST_CASE("raw image: a guest cannot make a guessed one another format's") {
  TempFile file(std::string(2048, 'a'));
  std::vector<u8> sector(1024, 0);
  std::copy_n("QFI\xfb\0\0\0\3", 8, sector.begin());
  {
    auto image = open_image({.file = file.path}, ImageAccess::kReadWrite);
    REQUIRE(image);
    const Status refused = (*image)->write(0, sector);
    REQUIRE_FALSE(refused);
    CHECK(refused.error().host == EPERM);
    // Not in pieces either.
    CHECK((*image)->write(1, std::span(sector).subspan(1, 600)));
    CHECK_FALSE((*image)->write(0, std::span(sector).first(1)));
    CHECK(file.content()[0] == 'a');
    CHECK((*image)->write(512, sector));
    auto snapshot = make_snapshot_image(std::move(*image));
    CHECK((*snapshot)->write(0, sector));
  }
  auto image = open_raw_image(file.path, ImageAccess::kReadWrite);
  CHECK((*image)->write(0, sector));
}

TEST_CASE("raw image: cut off by somebody else while it is open") {
  TempFile file(std::string(4096, 'a'));
  auto image = open_raw_image(file.path, ImageAccess::kReadWrite);
  REQUIRE(image);
  REQUIRE(truncate(file.path.c_str(), 100) == 0);
  CHECK(read_bytes(**image, 98, 4) == std::vector<u8>{'a', 'a', 0, 0});
  CHECK(read_bytes(**image, 2048, 4) == std::vector<u8>(4, 0));
  CHECK((*image)->write(1024, std::vector<u8>(512, 'b')));
  CHECK(file.content().size() == 1536);
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

TEST_CASE("raw image past the page cache: the same bytes, at any place and of any length") {
  std::mt19937 random(7);
  std::string content((1 << 20) + 4096 * 3 + 1536, '\0');
  for (char& c : content) c = static_cast<char>(random());
  TempFile file(content);
  auto image = open_image({.file = file.path, .format = "raw", .options = {{"cache.direct", "on"}}},
                          ImageAccess::kReadWrite, {.lock = false});
  if (!image) {
    // Not on every file system.
    CHECK(image.error().message.find("filesystem does not support O_DIRECT") != std::string::npos);
    return;
  }
  CHECK((*image)->size() == content.size());
  for (unsigned n = 0; n < 200; ++n) {
    const std::size_t at = n % 3 ? random() % content.size() : random() % 256 * 4096;
    const std::size_t most = n % 2 ? 20000 : content.size();
    const std::size_t bytes = std::min<std::size_t>(random() % most, content.size() - at);
    if (n % 4 == 0) {
      std::vector<u8> from(bytes);
      for (u8& b : from) b = static_cast<u8>(random());
      REQUIRE((*image)->write(at, from));
      std::copy(from.begin(), from.end(), content.begin() + static_cast<std::ptrdiff_t>(at));
    }
    const std::vector<u8> read = read_bytes(**image, at, bytes);
    CHECK(std::equal(read.begin(), read.end(), content.begin() + static_cast<std::ptrdiff_t>(at),
                     [](u8 a, char b) { return a == static_cast<u8>(b); }));
    std::vector<u8> now(512);
    CHECK_FALSE((*image)->read_now(0, now));
  }
  REQUIRE((*image)->flush());
  CHECK(file.content() == content);
}

TEST_CASE("raw image: what the host has in memory is there at once") {
  TempFile file(std::string(8192, 'a'));
  auto image = open_raw_image(file.path, ImageAccess::kReadOnly);
  REQUIRE(image);
  read_bytes(**image, 0, 8192);
  std::vector<u8> bytes(1000, 0);
  if ((*image)->read_now(5000, bytes)) CHECK(bytes == std::vector<u8>(1000, 'a'));
  CHECK_FALSE((*image)->read_now(8000, bytes));
}
