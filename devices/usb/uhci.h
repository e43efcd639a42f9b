// The USB 1.1 host controller of the PIIX3.
#pragma once

#include <memory>

#include "base/clock.h"
#include "devices/pci/pci.h"
#include "devices/usb/usb_device.h"

namespace xlat {

// Universal Host Controller Interface Design Guide 1.1 (Intel, 1996) and PIIX3 data sheet (290550), function 2. A frame
// takes a millisecond of virtual time; transactions take none, but no more of them are made in a frame than fit in it.
class Uhci final : public Device, public PciFunction, public IoHandler {
 public:
  static constexpr unsigned kPorts = 2;

  Uhci(Clock& clock, AddressSpace& memory);

  UsbBus& bus() { return bus_; }

  std::string_view name() const override { return "piix3-usb-uhci"; }
  void reset() override;
  void serialize(Archive& ar) override;

  u32 read(u64 offset, unsigned width) override;
  void write(u64 offset, unsigned width, u32 value) override;

 private:
  // What becomes of a queue after one of its transfer descriptors.
  enum class After : u8 { kNextTd, kNextQueue, kEndFrame };

  void reset_controller();
  void write_command(u16 value);
  void write_port(unsigned n, u16 value);
  u16 port_value(unsigned n) const;
  void port_changed(unsigned n);
  void update_irq();
  void run(bool on);
  void frame();
  void walk_frame();
  After execute(u32 address, u32& control, bool in_queue);
  UsbDevice* find(u8 address);
  void go_faster();
  u16 frame_number() const;

  Clock& clock_;
  AddressSpace& memory_;
  UsbBus bus_;
  std::array<std::unique_ptr<UsbPort>, kPorts> ports_;

  u16 command_ = 0, status_ = 0, interrupts_ = 0, frame_ = 0;
  u32 frame_list_ = 0;
  u8 sof_modify_ = 0x40;
  bool completed_ = false, short_packet_ = false;  // why USBINT is set
  struct Port {
    bool enabled = false, connect_changed = false, enable_changed = false, resume = false, reset = false,
         suspended = false;
  };
  std::array<Port, kPorts> port_;
  u64 next_ = 0;        // virtual time of the frame after this one
  u32 quiet_ = 0;       // frames in a row without data
  bool busy_ = false;   // this one had some
  unsigned bytes_ = 0;  // moved in this frame
  Timer timer_;
};

}  // namespace xlat
