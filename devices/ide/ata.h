// An ATA hard disk (ATA/ATAPI-6) over a block image.
#pragma once

#include <memory>

#include "block/block_image.h"
#include "block/disk_geometry.h"
#include "devices/block/medium_drive.h"
#include "devices/ide/ide_drive.h"

namespace xlat {

// What a drive says about itself in IDENTIFY and INQUIRY.
struct DriveIdentity {
  std::string serial = "XL00001";       // at most 20 characters
  std::string firmware = "1.0";         // at most 8
  std::string model = "XLAT HARDDISK";  // at most 40
  bool sata = false;
};

class AtaDisk final : public IdeDrive, public MediumDrive {
 public:
  AtaDisk(Clock& clock, std::string name, std::unique_ptr<BlockImage> image, DriveIdentity identity = {},
          DiskSetup setup = {});

  void serialize(Archive& ar) override;

  BlockImage* image() const override { return disk_.image(); }
  bool removable() const override { return false; }
  Status insert(std::unique_ptr<BlockImage>) override { return error("a hard disk's medium cannot be changed"); }
  bool eject(bool) override { return false; }
  u64 sectors() const { return sectors_; }
  bool read_only() const { return disk_.read_only(); }
  // A queued command has failed, and all others with it: what READ LOG EXT says of it (ATA-8 ACS, A.5).
  struct QueuedError {
    u8 tag = 0x80;  // bit 7: of no queued command
    u8 status = 0, error = 0;
    u64 lba = 0;
    u16 count = 0;
  };
  void note_queued_error(const QueuedError& failed) { queued_error_ = failed; }
  // The default CHS translation, as in IDENTIFY words 1, 3 and 6.
  const DiskGeometry& default_geometry() const { return geometry_; }

 protected:
  void execute() override;
  bool more_in() const override { return left_ > 0; }
  void next_in() override;
  void out_done() override;
  void dma_step() override;
  void disk_done(DiskRequest& request) override;
  void load_signature() override;
  void reset_settings() override;
  u8 reset_status() const override { return ata::kDrdy | ata::kDsc; }
  bool accepts(u8 command) const override;
  void device_reset() override {}

 private:
  enum class Access : u8 { kNone, kRead, kWrite, kVerify, kTrim, kLast = kTrim };
  static constexpr u32 kTrimBlocks = 8;  // of ranges that a command may have
  enum Tag : u32 { kTransfer, kFlush, kDiscarded };

  void abort_command() { finish(ata::kDrdy | ata::kDsc | ata::kErr, ata::kAbrt); }
  void succeed() { finish(ata::kDrdy | ata::kDsc, 0); }
  void media_error(u64 lba, u8 error);
  // Decodes the address registers into lba_ and left_; false where CHS cannot be (IDNF).
  bool take_address(bool ext);
  void put_address(u64 lba);
  void begin(Access access, bool ext, bool dma, unsigned block);
  void finish_transfer();
  void load_block();
  void store_block(std::vector<u8> bytes);
  void block_done(DiskRequest& request);
  void table_ended();
  void flush();
  void identify();
  void set_features();
  void init_parameters();
  void read_native_max(bool ext);
  void power(u8 command);
  void set_multiple();
  void smart();
  void smart_off_line();
  void read_log();
  void put_smart_data(std::span<u8> out) const;
  bool put_smart_log(std::span<u8> out) const;
  void send_sector();
  // DATA SET MANAGEMENT: ata_trim.cpp.
  void data_set_management();
  void take_ranges();
  void trim_next();

  DriveIdentity identity_;
  u64 sectors_;
  DiskGeometry geometry_;
  bool write_cache_at_power_on_;

  // The transfer in progress.
  Access access_ = Access::kNone;
  bool ext_ = false;
  u64 lba_ = 0;
  u32 left_ = 0;       // sectors still to move
  u32 block_ = 1;      // sectors a DRQ block
  u32 in_buffer_ = 0;  // sectors of the block at work
  bool by_dma_ = false;
  bool short_ = false;  // the bus master's table ended within the block

  // Settings.
  u8 heads_ = 16, spt_ = 63;
  u8 multiple_ = 0;
  u8 mwdma_ = 2, udma_ = 0xff;  // selected mode numbers; 0xff for none
  bool look_ahead_ = true, smart_ = true, smart_autosave_ = true;
  static constexpr std::size_t kSelfTests = 21;  // that the log has room for
  std::array<u8, kSelfTests> self_tests_{};      // how each was begun, a ring
  u32 self_test_count_ = 0;
  QueuedError queued_error_;
  u8 power_ = 0xff;  // CHECK POWER MODE's answer
  bool asleep_ = false;
};

// IDENTIFY helper: text with its bytes swapped in words, padded with blanks.
void put_identify_text(std::span<u8> words, unsigned first_word, unsigned word_count, const std::string& text);
// Word 255: signature and checksum (ATA/ATAPI-6, 8.15.61).
void put_identify_checksum(std::span<u8> words);

}  // namespace xlat
