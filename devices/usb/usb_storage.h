// A disk of the USB's mass storage class: SCSI commands in the bulk-only transport.
#pragma once

#include <array>
#include <memory>

#include "devices/block/io_error.h"
#include "devices/block/medium_drive.h"
#include "devices/usb/usb_device.h"

namespace xlat {

// Universal Serial Bus Mass Storage Class, Bulk-Only Transport 1.0; SCSI Primary Commands 2 and Block Commands 2.
// Answers that are shorter than what the host expects are padded with zeros.
class UsbStorage final : public UsbDevice, public MediumDrive {
 public:
  UsbStorage(std::unique_ptr<BlockImage> image, bool is_removable, std::string serial);

  void on_io_error(IoErrorHook hook) { io_error_ = std::move(hook); }

  BlockImage* image() const override { return image_.get(); }
  bool removable() const override { return removable_; }
  bool locked() const override { return locked_; }
  Status insert(std::unique_ptr<BlockImage> image) override;
  bool eject(bool force) override;

 private:
  enum class Phase : u8 { kCommand, kDataIn, kDataOut, kStatus, kLast = kStatus };
  struct Sense {
    u8 key = 0, code = 0;  // sense key, additional sense code
  };

  bool request(const UsbSetup& setup, std::vector<u8>& data) override;
  UsbStatus in(u8 endpoint, std::span<u8> data, std::size_t& done) override;
  UsbStatus out(u8 endpoint, std::span<const u8> data) override;
  void reset_function() override;
  void serialize_function(Archive& ar) override;

  bool take_command(std::span<const u8> wrapper);
  // Runs command_: fills reply_, or sets up a transfer of blocks.
  void execute();
  void fail(u8 key, u8 code);
  bool begin_blocks(bool write, u64 lba, u64 count);
  void reply(std::vector<u8> bytes, u64 allocation);
  bool ready();
  // False: the machine is to stand still and this is tried again.
  bool load_blocks();
  bool store_blocks();
  bool told(bool write, const Status& status, bool& again);
  std::vector<u8> inquiry() const;

  std::unique_ptr<BlockImage> image_;
  bool removable_;
  std::string serial_;
  IoErrorHook io_error_;

  Phase phase_ = Phase::kCommand;
  u32 tag_ = 0, left_ = 0;  // of the data the host expects
  bool failed_ = false;
  std::array<u8, 16> command_{};
  std::vector<u8> buffer_;  // on its way to the host, or gathered from it
  u32 at_ = 0;              // in buffer_
  bool blocks_ = false;     // the data are the medium's
  u64 lba_ = 0, blocks_left_ = 0;
  Sense sense_;
  bool locked_ = false, attention_ = false;
};

}  // namespace xlat
