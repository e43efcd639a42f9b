// The event queue on virtual time.
#include "base/clock.h"

#include <algorithm>

namespace xlat {

void Timer::schedule(u64 at) {
  const u64 before = clock_.next_deadline();
  if (!pending_) clock_.timers_.push_back(this);
  pending_ = true;
  at_ = at;
  order_ = clock_.next_order_++;
  if (at < before && clock_.earlier_) clock_.earlier_();
}

void Timer::cancel() {
  if (!pending_) return;
  pending_ = false;
  std::erase(clock_.timers_, this);
}

void Timer::serialize(Archive& ar) {
  bool pending = pending_;
  u64 at = at_, order = order_;
  ar(pending)(at)(order);
  if (!ar.loading()) return;
  cancel();
  at_ = at;
  order_ = order;
  if (!pending) return;
  // As schedule() does, but in the place it had; the clock's own section says which place is next.
  const u64 before = clock_.next_deadline();
  clock_.timers_.push_back(this);
  pending_ = true;
  clock_.next_order_ = std::max(clock_.next_order_, order + 1);
  if (at < before && clock_.earlier_) clock_.earlier_();
}

void Clock::rebase() {
  base_ns_ = now();
  base_count_ = count_;
}

void Clock::set_rate(u64 ns_per_instruction_q32) {
  ASSERT(ns_per_instruction_q32 != 0);
  rebase();
  rate_ = ns_per_instruction_q32;
}

u64 Clock::count_at(u64 ns) const {
  if (ns == kNever) return kNever;
  if (ns <= base_ns_) return base_count_;
  const unsigned __int128 delta = (unsigned __int128)(ns - base_ns_) << 32;
  const unsigned __int128 n = (delta + rate_ - 1) / rate_;
  if (n > kNever - base_count_) return kNever;
  return base_count_ + static_cast<u64>(n);
}

void Clock::skip_to(u64 ns) {
  if (ns <= now()) return;
  rebase();
  base_ns_ = ns;
}

u64 Clock::next_deadline() const {
  u64 next = kNever;
  for (const Timer* timer : timers_) next = std::min(next, timer->at_);
  return next;
}

void Clock::run_due() {
  for (;;) {
    const u64 time = now();
    Timer* due = nullptr;
    for (Timer* timer : timers_) {
      if (timer->at_ > time) continue;
      if (!due || timer->at_ < due->at_ || (timer->at_ == due->at_ && timer->order_ < due->order_)) due = timer;
    }
    if (!due) return;
    due->cancel();
    due->fire_();
  }
}

void Clock::serialize(Archive& ar) {
  const u64 before = now();
  ar(count_)(base_count_)(base_ns_)(rate_)(next_order_);
  if (!ar.loading()) return;
  if (rate_ == 0 || base_count_ > count_) {
    ar.fail("clock: no such time");
    rate_ = u64{8} << 32;
    base_count_ = count_;
  }
  const u64 after = now();
  for (Timer* timer : timers_) timer->at_ = after + (timer->at_ > before ? timer->at_ - before : 0);
}

}  // namespace xlat
