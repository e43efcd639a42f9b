// Images on a host that says no: no room, closed standard files, locks, formats; seen from outside the binary.
#include <sys/resource.h>

#include <catch2/catch.hpp>
#include <fstream>

#include "block/create_image.h"
#include "tests/frontend/process.h"
#include "tests/frontend/socket.h"
#include "tests/frontend/temp_dir.h"

namespace xlat {

namespace {

// A boot sector that writes itself by INT 13h to the sector after it, or over itself, and says K or E on port E9h.
std::vector<u8> writing_disk(u8 sector) {
  std::vector<u8> disk = disk_image(1 << 20);
  const u8 code[] = {0x31, 0xc0, 0x8e, 0xc0, 0x8e, 0xd8, 0x8e, 0xd0,   0xbc, 0x00, 0x7c,        // registers
                     0xc7, 0x06, 0x40, 0x7c, 0x51, 0x46, 0xc7, 0x06,   0x42, 0x7c, 0x49, 0xfb,  // "QFI", 251
                     0xb8, 0x01, 0x03, 0xbb, 0x40, 0x7c, 0xb9, sector, 0x00, 0xba, 0x80, 0x00, 0xcd, 0x13,  // write
                     0xb0, 0x4b, 0x73, 0x02, 0xb0, 0x45, 0xe6, 0xe9,   0xf4, 0xeb, 0xfd};                   // tell
  std::copy(std::begin(code), std::end(code), disk.begin());
  return disk;
}

std::vector<std::string> start(const std::string& drive, std::initializer_list<std::string> more = {}) {
  std::vector<std::string> args = {"-display", "none",      "-net",  "none",   "-m",
                                   "16",       "-debugcon", "stdio", "-drive", drive};
  args.insert(args.end(), more);
  return args;
}

void limit_files() {
  const rlimit limit{300, RLIM_INFINITY};
  setrlimit(RLIMIT_FSIZE, &limit);
}
void close_standard_files() {
  for (int fd = 0; fd <= 2; ++fd) close(fd);
}

u8 byte_at(const std::string& path, std::streamoff at) {
  std::ifstream in(path, std::ios::binary);
  in.seekg(at);
  return static_cast<u8>(in.get());
}

}  // namespace

TEST_CASE("a limit on files: the machine pauses, and cont tries again", "[program]") {
  TempDir dir;
  const std::string disk = dir.write("disk", writing_disk(2)), socket = dir / "monitor";
  Process p(start("format=raw,file=" + disk, {"-monitor", "unix:" + socket + ",server=on,wait=off"}), false,
            limit_files);
  CHECK(p.expect_error("the machine is paused"));
  CHECK(p.output.empty());
  const rlimit none{RLIM_INFINITY, RLIM_INFINITY};
  REQUIRE(prlimit(p.pid(), RLIMIT_FSIZE, &none, nullptr) == 0);
  Socket monitor(Socket::connect_unix(socket));
  monitor.send("info status\n");
  CHECK(monitor.expect("paused (io-error)"));
  monitor.send("cont\n");
  CHECK(p.expect("K"));
  CHECK(byte_at(disk, 512) == 'Q');
  monitor.send("info status\nquit\n");
  CHECK(monitor.expect("VM status: running"));
  CHECK(p.wait() == 0);
}

TEST_CASE("a limit on files: what waits is written at the end, or the user knows what is lost", "[program]") {
  for (const bool lifted : {false, true}) {
    TempDir dir;
    const std::string disk = dir.write("disk", writing_disk(2)), socket = dir / "monitor";
    Process p(start("format=raw,file=" + disk, {"-monitor", "unix:" + socket + ",server=on,wait=off"}), false,
              limit_files);
    CHECK(p.expect_error("the machine is paused"));
    const rlimit none{RLIM_INFINITY, RLIM_INFINITY};
    if (lifted) REQUIRE(prlimit(p.pid(), RLIMIT_FSIZE, &none, nullptr) == 0);
    Socket monitor(Socket::connect_unix(socket));
    monitor.send("quit\n");
    CHECK(p.wait() == 0);
    CHECK((byte_at(disk, 512) == 'Q') == lifted);
    CHECK((p.errors.find("512 bytes at offset 512 are lost") == std::string::npos) == lifted);
  }
}

TEST_CASE("a limit on files: reported or ignored, and the user is told", "[program]") {
  TempDir dir;
  const std::string disk = dir.write("disk", writing_disk(2));
  for (const bool ignore : {false, true}) {
    Process p(start("format=raw,file=" + disk + (ignore ? ",werror=ignore" : ",werror=report")), false, limit_files);
    CHECK(p.expect(ignore ? "K" : "E"));
    kill(p.pid(), SIGTERM);
    CHECK(p.wait() == 0);
    CHECK(p.errors.find("cannot write 512 bytes at 512: File too large; the guest was told") != std::string::npos);
  }
}

TEST_CASE("a guessed raw image does not become another format's", "[program]") {
  TempDir dir;
  const std::string disk = dir.write("disk", writing_disk(1));
  {
    Process p(start("file=" + disk));
    CHECK(p.expect("E"));
    kill(p.pid(), SIGTERM);
    CHECK(p.wait() == 0);
    CHECK(p.errors.find("no format was given") != std::string::npos);
    CHECK(p.errors.find("refused") != std::string::npos);
    CHECK(byte_at(disk, 0) == 0x31);
  }
  Process p(start("format=raw,file=" + disk));
  CHECK(p.expect("K"));
  kill(p.pid(), SIGTERM);
  CHECK(p.wait() == 0);
  CHECK(p.errors.empty());
  CHECK(byte_at(disk, 0) == 'Q');
}

TEST_CASE("a guest writes to a qcow2, and commit takes it to the image below", "[program]") {
  TempDir dir;
  const std::string base = dir.write("base", writing_disk(2)), top = dir / "top", socket = dir / "monitor";
  REQUIRE(create_image(
      "qcow2", {.path = top, .bytes = 1 << 20, .options = {}, .backing_file = "base", .backing_format = "raw"}));
  for (const std::string& drive : {"file=" + top, "format=raw,snapshot=on,file=" + base}) {
    INFO(drive);
    dir.write("base", writing_disk(2));
    Process p(start(drive, {"-monitor", "unix:" + socket + ",server=on,wait=off"}));
    CHECK(p.expect("K"));
    CHECK(byte_at(base, 512) != 'Q');
    Socket monitor(Socket::connect_unix(socket));
    monitor.send("commit ide0-hd0\ninfo block\n");
    CHECK(monitor.expect("ide0-hd0: "));
    CHECK(byte_at(base, 512) == 'Q');
    monitor.send("quit\n");
    CHECK(p.wait() == 0);
  }
}

TEST_CASE("one image, two machines", "[program]") {
  TempDir dir;
  const std::string disk = dir.write("disk", writing_disk(2));
  Process first(start("format=raw,file=" + disk));
  CHECK(first.expect("K"));
  for (const char* how : {"", ",readonly=on", ",snapshot=on"}) {
    Process second(start("format=raw,file=" + disk + how));
    CHECK(second.wait() == 1);
    CHECK(second.errors.find("\"write\" lock") != std::string::npos);
  }
  Process trusting(start("format=raw,file=" + disk + ",file.locking=off"));
  CHECK(trusting.expect("K"));
}

#ifndef __SANITIZE_ADDRESS__  // whose shadow memory alone is more than the limit
TEST_CASE("a host without memory: one line and status 1, or the guest runs", "[program]") {
  static rlim_t limit;
  for (limit = rlim_t{20} << 20; limit < rlim_t{400} << 20; limit += rlim_t{12} << 20) {
    INFO((limit >> 20) << " MiB");
    Process p({"-display", "none", "-m", "16", "-engine", "interp", "-device", "isa-debug-exit", "-S"}, false, [] {
      const rlimit space{limit, RLIM_INFINITY};
      setrlimit(RLIMIT_AS, &space);
    });
    int status = p.wait(1);
    if (status == 127) continue;  // not even the binary could be loaded
    if (status == -1) {
      kill(p.pid(), SIGTERM);
      status = p.wait();
      CHECK(status == 0);
      break;
    }
    CHECK(status == 1);
    CHECK(p.errors.starts_with("xlat: "));
    CHECK(std::count(p.errors.begin(), p.errors.end(), '\n') == 1);
  }
}

#endif

TEST_CASE("standard files closed at the start do not become an image's", "[program]") {
  TempDir dir;
  const std::string disk = dir.write("disk", writing_disk(2));
  Process p({"-display", "none", "-m", "16", "-hda", disk, "-monitor", "none", "-debugcon", "file:" + (dir / "e9")},
            false, close_standard_files);
  for (int n = 0; n < 1000 && byte_at(dir / "e9", 0) == 0xff; ++n)
    std::this_thread::sleep_for(std::chrono::milliseconds(10));
  kill(p.pid(), SIGTERM);
  CHECK(p.wait() == 0);
  CHECK(byte_at(dir / "e9", 0) == 'K');
  std::ifstream in(disk, std::ios::binary);
  const std::string bytes{std::istreambuf_iterator<char>(in), {}};
  CHECK(bytes.find("xlat") == std::string::npos);
}

}  // namespace xlat
