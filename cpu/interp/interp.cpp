// The interpreter's loop.
#include "cpu/interp/interp.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <bit>
#include <functional>
#include <iterator>

#include "cpu/interp/handlers.h"

namespace xlat {

namespace {

void raise_invalid(Interp& interp, const Insn&) { interp.cpu().raise(kUD); }
void raise_too_long(Interp& interp, const Insn&) { interp.cpu().raise(kGP, 0); }

constexpr const HandlerSet* kGroups[] = {
#define GROUP(name) handlers_of_##name,
#include "cpu/groups.inc"
#undef GROUP
};

// The groups' tables in one, by encoding: exactly one of them has each.
std::array<HandlerSet, std::size(kEncodingNames)> merge_groups() {
  std::array<HandlerSet, std::size(kEncodingNames)> all;
  for (std::size_t n = 0; n < all.size(); ++n) {
    for (const HandlerSet* group : kGroups) {
      const bool has = std::any_of(std::begin(group[n].plain), std::end(group[n].plain), std::identity());
      if (n < kEncodingInvalid && has) all[n] = group[n];
    }
  }
  std::fill_n(all[kEncodingInvalid].plain, 4, raise_invalid);
  std::fill_n(all[kEncodingTooLong].plain, 4, raise_too_long);
  return all;
}

void (*handler_of(u16 encoding, unsigned width, Rep rep))() {
  static const auto kAll = merge_groups();
  const unsigned slot = static_cast<unsigned>(std::countr_zero(width));
  const HandlerSet& set = kAll[encoding];
  const Handler found = rep != Rep::kNone && set.rep[slot] ? set.rep[slot] : set.plain[slot];
  ASSERT(found != nullptr);
  return reinterpret_cast<void (*)()>(found);
}

}  // namespace

Interp::Interp(Cpu& cpu) : Interp(cpu, handler_of) {}
Interp::Interp(Cpu& cpu, BlockCache::HandlerOf handlers) : cpu_(cpu), blocks_(cpu, handlers) { cpu.attach(this); }

std::string Interp::counter_lines(const Counters& counters) {
  std::string text;
  for (const auto& [what, n] : counters) text += fmt::format("{:<34}{}\n", what, n);
  return text;
}

std::string Interp::statistics() const {
  const BlockCache::Counters& b = blocks_.counters();
  const Tlb::Counters& t = cpu_.tlb().counters();
  return counter_lines({{"decoded blocks", b.decoded},
                        {"  kept now", blocks_.size()},
                        {"block cache flushes", b.clears},
                        {"writes that hit code (SMC)", b.code_writes},
                        {"  blocks dropped by them", b.dropped},
                        {"TLB misses filled", t.fills},
                        {"TLB flushes", t.flushes},
                        {"  of all but global pages", t.local_flushes},
                        {"TLB pages flushed alone", t.page_flushes}});
}

Interp::~Interp() {
  if (cpu_.engine() == this) cpu_.attach(nullptr);
}

void Interp::publish_count() {
  const u64 within = running_ ? static_cast<u64>(current_ - first_) + iterations_ : 0;
  cpu_.clock().set_count(count_ + within);
}

// Runs at most `most` instructions of `block`, and at most `budget` of them and of their iterations. Leaves s.ip at the
// next instruction to execute, or at the faulting one.
void Interp::run_block(const Block& block, u64 budget, std::size_t most) {
  u64 executed = 0;
  run_part(block, static_cast<u32>(cpu_.s.ip), 0, std::min<u64>(budget, most), count_, budget, executed);
  count_ += executed;
  cpu_.clock().set_count(count_);
}

// After the last instruction run: EIP, and how many instructions of the block were executed.
u64 Interp::after_last() {
  CpuState& s = cpu_.s;
  const bool faulted = cpu_.faulted();
  s.mid_rep = again_ && !faulted;
  const Insn& last = *current_;
  const u64 executed = static_cast<u64>(&last - first_) + iterations_;
  if (faulted || again_) {
    if (!cpu_.fault_in_new_task()) s.ip = block_ip_ + last.off;
    // A fault inside REP comes after the iterations before it; one that ran out of budget has made all its iterations.
    return executed + (again_ ? 1 : 0);
  }
  const bool sets_ip = block_->branch && &last == first_ + block_->count - 1;
  if (!sets_ip) s.ip = static_cast<u32>(block_ip_ + last.off + last.len);
  return executed + 1;
}

bool Interp::run_part(const Block& block, u32 block_ip, std::size_t n, std::size_t end, u64 count, u64 budget,
                      u64& executed) {
  block_ip_ = block_ip;
  block_ = &block;
  first_ = blocks_.insns(block).data();
  current_ = first_ + n;
  count_ = count;
  budget_ = budget;
  iterations_ = 0;
  leave_.store(false, std::memory_order_relaxed);
  again_ = overspent_ = false;
  running_ = true;
  const Insn* const stop = first_ + end;
  const Insn* i = current_;
  do {
    current_ = i;
    reinterpret_cast<Handler>(i->handler)(*this, *i);
    if (leave_.load(std::memory_order_relaxed) || overspent_) [[unlikely]]
      break;
  } while (++i != stop);
  running_ = false;
  executed = after_last();
  return !leave_.load(std::memory_order_relaxed) && !again_ && !cpu_.faulted();
}

Interp::Stop Interp::run(u64 until) {
  until_ = until;
  count_ = cpu_.clock().count();
  const Stop why = run_loop();
  return cpu_.debug_hit() ? Stop::kDebug : why;
}

Interp::Stop Interp::run_loop() {
  DebugPoints* const points = cpu_.debug_points();
  CpuState& s = cpu_.s;
  while (count_ < until_) {
    if (stop_asked_.load(std::memory_order_relaxed)) {
      stop_asked_.store(false, std::memory_order_relaxed);
      return Stop::kAsked;
    }
    if (after_turn_ && !after_turn_()) [[unlikely]]
      return Stop::kAsked;
    if (cpu_.debug_hit()) [[unlikely]]
      return Stop::kDebug;
    bool step = false;
    if (cpu_.attention()) {
      u64 events = 0;
      const Cpu::Boundary boundary = cpu_.boundary(events);
      count_ += events;
      cpu_.clock().set_count(count_);
      if (boundary == Cpu::Boundary::kIdle || s.halted) return Stop::kIdle;
      if (events != 0) continue;
      step = boundary == Cpu::Boundary::kStep;
    }
    const u32 linear = s.seg[kCs].base + static_cast<u32>(s.ip);
    if (points && points->stops_before(linear, s.mid_rep)) [[unlikely]]
      return Stop::kDebug;
    // Beyond the limit nothing is fetched, so nothing can page-fault.
    if (s.ip > s.seg[kCs].limit) [[unlikely]]
      cpu_.raise(kGP, 0);
    const Block* block = cpu_.faulted() ? nullptr : blocks_.find(static_cast<u32>(s.ip));
    bool ran = false;
    if (block) {
      const Segment& cs = s.seg[kCs];
      // A repeated instruction need not stop after each iteration just because RF is set or interrupts are held off.
      u64 budget = step && cpu_.steps_iterations() ? 1 : until_ - count_;
      std::size_t most = step ? 1 : block->count;
      // Blocks do not depend on CS.limit; where it cuts one short, the instructions before the cut still run.
      if (s.ip + block->bytes - 1 > cs.limit) [[unlikely]] {
        std::size_t inside = 0;
        for (const Insn& i : blocks_.insns(*block)) {
          if (s.ip + i.off + i.len - 1 > cs.limit) break;
          ++inside;
        }
        most = std::min(most, inside);
        if (inside == 0) cpu_.raise(kGP, 0);
      }
      if (points) [[unlikely]]
        most = std::min(most, points->free_run(blocks_.insns(*block), linear));
      if (most != 0) {
        if (step) cpu_.before_step();
        if (cpu_.log().enabled(LogItem::kExec)) [[unlikely]] {
          cpu_.log().line(LogItem::kExec, "exec {:04x}:{:08x} eax {:08x} esp {:08x} eflags {:08x}{}", cs.selector, s.ip,
                          s.reg32(kEax), s.reg32(kEsp), s.flags.get(), cpu_.log().symbol(linear));
        }
        const bool whole = most == block->count && !step && !block->once;
        if (!whole || !run_translated(*block, budget)) run_block(*block, budget, most);
        ran = true;
      }
    }
    const bool faulted = cpu_.faulted();
    if (faulted) {
      cpu_.deliver_fault();
      ++count_;
      cpu_.clock().set_count(count_);
    }
    if (step && ran) cpu_.after_step(!faulted, again_);
  }
  return Stop::kBudget;
}

}  // namespace xlat
