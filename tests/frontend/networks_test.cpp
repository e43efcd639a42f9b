// Back ends of -netdev by themselves: framing, sockets of every kind, hubs, dumps, peers that misbehave.
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <catch2/catch.hpp>
#include <chrono>
#include <condition_variable>
#include <fstream>
#include <random>

#include "base/bits.h"
#include "frontend/net/frame_dump.h"
#include "frontend/net/frame_stream.h"
#include "frontend/net/hub.h"
#include "frontend/net/net_backend.h"
#include "frontend/options/command_line.h"
#include "tests/frontend/temp_dir.h"

using namespace xlat;

namespace {

using Frame = std::vector<u8>;

Frame frame_of(std::size_t bytes, u8 seed) {
  Frame frame(bytes);
  for (std::size_t n = 0; n < bytes; ++n) frame[n] = static_cast<u8>(seed + 5 * n);
  return frame;
}

// A back end as the command line makes it, with what came from it.
struct End {
  std::unique_ptr<NetBackend> backend;
  std::mutex mutex;
  std::condition_variable changed;
  std::vector<Frame> got;
  std::atomic<bool> ready = true;

  explicit End(const std::string& text) {
    auto settings = parse_command_line(std::vector<std::string>{"-netdev", text + ",id=n"});
    REQUIRE(settings);
    const NetSpec& spec = settings->networks.at(0);
    backend = std::holds_alternative<StreamNet>(spec.what) ? make_stream_net(spec) : make_datagram_net(spec);
  }
  ~End() { backend->stop(); }
  Status begin() {
    if (Status s = backend->open(); !s) return s;
    NetHandlers handlers;
    handlers.frame = [this](std::span<const u8> frame) {
      const std::lock_guard lock(mutex);
      got.emplace_back(frame.begin(), frame.end());
      changed.notify_all();
    };
    handlers.ready = [this] { return ready.load(); };
    return backend->start(std::move(handlers));
  }
  bool wait_for(std::size_t count) {
    std::unique_lock lock(mutex);
    return changed.wait_for(lock, std::chrono::seconds(10), [&] { return got.size() >= count; });
  }
};

void exchange(End& a, End& b) {
  std::vector<Frame> frames;
  for (unsigned n = 0; n < 50; ++n) frames.push_back(frame_of(14 + 31 * n, static_cast<u8>(n)));
  for (const Frame& frame : frames) {
    a.backend->send(frame);
    b.backend->send(frame);
  }
  CHECK(a.wait_for(frames.size()));
  CHECK(b.wait_for(frames.size()));
  CHECK(a.got == frames);
  CHECK(b.got == frames);
}

}  // namespace

TEST_CASE("frames on a stream, in pieces of any size", "[frontend]") {
  std::mt19937 random(7);
  std::vector<u8> bytes;
  std::vector<Frame> sent, got;
  for (unsigned n = 0; n < 200; ++n) {
    sent.push_back(frame_of(random() % 3000, static_cast<u8>(n)));
    FrameStream::append(bytes, sent.back());
  }
  CHECK((bytes[2] == sent[0].size() >> 8 && bytes[3] == (sent[0].size() & 0xff)));
  FrameStream stream;
  for (std::size_t at = 0; at < bytes.size();) {
    const std::size_t piece = std::min<std::size_t>(1 + random() % 5000, bytes.size() - at);
    REQUIRE(stream.feed(std::span(bytes).subspan(at, piece),
                        [&](std::span<const u8> frame) { got.emplace_back(frame.begin(), frame.end()); }));
    at += piece;
  }
  CHECK(got == sent);
  CHECK_FALSE(stream.feed(std::vector<u8>{0xff, 0xff, 0xff, 0xff}, [](std::span<const u8>) {}));
}

TEST_CASE("cables of every kind carry frames both ways", "[frontend]") {
  const TempDir folder;
  const std::string a = folder / "a", b = folder / "b";
  {
    End server("stream,server=on,addr.type=unix,addr.path=" + a), client("stream,addr.type=unix,addr.path=" + a);
    REQUIRE(server.begin());
    REQUIRE(client.begin());
    client.backend->send(frame_of(60, 1));
    REQUIRE(server.wait_for(1));
    server.got.clear();
    exchange(server, client);
  }
  {
    End one("dgram,local.type=unix,local.path=" + a + ",remote.type=unix,remote.path=" + b);
    End two("dgram,local.type=unix,local.path=" + b + ",remote.type=unix,remote.path=" + a);
    REQUIRE(one.begin());
    REQUIRE(two.begin());
    one.backend->send(frame_of(100, 3));
    two.backend->send(frame_of(200, 4));
    REQUIRE(one.wait_for(1));
    REQUIRE(two.wait_for(1));
    CHECK(two.got[0] == frame_of(100, 3));
  }
  CHECK(access(a.c_str(), F_OK) != 0);
  int pair[2];
  REQUIRE(socketpair(AF_UNIX, SOCK_STREAM, 0, pair) == 0);
  End one("socket,fd=" + std::to_string(pair[0])), two("socket,fd=" + std::to_string(pair[1]));
  REQUIRE(one.begin());
  REQUIRE(two.begin());
  exchange(one, two);
}

TEST_CASE("a peer that speaks nonsense is dropped, one that reads nothing costs nothing, the next is served",
          "[frontend]") {
  const TempDir folder;
  const std::string path = folder / "net";
  End server("stream,server=on,addr.type=unix,addr.path=" + path);
  REQUIRE(server.begin());
  const auto call = [&] {
    const int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    sockaddr_un address{};
    address.sun_family = AF_UNIX;
    path.copy(address.sun_path, sizeof address.sun_path - 1);
    REQUIRE(connect(fd, reinterpret_cast<sockaddr*>(&address), sizeof address) == 0);
    return fd;
  };
  for (unsigned n = 0; n < 3; ++n) {
    const int fd = call();
    const std::vector<u8> nonsense(1000, 0xee);
    REQUIRE(write(fd, nonsense.data(), nonsense.size()) == 1000);
    u8 byte;
    CHECK(read(fd, &byte, 1) <= 0);
    close(fd);
  }
  const int deaf = call();
  for (unsigned n = 0; n < 20000; ++n) server.backend->send(frame_of(1514, 1));
  close(deaf);
  const int good = call();
  std::vector<u8> bytes;
  FrameStream::append(bytes, frame_of(99, 9));
  REQUIRE(write(good, bytes.data(), bytes.size()) == static_cast<ssize_t>(bytes.size()));
  REQUIRE(server.wait_for(1));
  CHECK(server.got[0] == frame_of(99, 9));
  // While the card is behind, nothing is read, but for what the reader waits for already.
  server.ready = false;
  REQUIRE(write(good, bytes.data(), bytes.size()) > 0);
  usleep(300'000);
  for (unsigned n = 0; n < 10; ++n) REQUIRE(write(good, bytes.data(), bytes.size()) > 0);
  usleep(50'000);
  {
    const std::lock_guard lock(server.mutex);
    CHECK(server.got.size() <= 2);
  }
  server.ready = true;
  CHECK(server.wait_for(12));
  close(good);
}

TEST_CASE("a hub gives a frame to all but its sender", "[frontend]") {
  Hub hub(0);
  std::vector<std::unique_ptr<HubPort>> ports;
  std::vector<unsigned> heard(4);
  bool ready = false;
  for (unsigned n = 0; n < 4; ++n) {
    ports.push_back(std::make_unique<HubPort>(hub, n));
    NetHandlers handlers;
    handlers.frame = [&heard, n](std::span<const u8>) { ++heard[n]; };
    handlers.ready = [&ready] { return ready; };
    REQUIRE(ports.back()->start(std::move(handlers)));
  }
  ports[1]->send(frame_of(60, 1));
  CHECK(heard == std::vector<unsigned>{1, 0, 1, 1});
  CHECK_FALSE(ports[0]->anybody_ready());
  ready = true;
  CHECK(ports[0]->anybody_ready());
  ports[3]->stop();
  ports[1]->send(frame_of(60, 1));
  CHECK(heard == std::vector<unsigned>{2, 0, 2, 1});
}

TEST_CASE("a dump is a file as libpcap has it", "[frontend]") {
  const TempDir folder;
  const std::string path = folder / "dump";
  {
    auto dump = FrameDump::open({.id = "d", .netdev = "n", .file = path, .most_bytes = 64});
    REQUIRE(dump);
    (*dump)->frame(frame_of(40, 1));
    (*dump)->frame(frame_of(100, 2));
  }
  std::ifstream file(path, std::ios::binary);
  const std::vector<u8> bytes((std::istreambuf_iterator<char>(file)), {});
  REQUIRE(bytes.size() == 24 + 16 + 40 + 16 + 64);
  CHECK(load_le<u32>(&bytes[0]) == 0xa1b2c3d4);
  CHECK(load_le<u32>(&bytes[20]) == 1);
  CHECK(load_le<u32>(&bytes[24 + 8]) == 40);
  CHECK(load_le<u32>(&bytes[24 + 16 + 40 + 12]) == 100);
  CHECK(FrameDump::open({.id = "d", .netdev = "n", .file = "/no/such/folder/x"}).error().message.find("cannot write") !=
        std::string::npos);
}
