// QEMU's own tools beside ours: every image made or written here must be right for them, and the other way round.
#pragma once

#include <unistd.h>

#include <array>
#include <catch2/catch.hpp>
#include <cstdio>
#include <filesystem>
#include <random>
#include <string>
#include <vector>

#include "block/create_image.h"
#include "block/open_image.h"

namespace xlat::test {

// A folder that goes with the object.
class Folder {
 public:
  // `in_memory`: where the host has a place for that, for tests whose many flushes show nothing.
  explicit Folder(bool in_memory = false) {
    path_ = in_memory && access("/dev/shm", W_OK) == 0 ? "/dev/shm/xlat-img-XXXXXX" : "/tmp/xlat-img-XXXXXX";
    if (!mkdtemp(path_.data())) std::abort();
  }
  ~Folder() { std::filesystem::remove_all(path_); }
  std::string operator/(const std::string& name) const { return path_ + "/" + name; }

 private:
  std::string path_;
};

struct Ran {
  int status;
  std::string output;
};

inline Ran run(const std::string& command) {
  Ran ran{};
  FILE* pipe = popen(fmt::format("exec 2>&1; {}", command).c_str(), "r");
  REQUIRE(pipe);
  std::array<char, 4096> piece;
  while (const std::size_t n = fread(piece.data(), 1, piece.size(), pipe)) ran.output.append(piece.data(), n);
  const int status = pclose(pipe);
  ran.status = WIFEXITED(status) ? WEXITSTATUS(status) : -1;
  return ran;
}

inline bool have_qemu_img() {
  static const bool have = std::system("qemu-img --version >/dev/null 2>&1") == 0;
  return have;
}

// Fails the test unless the command ends well.
inline std::string must(const std::string& command) {
  const Ran ran = run(command);
  INFO(command << "\n" << ran.output);
  REQUIRE(ran.status == 0);
  return ran.output;
}

inline std::unique_ptr<BlockImage> opened(const std::string& path, const std::string& format,
                                          ImageAccess access = ImageAccess::kReadWrite, OpenFlags flags = {}) {
  auto image = open_image({.file = path, .format = format}, access, flags);
  if (!image) FAIL(image.error().message);
  return std::move(*image);
}

// The same random writes, zeros and discards to an image and to memory.
class Model {
 public:
  Model(u64 bytes, u32 seed) : bytes_(bytes), rng_(seed) {}
  std::vector<u8>& bytes() { return bytes_; }
  std::mt19937& rng() { return rng_; }

  void change(BlockImage& image, unsigned times, u64 most = 200'000) {
    for (unsigned n = 0; n < times; ++n) {
      const u64 at = rng_() % bytes_.size(), length = std::min<u64>(1 + rng_() % most, bytes_.size() - at);
      const auto from = bytes_.begin() + static_cast<std::ptrdiff_t>(at);
      const unsigned what = rng_() % 16;
      if (what < 2) {
        std::fill_n(from, length, u8{0});
        REQUIRE(image.write_zeroes(at, length, what == 0));
      } else if (what == 2) {
        // What is discarded may read as anything; then it is written.
        REQUIRE(image.discard(at, length));
        std::fill_n(from, length, static_cast<u8>(rng_()));
        REQUIRE(image.write(at, {&*from, length}));
      } else {
        for (u64 k = 0; k < length; ++k) from[static_cast<std::ptrdiff_t>(k)] = static_cast<u8>(k * what + n);
        const Status s = image.write(at, {&*from, length});
        if (!s) FAIL(s.error().message);
      }
      if (rng_() % 8 == 0) REQUIRE(image.flush());
    }
  }

  void check(BlockImage& image) {
    REQUIRE(image.size() == bytes_.size());
    std::vector<u8> read(bytes_.size());
    for (u64 at = 0; at < read.size();) {
      const u64 n = std::min<u64>(1 + rng_() % 300'000, read.size() - at);
      const Status s = image.read(at, std::span(read).subspan(at, n));
      if (!s) FAIL(s.error().message);
      at += n;
    }
    const auto differs = std::mismatch(read.begin(), read.end(), bytes_.begin());
    INFO("differs at " << differs.first - read.begin());
    REQUIRE(differs.first == read.end());
    // What is said to be zero must be.
    for (u64 at = 0; at < bytes_.size();) {
      const auto extent = image.status(at, bytes_.size() - at);
      REQUIRE(extent);
      REQUIRE(extent.value().bytes > 0);
      if (extent.value().zero) {
        const auto from = bytes_.begin() + static_cast<std::ptrdiff_t>(at);
        REQUIRE(
            std::all_of(from, from + static_cast<std::ptrdiff_t>(extent.value().bytes), [](u8 b) { return b == 0; }));
      }
      at += extent.value().bytes;
    }
  }

  void save(const std::string& path) const {
    FILE* file = fopen(path.c_str(), "wb");
    REQUIRE(file);
    REQUIRE(fwrite(bytes_.data(), 1, bytes_.size(), file) == bytes_.size());
    fclose(file);
  }

 private:
  std::vector<u8> bytes_;
  std::mt19937 rng_;
};

inline ImageOptions options_of(std::string_view text) {
  ImageOptions options;
  while (!text.empty()) {
    const auto comma = text.find(','), equals = text.find('=');
    options.emplace(text.substr(0, equals), text.substr(equals + 1, comma == text.npos ? comma : comma - equals - 1));
    text = comma == text.npos ? std::string_view() : text.substr(comma + 1);
  }
  return options;
}

inline void make(const std::string& format, const std::string& path, u64 bytes, ImageOptions options = {}) {
  const Status s = create_image(format, {.path = path, .bytes = bytes, .options = std::move(options)});
  if (!s) FAIL(s.error().message);
}

}  // namespace xlat::test
