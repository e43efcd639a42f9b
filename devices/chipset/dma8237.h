// The two 8237A DMA controllers of an AT with their page registers.
#pragma once

#include <functional>
#include <span>
#include <string>
#include <vector>

#include "devices/device.h"
#include "devices/isa/port_range.h"
#include "mmu/address_space.h"

namespace xlat {

enum class DmaDirection : u8 {
  kToMemory,    // the device is read, memory written ("write transfer")
  kFromMemory,  // memory is read, the device written ("read transfer")
};

struct DmaResult {
  std::size_t bytes = 0;        // moved (or counted, for a verify transfer)
  bool terminal_count = false;  // TC was reached with the last of them
};

// Channels 0-3 move bytes, 5-7 words; 4 is the cascade. Data sheet: Intel 8237A, 231466-005. Ports 0x00-0x0F,
// 0xC0-0xDF, pages 0x80-0x8F. The cascade's own mask is not needed for channels 0-3 to work.
class Dma8237 : public Device, public IoHandler {
 public:
  Dma8237(PortBus& ports, AddressSpace& memory);

  // The channel is unmasked and its controller enabled: DREQ would be answered.
  bool ready(unsigned channel) const;
  // Moves up to data.size() bytes between `data` and memory, stopping at the terminal count. Nothing moves when the
  // channel is not ready or programmed for the other direction; a verify transfer counts without touching memory.
  DmaResult transfer(unsigned channel, std::span<u8> data, DmaDirection direction);
  // Called before a port of the pair is read or written: a device that moves its data later than it would has to catch
  // up, so that addresses and counts are those of now. `owner` names the hook to take it away by.
  void before_access(const void* owner, std::function<void()> hook);
  void forget(const void* owner);
  // DREQ as the status register shows it.
  void set_request(unsigned channel, bool level);

  // One line a channel, for `info dma`.
  std::string dump() const;

  std::string_view name() const override { return "i8237"; }
  void reset() override;
  void serialize(Archive& ar) override;

  u32 read(u64 port, unsigned width) override;
  void write(u64 port, unsigned width, u32 value) override;

 private:
  struct Channel {
    u16 base_address = 0, base_count = 0;
    u16 address = 0, count = 0;
    u8 mode = 0;
  };
  struct Controller {
    Channel channels[4];
    u8 command = 0;
    u8 mask = 0x0f;
    u8 terminal = 0;  // TC reached, by channel
    u8 request = 0;   // DREQ and software requests
    bool flip_flop = false;
    void master_clear();
  };

  u8 read_register(Controller& c, unsigned reg);
  void write_register(Controller& c, unsigned reg, u8 value);

  struct Hook {
    const void* owner;
    std::function<void()> call;
  };

  AddressSpace& memory_;
  std::vector<Hook> hooks_;
  Controller controllers_[2];
  u8 pages_[16] = {};
  PortRange low_, high_, page_ports_;
};

}  // namespace xlat
