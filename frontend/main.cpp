// Entry point of the xlat binary.
#include <fcntl.h>
#include <signal.h>
#include <unistd.h>

#include <cerrno>
#include <new>
#include <string>
#include <vector>

#include "frontend/app.h"

namespace {

// Started with stdin, stdout or stderr closed, the next file opened would get its number, and a message for the user
// would be written into a disk image.
bool open_standard_files() {
  for (int fd = 0; fd <= 2; ++fd) {
    if (fcntl(fd, F_GETFD) < 0 && errno == EBADF && open("/dev/null", O_RDWR) != fd) return false;
  }
  return true;
}

// From any thread, at any time: there is nothing to be done but to say so.
[[noreturn]] void out_of_memory() {
  constexpr char kText[] = "xlat: the host has no memory left; give the machine less with -m, or the process more\n";
  if (write(STDERR_FILENO, kText, sizeof kText - 1) < 0) _exit(1);
  _exit(1);
}

}  // namespace

int main(int argc, char** argv) {
  if (!open_standard_files()) return 1;
  // A write beyond the limit for files (ulimit -f) is to fail, not to end us.
  signal(SIGXFSZ, SIG_IGN);
  std::set_new_handler(out_of_memory);
  const std::vector<std::string> args(argv + (argc > 0 ? 1 : 0), argv + argc);
  try {
    return xlat::run_app(args);
  } catch (const std::bad_alloc&) {  // of what does not come from the heap
    out_of_memory();
  }
}
