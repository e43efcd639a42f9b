// A disk of the USB's mass storage class: the bulk-only transport in front of a SCSI disk.
#pragma once

#include <memory>

#include "devices/scsi/scsi_disk.h"
#include "devices/usb/usb_device.h"

namespace xlat {

// Universal Serial Bus Mass Storage Class, Bulk-Only Transport 1.0. Answers that are shorter than what the host expects
// are padded with zeros.
class UsbStorage final : public UsbDevice {
 public:
  UsbStorage(Clock& clock, std::unique_ptr<BlockImage> image, bool is_removable, std::string serial,
             DiskSetup setup = {});

  ScsiDisk& disk() { return disk_; }

 private:
  enum class Phase : u8 { kCommand, kDataIn, kDataOut, kStatus, kLast = kStatus };

  bool request(const UsbSetup& setup, std::vector<u8>& data) override;
  UsbStatus in(u8 endpoint, std::span<u8> data, std::size_t& done) override;
  UsbStatus out(u8 endpoint, std::span<const u8> data) override;
  void reset_function() override;
  void serialize_function(Archive& ar) override;

  bool take_command(std::span<const u8> wrapper);
  bool work();
  UsbStatus send_status(std::span<u8> data, std::size_t& done);

  ScsiDisk disk_;
  ScsiTask task_;
  Phase phase_ = Phase::kCommand;
  u32 tag_ = 0, left_ = 0;  // of the data the host expects
};

}  // namespace xlat
