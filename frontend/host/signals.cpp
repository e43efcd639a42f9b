// signalfd and a thread that reads it.
#include "frontend/host/signals.h"

#include <poll.h>
#include <sys/eventfd.h>
#include <sys/signalfd.h>
#include <unistd.h>

#include <cstdint>
#include <cstdlib>

#include "frontend/host/terminal.h"

namespace xlat {

namespace {
constexpr int kPatienceMs = 5000;
}

Signals::Signals(Terminal& terminal) : terminal_(terminal) {
  sigset_t ours;
  sigemptyset(&ours);
  for (const int signal : {SIGINT, SIGTERM, SIGHUP, SIGTSTP, SIGCONT}) sigaddset(&ours, signal);
  pthread_sigmask(SIG_BLOCK, &ours, &before_);
  // A reader that went away is seen by write's error.
  signal(SIGPIPE, SIG_IGN);
  signal_fd_ = signalfd(-1, &ours, SFD_CLOEXEC);
  stop_fd_ = eventfd(0, EFD_CLOEXEC);
}

Signals::~Signals() {
  stop();
  close(signal_fd_);
  close(stop_fd_);
  pthread_sigmask(SIG_SETMASK, &before_, nullptr);
}

void Signals::start(std::function<void()> end) {
  end_ = std::move(end);
  thread_ = std::thread([this] { run(); });
}

void Signals::stop() {
  const std::uint64_t one = 1;
  if (write(stop_fd_, &one, sizeof one) < 0) return;
  if (thread_.joinable()) thread_.join();
}

void Signals::run() {
  int asked = 0;
  const auto give_up = [this, &asked] {
    terminal_.restore();
    _exit(128 + asked);
  };
  for (;;) {
    pollfd fds[2] = {{stop_fd_, POLLIN, 0}, {signal_fd_, POLLIN, 0}};
    const int ready = poll(fds, 2, asked ? kPatienceMs : -1);
    if (ready == 0) give_up();  // the machine's thread does not come back, as from a pipe that nobody reads
    if (ready < 0) continue;
    if (fds[0].revents) return;
    signalfd_siginfo info{};
    if (read(signal_fd_, &info, sizeof info) != sizeof info) continue;
    switch (info.ssi_signo) {
      case SIGTSTP:
        terminal_.suspend();
        kill(getpid(), SIGSTOP);
        break;
      case SIGCONT: terminal_.resume(); break;
      default:
        if (asked) give_up();
        asked = static_cast<int>(info.ssi_signo);
        end_();
        break;
    }
  }
}

}  // namespace xlat
