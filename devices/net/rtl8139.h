// Realtek RTL8139C+: four transmit slots and a ring of bytes, or, in C+ mode, rings of descriptors with offloads.
#pragma once

#include <array>
#include <vector>

#include "devices/net/card.h"
#include "devices/net/eeprom93c46.h"
#include "devices/net/ethernet.h"
#include "devices/pci/pci.h"

namespace xlat {

// Registers by Realtek's data sheets of the RTL8139C(L) and RTL8139C(L)+.
class Rtl8139 final : public Device, public PciFunction, public IoHandler, public NetCard {
 public:
  explicit Rtl8139(PciNic parts);

  std::string_view name() const override { return "rtl8139"; }
  void reset() override;
  void serialize(Archive& ar) override;

  // By bytes, as the registers have odd widths and places; what a register does happens at its last byte.
  u32 read(u64 offset, unsigned width) override;
  void write(u64 offset, unsigned width, u32 value) override;

  bool can_receive() override;
  void receive(std::span<const u8> frame) override;
  void link_changed() override;

 private:
  static constexpr std::size_t kMostPacket = 65536;

  void load_eeprom();
  void soft_reset();
  u16 reg16(unsigned at) const { return load_le<u16>(&registers_[at]); }
  u32 reg32(unsigned at) const { return load_le<u32>(&registers_[at]); }
  u64 reg64(unsigned at) const { return load_le<u64>(&registers_[at]); }
  void set16(unsigned at, u16 value) { store_le(&registers_[at], value); }
  void set32(unsigned at, u32 value) { store_le(&registers_[at], value); }

  void write_byte(unsigned at, u8 value);
  void written(unsigned first, unsigned end);
  u32 computed(unsigned at) const;
  void raise(u16 bits);
  void update();
  void schedule_timer();
  u32 ticks() const;
  void dump_tallies();

  bool plus_receive() const;
  bool accepts(std::span<const u8> frame) const;
  bool loops() const;
  // ---- Slots and ring, rtl8139_rings.cpp ----
  void transmit_slot(unsigned n);
  void take_frame(std::span<const u8> frame);
  u32 ring_bytes() const;
  u32 ring_free() const;
  void put_in_ring(std::span<const u8> frame);
  // ---- C+ mode, rtl8139_plus.cpp ----
  void transmit_plus(bool high);
  void send_plus(u32 options, u32 vlan);
  void put_in_descriptors(std::span<const u8> frame);
  void send(std::span<const u8> frame);

  AddressSpace& memory_;
  Clock& clock_;
  NetPort& port_;
  MacAddress mac_;
  std::array<u8, 256> registers_{};
  Eeprom93c46 eeprom_;
  u16 ring_at_ = 0;  // where the next packet goes, CBR
  u32 receive_index_ = 0, transmit_index_[2] = {};
  std::vector<u8> packet_;
  bool sending_ = false;
  u32 packet_options_ = 0, packet_vlan_ = 0;
  u64 timer_base_ = 0;  // when TCTR was 0
  struct Tallies {
    u64 sent = 0, received = 0, transmit_errors = 0;
    u32 receive_errors = 0;
    u16 missed = 0;
    u64 physical = 0, broadcast = 0;
    u32 multicast = 0;
  } tallies_;
  Timer timer_, poll_;
};

}  // namespace xlat
