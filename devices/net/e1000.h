// Intel 82540EM, the PRO/1000 MT Desktop: rings of descriptors in memory, checksums and segmentation by the card.
#pragma once

#include <array>
#include <vector>

#include "devices/net/card.h"
#include "devices/net/eeprom93c46.h"
#include "devices/net/ethernet.h"
#include "devices/pci/pci.h"

namespace xlat {

// Registers and descriptors by Intel's "PCI/PCI-X Family of Gigabit Ethernet Controllers Software Developer's Manual"
// (317453), which section numbers refer to.
class E1000 final : public Device, public PciFunction, public IoHandler, public NetCard {
 public:
  explicit E1000(PciNic parts);

  std::string_view name() const override { return "e1000"; }
  void reset() override;
  void serialize(Archive& ar) override;

  // The registers' memory, dwords alone.
  u32 read(u64 offset, unsigned width) override;
  void write(u64 offset, unsigned width, u32 value) override;

  bool can_receive() override;
  void receive(std::span<const u8> frame) override;
  void link_changed() override;

 private:
  static constexpr std::size_t kRegisterBytes = 0x6000;
  static constexpr std::size_t kMostPacket = std::size_t{1} << 20;

  // IOADDR and IODATA, 13.2: the registers through I/O ports.
  struct IoWindow : IoHandler {
    explicit IoWindow(E1000& c) : card(c) {}
    u32 read(u64 offset, unsigned width) override;
    void write(u64 offset, unsigned width, u32 value) override;
    E1000& card;
    u32 address = 0;
  };

  // What a context descriptor has said, 3.3.6.
  struct Context {
    u8 ip_start = 0, ip_offset = 0, tu_start = 0, tu_offset = 0;
    u16 ip_end = 0, tu_end = 0;
    u32 payload = 0;
    u8 header = 0;
    u16 mss = 0;
    bool tcp = false, v4 = false;
    void serialize(Archive& ar);
  };
  // The packet whose descriptors have been read so far.
  struct Packet {
    std::vector<u8> bytes;
    u8 options = 0;  // POPTS of its first data descriptor
    bool begun = false, extended = false, segment = false;
  };

  u32& reg(u32 offset) { return registers_[offset / 4]; }
  u32 reg(u32 offset) const { return registers_[offset / 4]; }

  void reset_registers();
  void load_eeprom();
  u32 read_register(u32 offset);
  void write_register(u32 offset, u32 value);
  void phy_access(u32 command);
  void reset_phy();
  void update_link(bool changed);

  void cause(u32 bits);
  void update_interrupt();
  void delayed_cause(u32 bits, Timer& timer, u64& latest, u32 delay, u32 limit);

  // ---- Receiving, e1000_receive.cpp ----
  unsigned receive_buffer() const;
  u32 free_receive_descriptors() const;
  bool accepts(std::span<const u8> frame) const;
  bool accepts_vlan(u16 tag) const;
  void take_frame(std::span<const u8> frame);
  u16 check_sums(std::span<const u8> frame, u8& status, u8& errors) const;
  void count_received(std::span<const u8> frame, std::size_t bytes);

  // ---- Sending, e1000_transmit.cpp ----
  void transmit();
  void read_context(const std::array<u8, 16>& descriptor);
  // Returns how much was read.
  std::size_t add_data(const std::array<u8, 16>& descriptor, u64 address, bool legacy);
  void send_packet(const std::array<u8, 16>& last, bool legacy);
  void send_frame(std::span<u8> frame, const std::array<u8, 16>& last);

  void count(u32 offset, u32 by = 1);
  void count_bytes(u32 offset, u64 bytes);
  void count_size(u32 first, std::size_t bytes);

  AddressSpace& memory_;
  Clock& clock_;
  NetPort& port_;
  MacAddress mac_;
  IoWindow io_{*this};
  std::array<u32, kRegisterBytes / 4> registers_{};
  std::array<u16, 32> phy_{};
  Eeprom93c46 eeprom_;
  bool sending_ = false;
  Context context_, segment_context_;
  Packet packet_;
  Timer throttle_, receive_delay_, transmit_delay_, transmit_more_;
  u64 next_interrupt_ = 0;                        // no earlier, by ITR
  u64 receive_latest_ = 0, transmit_latest_ = 0;  // by RADV and TADV
};

}  // namespace xlat
