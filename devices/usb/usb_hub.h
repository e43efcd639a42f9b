// A USB 1.1 hub with eight ports.
#pragma once

#include <array>
#include <memory>

#include "devices/usb/usb_device.h"

namespace xlat {

// Universal Serial Bus Specification 1.1, chapter 11.
class UsbHub final : public UsbDevice {
 public:
  static constexpr unsigned kPorts = 8;

  // Its ports are called `path`.1 to `path`.8.
  UsbHub(UsbBus& bus, const std::string& path);
  ~UsbHub() override;

  UsbDevice* find(u8 address) override;

 private:
  struct Port {
    u16 status = 0, change = 0;
  };

  bool request(const UsbSetup& setup, std::vector<u8>& data) override;
  UsbStatus in(u8 endpoint, std::span<u8> data, std::size_t& done) override;
  void reset_function() override;
  void serialize_function(Archive& ar) override;
  void attached(unsigned n);
  bool port_feature(const UsbSetup& setup);

  UsbBus& bus_;
  std::array<std::unique_ptr<UsbPort>, kPorts> ports_;
  std::array<Port, kPorts> port_;
};

}  // namespace xlat
