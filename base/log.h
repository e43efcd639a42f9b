// The log a user asks for with -d ITEMS and -D FILE. One object a machine; nothing is global.
#pragma once

#include <fmt/format.h>

#include <cstdio>
#include <string>
#include <string_view>

#include "base/result.h"
#include "base/symbols.h"
#include "base/types.h"

namespace xlat {

enum class LogItem : u32 {
  kInAsm = 1 << 0,        // guest code of each block translated
  kInt = 1 << 1,          // interrupts and exceptions
  kExec = 1 << 2,         // each block executed
  kGuestErrors = 1 << 3,  // guest does what the manual forbids
  kUnimp = 1 << 4,        // registers and functions xlat does not have
  kIr = 1 << 5,           // intermediate representation of each block lifted
  kOutAsm = 1 << 6,       // host code of each block translated
  kJit = 1 << 7,          // the engine's counters, at the end
  kCpuReset = 1 << 8,     // the processor's registers before each reset
};

class Log {
 public:
  Log() = default;
  ~Log();
  Log(const Log&) = delete;
  Log& operator=(const Log&) = delete;

  // `items` is QEMU's -d argument, comma-separated; an unknown item is an error naming those there are.
  Status enable(std::string_view items);
  // Sends the log to a file instead of stderr.
  Status open(const std::string& path);

  bool enabled(LogItem item) const { return (items_ & static_cast<u32>(item)) != 0; }

  // Prints a line if `item` is enabled; the newline is added.
  template <class... Args>
  void line(LogItem item, fmt::format_string<Args...> format, Args&&... args) {
    if (enabled(item)) write(fmt::format(format, std::forward<Args>(args)...));
  }

  // Names for addresses in what is logged.
  void set_symbols(SymbolTable symbols) { symbols_ = std::move(symbols); }
  // " <name+0x12>" for a linear address, or nothing.
  std::string symbol(u32 linear) const {
    if (symbols_.size() == 0) return {};
    const std::string name = symbols_.name(linear);
    return name.empty() ? name : " <" + name + ">";
  }

  // "item  what it logs" lines for -d help.
  static std::string help();

 private:
  void write(const std::string& text);

  u32 items_ = 0;
  SymbolTable symbols_;
  std::FILE* file_ = nullptr;  // null means stderr
};

}  // namespace xlat
