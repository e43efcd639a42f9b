// An ATAPI CD/DVD-ROM drive (ATA/ATAPI-6 PACKET feature set, MMC-3 commands) over an ISO image.
#pragma once

#include <memory>

#include "devices/block/medium_drive.h"
#include "devices/ide/ata.h"
#include "devices/ide/ide_drive.h"
#include "devices/scsi/mmc.h"

namespace xlat {

class AtapiCdrom final : public IdeDrive, public MediumDrive {
 public:
  // `image` null: an empty drive.
  AtapiCdrom(Clock& clock, std::string name, std::unique_ptr<BlockImage> image,
             DriveIdentity identity = {"XL00003", "1.0", "XLAT CD-ROM"}, DiskSetup setup = {});

  void serialize(Archive& ar) override;

  // Puts a disc in and closes the tray; the guest learns of it by unit attention and by media event.
  Status insert(std::unique_ptr<BlockImage> image) override;
  // Takes the disc out. While the guest has locked the door this only posts an eject request and returns false, unless
  // forced.
  bool eject(bool force) override;
  BlockImage* image() const override { return disk_.image(); }
  bool tray_open() const override { return tray_open_; }
  bool removable() const override { return true; }
  bool locked() const override { return locked_; }

 protected:
  void execute() override;
  bool more_in() const override { return stage_ == Stage::kReply; }
  void next_in() override;
  void out_done() override;
  void dma_step() override;
  void disk_done(DiskRequest& request) override;
  void load_signature() override;
  void reset_settings() override;
  u8 reset_status() const override { return 0; }  // no DRDY until the first command
  bool accepts(u8 command) const override;
  void device_reset() override;

 private:
  enum class Stage : u8 { kNone, kCdb, kReply, kParameters, kLast = kParameters };
  struct Sense {
    u8 key, asc, ascq;
  };

  void packet();
  void packet_media(u8 op);
  void packet_status(u8 op);
  void identify();
  void set_features();
  void abort_command();
  // Ends the command.
  void good();
  void fail(Sense sense);
  // Sends the data, cut to the CDB's allocation length. Nothing: a field of it asks for what there is not.
  void answer(const std::optional<std::vector<u8>>& data, std::size_t allocation);
  void start_read(u64 lba, u64 count, u8 parts);
  void refill();
  void take_sectors(std::span<const u8> user_data);
  bool media_present() const { return disk_.present() && !tray_open_; }
  u64 media_sectors() const { return (disk_.size() + 2047) / 2048; }
  mmc::Disc disc() const { return {media_sectors(), disk_.present(), tray_open_, locked_}; }
  u32 cdb16(unsigned at) const { return u32{cdb_[at]} << 8 | cdb_[at + 1]; }
  u32 cdb32(unsigned at) const { return cdb16(at) << 16 | cdb16(at + 2); }

  void inquiry();
  void request_sense();
  void mode_sense();
  void mode_select();
  void get_event_status();
  void start_stop();

  DriveIdentity identity_;

  std::array<u8, 12> cdb_{};
  Stage stage_ = Stage::kNone;
  bool use_dma_ = false;
  u32 limit_ = 0;                     // bytes a DRQ block
  u32 reply_at_ = 0, reply_end_ = 0;  // what of buffer_ is still to go to the host
  u64 cd_lba_ = 0;                    // sectors still to be read into buffer_
  u64 cd_left_ = 0;
  u32 cd_asked_ = 0;    // of them, those the medium is asked for now
  u8 cd_parts_ = 0x10;  // READ CD byte 9: sync, header, user data, EDC and ECC

  CdAudio audio_;
  Sense sense_{0, 0, 0};
  bool attention_ = false;  // media changed and not yet told
  u8 event_ = 0;            // media event for GET EVENT STATUS NOTIFICATION
  bool tray_open_ = false;
  bool locked_ = false;
  u8 mwdma_ = 2, udma_ = 0xff;
};

}  // namespace xlat
