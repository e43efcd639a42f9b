// symbols: names for addresses in the log and in info registers.
#include "frontend/monitor/commands.h"
#include "frontend/monitor/elf_symbols.h"
#include "frontend/monitor/expression.h"

namespace xlat {

std::string monitor_symbols(MonitorContext& context, std::string_view arguments) {
  const auto words = monitor_words(arguments);
  if (words.empty() || words.size() > 2) return "symbols: FILE [BASE] expected\n";
  Log& log = context.machine.log();
  if (words.size() == 1 && words[0] == "none") {
    log.set_symbols({});
    return {};
  }
  std::optional<u32> base;
  if (words.size() == 2) {
    std::string_view text = words[1];
    const auto value = evaluate_expression(text, context.machine.pc().cpu);
    if (!value) return fmt::format("symbols: {}\n", value.error().message);
    if (!text.empty()) return fmt::format("symbols: '{}' is not an address\n", words[1]);
    base = static_cast<u32>(value.value());
  }
  auto symbols = read_elf_symbols(words[0], base);
  if (!symbols) return fmt::format("symbols: {}\n", symbols.error().message);
  const std::size_t count = symbols->size();
  log.set_symbols(std::move(*symbols));
  return fmt::format("{} symbols\n", count);
}

}  // namespace xlat
