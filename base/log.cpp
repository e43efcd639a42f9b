// Item names and the sink of the -d log.
#include "base/log.h"

#include <cerrno>
#include <cstring>

namespace xlat {

namespace {

struct ItemName {
  std::string_view name;
  LogItem item;
  std::string_view what;
};

constexpr ItemName kItems[] = {
    {"in_asm", LogItem::kInAsm, "guest code of each block when it is first decoded"},
    {"int", LogItem::kInt, "interrupts and exceptions"},
    {"exec", LogItem::kExec, "each block executed"},
    {"cpu_reset", LogItem::kCpuReset, "the processor's registers before each reset"},
    {"guest_errors", LogItem::kGuestErrors, "guest does what a manual forbids"},
    {"unimp", LogItem::kUnimp, "functions xlat does not have"},
    {"ir", LogItem::kIr, "intermediate representation of each block lifted"},
    {"out_asm", LogItem::kOutAsm, "host code of each block translated"},
    {"jit", LogItem::kJit, "the engine's counters (info jit) at the end"},
};

}  // namespace

Log::~Log() {
  if (file_) std::fclose(file_);
}

Status Log::enable(std::string_view items) {
  while (!items.empty()) {
    const auto comma = items.find(',');
    const std::string_view name = items.substr(0, comma);
    items = comma == std::string_view::npos ? std::string_view{} : items.substr(comma + 1);
    bool found = false;
    for (const ItemName& known : kItems) {
      if (known.name != name) continue;
      items_ |= static_cast<u32>(known.item);
      found = true;
    }
    // Items of QEMU's that this version does not have.
    for (const std::string_view later : {"op", "op_opt", "op_ind", "cpu", "fpu", "mmu", "pcall", "page", "nochain",
                                         "strace", "plugin", "tid", "vpu"}) {
      if (later == name) return error("-d {}: this log item: not in this version", name);
    }
    if (!found) {
      std::string names;
      for (const ItemName& known : kItems) names += fmt::format("{}{}", names.empty() ? "" : ", ", known.name);
      return error("-d: no log item '{}'; there are: {}", name, names);
    }
  }
  return {};
}

Status Log::open(const std::string& path) {
  std::FILE* file = std::fopen(path.c_str(), "w");
  if (!file) return error("-D: cannot write log file '{}': {}", path, std::strerror(errno));
  if (file_) std::fclose(file_);
  file_ = file;
  return {};
}

std::string Log::help() {
  std::string text;
  for (const ItemName& known : kItems) text += fmt::format("  {:<14}{}\n", known.name, known.what);
  return text;
}

void Log::write(const std::string& text) {
  std::FILE* out = file_ ? file_ : stderr;
  std::fwrite(text.data(), 1, text.size(), out);
  std::fputc('\n', out);
}

}  // namespace xlat
