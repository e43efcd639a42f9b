// Keeps virtual time beside the host's: how many nanoseconds an instruction takes, and how far a slice may go.
#pragma once

#include <optional>

#include "base/types.h"

namespace xlat {

// Knows no clock: it is told host times, in ns from any fixed point, and virtual ones. Virtual time never stops and
// never goes back. It is at most kLead ahead, whatever the engine's speed does, as furthest() ends the slice; it is
// behind by no more than the host's time between two looks, and makes that good within milliseconds.
class Pacer {
 public:
  static constexpr u64 kLead = 2'000'000;

  // From here on both run alike.
  void meet(u64 host, u64 virtual_now) {
    host_ = host;
    virtual_ = virtual_now;
    met_ = true;
    window_ns_ = window_instructions_ = 0;
  }
  void part() { met_ = false; }
  bool met() const { return met_; }

  u64 virtual_of(u64 host) const { return virtual_ + (host > host_ ? host - host_ : 0); }
  u64 host_of(u64 virtual_time) const { return host_ + (virtual_time > virtual_ ? virtual_time - virtual_ : 0); }

  // Virtual time at which the host's clock must be looked at again.
  u64 furthest(u64 host, u64 virtual_now) const;

  // The processor ran from `begin` to `end` and retired so many instructions; it is `virtual_now` then. Returns the ns
  // an instruction takes from now on, as a 32.32 fixed-point number, if that changes.
  std::optional<u64> ran(u64 begin, u64 end, u64 instructions, u64 virtual_now);

 private:
  bool met_ = false;
  u64 host_ = 0, virtual_ = 0;  // where the two met
  // What the speed is measured by: host time spent running since the last change.
  u64 window_ns_ = 0, window_instructions_ = 0;
};

}  // namespace xlat
