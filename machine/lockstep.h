// -engine lockstep: a second PC on the interpreter follows the first one on the JIT, and the first difference between
// the two is told.
#pragma once

#include <optional>

#include "machine/pc.h"

namespace xlat {

// The follower gets everything that enters the machine at the same instruction count as the leader, and what leaves it
// goes nowhere: it has no outputs, and its disks are overlays over the leader's files.
class Lockstep {
 public:
  // `leader` outlives this.
  static Result<std::unique_ptr<Lockstep>> create(const MachineConfig& config, Pc& leader);
  ~Lockstep();

  Pc& follower() { return *follower_; }

  // The leader's run() returned `why`: the follower does the same. False if the two differ then.
  bool follow(Interp::Stop why);
  // Compares what the two ask of the machine around them.
  bool compare_requests();
  // Compares all memory.
  bool compare_memory();
  // What was found; empty while there is no difference.
  const std::string& report() const { return report_; }

 private:
  Lockstep(const MachineConfig& config, Pc& leader) : config_(config.lockstep), leader_(leader) {}
  bool turn();
  bool compare();
  void remember();
  std::string where() const;
  std::string code() const;
  std::string states() const;

  const LockstepConfig config_;
  Pc& leader_;
  Log log_;  // the follower's: nothing is logged twice
  std::unique_ptr<Pc> follower_;
  std::string report_;
  // When the two were last equal.
  CpuState before_;
  u64 count_before_ = 0;
  u64 blocks_ = 0;            // comparisons
  std::vector<u32> visited_;  // blocks the follower came by since
  u64 memory_equal_at_ = 0;   // instruction count of the last comparison of memory
};

}  // namespace xlat
