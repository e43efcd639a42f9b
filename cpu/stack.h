// Pushing and popping for far transfers: a copy of SS:ESP that is committed only when nothing faulted.
#pragma once

#include "cpu/cpu.h"

namespace xlat {

class Stack {
 public:
  // The current stack.
  explicit Stack(Cpu& cpu) : Stack(cpu, cpu.s.seg[kSs], cpu.s.reg32(kEsp), cpu.user(), 0) {}
  // Another one; `selector` goes into the error code of #SS.
  Stack(Cpu& cpu, const Segment& ss, u32 esp, bool user, u16 selector)
      : cpu_(cpu), ss_(ss), esp_(esp), user_(user), selector_(selector) {}

  u32 esp() const { return esp_; }
  const Segment& ss() const { return ss_; }

  void push(u32 value, unsigned bytes) {
    move(0 - bytes);
    const u32 offset = masked(esp_);
    if (!ss_.writable(offset, bytes)) return cpu_.raise_selector(kSS, selector_);
    const u32 linear = ss_.base + offset;
    user_ ? cpu_.store_slow(linear, bytes, value, true) : cpu_.store_system(linear, bytes, value);
  }

  // CS and EIP.
  void push_return(unsigned bytes) {
    push(cpu_.s.seg[kCs].selector, bytes);
    push(static_cast<u32>(cpu_.s.ip), bytes);
  }

  u32 pop(unsigned bytes) {
    const u32 value = peek(0, bytes);
    move(bytes);
    return value;
  }

  // Reads `depth` bytes above the top.
  u32 peek(u32 depth, unsigned bytes) {
    const u32 offset = masked(esp_ + depth);
    if (!ss_.readable(offset, bytes)) {
      cpu_.raise_selector(kSS, selector_);
      return 0;
    }
    const u32 linear = ss_.base + offset;
    return static_cast<u32>(user_ ? cpu_.load_slow(linear, bytes, true) : cpu_.load_system(linear, bytes));
  }

  void move(u32 by) {
    const u32 next = esp_ + by;
    esp_ = ss_.big() ? next : (esp_ & 0xffff0000) | (next & 0xffff);
  }

 private:
  u32 masked(u32 esp) const { return ss_.big() ? esp : esp & 0xffff; }

  Cpu& cpu_;
  Segment ss_;
  u32 esp_;
  bool user_;
  u16 selector_;
};

}  // namespace xlat
