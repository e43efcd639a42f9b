// The interpreter: decoded blocks, run by handlers made from the instruction semantics.
#pragma once

#include <atomic>
#include <functional>
#include <string>
#include <utility>
#include <vector>

#include "cpu/cpu.h"
#include "cpu/interp/block_cache.h"

namespace xlat {

class Interp : public Engine {
 public:
  explicit Interp(Cpu& cpu);
  ~Interp() override;

  enum class Stop : u8 {
    kBudget,  // the count was reached
    kIdle,    // HLT, and nothing pending
    kAsked,   // stop() was called
    kDebug,   // before a breakpoint of a debugger, or behind an access it watches
  };
  // Runs until Clock::count reaches `until`. Each instruction counts one, each iteration of a repeated string
  // instruction, and each interrupt or exception delivered.
  Stop run(u64 until);

  // From another thread or from a device: leave run() after the instruction being executed.
  void stop() {
    stop_asked_.store(true, std::memory_order_relaxed);
    leave_block();
  }

  // The budget ends at `until` now; for a deadline that moved closer while running.
  void shorten(u64 until) {
    if (until < until_) {
      until_ = until;
      leave_block();
    }
  }

  void publish_count() override;
  void leave_block() override { leave_.store(true, std::memory_order_relaxed); }

  // What `info jit` shows.
  virtual std::string statistics() const;

  // For who watches the engine: `after_turn` is called after each turn of the loop (a block, a run of translated code,
  // an event) with count and state up to date; false makes run() return kAsked. A run of translated code is at most
  // `most` instructions long then, but at least a block.
  void watch(u64 most, std::function<bool()> after_turn) {
    most_at_once_ = most;
    after_turn_ = std::move(after_turn);
  }
  void set_most_at_once(u64 most) { most_at_once_ = most; }
  // The translations of blocks at `ip`, the one entered last first, for a report. Kept while the engine is watched.
  struct CodeText {
    std::string guest, ir, host;
  };
  virtual std::vector<CodeText> code_texts(u32 ip) const { return (void)ip, std::vector<CodeText>(); }

  BlockCache& blocks() { return blocks_; }
  Cpu& cpu() { return cpu_; }

 protected:
  // For engines with a faster way to run a block, and those that follow it: runs at most `budget` instructions, and
  // brings `count_`, the clock and EIP up to date. False if the interpreter is to run the block.
  virtual bool run_translated(const Block& block, u64 budget) { return (void)block, (void)budget, false; }
  // Runs instructions [n, end) of a block at `block_ip` that began at `count` with `budget`. `executed` is how many of
  // the block's instructions and iterations were made by then. False if what follows must not run now: a fault, an
  // event, a repeated instruction that goes on.
  bool run_part(const Block& block, u32 block_ip, std::size_t n, std::size_t end, u64 count, u64 budget, u64& executed);

  // Iterations the current instruction may make.
  u64 allowance() const { return budget_ - static_cast<u64>(current_ - first_) - iterations_; }
  // Runs at most `most` instructions of `block`, which is at s.ip, with all iterations at most `budget`.
  void run_block(const Block& block, u64 budget, std::size_t most);
  // For engines that run the same blocks by other handlers.
  Interp(Cpu& cpu, BlockCache::HandlerOf handler_of);
  const Block& block() const { return *block_; }

  // Whether the run goes on up to `count` for all that is known now.
  bool goes_on_to(u64 count) const {
    return until_ >= count && !stop_asked_.load(std::memory_order_relaxed) && !cpu_.debug_hit();
  }

  // What statistics() is made of.
  using Counters = std::vector<std::pair<std::string, u64>>;
  static std::string counter_lines(const Counters& counters);

  bool watched() const { return static_cast<bool>(after_turn_); }

  Cpu& cpu_;
  BlockCache blocks_;
  u64 count_ = 0;
  // A run of translated code ends after so many instructions at the latest, so that stop() is heard.
  u64 most_at_once_ = 1 << 18;

 private:
  friend class InterpEmitter;
  Stop run_loop();
  u64 after_last();
  // Makes up to `most` iterations of a repeated string instruction at once, but for the count in ECX, CMPS and SCAS up
  // to one that ends them; 0 if they are to be made one by one. Touches only memory that the TLB has, so nothing can
  // fault.
  u64 bulk(const Insn& i, unsigned bytes, u64 most);

  u64 until_ = 0;
  std::atomic<bool> stop_asked_ = false;
  std::function<bool()> after_turn_;

  // The block being run.
  std::atomic<bool> leave_ = false;  // stop after the current instruction
  bool overspent_ = false;           // a repeated string instruction made more than one iteration
  bool running_ = false;             // inside run_block: count_ is of its start
  bool again_ = false;               // a repeated string instruction has iterations left
  const Block* block_ = nullptr;
  const Insn* first_ = nullptr;
  const Insn* current_ = nullptr;
  u32 block_ip_ = 0;
  u64 iterations_ = 0;  // REP iterations beyond one an instruction
  u64 budget_ = 0;      // instructions and iterations this block may make
};

}  // namespace xlat
