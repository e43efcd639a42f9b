// A running machine: the loop that alternates between the processor, the event queue and the gate, and keeps virtual
// time beside the host's.
#pragma once

#include <functional>

#include "machine/input_gate.h"
#include "machine/lockstep.h"
#include "machine/pacer.h"
#include "machine/pc.h"
#include "machine/state_file.h"
#include "machine/ticker.h"

namespace xlat {

class Machine {
 public:
  static Result<std::unique_ptr<Machine>> create(const MachineConfig& config);
  ~Machine();

  enum class Exit : u8 {
    kPowerOff,    // ACPI, or quit()
    kReset,       // with no_reboot
    kDebugExit,   // isa-debug-exit: status() says what
    kCount,       // run_until's limit
    kDifference,  // lockstep: difference() says which
  };
  // Runs until the machine ends. The calling thread owns the machine meanwhile.
  Exit run() { return run_until(Clock::kNever); }
  // The same, at most until so many instructions were retired.
  Exit run_until(u64 count);
  u32 exit_status() const { return exit_status_; }
  bool deterministic() const { return config_.time.deterministic; }
  std::string difference() const { return lockstep_ ? lockstep_->report() : std::string(); }

  // ---- From any thread ----
  InputGate& gate() { return gate_; }
  // Bytes that arrive at a channel, by its place in MachineConfig::channels. They wait if its device is full; backlog()
  // says how many do, so that who reads faster than the guest can pause.
  void enter_bytes(unsigned channel, std::span<const u8> bytes);
  i64 backlog(unsigned channel) const { return backlog_[channel]; }
  // The same for frames and the cards at Pc::networks(). What nobody takes for long is lost, as on any network.
  void enter_frame(unsigned network, std::span<const u8> frame);
  i64 frames_waiting(unsigned network) const { return frames_waiting_[network]; }
  // Runs `work` on the machine's thread between two instructions (monitor commands); waits for it if `run` is active
  // in another thread, else runs it at the next opportunity of the loop.
  void post(std::function<void()> work);
  void quit();

  // ---- On the machine's thread ----
  // Why the machine stands still, if it does.
  enum class RunState : u8 {
    kRunning,
    kPaused,
    kPrelaunch,  // -S
    kDebug,
    kShutdown,
    kIoError,        // an image could not be read or written
    kInternalError,  // a state could not be loaded
    kInMigrate,      // waits for a state from elsewhere
    kPostMigrate,    // has been saved to go on elsewhere
  };
  RunState run_state() const { return run_state_; }
  void stop(RunState why = RunState::kPaused);
  void cont();
  bool paused() const { return run_state_ != RunState::kRunning; }
  // The whole machine, to go on from there in another one of the same kind. Not with -engine lockstep.
  void serialize(Archive& ar);
  // The same as a saved state (machine/state_file.h), which says what it goes with. `disks`: those whose content is
  // part of it; what is loaded has them as they were, too. `load_disks` is called when all else has been loaded. A
  // machine that could not be loaded has been reset and stands still.
  Status save_state(StateWriter& out, std::span<const BlockDevice> disks = {},
                    const StateWriter::Progress& progress = {});
  Status load_state(const StateReader& in, const std::function<Status()>& load_disks = {});

  // For a debugger: makes one instruction or one iteration of a repeated one, or what comes before it (an exception; an
  // interrupt if they are let in), then stops with RunState::kDebug. A halted processor waits for its interrupt.
  struct Step {
    bool interrupts = false, timers = false;  // let in
    bool go_on = false;                       // afterwards, instead of stopping
  };
  void step(Step how);
  // Told of each stop() that ended a run, whoever asked for it; null: nobody.
  void on_stop(std::function<void(RunState)> listener) { on_stop_ = std::move(listener); }
  // Told of each change of run_state(), on the machine's thread. They live as long as the machine.
  void watch_state(std::function<void(RunState)> watcher) { state_watchers_.push_back(std::move(watcher)); }
  Pc& pc() { return *pc_; }
  // For what acts on the machine past the gate: that PC, and the one that follows it in lockstep.
  const std::vector<Pc*>& pcs() const { return pcs_; }
  Log& log() { return log_; }

 private:
  Machine(const MachineConfig& config) : config_(config) {}

  Status fits(const StateReader& in, std::string_view config);
  void apply(const Input& input);
  void drain();
  bool run_posted();
  void idle();
  void sleep();
  u64 slice_end(u64 host);
  u64 host_now() const;
  // What enters by the machine itself: the host's clock.
  void enter(const Input& input);
  void note_triple_fault();
  bool change_state(RunState to);
  Exit end(Exit why);
  void begin_step();
  void end_step(u64 count_before);
  u32 linear_ip() const;

  MachineConfig config_;
  Log log_;
  std::unique_ptr<Pc> pc_;
  std::unique_ptr<Lockstep> lockstep_;  // null but with -engine lockstep
  std::vector<Pc*> pcs_;
  InputGate gate_;
  std::deque<std::atomic<i64>> backlog_;  // of each channel
  std::deque<std::atomic<i64>> frames_waiting_;
  RunState run_state_ = RunState::kRunning;
  std::optional<Step> step_;
  std::optional<u32> stopped_at_;  // linear address of the next instruction then
  std::function<void(RunState)> on_stop_;
  std::vector<std::function<void(RunState)>> state_watchers_;
  std::atomic<bool> quit_ = false;
  u32 exit_status_ = 0;
  std::mutex posted_mutex_;
  std::deque<std::function<void()>> posted_;

  unsigned triple_faults_ = 0;  // in a row; for the user alone
  u64 last_triple_fault_ = 0;
  bool triple_faults_told_ = false;

  Pacer pacer_;
  std::unique_ptr<Ticker> ticker_;  // null in deterministic runs
  u64 brief_until_ = 0;             // instruction count up to which slices are short and need no ticks
};

}  // namespace xlat
