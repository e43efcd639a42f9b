// -netdev tap: an interface of the host's.
#include <fcntl.h>
#include <linux/if.h>
#include <linux/if_tun.h>
#include <sys/ioctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <csignal>
#include <cstring>

#include "devices/net/nic.h"
#include "frontend/net/net_socket.h"

namespace xlat {

namespace {

class TapNetwork final : public SocketNet {
 public:
  TapNetwork(const NetSpec& spec) : SocketNet(spec.by), spec_(std::get<TapNet>(spec.what)) {}
  ~TapNetwork() override {
    thread_.stop();
    if (fd_ >= 0) close(fd_);
    fd_ = -1;
    if (keeper_ >= 0) close(keeper_);
    if (keeper_pid_ > 0) waitpid(keeper_pid_, nullptr, 0);
  }

  Status open() override;
  std::string info() const override {
    return spec_.fds.empty()
               ? fmt::format("ifname={},script={},downscript={}", name_, named(spec_.script), named(spec_.down_script))
               : fmt::format("fd={}", spec_.fds[0]);
  }

 private:
  static std::string named(const std::string& script) { return script.empty() ? "no" : script; }
  Status run_script();
  Status keep_down_script();
  void run() override;

  TapNet spec_;
  std::string name_;
  int keeper_ = -1;
  pid_t keeper_pid_ = -1;
};

Status TapNetwork::open() {
  if (spec_.fds.size() > 1) return error("{}: several descriptors: not in this version", who_);
  if (!spec_.fds.empty()) {
    if (fcntl(spec_.fds[0], F_GETFD) < 0) return failed("use", fmt::format("fd={}", spec_.fds[0]), errno);
    fd_ = spec_.fds[0];
    fcntl(fd_, F_SETFL, O_NONBLOCK);
    return {};
  }
  fd_ = ::open("/dev/net/tun", O_RDWR | O_NONBLOCK | O_CLOEXEC);
  if (fd_ < 0) return failed("open", "/dev/net/tun", errno);
  ifreq request{};
  request.ifr_flags = IFF_TAP | IFF_NO_PI;
  (spec_.ifname.empty() ? std::string("tap%d") : spec_.ifname).copy(request.ifr_name, IFNAMSIZ - 1);
  if (ioctl(fd_, TUNSETIFF, &request) != 0) {
    const int e = errno;
    const std::string which = spec_.ifname.empty() ? "a tap interface" : "interface " + spec_.ifname;
    if (e != EPERM) return failed("make", which, e);
    return error(
        "{}: cannot make {}: {}; root can make one for you: ip tuntap add NAME mode tap user {}, or use -netdev user",
        who_, which, std::strerror(e), getuid());
  }
  name_ = request.ifr_name;
  if (Status s = run_script(); !s) return s;
  return keep_down_script();
}

Status TapNetwork::run_script() {
  if (spec_.script.empty()) return {};
  const pid_t pid = fork();
  if (pid < 0) return failed("start", spec_.script, errno);
  if (pid == 0) {
    execl(spec_.script.c_str(), spec_.script.c_str(), name_.c_str(), nullptr);
    _exit(127);
  }
  int status = 0;
  while (waitpid(pid, &status, 0) < 0 && errno == EINTR) {}
  if (status == 0) return {};
  return error("{}: network script {} failed with status {}; script=no goes without", who_, spec_.script,
               WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status));
}

// By then the sandbox lets no program be started. So a shell is started now, which waits until xlat has gone, however
// that comes.
Status TapNetwork::keep_down_script() {
  if (spec_.down_script.empty() || access(spec_.down_script.c_str(), X_OK) != 0) return {};
  int ends[2];
  if (pipe2(ends, O_CLOEXEC) != 0) return failed("start", spec_.down_script, errno);
  const pid_t pid = fork();
  if (pid < 0) return failed("start", spec_.down_script, errno);
  if (pid == 0) {
    setsid();  // Ctrl-C is for xlat
    dup2(ends[0], STDIN_FILENO);
    execl("/bin/sh", "sh", "-c", "read -r nothing; exec \"$0\" \"$1\"", spec_.down_script.c_str(), name_.c_str(),
          nullptr);
    _exit(127);
  }
  close(ends[0]);
  keeper_ = ends[1];
  keeper_pid_ = pid;
  return {};
}

void TapNetwork::run() {
  std::array<u8, kMostFrame> buffer;
  while (!thread_.stopping()) {
    const short got = wait(false);
    send_some([this](const auto& frame) {
      if (write(fd_, frame.data(), frame.size()) < 0) errno = 0;  // lost, as frames are
    });
    if (got & (POLLERR | POLLHUP) && !(got & POLLIN)) thread_.wait(-1, 0, 100);  // the interface is down
    if (!(got & POLLIN)) continue;
    for (unsigned n = 0; n < kAtOnce && handlers_.ready(); ++n) {
      const ssize_t size = read(fd_, buffer.data(), buffer.size());
      if (size <= 0) break;
      handlers_.frame(std::span<const u8>(buffer).first(static_cast<std::size_t>(size)));
    }
  }
}

}  // namespace

std::unique_ptr<NetBackend> make_tap_net(const NetSpec& spec) { return std::make_unique<TapNetwork>(spec); }

}  // namespace xlat
