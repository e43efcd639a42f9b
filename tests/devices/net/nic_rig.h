// A network card on a bus of its own, with rings in memory and a cable that the test holds.
#pragma once

#include <algorithm>
#include <catch2/catch.hpp>
#include <random>

#include "base/bits.h"
#include "devices/net/card.h"
#include "devices/net/ethernet.h"
#include "devices/pci/pci.h"
#include "tests/support/run_clock.h"

namespace xlat {

inline constexpr MacAddress kOwnMac = {0x52, 0x54, 0x00, 0x12, 0x34, 0x56}, kOtherMac = {0x02, 0, 0, 0, 0, 9};
inline constexpr MacAddress kEverybody = {0xff, 0xff, 0xff, 0xff, 0xff, 0xff}, kGroupMac = {0x01, 0, 0x5e, 0, 0, 0x16};

inline NetFrame make_frame(const MacAddress& to, std::size_t bytes, u8 seed = 1, u16 type = 0x88b5) {
  NetFrame frame(bytes);
  std::copy(to.begin(), to.end(), frame.begin());
  std::copy(kOtherMac.begin(), kOtherMac.end(), frame.begin() + 6);
  store_be<u16>(&frame[12], type);
  for (std::size_t n = kMacHeader; n < bytes; ++n) frame[n] = static_cast<u8>(seed + 7 * n + n / 256);
  return frame;
}

struct NicBoard {
  struct Lines : IrqSink {
    bool level[16] = {};
    void set_irq(unsigned line, bool on) override { level[line] = on; }
  };

  Clock clock;
  PortBus ports;
  AddressSpace memory;
  std::vector<u8> ram = std::vector<u8>(0x80000);
  Lines lines;
  std::vector<NetFrame> sent;
  NetPort port{"net", [this](std::span<const u8> frame) { sent.emplace_back(frame.begin(), frame.end()); }};

  NicBoard() { memory.map_ram(0, ram.size(), ram.data()); }
  void deliver(const NetFrame& frame) { port.enter(std::make_shared<const NetFrame>(frame)); }
  void pass(u64 ns) { run_clock(clock, clock.now() + ns); }
  u32 word(u32 at) const { return load_le<u32>(&ram[at]); }
  void put(u32 at, u32 value) { store_le(&ram[at], value); }
  void put(u32 at, std::span<const u8> bytes) { std::copy(bytes.begin(), bytes.end(), ram.begin() + at); }
  NetFrame bytes(u32 at, std::size_t count) const {
    return {ram.begin() + at, ram.begin() + static_cast<std::ptrdiff_t>(at + count)};
  }
  u32 in(unsigned at, unsigned width = 4) { return ports.read(static_cast<u16>(at), width); }
  void out(unsigned at, u32 value, unsigned width = 4) { ports.write(static_cast<u16>(at), width, value); }
};

template <class Card>
struct PciRig : NicBoard {
  static constexpr u32 kMmio = 0xe000'0000;
  static constexpr u16 kIo = 0xc000;
  PciBus bus{ports, memory};
  Card card{PciNic{memory, clock, port, kOwnMac, {}}};

  explicit PciRig(unsigned io_bar = 0, unsigned memory_bar = 1) {
    for (unsigned n = 0; n < 4; ++n) bus.connect_pirq(n, IrqLine(lines, n));
    bus.add(1, 0, card);
    config(0x10 + 4 * io_bar, kIo);
    config(0x10 + 4 * memory_bar, kMmio);
    config(4, 7);
  }
  void config(unsigned reg, u32 value) {
    ports.write(0xcf8, 4, 0x80000800 | reg);
    ports.write(0xcfc, 4, value);
  }
  u32 config(unsigned reg) {
    ports.write(0xcf8, 4, 0x80000800 | reg);
    return ports.read(0xcfc, 4);
  }
  bool interrupt() const { return lines.level[0]; }
  u32 get(u32 reg, unsigned width = 4) { return static_cast<u32>(memory.read(kMmio + reg, width)); }
  void set(u32 reg, u32 value, unsigned width = 4) { memory.write(kMmio + reg, width, value); }
  void archive(Archive& ar) { clock.serialize(ar), bus.serialize(ar), card.serialize(ar), port.serialize(ar); }
  std::vector<u8> state() {
    Archive ar = Archive::saver();
    archive(ar);
    return ar.bytes();
  }
  bool load(std::vector<u8> bytes) {
    Archive ar = Archive::loader(std::move(bytes));
    archive(ar);
    return ar.ok() && ar.at_end();
  }
};

// An IPv4 packet with TCP: addresses, lengths and checksums as they shall be.
inline NetFrame make_tcp(std::size_t data, bool good = true) {
  NetFrame frame = make_frame(kOwnMac, kMacHeader + 40 + data, 3, 0x0800);
  const u8 ip[20] = {0x45, 0, 0, 0, 0x12, 0x34, 0x40, 0, 64, kIpTcp, 0, 0, 10, 0, 2, 2, 10, 0, 2, 15};
  std::copy(std::begin(ip), std::end(ip), frame.begin() + 14);
  store_be<u16>(&frame[16], static_cast<u16>(40 + data));
  insert_checksum(frame, 14, 34, 24);
  const u8 tcp[20] = {0, 80, 0x12, 0x34, 0, 0, 1, 0, 0, 0, 0, 1, 0x50, 0x19, 0x10, 0, 0, 0, 0, 0};
  std::copy(std::begin(tcp), std::end(tcp), frame.begin() + 34);
  const IpLayout layout = ip_layout(frame);
  store_be<u16>(&frame[50],
                static_cast<u16>(~ones_sum(std::span(frame).subspan(34), pseudo_header_sum(frame, layout, 20 + data))));
  if (!good) frame[60] ^= 0x55;
  return frame;
}

// Random accesses, descriptors and frames for a card at both windows; ends with a state that must load again.
template <class Rig>
void shake(Rig& rig, unsigned seed, unsigned steps, std::initializer_list<u32> likely) {
  std::mt19937 random(seed);
  const auto any = [&](u32 below) { return static_cast<u32>(random() % below); };
  const std::vector<u32> known(likely);
  for (unsigned n = 0; n < steps; ++n) {
    const unsigned width = 1u << any(3);
    const u32 at = any(4) ? known[any(static_cast<u32>(known.size()))] : any(0x6000);
    const u32 value = any(3) == 0 ? static_cast<u32>(random()) : any(2) ? any(0x1000) : any(64) * 0x1000;
    switch (any(8)) {
      case 0: rig.get(at, width); break;
      case 1:
      case 2:
      case 3: rig.set(at, value, width); break;
      case 4:
        rig.out(rig.kIo + any(0x40), value, width);
        rig.in(rig.kIo + any(0x40), width);
        break;
      case 5:
        for (unsigned b = 0; b < 64; ++b) rig.ram[any(static_cast<u32>(rig.ram.size()))] = static_cast<u8>(random());
        rig.put(any(0x7000) * 16, static_cast<u32>(random()) | 0x8300'0000);
        break;
      case 6: rig.deliver(make_frame(any(2) ? kOwnMac : kEverybody, 14 + any(any(8) ? 1600 : 60000))); break;
      case 7: rig.pass(any(3'000'000)); break;
    }
    if (rig.sent.size() > 100) rig.sent.clear();
    if (n % 512 == 0) REQUIRE(rig.load(rig.state()));
  }
}

}  // namespace xlat
