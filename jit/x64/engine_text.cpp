// What people see of translations: listings for -d and for lockstep's report, and the counters of `info jit`.
#include <fmt/format.h>

#include "cpu/disasm.h"
#include "cpu/encoding.h"
#include "jit/lift/lifter.h"
#include "jit/x64/engine.h"

namespace xlat::jit::x64 {

std::vector<u8> Engine::guest_bytes(const Block& block) const {
  std::vector<u8> bytes(block.bytes);
  const std::size_t first = std::min<std::size_t>(block.bytes, 4096 - (block.phys & 0xfff));
  cpu_.memory().read_block(block.phys, std::span(bytes).first(first));
  if (block.two_pages()) cpu_.memory().read_block(block.phys2, std::span(bytes).subspan(first));
  return bytes;
}

Interp::CodeText Engine::text_of(const Block& block, const Translation& t) const {
  const std::vector<u8> bytes = guest_bytes(block);
  return {.guest = disassemble(bytes, t.ip, block.mode.cs32 ? 32 : 16),
          .ir = Lifter::lift(block.insns).dump(),
          .host = disassemble({t.code, t.code_bytes}, reinterpret_cast<u64>(t.code), 64) + "cold:\n" +
                  disassemble({t.cold, t.cold_bytes}, reinterpret_cast<u64>(t.cold), 64)};
}

std::vector<Interp::CodeText> Engine::code_texts(u32 ip) const {
  std::vector<CodeText> all;
  const auto take = [&](const Translation& t) {
    if (t.ip == ip && t.text) all.push_back(*t.text);
  };
  if (ran_) take(*ran_);
  for (const auto& t : translations_) {
    if (t.get() != ran_) take(*t);
  }
  // One that was dropped by its own store.
  if (all.empty() && !dropped_.empty()) take(*dropped_.back());
  return all;
}

void Engine::log(const Block& block, const Translation& t) {
  Log& log = cpu_.log();
  if (!log.enabled(LogItem::kIr) && !log.enabled(LogItem::kOutAsm)) return;
  const CodeText text = text_of(block, t);
  log.line(LogItem::kIr, "IR of {:08x}\n{}", t.ip, text.ir);
  log.line(LogItem::kOutAsm, "IN:\n{}OUT: {} bytes\n{}", text.guest, t.code_bytes + t.cold_bytes, text.host);
}

std::string Engine::statistics() const {
  const JitCounters& c = counters_;
  Counters lines{{"translated blocks", c.translated},
                 {"  by way of the IR", c.by_ir},
                 {"  made loops", c.loops},
                 {"guest instructions in them", c.guest_insns},
                 {"  left to the interpreter", c.left_to_interp},
                 {"host code bytes", c.host_bytes},
                 {"cold host code bytes", c.cold_bytes},
                 {"code cache used, bytes", cache_.used()},
                 {"code cache size, bytes", cache_.size()},
                 {"code cache flushes (evictions)", c.cache_flushes},
                 {"translations dropped", c.dropped},
                 {"contexts", contexts_.size()},
                 {"chained exits", c.chained},
                 {"entries from the loop", c.entries},
                 {"x87 state brought to the host", c.fpu_loads},
                 {"instructions interpreted in place", c.slow}};
  for (const auto& [name, count] : slow_by_name()) lines.emplace_back("  " + name, count);
  return counter_lines(lines) + Interp::statistics();
}

// The encodings most often interpreted in place.
Interp::Counters Engine::slow_by_name() const {
  Counters list;
  for (std::size_t n = 0; n < slow_.size(); ++n) {
    if (slow_[n] == 0) continue;
    const bool real = n < encodings().size();
    list.emplace_back(real ? fmt::format("{} ({:02x})", encodings()[n].name, encodings()[n].opcode) : "invalid",
                      slow_[n]);
  }
  std::sort(list.begin(), list.end(), [](const auto& a, const auto& b) { return a.second > b.second; });
  if (list.size() > 16) list.resize(16);
  return list;
}

}  // namespace xlat::jit::x64
