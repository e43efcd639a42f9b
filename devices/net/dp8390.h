// National's DP8390 network controller with the memory of an NE2000 around it.
#pragma once

#include <array>
#include <functional>

#include "devices/net/nic.h"
#include "mmu/io_handler.h"

namespace xlat {

// Registers by the data sheet of the DP8390D/NS32490D; 32 ports, of which the upper half is the NE2000's: the data port
// of the remote DMA and the port that resets. 16 KiB of memory lie at 4000h, the address PROM at 0.
class Dp8390 final : public IoHandler, public NetCard {
 public:
  // What stands in registers 0Ah and 0Bh: 'P' and 'C' for Realtek's RTL8029, nothing for others.
  enum class Kind : u8 { kNe2000, kRtl8029 };
  Dp8390(Kind kind, NetPort& port, const MacAddress& mac, std::function<void(bool)> interrupt);

  void reset();
  void serialize(Archive& ar);

  u32 read(u64 offset, unsigned width) override;
  void write(u64 offset, unsigned width, u32 value) override;

  bool can_receive() override;
  void receive(std::span<const u8> frame) override;
  void link_changed() override {}

 private:
  static constexpr u16 kMemory = 0x4000, kMemoryBytes = 0x4000;

  u8 peek(u16 address) const;
  void poke(u16 address, u8 value);
  u8 read_register(unsigned n);
  void write_register(unsigned n, u8 value);
  u8 read_page0(unsigned n);
  void write_page0(unsigned n, u8 value);
  unsigned data_step(unsigned width) const;
  u8 data_byte();
  void data_byte(u8 value);
  void next_data();
  void command(u8 value);
  void transmit();
  bool accepts(std::span<const u8> frame) const;
  unsigned free_pages() const;
  u8 next_page(u8 page) const;
  void missed();
  void raise(u8 bits);
  void update();

  Kind kind_;
  NetPort& port_;
  std::function<void(bool)> interrupt_;
  std::array<u8, 32> prom_{};
  std::array<u8, kMemoryBytes> ram_{};
  u8 command_ = 0, page_start_ = 0, page_stop_ = 0, boundary_ = 0, current_ = 0;
  u8 transmit_page_ = 0, transmit_status_ = 0, receive_status_ = 0;
  u8 status_ = 0, mask_ = 0, receive_config_ = 0, transmit_config_ = 0, data_config_ = 0;
  u16 transmit_bytes_ = 0, remote_address_ = 0, remote_bytes_ = 0;
  std::array<u8, 6> address_{};
  std::array<u8, 8> groups_{};
  std::array<u8, 3> tallies_{};
  std::array<u8, 4> realtek_{};  // page 3 of the RTL8029: 9346CR, CONFIG2, CONFIG3, HLTCLK
};

}  // namespace xlat
