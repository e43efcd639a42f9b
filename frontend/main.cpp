// Entry point of the xlat binary.
#include <string>
#include <vector>

#include "frontend/app.h"

int main(int argc, char** argv) {
  const std::vector<std::string> args(argv + (argc > 0 ? 1 : 0), argv + argc);
  return xlat::run_app(args);
}
