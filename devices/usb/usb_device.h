// A device on a USB: the control pipe with the standard requests; its other endpoints are the derived class's.
#pragma once

#include <span>
#include <string>
#include <vector>

#include "devices/device.h"
#include "devices/usb/usb_bus.h"

namespace xlat {

// Packet identifiers (Universal Serial Bus Specification 1.1, table 8-1).
enum class UsbPid : u8 { kOut = 0xe1, kIn = 0x69, kSetup = 0x2d };

enum class UsbStatus : u8 { kAck, kNak, kStall, kBabble, kTimeout };

// A transaction. `data` is what the host sends, or where what it gets goes; `done` bytes of it were moved.
struct UsbTransaction {
  UsbPid pid;
  u8 address, endpoint;
  std::span<u8> data;
  std::size_t done = 0;
};

struct UsbSetup {
  u8 type = 0, request = 0;
  u16 value = 0, index = 0, length = 0;
  bool in() const { return type & 0x80; }
};

// Descriptors but for the strings, which are made from `strings`: number 0 is the language.
struct UsbDescription {
  std::vector<u8> device, configuration;
  std::vector<std::string> strings;
};

// Specification 1.1, chapter 9. Data toggles are the host's business: nothing is lost on this bus.
class UsbDevice : public Device {
 public:
  UsbDevice(std::string name, UsbDescription description, bool low_speed)
      : name_(std::move(name)), description_(std::move(description)), low_speed_(low_speed) {}
  ~UsbDevice() override;

  bool low_speed() const { return low_speed_; }
  // This device, one behind it, or null.
  virtual UsbDevice* find(u8 address) { return address == address_ && answers_ ? this : nullptr; }
  UsbStatus transact(UsbTransaction& t);
  // Reset signalling on its port: it answers at address 0 from now on.
  void bus_reset();
  // Its port is not enabled.
  void silence() { answers_ = false; }

  std::string_view name() const override { return name_; }
  void reset() override;
  void serialize(Archive& ar) override;

 protected:
  // A request that is not standard, or a descriptor that is not one of those above. For one with data to the device
  // `data` holds it; for the others it is to be filled. False: stall.
  virtual bool request(const UsbSetup&, std::vector<u8>&) { return false; }
  virtual UsbStatus in(u8, std::span<u8>, std::size_t&) { return UsbStatus::kStall; }
  virtual UsbStatus out(u8, std::span<const u8>) { return UsbStatus::kStall; }
  virtual void configured() {}
  virtual void reset_function() {}
  virtual void serialize_function(Archive&) {}

  bool is_configured() const { return configuration_ != 0; }
  void halt(u8 endpoint) { halted_ |= endpoint_bit(endpoint); }
  bool halted(u8 endpoint) const { return halted_ & endpoint_bit(endpoint); }
  // There is something for the host: it may look.
  void wake() {
    if (port_) port_->wake();
  }

 private:
  friend class UsbPort;
  enum class Stage : u8 { kIdle, kDataIn, kDataOut, kStatusIn, kStalled, kLast = kStalled };

  static u32 endpoint_bit(u8 endpoint) { return u32{1} << ((endpoint & 15) + ((endpoint & 0x80) ? 16 : 0)); }
  UsbStatus control(UsbTransaction& t);
  bool perform(std::vector<u8>& data);
  bool descriptor(std::vector<u8>& data);

  std::string name_;
  UsbDescription description_;
  bool low_speed_;
  UsbPort* port_ = nullptr;

  bool answers_ = false;
  u8 address_ = 0, configuration_ = 0;
  u32 halted_ = 0;  // endpoints, IN ones in the upper half
  bool remote_wakeup_ = false;
  Stage stage_ = Stage::kIdle;
  UsbSetup setup_;
  std::vector<u8> data_;
  u16 at_ = 0;
};

// A device descriptor of USB 1.1 (9.6.1).
std::vector<u8> usb_device_descriptor(u16 vendor, u16 product, u8 device_class, u8 packet, u16 release = 0x0100);

}  // namespace xlat
