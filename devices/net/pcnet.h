// AMD Am79C970A, PCnet-PCI II: a LANCE with rings of descriptors in memory, of 16 or 32 bits.
#pragma once

#include <array>
#include <vector>

#include "devices/net/card.h"
#include "devices/net/ethernet.h"
#include "devices/pci/pci.h"

namespace xlat {

// Registers by AMD's data sheet of the Am79C970A (19436).
class Pcnet final : public Device, public PciFunction, public IoHandler, public NetCard {
 public:
  explicit Pcnet(PciNic parts);

  std::string_view name() const override { return "pcnet"; }
  void reset() override;
  void serialize(Archive& ar) override;

  u32 read(u64 offset, unsigned width) override;
  void write(u64 offset, unsigned width, u32 value) override;

  bool can_receive() override;
  void receive(std::span<const u8> frame) override;
  void link_changed() override {}

 private:
  static constexpr unsigned kCsrs = 128, kBcrs = 32;
  static constexpr std::size_t kMostPacket = 65536;

  // A descriptor of any style: where its buffer is and how long, and its status in the place of the upper byte of
  // RMD1 and TMD1.
  struct Descriptor {
    u32 place = 0, address = 0, bytes = 0;
    u16 status = 0;
  };

  bool wide() const { return bcr_[20] & 0x100; }  // SSIZE32
  u16 read_csr(unsigned n);
  void write_csr(unsigned n, u16 value);
  u16 read_bcr(unsigned n) const;
  void write_bcr(unsigned n, u16 value);
  u32 csr_pair(unsigned n) const { return u32{csr_[n + 1]} << 16 | csr_[n]; }
  void set_csr_pair(unsigned n, u32 value);

  void control(u16 value);
  void soft_reset();
  void initialize();
  void start();
  void stop();
  void update();
  u32 host_address(u32 address) const { return wide() ? address : address & 0x00ff'ffff; }
  unsigned descriptor_bytes() const { return wide() ? 16 : 8; }

  Descriptor load(u32 ring, unsigned index) const;
  void store(const Descriptor& d, u16 status, u32 message);
  unsigned receive_ring() const { return csr_[76] ? 0x10000u - csr_[76] : 0x10000u; }
  unsigned transmit_ring() const { return csr_[78] ? 0x10000u - csr_[78] : 0x10000u; }

  void poll();
  void transmit();
  void finish(std::span<u8> packet, bool fcs);
  bool accepts(std::span<const u8> frame) const;
  void take_frame(std::span<const u8> frame, bool with_crc);

  AddressSpace& memory_;
  Clock& clock_;
  NetPort& port_;
  std::array<u8, 16> prom_{};
  std::array<u16, kCsrs> csr_{};
  std::array<u16, kBcrs> bcr_{};
  u16 rap_ = 0;
  bool dword_io_ = false;
  u32 receive_index_ = 0, transmit_index_ = 0;
  std::vector<u8> packet_;  // buffers of a packet sent so far
  bool packet_begun_ = false, sending_ = false;
  Timer poll_;
};

}  // namespace xlat
