// Runs the xlat binary as a user does: with pipes, or on a terminal of its own.
#pragma once

#include <fcntl.h>
#include <poll.h>
#include <pty.h>
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include <chrono>
#include <string>
#include <thread>
#include <vector>

namespace xlat {

class Process {
 public:
  using Clock = std::chrono::steady_clock;

  // `on_terminal`: stdin, stdout and stderr are a new pseudo-terminal, else pipes.
  // `prepare` runs in the new process, before the binary does.
  explicit Process(std::vector<std::string> args, bool on_terminal = false, void (*prepare)() = nullptr,
                   bool without_display = true) {
    // Else it would open a window, or listen on a port of this host.
    if (without_display) args.insert(args.begin(), {"-display", "none"});
    args.insert(args.begin(), XLAT_BINARY);
    std::vector<char*> argv;
    for (std::string& arg : args) argv.push_back(arg.data());
    argv.push_back(nullptr);
    int in[2] = {-1, -1}, out[2] = {-1, -1}, err[2] = {-1, -1};
    if (on_terminal) {
      pid_ = forkpty(&in_, nullptr, nullptr, nullptr);
      out_ = in_;
    } else {
      if (pipe2(in, O_CLOEXEC) || pipe2(out, O_CLOEXEC) || pipe2(err, O_CLOEXEC)) std::abort();
      pid_ = fork();
    }
    if (pid_ == 0) {
      if (!on_terminal) {
        dup2(in[0], 0);
        dup2(out[1], 1);
        dup2(err[1], 2);
      }
      if (prepare) prepare();
      execv(argv[0], argv.data());
      _exit(127);
    }
    if (!on_terminal) {
      close(in[0]);
      close(out[1]);
      close(err[1]);
      in_ = in[1];
      out_ = out[0];
      err_ = err[0];
    }
  }
  ~Process() {
    if (!ended_) {
      kill(pid_, SIGKILL);
      waitpid(pid_, nullptr, 0);
    }
    close(in_);
    if (out_ != in_) close(out_);
    if (err_ >= 0) close(err_);
  }

  pid_t pid() const { return pid_; }
  int terminal() const { return in_; }
  void send(const std::string& text) {
    if (write(in_, text.data(), text.size()) < 0) std::abort();
  }
  // Reads output until `text` was seen.
  bool expect(const std::string& text, int seconds = 30) { return expect(text, out_, output, seconds); }
  bool expect_error(const std::string& text, int seconds = 30) { return expect(text, err_, errors, seconds); }
  // Exit status, or 128 + signal, or -1 if it runs on.
  int wait(int seconds = 30, bool take_output = true) {
    const auto end = Clock::now() + std::chrono::seconds(seconds);
    while (!ended_ && Clock::now() < end) {
      int status = 0;
      // On a terminal the output must be taken, or the other side may not end.
      pollfd p{out_, POLLIN, 0};
      if (take_output && poll(&p, 1, 0) > 0) read_some(out_, output, 0);
      if (waitpid(pid_, &status, WNOHANG) == pid_) {
        ended_ = true;
        status_ = WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
      } else {
        std::this_thread::sleep_for(std::chrono::milliseconds(5));
      }
    }
    if (!ended_) return -1;
    while (read_some(out_, output, 0)) {}
    if (err_ >= 0) {
      while (read_some(err_, errors, 0)) {}
    }
    return status_;
  }

  std::string output, errors;

 private:
  static bool expect(const std::string& text, int fd, std::string& in, int seconds) {
    const auto end = Clock::now() + std::chrono::seconds(seconds);
    while (in.find(text) == std::string::npos) {
      if (Clock::now() > end || !read_some(fd, in, 100)) return in.find(text) != std::string::npos;
    }
    return true;
  }
  // False at the end of the stream.
  static bool read_some(int fd, std::string& to, int timeout_ms) {
    pollfd p{fd, POLLIN, 0};
    if (poll(&p, 1, timeout_ms) <= 0) return timeout_ms > 0;
    char buffer[4096];
    const ssize_t n = read(fd, buffer, sizeof buffer);
    if (n > 0) to.append(buffer, static_cast<std::size_t>(n));
    return n > 0;
  }

  pid_t pid_ = -1;
  int in_ = -1, out_ = -1, err_ = -1, status_ = -1;
  bool ended_ = false;
};

}  // namespace xlat
