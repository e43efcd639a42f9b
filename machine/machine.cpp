// The run loop.
#include "machine/machine.h"

#include <algorithm>

namespace xlat {

namespace {
// Instructions between two looks at the gate. A posted input ends a slice early.
constexpr u64 kSlice = 2'000'000;
constexpr u64 kPaceNs = 2'000'000;

u64 ns_between(InputGate::Clock::time_point from, InputGate::Clock::time_point to) {
  return to <= from ? 0 : static_cast<u64>(std::chrono::duration_cast<std::chrono::nanoseconds>(to - from).count());
}
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
  machine->paused_ = config.paused;
  Interp& interp = machine->pc_->interp;
  machine->gate_.on_wake([&interp] { interp.stop(); });
  for (unsigned side = 0; side < machine->pcs_.size(); ++side) {
    for (unsigned n = 0; n < 4; ++n) {
      Uart16550* uart = machine->pcs_[side]->uart(n);
      if (uart) uart->on_can_receive([m = machine.get(), side, n] { m->feed_serial(side, n); });
    }
  }
  return machine;
}

Machine::~Machine() {
  if (pc_) log_.line(LogItem::kJit, "{}", pc_->interp.statistics());
}

void Machine::post(std::function<void()> work) {
  {
    const std::lock_guard lock(posted_mutex_);
    posted_.push_back(std::move(work));
  }
  gate_.nudge();
}

void Machine::enter_serial(unsigned port, std::span<const u8> bytes) {
  serial_backlog_[port] += static_cast<i64>(bytes.size());
  for (const u8 value : bytes) gate_.post(SerialInput{static_cast<u8>(port), value});
}

void Machine::quit() {
  quit_ = true;
  gate_.nudge();
}

void Machine::cont() {
  paused_ = false;
  host_start_ = {};  // the time spent stopped does not count
}

bool Machine::run_posted() {
  for (;;) {
    std::function<void()> work;
    {
      const std::lock_guard lock(posted_mutex_);
      if (posted_.empty()) return !quit_;
      work = std::move(posted_.front());
      posted_.pop_front();
    }
    work();
  }
}

void Machine::feed_serial(unsigned side, unsigned port) {
  Uart16550& uart = *pcs_[side]->uart(port);
  std::deque<u8>& waiting = serial_waiting_[side][port];
  while (!waiting.empty() && uart.can_receive() > 0) {
    const u8 value = waiting.front();
    waiting.pop_front();
    if (side == 0) --serial_backlog_[port];
    uart.receive(value);
  }
}

void Machine::apply(const Input& input) {
  struct Visitor {
    Machine& m;
    unsigned side;
    Pc& pc;
    void operator()(const SerialInput& in) {
      if (in.port >= 4 || !pc.uart(in.port)) return;
      m.serial_waiting_[side][in.port].push_back(in.value);
      m.feed_serial(side, in.port);
    }
    void operator()(const KeyInput& in) { pc.kbc.key(in.key, in.down); }
    void operator()(const MouseInput& in) {
      pc.kbc.mouse_move(in.dx, in.dy, in.dz);
      pc.kbc.mouse_buttons(in.buttons);
    }
    void operator()(const ResetInput&) { pc.requests.reset = true; }
    void operator()(const PowerButtonInput&) { pc.pm.press_power_button(); }
    void operator()(const TimeInput& in) { pc.clock.set_rate(in.rate); }
    void operator()(const IdleInput& in) { pc.clock.skip_to(in.now); }
  };
  for (unsigned side = 0; side < pcs_.size(); ++side) std::visit(Visitor{*this, side, *pcs_[side]}, input);
}

void Machine::drain() {
  while (const auto input = gate_.take(pc_->clock.count())) apply(*input);
}

// Steers the rate so that virtual time meets the host's: faster when behind, slower when ahead, never stopped. The
// instruction rate is what was seen since the last look.
void Machine::pace() {
  const auto host = InputGate::Clock::now();
  Clock& clock = pc_->clock;
  if (host_start_ == InputGate::Clock::time_point{}) {
    host_start_ = host_last_ = host;
    virtual_start_ = clock.now();
    count_last_ = clock.count();
    return;
  }
  const u64 elapsed = ns_between(host_last_, host);
  if (elapsed < kPaceNs) return;
  const u64 executed = clock.count() - count_last_;
  host_last_ = host;
  count_last_ = clock.count();
  if (executed < 10'000) return;  // mostly halted: says nothing about speed
  const double ahead =
      static_cast<double>(clock.now() - virtual_start_) - static_cast<double>(ns_between(host_start_, host));
  // Make the difference good over the next 20 ms of host time.
  const double wanted = std::clamp(1.0 - ahead / 20e6, 0.1, 10.0);
  const double rate = wanted * static_cast<double>(elapsed) / static_cast<double>(executed);
  const TimeInput input{static_cast<u64>(std::clamp(rate, 0.01, 1000.0) * 4294967296.0)};
  gate_.stamp(clock.count(), input);
  apply(input);
}

// The processor is halted: time goes on to the next event, at once in a deterministic run, else as the host's does.
void Machine::idle() {
  Clock& clock = pc_->clock;
  const u64 deadline = clock.next_deadline();
  if (config_.time.deterministic) {
    if (deadline == Clock::kNever) {
      gate_.wait(std::nullopt);
    } else {
      for (Pc* pc : pcs_) pc->clock.skip_to(deadline);
    }
    return;
  }
  if (host_start_ == InputGate::Clock::time_point{}) pace();
  const auto host_of = [&](u64 ns) { return host_start_ + std::chrono::nanoseconds(ns - virtual_start_); };
  if (deadline == Clock::kNever) {
    gate_.wait(std::nullopt);
  } else if (host_of(deadline) > InputGate::Clock::now()) {
    gate_.wait(host_of(deadline));
  }
  // As far as the host's clock came, but not past the event; an input ends the wait earlier.
  const u64 reached = virtual_start_ + ns_between(host_start_, InputGate::Clock::now());
  const IdleInput input{std::min(std::max(reached, clock.now()), deadline)};
  gate_.stamp(clock.count(), input);
  apply(input);
  host_last_ = InputGate::Clock::now();
  count_last_ = clock.count();
}

// The last look of lockstep at memory.
Machine::Exit Machine::end(Exit why) { return lockstep_ && !lockstep_->compare_memory() ? Exit::kDifference : why; }

Machine::Exit Machine::run_until(u64 count) {
  Pc& pc = *pc_;
  for (;;) {
    if (!run_posted()) return end(Exit::kPowerOff);
    if (paused_) {
      gate_.wait(std::nullopt);
      continue;
    }
    drain();
    for (Pc* each : pcs_) each->clock.run_due();
    if (lockstep_ && !lockstep_->compare_requests()) return Exit::kDifference;
    if (pc.requests.any()) {
      const PcRequests asked = pc.requests;
      for (Pc* each : pcs_) each->requests = {};
      if (asked.exit_status) {
        exit_status_ = *asked.exit_status;
        return end(Exit::kDebugExit);
      }
      if (asked.power_off) return end(Exit::kPowerOff);
      if (config_.no_reboot) return end(Exit::kReset);
      // What could be loaded at the start can be loaded again, unless the user has taken the file away.
      for (Pc* each : pcs_) {
        if (Status s = each->reset(); !s) {
          fmt::print(stderr, "xlat: {}\n", s.error().message);
          return Exit::kReset;
        }
      }
      continue;
    }
    if (pc.clock.count() >= count) return Exit::kCount;
    if (!config_.time.deterministic) pace();
    const u64 now = pc.clock.count();
    const u64 until = std::min({pc.clock.count_at(pc.clock.next_deadline()), now + kSlice, count});
    const Interp::Stop why = pc.interp.run(until);
    if (lockstep_ && !lockstep_->follow(why)) return Exit::kDifference;
    if (why == Interp::Stop::kIdle) {
      drain();
      if (!pc.requests.any() && pc.clock.next_deadline() > pc.clock.now()) idle();
    }
  }
}

}  // namespace xlat
