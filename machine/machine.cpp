// The run loop.
#include "machine/machine.h"

#include <algorithm>

namespace xlat {

namespace {
// Instructions between two looks at the gate. A posted input ends a slice early.
constexpr u64 kSlice = 2'000'000;
// So many after a halt are over soon, however slow: a guest that only answers its timer never wakes the ticker.
constexpr u64 kBrief = 20'000;
}  // namespace

Result<std::unique_ptr<Machine>> Machine::create(const MachineConfig& config) {
  std::unique_ptr<Machine> machine(new Machine(config));
  auto pc = Pc::create(config, machine->log_);
  if (!pc) return pc.error();
  machine->pc_ = std::move(*pc);
  machine->pcs_ = {machine->pc_.get()};
  if (config.engine == EngineKind::kLockstep) {
    auto lockstep = Lockstep::create(config, *machine->pc_);
    if (!lockstep) return lockstep.error();
    machine->lockstep_ = std::move(*lockstep);
    machine->pcs_.push_back(&machine->lockstep_->follower());
  }
  if (config.paused) machine->run_state_ = RunState::kPrelaunch;
  Interp& interp = machine->pc_->interp;
  machine->gate_.on_wake([&interp] { interp.stop(); });
  if (!config.time.deterministic) machine->ticker_ = std::make_unique<Ticker>([&interp] { interp.stop(); });
  machine->pc_->on_disk_done([&gate = machine->gate_](u16 disk, u64 request) { gate.post(DiskInput{disk, request}); });
  for (const auto& channel : machine->pc_->channels()) {
    std::atomic<i64>& backlog = machine->backlog_.emplace_back(0);
    channel->on_passed([&backlog](i64 bytes) { backlog -= bytes; });
  }
  for (const auto& port : machine->pc_->networks()) {
    std::atomic<i64>& waiting = machine->frames_waiting_.emplace_back(0);
    port->on_passed([&waiting](i64 frames) { waiting -= frames; });
  }
  return machine;
}

Machine::~Machine() {
  for (Pc* pc : pcs_) {
    pc->settle_disks();  // before the gate that they tell goes
    if (run_state_ == RunState::kPostMigrate) pc->leave_disks();
  }
  if (pc_) log_.line(LogItem::kJit, "{}", pc_->interp.statistics());
}

void Machine::post(std::function<void()> work) {
  {
    const std::lock_guard lock(posted_mutex_);
    posted_.push_back(std::move(work));
  }
  gate_.nudge();
}

void Machine::enter_bytes(unsigned channel, std::span<const u8> bytes) {
  backlog_[channel] += static_cast<i64>(bytes.size());
  for (const u8 value : bytes) gate_.post(CharInput{static_cast<u16>(channel), value});
}

void Machine::enter_frame(unsigned network, std::span<const u8> frame) {
  constexpr i64 kMostWaiting = 2048;
  if (frames_waiting_[network] >= kMostWaiting || frame.size() < kMacHeader || frame.size() > kMostFrame) return;
  ++frames_waiting_[network];
  gate_.post(FrameInput{static_cast<u16>(network), std::make_shared<const NetFrame>(frame.begin(), frame.end())});
}

void Machine::quit() {
  quit_ = true;
  gate_.nudge();
}

// Returns whether the machine ran before.
bool Machine::change_state(RunState to) {
  const RunState before = std::exchange(run_state_, to);
  if (before != to) {
    for (const auto& watcher : state_watchers_) watcher(to);
  }
  return before == RunState::kRunning;
}

void Machine::stop(RunState why) {
  step_.reset();
  if (!change_state(why)) return;
  stopped_at_ = linear_ip();
  for (Pc* pc : pcs_) pc->make_disks_safe();
  if (on_stop_) on_stop_(why);
}

u32 Machine::linear_ip() const {
  const CpuState& s = pc_->cpu.s;
  return s.seg[kCs].base + static_cast<u32>(s.ip);
}

void Machine::cont() {
  if (DebugPoints* points = pc_->cpu.debug_points()) {
    points->forget_hit();
    // The breakpoint the machine stands at was seen; one where the debugger has moved EIP to was not.
    if (!step_ && stopped_at_ == linear_ip() && points->breakpoint_at(*stopped_at_)) step_ = Step{.go_on = true};
  }
  change_state(RunState::kRunning);
  pacer_.part();  // the time spent stopped does not count
}

void Machine::step(Step how) {
  step_ = how;
  cont();
}

void Machine::begin_step() {
  for (Pc* pc : pcs_) {
    pc->cpu.hold_interrupts(!step_->interrupts);
    if (DebugPoints* points = pc->cpu.debug_points()) points->pass(true);
  }
}

// After a look at the processor that began at `count_before`: whether that was the step.
void Machine::end_step(u64 count_before) {
  for (Pc* pc : pcs_) {
    pc->cpu.hold_interrupts(false);
    if (DebugPoints* points = pc->cpu.debug_points()) points->pass(false);
  }
  if (pc_->clock.count() == count_before) return;  // nothing was executed yet
  const bool go_on = step_->go_on && !pc_->cpu.debug_hit();
  step_.reset();
  if (!go_on) stop(RunState::kDebug);
}

// What has been posted so far: who posts all the time must not keep the guest, or the end, waiting.
bool Machine::run_posted() {
  std::size_t count;
  {
    const std::lock_guard lock(posted_mutex_);
    count = posted_.size();
  }
  for (; count > 0 && !quit_; --count) {
    std::function<void()> work;
    {
      const std::lock_guard lock(posted_mutex_);
      work = std::move(posted_.front());
      posted_.pop_front();
    }
    work();
  }
  return !quit_;
}

void Machine::apply(const Input& input) {
  struct Visitor {
    Pc& pc;
    void operator()(const CharInput& in) {
      if (in.channel < pc.channels().size()) pc.channels()[in.channel]->enter(in.value);
    }
    void operator()(const FrameInput& in) {
      if (in.network < pc.networks().size()) pc.networks()[in.network]->enter(in.frame);
    }
    void operator()(const LinkInput& in) {
      if (in.network < pc.networks().size()) pc.networks()[in.network]->set_link(in.up);
    }
    void operator()(const KeyInput& in) {
      if (pc.suspended() && in.down) return pc.wake(Pc::Wake::kOther);
      pc.input.key(in.key, in.down);
    }
    void operator()(const MouseInput& in) {
      if (pc.suspended() && in.buttons) return pc.wake(Pc::Wake::kOther);
      pc.input.move(in.dx, in.dy, in.dz, in.buttons);
    }
    void operator()(const PointerInput& in) {
      if (pc.suspended() && in.buttons) return pc.wake(Pc::Wake::kOther);
      pc.input.point(in.at, in.wheel, in.buttons);
    }
    void operator()(const ChoosePointerInput& in) { pc.input.choose(in.number); }
    void operator()(const DiskInput& in) {
      if (in.disk < pc.disks().size() && pc.disks()[in.disk]) pc.disks()[in.disk]->deliver(in.request);
    }
    void operator()(const ResetInput&) { pc.requests.reset = true; }
    void operator()(const PowerButtonInput&) {
      pc.suspended() ? pc.wake(Pc::Wake::kOther) : pc.pm.press_power_button();
    }
    void operator()(const WakeInput&) {
      if (pc.suspended()) pc.wake(Pc::Wake::kOther);
    }
    void operator()(const TimeInput& in) { pc.clock.set_rate(in.rate); }
    void operator()(const IdleInput& in) { pc.clock.skip_to(in.now); }
  };
  for (Pc* pc : pcs_) std::visit(Visitor{*pc}, input);
}

void Machine::serialize(Archive& ar) {
  ar.section("machine", 1);
  if (lockstep_) return ar.fail("lockstep runs cannot be saved or loaded");
  if (!ar.loading()) drain();  // what has been posted enters here, and is part of what is saved
  pc_->settle_disks();
  pc_->serialize(ar);
  if (ar.loading()) pacer_.part();  // its virtual time begins anew beside the host's
}

void Machine::drain() {
  while (const auto input = gate_.take(pc_->clock.count())) apply(*input);
}

u64 Machine::host_now() const {
  return static_cast<u64>(
      std::chrono::duration_cast<std::chrono::nanoseconds>(InputGate::Clock::now().time_since_epoch()).count());
}

void Machine::enter(const Input& input) {
  gate_.stamp(pc_->clock.count(), input);
  apply(input);
}

// The processor is halted: time goes on to the next event, at once in a deterministic run, else as the host's does.
void Machine::idle() {
  Clock& clock = pc_->clock;
  brief_until_ = clock.count() + kBrief;
  const u64 deadline = clock.next_deadline();
  if (config_.time.deterministic) {
    if (deadline == Clock::kNever) {
      gate_.wait(std::nullopt);
    } else {
      for (Pc* pc : pcs_) pc->clock.skip_to(deadline);
    }
    return;
  }
  if (!pacer_.met()) pacer_.meet(host_now(), clock.now());  // after a debugger's step, or asleep since the start
  if (deadline == Clock::kNever) {
    gate_.wait(std::nullopt);
  } else if (const u64 due = pacer_.host_of(deadline); due > host_now()) {
    gate_.wait(InputGate::Clock::time_point(std::chrono::nanoseconds(due)));
  }
  // As far as the host's clock came, but not past the event; an input ends the wait earlier.
  enter(IdleInput{std::min(std::max(pacer_.virtual_of(host_now()), clock.now()), deadline)});
}

// ACPI S3: as idle(), until something wakes the machine.
void Machine::sleep() {
  Pc& pc = *pc_;
  if (pc.rtc.alarm()) {
    for (Pc* each : pcs_) each->wake(Pc::Wake::kClock);
    return;
  }
  if (pc.clock.next_deadline() > pc.clock.now()) idle();
}

// The instruction count at which the next slice ends: at the next event; in a paced run no further than the host's
// clock allows, which was read at `host`.
u64 Machine::slice_end(u64 host) {
  Clock& clock = pc_->clock;
  const u64 end = std::min(clock.count_at(clock.next_deadline()), clock.count() + kSlice);
  if (config_.time.deterministic) return end;
  if (!pacer_.met()) pacer_.meet(host, clock.now());
  const u64 furthest = std::min(end, clock.count_at(pacer_.furthest(host, clock.now())));
  if (clock.count() < brief_until_) return std::min(furthest, brief_until_);
  ticker_->wanted();
  return furthest;
}

// Some guests reset by a triple fault on purpose; one that does nothing else is told of, once.
void Machine::note_triple_fault() {
  constexpr u64 kSoon = 10 * kNanosPerSecond;
  constexpr unsigned kMany = 3;
  const u64 now = pc_->clock.now();
  triple_faults_ = now - last_triple_fault_ < kSoon ? triple_faults_ + 1 : 1;
  last_triple_fault_ = now;
  if (triple_faults_ != kMany || config_.no_reboot || std::exchange(triple_faults_told_, true)) return;
  const CpuState& s = pc_->cpu.s;
  config_.warn(
      fmt::format("the guest resets itself by triple faults: {} in a row, the last at {:04x}:{:08x}; with -no-reboot "
                  "xlat ends at the first one",
                  kMany, s.seg[kCs].selector, static_cast<u32>(s.ip)));
}

// The last look of lockstep at memory.
Machine::Exit Machine::end(Exit why) { return lockstep_ && !lockstep_->compare_memory() ? Exit::kDifference : why; }

Machine::Exit Machine::run_until(u64 count) {
  Pc& pc = *pc_;
  for (;;) {
    if (!run_posted()) return end(Exit::kPowerOff);
    if (paused()) {
      gate_.wait_for_nudge();
      continue;
    }
    // Only an interrupt gets a halted processor on.
    if (step_ && pc.cpu.s.halted) step_->interrupts = step_->timers = true;
    if (!step_ || step_->timers) {
      drain();
      for (Pc* each : pcs_) each->clock.run_due();
    }
    if (lockstep_ && !lockstep_->compare_requests()) return Exit::kDifference;
    if (const auto why = pc.take_io_stop()) {
      fmt::print(stderr, "xlat: {}\n", *why);
      stop(RunState::kIoError);
      continue;
    }
    if (pc.requests.any()) {
      const PcRequests asked = pc.requests;
      for (Pc* each : pcs_) each->requests = {};
      if (asked.exit_status) {
        exit_status_ = *asked.exit_status;
        return end(Exit::kDebugExit);
      }
      if (asked.power_off) return end(Exit::kPowerOff);
      if (asked.suspend && !asked.reset && !asked.shutdown) {
        for (Pc* each : pcs_) each->suspend();
        continue;
      }
      if (asked.shutdown) note_triple_fault();
      if (config_.no_reboot) return end(Exit::kReset);
      for (Pc* each : pcs_) each->reset();
      if (step_) stop(RunState::kDebug);
      continue;
    }
    if (pc.clock.count() >= count) return Exit::kCount;
    if (pc.suspended()) {
      sleep();
      continue;
    }
    const bool paced = !config_.time.deterministic && !step_;
    const u64 begin = paced ? host_now() : 0, before = pc.clock.count();
    if (step_) begin_step();
    const Interp::Stop why = pc.interp.run(step_ ? before + 1 : std::min(slice_end(begin), count));
    if (lockstep_ && !lockstep_->follow(why)) return Exit::kDifference;
    if (step_) end_step(before);
    if (paced) {
      const auto rate = pacer_.ran(begin, host_now(), pc.clock.count() - before, pc.clock.now());
      if (rate) enter(TimeInput{*rate});
    }
    if (why == Interp::Stop::kDebug) {
      stop(RunState::kDebug);
    } else if (why == Interp::Stop::kIdle && !paused()) {
      drain();
      if (!pc.requests.any() && pc.clock.next_deadline() > pc.clock.now()) idle();
    }
  }
}

}  // namespace xlat
