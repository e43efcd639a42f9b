// term.h defines macros with everyday names, so it stays alone here.
#include "frontend/display/terminal_info.h"

#include <unistd.h>

#include <cstdlib>

#define NCURSES_NOMACROS
#include <curses.h>
#include <term.h>

namespace xlat {

namespace {
// A string capability without its padding marks.
std::string capability(const char* name) {
  const char* text = tigetstr(name);
  if (!text || text == reinterpret_cast<const char*>(-1)) return {};
  std::string out = text;
  for (std::size_t at; (at = out.find("$<")) != std::string::npos;) {
    const auto end = out.find('>', at);
    if (end == std::string::npos) break;
    out.erase(at, end - at + 1);
  }
  return out;
}
}  // namespace

Result<std::string> terminal_exit_sequence() {
  const char* type = std::getenv("TERM");
  int found = 0;
  if (setupterm(nullptr, STDOUT_FILENO, &found) != OK) {
    return error("-display curses: terminal type '{}' is unknown; set TERM to the terminal's type", type ? type : "");
  }
  const bool moves = !capability("cup").empty();
  std::string all;
  for (const char* name : {"sgr0", "op", "cnorm", "rmkx", "rmcup"}) all += capability(name);
  del_curterm(cur_term);
  if (!moves) {
    return error("-display curses: a terminal of type '{}' cannot move its cursor; set TERM to the terminal's type",
                 type ? type : "");
  }
  return all + "\r";
}

}  // namespace xlat
