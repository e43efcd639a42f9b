// The control law of paced time.
#include "machine/pacer.h"

#include <algorithm>
#include <cmath>

namespace xlat {

namespace {
constexpr u64 kWindow = 1'000'000;   // of running is enough to tell the speed
constexpr u64 kLeast = 20'000;       // a slice's length when virtual time is ahead already
constexpr double kCorrection = 4e6;  // a difference is made good within about so many ns
// Catching up leaves a guest fewer instructions for each of its timer's ticks; so many a second of virtual time it
// keeps, lest it lose ticks.
constexpr double kLeastSpeed = 2e6;
constexpr double kMostCatchUp = 20;
}  // namespace

u64 Pacer::furthest(u64 host, u64 virtual_now) const {
  return std::max(virtual_of(host) + kLead, virtual_now + kLeast);
}

std::optional<u64> Pacer::ran(u64 begin, u64 end, u64 instructions, u64 virtual_now) {
  window_ns_ += end - begin;
  window_instructions_ += instructions;
  const double ahead = static_cast<double>(virtual_now) - static_cast<double>(virtual_of(end));
  // Speed that changed by much shows in a difference long before the window is full.
  if (window_ns_ < kWindow && std::abs(ahead) < static_cast<double>(kLead) / 2) return std::nullopt;
  if (window_instructions_ == 0 || window_ns_ == 0) return std::nullopt;
  const double ns_each = static_cast<double>(window_ns_) / static_cast<double>(window_instructions_);
  window_ns_ = window_instructions_ = 0;
  const double most = std::clamp(1e9 / ns_each / kLeastSpeed, 1.0, kMostCatchUp);
  const double wanted = std::clamp(1.0 - ahead / kCorrection, 1.0 / 64, 1.0 + most);
  return static_cast<u64>(std::clamp(ns_each * wanted, 1e-4, 1e7) * 4294967296.0);
}

}  // namespace xlat
