// Command lines, an argument a line of the input.
#include "frontend/options/command_line.h"
#include "tests/fuzz/fuzz.h"

using namespace xlat;

int LLVMFuzzerTestOneInput(const u8* data, std::size_t size) {
  std::vector<std::string> args;
  std::string arg;
  for (std::size_t n = 0; n < size; ++n) {
    if (data[n] == '\n') {
      args.push_back(std::move(arg));
      arg.clear();
    } else if (data[n] != 0) {  // no argument can hold a NUL
      arg += static_cast<char>(data[n]);
    }
  }
  args.push_back(arg);
  // Arguments with line breaks are not made, so no message may have one.
  if (const auto settings = parse_command_line(args); !settings) fuzz::one_line(settings.error().message);
  return 0;
}
