// Following, comparing, and the report of a difference.
#include "machine/lockstep.h"

#include <fmt/format.h>

#include <algorithm>
#include <cstring>

#include "cpu/disasm.h"
#include "cpu/state_text.h"

namespace xlat {

Result<std::unique_ptr<Lockstep>> Lockstep::create(const MachineConfig& config, Pc& leader) {
  std::unique_ptr<Lockstep> lockstep(new Lockstep(config, leader));
  MachineConfig mine = config;
  mine.engine = EngineKind::kInterp;
  mine.follower = true;
  for (AudioOutput& output : mine.audio) output.sink = nullptr;
  mine.warn = [](const std::string&) {};
  for (ChannelConfig& channel : mine.channels) channel.output = nullptr;
  for (NetworkConfig& network : mine.networks) network.output = nullptr;
  auto follower = Pc::create(mine, lockstep->log_);
  if (!follower) return error("-engine lockstep: the second machine: {}", follower.error().message);
  lockstep->follower_ = std::move(*follower);
  leader.interp.watch(config.lockstep.window.value_or(0), [l = lockstep.get()] { return l->turn(); });
  lockstep->follower_->interp.watch(0, [l = lockstep.get()] {
    l->visited_.push_back(static_cast<u32>(l->follower_->cpu.s.ip));
    return true;
  });
  lockstep->remember();
  return lockstep;
}

Lockstep::~Lockstep() { leader_.interp.watch(0, nullptr); }

void Lockstep::remember() {
  before_ = leader_.cpu.s;
  count_before_ = leader_.clock.count();
  visited_.clear();
}

// Called by the leader's loop between two turns.
bool Lockstep::turn() {
  // Blocks entered by their links take over more than those entered from the loop, so they run as well.
  constexpr u64 kWhile = 4096, kWindow = 64;
  if (!config_.window && blocks_ % kWhile == 0) {
    leader_.interp.set_most_at_once(blocks_ / kWhile % 2 == 0 ? 0 : kWindow);
  }
  return follow(Interp::Stop::kAsked);
}

bool Lockstep::follow(Interp::Stop why) {
  if (!report_.empty()) return false;
  const u64 count = leader_.clock.count();
  // Where the leader found nothing to do, the follower has to see the same.
  const u64 until = count + (why == Interp::Stop::kIdle);
  while (follower_->interp.run(until) == Interp::Stop::kAsked) {}
  if (!compare()) return false;
  ++blocks_;
  remember();
  return count - memory_equal_at_ < config_.memory_every || compare_memory();
}

namespace {
// The same bytes from the segment registers on are the same values; most often that is all there is to look at.
bool equal(const CpuState& a, const CpuState& b) {
  constexpr auto tail = [](const CpuState& s) { return reinterpret_cast<const u8*>(s.seg); };
  const std::size_t bytes = static_cast<std::size_t>(reinterpret_cast<const u8*>(&a + 1) - tail(a));
  if (std::memcmp(a.gpr, b.gpr, sizeof a.gpr) != 0 || a.ip != b.ip || !(a.flags == b.flags)) return false;
  return std::memcmp(tail(a), tail(b), bytes) == 0 || a == b;
}
}  // namespace

bool Lockstep::compare() {
  if (equal(leader_.cpu.s, follower_->cpu.s) && leader_.clock.count() == follower_->clock.count()) return true;
  report_ = where() + states();
  return false;
}

bool Lockstep::compare_requests() {
  if (!report_.empty()) return false;
  if (leader_.requests == follower_->requests) return true;
  report_ = "lockstep: one engine asks for a reset, power off or exit, the other does not\n" + where() + states();
  return false;
}

bool Lockstep::compare_memory() {
  if (!report_.empty()) return false;
  const auto compare = [&](const char* what, std::span<const u8> a, std::span<const u8> b) {
    if (std::memcmp(a.data(), b.data(), a.size()) == 0) return;
    constexpr unsigned kMostShown = 16;
    unsigned shown = 0;
    u64 differing = 0;
    for (std::size_t n = 0; n < a.size(); ++n) {
      if (a[n] == b[n]) continue;
      ++differing;
      if (shown++ < kMostShown) report_ += fmt::format("  {} {:08x}: jit {:02x}, interp {:02x}\n", what, n, a[n], b[n]);
    }
    report_ += fmt::format("  {} bytes of {} differ\n", differing, what);
  };
  compare("memory", leader_.ram->bytes(), follower_->ram->bytes());
  if (const VgaCore* vga = leader_.vga()) compare("video memory", vga->memory(), follower_->vga()->memory());
  const u64 equal_at = std::exchange(memory_equal_at_, leader_.clock.count());
  if (report_.empty()) return true;
  report_ =
      fmt::format(
          "lockstep: the processors are equal, but memory is not; it was at instruction {}, now it is instruction {}.\n"
          "Compare it more often with -engine lockstep,memory=N.\n",
          equal_at, leader_.clock.count()) +
      report_ + states();
  return false;
}

// ---- The report ----

std::string Lockstep::where() const {
  const std::string what = visited_.size() > 1 ? fmt::format("{} blocks, the first", visited_.size()) : "the block";
  const Segment& cs = before_.seg[kCs];
  return fmt::format(
      "lockstep: jit and interp differ after {} at {:04x}:{:08x} (linear {:08x}), which began at instruction {};\n"
      "{} comparisons before it found no difference\n",
      what, cs.selector, before_.ip, cs.base + static_cast<u32>(before_.ip), count_before_, blocks_);
}

// Code and states, which of their fields differ first.
std::string Lockstep::states() const {
  const auto before = state_fields(before_), jit = state_fields(leader_.cpu.s), interp = state_fields(follower_->cpu.s);
  std::string differing, text;
  const auto line = [&](const std::string& name, const std::string& a, const std::string& b, const std::string& c) {
    const bool differs = b != c;
    if (differs) differing += (differing.empty() ? "" : ", ") + name;
    if (!differs && a.size() + b.size() + c.size() > 72) {
      text += fmt::format("  {:<14} {}{}\n", name, b, a == b ? "" : " (before: " + a + ")");
    } else if (differs) {
      text += fmt::format("* {:<14} {}\n  {:<14} jit    {}\n  {:<14} interp {}\n", name, a, "", b, "", c);
    } else {
      text += fmt::format("  {:<14} {:<18} {:<18} {:<18}\n", name, a, b, c);
    }
  };
  text += fmt::format("  {:<14} {:<18} {:<18} {:<18}\n", "", "before", "jit", "interp");
  line("instructions", fmt::to_string(count_before_), fmt::to_string(leader_.clock.count()),
       fmt::to_string(follower_->clock.count()));
  for (std::size_t n = 0; n < jit.size(); ++n) line(jit[n].name, before[n].value, jit[n].value, interp[n].value);
  return fmt::format("DIFFERING: {}\n{}STATES:\n{}", differing.empty() ? "nothing" : differing, code(), text);
}

// Guest, IR and host code of the block compared last, or all that the follower came by.
std::string Lockstep::code() const {
  std::vector<u32> ips = visited_;
  const u32 first = static_cast<u32>(before_.ip);
  if (ips.empty() || ips.front() != first) ips.insert(ips.begin(), first);
  constexpr std::size_t kMostShown = 32;
  std::string text;
  for (std::size_t n = 0; n < std::min(ips.size(), kMostShown); ++n) {
    if (std::find(ips.begin(), ips.begin() + static_cast<std::ptrdiff_t>(n), ips[n]) !=
        ips.begin() + static_cast<std::ptrdiff_t>(n)) {
      continue;
    }
    const auto translations = leader_.interp.code_texts(ips[n]);
    for (std::size_t k = 0; k < translations.size(); ++k) {
      if (k == 0 || translations[k].guest != translations[0].guest) {
        text += fmt::format("GUEST CODE:\n{}IR:\n{}", translations[k].guest, translations[k].ir);
      }
      text += fmt::format("HOST CODE{}:\n{}", k == 0 ? "" : " of another translation", translations[k].host);
    }
    if (!translations.empty()) continue;
    u8 bytes[32] = {};
    u64 phys = 0;
    const u32 linear = before_.seg[kCs].base + ips[n];
    if (!follower_->cpu.peek_physical(linear, phys)) {
      text += fmt::format("GUEST CODE:\n  {:08x} is not mapped\n", linear);
      continue;
    }
    const std::size_t readable = std::min<std::size_t>(sizeof bytes, 4096 - (phys & 0xfff));
    follower_->memory.read_block(phys, {bytes, readable});
    text += fmt::format("GUEST CODE (not translated: both engines interpret it):\n{}",
                        disassemble({bytes, readable}, ips[n], before_.mode().cs32 ? 32 : 16));
  }
  if (ips.size() > kMostShown) text += fmt::format("and {} blocks more\n", ips.size() - kMostShown);
  return text;
}

}  // namespace xlat
