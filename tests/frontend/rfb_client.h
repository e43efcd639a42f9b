// A VNC viewer for tests, by hand, and the guest it looks at.
#pragma once

#include <netinet/in.h>

#include <array>
#include <cerrno>
#include <condition_variable>
#include <map>
#include <mutex>
#include <optional>
#include <thread>

#include "base/types.h"
#include "tests/frontend/process.h"
#include "tests/frontend/socket.h"
#include "tests/frontend/temp_dir.h"

namespace xlat {

// face/echo.asm: each key's character goes to COM1 and the screen; "G" fills mode 13h, "T" goes back to text.
inline constexpr u8 kEchoGuest[] = {
    0x31, 0xc0, 0x8e, 0xd8, 0xb4, 0x01, 0xb9, 0x00, 0x20, 0xcd, 0x10, 0x30, 0xe4, 0xcd, 0x16, 0x3c, 0x47, 0x74,
    0x11, 0x3c, 0x54, 0x74, 0x22, 0xba, 0xf8, 0x03, 0xee, 0xb4, 0x0e, 0xbb, 0x07, 0x00, 0xcd, 0x10, 0xeb, 0xe7,
    0xb8, 0x13, 0x00, 0xcd, 0x10, 0x68, 0x00, 0xa0, 0x07, 0x31, 0xff, 0xb9, 0x00, 0xfa, 0x89, 0xf8, 0xaa, 0xe2,
    0xfb, 0xeb, 0xd2, 0xb8, 0x03, 0x00, 0xcd, 0x10, 0xb4, 0x01, 0xb9, 0x00, 0x20, 0xcd, 0x10, 0xeb, 0xc4};

class RfbClient {
 public:
  explicit RfbClient(int fd) : fd_(fd) {
    const timeval patience{15, 0};
    setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof patience);
  }
  ~RfbClient() {
    shutdown(fd_, SHUT_RDWR);
    if (reader_.joinable()) reader_.join();
    close(fd_);
  }
  RfbClient(const RfbClient&) = delete;
  RfbClient& operator=(const RfbClient&) = delete;

  int fd() const { return fd_; }
  // So many bytes, or fewer at the end of the connection.
  std::string read(std::size_t count) {
    if (reader_.joinable()) return take(count);
    std::string got(count, '\0');
    std::size_t n = 0;
    while (n < count) {
      const ssize_t more = recv(fd_, &got[n], count - n, 0);
      if (more <= 0) break;
      n += static_cast<std::size_t>(more);
    }
    got.resize(n);
    return got;
  }
  bool send(const std::string& bytes) {
    return ::send(fd_, bytes.data(), bytes.size(), MSG_NOSIGNAL) == static_cast<ssize_t>(bytes.size());
  }
  static std::string be(u32 value, unsigned bytes) {
    std::string out;
    while (bytes-- > 0) out += static_cast<char>(u64{value} >> (8 * bytes));
    return out;
  }
  u32 number(unsigned bytes) {
    u32 value = 0;
    for (const char c : read(bytes)) value = value << 8 | static_cast<u8>(c);
    return value;
  }

  // Up to the choice of security; returns the types that are offered.
  std::string greet() {
    if (read(12) != "RFB 003.008\n") return "no greeting";
    send("RFB 003.008\n");
    return read(number(1));
  }
  // Without a password, up to the first message. From then on everything is taken as it comes, as by any viewer: a server
  // may answer one request by two updates, of the size and of the picture, and drops who takes neither.
  enum class Takes : u8 { kAtOnce, kWhenRead };
  bool log_in(Takes takes = Takes::kAtOnce) {
    if (greet() != "\1") return false;
    send("\1");
    if (number(4) != 0 || !start()) return false;
    if (takes == Takes::kAtOnce) reader_ = std::thread([this] { read_ahead(); });
    return true;
  }
  bool start() {
    send("\1");  // shared
    width = number(2), height = number(2);
    read(16);
    name = read(number(4));
    // Raw, DesktopSize, QEMU's keys by number.
    send("\2" + be(0, 1) + be(3, 2) + be(0, 4) + be(static_cast<u32>(-223), 4) + be(static_cast<u32>(-258), 4));
    return width > 0;
  }
  void ask(bool incremental) { send("\3" + be(incremental, 1) + be(0, 2) + be(0, 2) + be(width, 2) + be(height, 2)); }
  void key(u32 keysym, bool down) { send("\4" + be(down, 1) + be(0, 2) + be(keysym, 4)); }
  void press(u32 keysym) { key(keysym, true), key(keysym, false); }
  void number_key(u32 number, bool down) { send("\xff" + be(0, 1) + be(down, 2) + be(0, 4) + be(number, 4)); }
  // Reads one update into `pixels`. False if there is none. The one that greets keys by number was not asked for.
  bool update() {
    const unsigned greetings = encodings[-258];
    return read_update() && (encodings[-258] == greetings || read_update());
  }
  bool read_update() {
    const std::string head = read(4);
    if (head.size() != 4 || head[0] != 0) return false;
    for (u32 n = static_cast<u8>(head[2]) << 8 | static_cast<u8>(head[3]); n > 0; --n) {
      const u32 x = number(2), y = number(2), w = number(2), h = number(2);
      const i32 encoding = static_cast<i32>(number(4));
      ++encodings[encoding];
      if (encoding == -223) {
        width = w, height = h;
        pixels.assign(std::size_t{w} * h, 0);
      }
      if (encoding != 0) continue;
      pixels.resize(std::size_t{width} * height);
      const std::string raw = read(std::size_t{w} * h * 4);
      if (raw.size() != std::size_t{w} * h * 4 || x + w > width || y + h > height) return false;
      for (u32 row = 0; row < h; ++row) {
        for (u32 column = 0; column < w; ++column) {
          const char* const p = &raw[(std::size_t{row} * w + column) * 4];
          pixels[std::size_t{y + row} * width + x + column] =
              static_cast<u8>(p[2]) << 16 | static_cast<u8>(p[1]) << 8 | static_cast<u8>(p[0]);
        }
      }
    }
    return true;
  }

  u32 width = 0, height = 0;
  std::string name;
  std::vector<u32> pixels;
  std::map<i32, unsigned> encodings;  // how often each was there

 private:
  void read_ahead() {
    std::array<char, 65536> bytes;
    for (;;) {
      const ssize_t n = recv(fd_, bytes.data(), bytes.size(), 0);
      if (n < 0 && errno == EAGAIN) continue;  // nothing for a while
      const std::lock_guard lock(mutex_);
      if (n > 0) ahead_.append(bytes.data(), static_cast<std::size_t>(n));
      ended_ = n <= 0;
      more_.notify_one();
      if (ended_) return;
    }
  }
  std::string take(std::size_t count) {
    std::unique_lock lock(mutex_);
    more_.wait_for(lock, std::chrono::seconds(15), [&] { return ended_ || ahead_.size() >= count; });
    const std::string got = ahead_.substr(0, count);
    ahead_.erase(0, got.size());
    return got;
  }

  int fd_;
  std::thread reader_;
  std::mutex mutex_;
  std::condition_variable more_;
  std::string ahead_;
  bool ended_ = false;
};

// xlat with that guest, its serial port on stdout, its monitor on a socket.
struct EchoMachine {
  explicit EchoMachine(std::vector<std::string> more) {
    std::vector<u8> floppy(1440 * 1024);
    std::copy(std::begin(kEchoGuest), std::end(kEchoGuest), floppy.begin());
    floppy[510] = 0x55, floppy[511] = 0xaa;
    std::vector<std::string> args = {"-m",       "8",
                                     "-boot",    "a",
                                     "-drive",   "if=floppy,format=raw,file=" + dir.write("floppy", floppy),
                                     "-serial",  "stdio",
                                     "-monitor", "unix:" + (dir / "mon") + ",server,nowait"};
    args.insert(args.end(), more.begin(), more.end());
    process.emplace(args);
  }
  // What the monitor prints for `command`.
  std::string monitor(const std::string& command) {
    Socket socket(Socket::connect_unix((dir / "mon")));
    CHECK(socket.expect("(xlat) "));
    socket.got.clear();
    socket.send(command + "\n");
    CHECK(socket.expect("\r\n(xlat) "));
    return socket.got;
  }
  // Keys typed before the firmware listens are lost. This one needs no Shift, which would still be held afterwards.
  bool wait_for_guest() {
    for (int tries = 0; tries < 50; ++tries) {
      monitor("sendkey comma");
      if (process->expect(",", 1)) return true;
    }
    return false;
  }
  TempDir dir;
  std::optional<Process> process;
};

inline int connect_tcp(unsigned port) {
  for (int tries = 0; tries < 500; ++tries) {
    const int fd = socket(AF_INET, SOCK_STREAM, 0);
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_port = htons(static_cast<u16>(port));
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    if (connect(fd, reinterpret_cast<sockaddr*>(&address), sizeof address) == 0) return fd;
    close(fd);
    std::this_thread::sleep_for(std::chrono::milliseconds(10));
  }
  return -1;
}

// A port of this host that was free a moment ago.
inline unsigned free_port() {
  const int fd = socket(AF_INET, SOCK_STREAM, 0);
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  socklen_t length = sizeof address;
  if (bind(fd, reinterpret_cast<sockaddr*>(&address), length) != 0) std::abort();
  getsockname(fd, reinterpret_cast<sockaddr*>(&address), &length);
  close(fd);
  return ntohs(address.sin_port);
}

}  // namespace xlat
