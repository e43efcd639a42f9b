// The program: settings, machine, channels and monitor put together, run, and taken apart.
#pragma once

#include <span>
#include <string>

namespace xlat {

// `args` without the program's name. Returns the exit status.
int run_app(std::span<const std::string> args);

}  // namespace xlat
