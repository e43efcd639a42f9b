// What terminfo says about the terminal, apart from curses' screen handling.
#pragma once

#include <string>

#include "base/result.h"

namespace xlat {

// The bytes that bring a terminal of the environment's TYPE back from curses' modes. Fails if the type is unknown or
// cannot move its cursor.
Result<std::string> terminal_exit_sequence();

}  // namespace xlat
