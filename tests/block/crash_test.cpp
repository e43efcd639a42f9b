// A writer that is killed at any moment leaves an image that is whole, and has everything that was flushed. 20 moments
// for each format; XLAT_KILLS=200 for more.
#include <signal.h>
#include <sys/wait.h>

#include <thread>

#include "tests/block/with_qemu.h"
#include "tests/support/settings.h"

using namespace xlat;
using namespace xlat::test;

namespace {

constexpr u64 kBytes = 6 << 20;
constexpr unsigned kRound = 5;  // writes between two flushes

struct Step {
  u64 at, bytes;
  u8 value;
  bool zeros;
};

Step step(u32 seed, u32 n) {
  std::mt19937 rng(seed * 7919 + n);
  Step s{};
  s.at = rng() % kBytes;
  s.bytes = std::min<u64>(1 + rng() % (rng() % 3 ? 5000 : 150'000), kBytes - s.at);
  s.value = static_cast<u8>(1 + rng() % 255);
  s.zeros = rng() % 8 == 0;
  return s;
}

// Writes until it is killed, and says after each flush how many rounds there were.
[[noreturn]] void write_for_ever(const std::string& path, const std::string& format, u32 seed, int told) {
  auto image = open_image({.file = path, .format = format}, ImageAccess::kReadWrite);
  if (!image) _exit(1);
  for (u32 n = 0;; ++n) {
    const Step s = step(seed, n);
    const Status done = s.zeros ? (*image)->write_zeroes(s.at, s.bytes, true)
                                : (*image)->write(s.at, std::vector<u8>(s.bytes, s.value));
    if (!done) _exit(2);
    if (n % kRound != kRound - 1) continue;
    if (!(*image)->flush()) _exit(3);
    const u32 rounds = n / kRound + 1;
    if (write(told, &rounds, sizeof rounds) != sizeof rounds) _exit(4);
  }
}

void kill_writers(const std::string& format, const ImageOptions& options, bool over_base = false) {
  const Folder folder;
  const std::string path = folder / "disk";
  std::mt19937 rng(test_setting("XLAT_SEED", 1));
  const u32 kills = test_setting("XLAT_KILLS", 20);
  std::vector<u8> base(kBytes);
  if (over_base) {
    make("raw", folder / "base", kBytes);
    for (u64 n = 0; n < kBytes; ++n) base[n] = static_cast<u8>(n >> 9 | 1);
    REQUIRE(opened(folder / "base", "raw")->write(0, base));
  }
  for (u32 n = 0; n < kills; ++n) {
    INFO(format << ", kill " << n);
    CreateRequest request{.path = path, .bytes = kBytes, .options = options};
    if (over_base) request.backing_file = "base", request.backing_format = "raw";
    REQUIRE(create_image(format, request));
    int pipes[2];
    REQUIRE(pipe(pipes) == 0);
    const u32 seed = static_cast<u32>(rng());
    const pid_t child = fork();
    if (child == 0) write_for_ever(path, format, seed, pipes[1]);
    close(pipes[1]);
    u32 rounds = 0, read_rounds = 0;
    REQUIRE(read(pipes[0], &rounds, sizeof rounds) == sizeof rounds);
    std::this_thread::sleep_for(std::chrono::microseconds(rng() % 40'000));
    kill(child, SIGKILL);
    REQUIRE(waitpid(child, nullptr, 0) == child);
    while (read(pipes[0], &read_rounds, sizeof read_rounds) == sizeof read_rounds) rounds = read_rounds;
    close(pipes[0]);

    if (have_qemu_img()) {
      constexpr int kLeaks = 3, kNoCheck = 63;
      const Ran ran = run(fmt::format("qemu-img check -f {} {}", format, path));
      INFO(ran.output);
      REQUIRE((ran.status == 0 || ran.status == kLeaks || ran.status == kNoCheck));
    }
    std::vector<u8> expected = base;
    std::vector<bool> open(kBytes);  // may be as before or as after
    for (u32 k = 0; k < (rounds + 1) * kRound; ++k) {
      const Step s = step(seed, k);
      for (u64 at = s.at; at < s.at + s.bytes; ++at) {
        if (k < rounds * kRound) {
          expected[at] = s.zeros ? 0 : s.value;
        } else {
          open[at] = true;
        }
      }
    }
    auto image = opened(path, format);
    std::vector<u8> found(kBytes);
    REQUIRE(image->read(0, found));
    u64 wrong = 0;
    for (u64 at = 0; at < kBytes; ++at) wrong += !open[at] && found[at] != expected[at];
    CHECK(wrong == 0);
    // And it goes on.
    CHECK(image->write(0, std::vector<u8>(100'000, 7)));
    CHECK(image->flush());
    if (auto report = image->check(Repair::kNone)) {
      for (const std::string& line : report->lines) UNSCOPED_INFO(line);
      CHECK(report->corruptions == 0);
    }
  }
}

}  // namespace

TEST_CASE("killed writer: qcow2", "[crash]") {
  kill_writers("qcow2", {});
  kill_writers("qcow2", {{"cluster_size", "512"}});
  kill_writers("qcow2", {{"cluster_size", "4k"}}, true);
}
TEST_CASE("killed writer: vmdk", "[crash]") { kill_writers("vmdk", {}); }
TEST_CASE("killed writer: vdi", "[crash]") { kill_writers("vdi", {}); }
TEST_CASE("killed writer: vpc", "[crash]") { kill_writers("vpc", {{"force_size", "on"}}); }
TEST_CASE("killed writer: vhdx", "[crash]") { kill_writers("vhdx", {{"block_size", "1M"}}); }
TEST_CASE("killed writer: parallels", "[crash]") { kill_writers("parallels", {{"cluster_size", "64k"}}); }
