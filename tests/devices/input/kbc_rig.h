// An 8042 with keyboard and mouse on a bus of its own.
#pragma once

#include <cstdio>
#include <string>

#include "devices/input/kbc8042.h"
#include "tests/support/run_clock.h"

namespace xlat::test {

struct IrqLevels : IrqSink {
  bool level[16] = {};
  void set_irq(unsigned line, bool on) override { level[line] = on; }
};

struct KbcRig {
  PortBus ports;
  Clock clock;
  IrqLevels irq;
  Kbc8042 kbc{ports, clock, IrqLine(irq, 1), IrqLine(irq, 12)};
  bool a20 = true;
  int resets = 0;
  KbcRig() {
    kbc.on_a20([this](bool on) { a20 = on; });
    kbc.on_reset_request([this] { ++resets; });
    kbc.reset();
  }
  void out(u16 port, u8 value) { ports.write(port, 1, value); }
  u32 in(u16 port) { return ports.read(port, 1); }
  void pass(u64 ns) { run_clock(clock, clock.now() + ns); }
  // Every byte that arrives, as hex.
  std::string drain() {
    std::string out;
    for (int i = 0; i < 100; ++i) {
      pass(60000);
      if (!(in(0x64) & 1)) break;
      out += fmt(in(0x60)) + " ";
    }
    return out;
  }
  static std::string fmt(u32 v) {
    char text[8];
    std::snprintf(text, sizeof text, "%02x", v);
    return text;
  }
  std::string keyboard(std::initializer_list<u8> bytes) {
    std::string all;
    for (u8 b : bytes) out(0x60, b), all += drain();
    return all;
  }
  std::string mouse(std::initializer_list<u8> bytes) {
    std::string all;
    for (u8 b : bytes) out(0x64, 0xd4), out(0x60, b), all += drain();
    return all;
  }
};

}  // namespace xlat::test
