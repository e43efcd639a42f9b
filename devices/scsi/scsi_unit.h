// A logical unit behind any transport: the commands that all have (SPC-3) and the way of blocks to and from the image.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "devices/block/disk.h"
#include "devices/block/medium_drive.h"
#include "devices/device.h"
#include "devices/scsi/scsi_task.h"

namespace xlat {

// What INQUIRY says. Too long texts are cut to what the standard has room for.
struct ScsiIdentity {
  std::string vendor = "XLAT", product = {}, revision = "1.0", serial = {}, device_id = {};
  bool parallel = true;  // on a bus with synchronous transfers and tags
};

// There is one initiator, so that sense and reservations are kept once.
class ScsiUnit : public Device, public MediumDrive {
 public:
  // `type` is the peripheral device type, `block` the bytes of a block.
  ScsiUnit(Clock& clock, std::string name, u8 type, u32 block, std::unique_ptr<BlockImage> image, bool is_removable,
           ScsiIdentity identity, DiskSetup setup);

  // Told when the medium is done with something: its task then gets on by step(), which is to be called at once.
  void on_medium_done(std::function<void()> told) { medium_done_ = std::move(told); }

  // Takes a command: the task has data, wants some, is done, or waits.
  void begin(ScsiTask& task, std::span<const u8> cdb);
  // Does what a waiting task waits for, or the next part of it. False: nothing could be done now.
  bool step(ScsiTask& task);
  // Ends a task that was not begun here.
  void refuse(ScsiTask& task, ScsiSense sense);
  // A hard reset but for power: what the initiator has set is forgotten, and it learns of it by this. Its tasks must be
  // forgotten, too.
  void reset_settings(ScsiSense attention);

  std::string_view name() const override { return name_; }
  void reset() override { reset_settings(scsi::kPowerOn); }
  void serialize(Archive& ar) override;

  BlockImage* image() const override { return disk_.image(); }
  bool removable() const override { return removable_; }
  bool locked() const override { return locked_; }
  bool tray_open() const override { return tray_open_; }
  Status insert(std::unique_ptr<BlockImage> image) override;
  bool eject(bool force) override;

 protected:
  using Work = ScsiTask::Work;

  // A command that is not one of all units; false: there is none such.
  virtual bool execute(ScsiTask& task) = 0;
  // By their codes; `changeable`: ones where MODE SELECT can change them.
  virtual std::vector<ScsiModePage> mode_pages(bool changeable) const = 0;
  virtual bool block_descriptor() const { return false; }
  virtual u8 medium_type() const { return 0; }
  // Of MODE SELECT, after only what can be changed was.
  virtual void set_mode_page(u8, std::span<const u8>) {}
  virtual std::vector<u8> vital_product_data(u8 page) const;
  virtual std::vector<u8> vital_pages() const { return {0x00, 0x80, 0x83}; }
  // The data of a command that wanted some beside blocks are there.
  virtual void parameters(ScsiTask& task);
  // The medium came or went: 1 it is asked for, 2 it is there, 3 it is gone (MMC-3, 6.7.2.4).
  virtual void medium_event(u8) {}
  virtual void forget_settings() {}
  // Whether what this command writes is to be on the host's disk before its status.
  virtual bool writes_through(const ScsiTask&) const { return false; }
  // The bytes of a block as this command wants it, and those of blocks that were read from `lba` on.
  virtual u32 sector_bytes(const ScsiTask&) const { return block_; }
  virtual std::vector<u8> sectors(const ScsiTask&, u64, std::vector<u8> blocks) const { return blocks; }
  // Commands that are not refused for what has happened meanwhile.
  virtual bool ignores_attention(u8 operation) const;

  void good(ScsiTask& task);
  void fail(ScsiTask& task, ScsiSense sense);
  void reply(ScsiTask& task, std::vector<u8> bytes, u64 allocation);
  void want_parameters(ScsiTask& task, u32 bytes);
  // False if the unit is not ready, and the task has failed.
  bool ready(ScsiTask& task);
  void begin_blocks(ScsiTask& task, Work work, u64 lba, u64 count);
  void wait_for(ScsiTask& task, Work work);
  static std::span<const u8> data(const ScsiTask& task) { return task.buffer_; }
  // Takes data in that change nothing, and is done.
  void ignore_data(ScsiTask& task, u32 bytes);
  // Goes through UNMAP's descriptors, so many bytes from `at` on in the task's data.
  void discard(ScsiTask& task, u32 at, std::size_t bytes);
  // Fills blocks with the one that is the task's data.
  void fill_blocks(ScsiTask& task, u64 lba, u64 count);
  void wait_for_zeroes(ScsiTask& task, u64 lba, u64 count, bool unmap);
  bool in_range(u64 lba, u64 count) const { return lba <= blocks() && count <= blocks() - lba; }
  u64 blocks() const { return (disk_.size() + block_ - 1) / block_; }
  bool medium_present() const { return disk_.present() && !tray_open_; }
  bool read_only() const { return type_ != 0 || (disk_.present() && disk_.read_only()); }
  void start_stop(ScsiTask& task);

  const u32 block_;
  Disk disk_;

 private:
  void inquiry(ScsiTask& task);
  void request_sense(ScsiTask& task);
  void mode_sense(ScsiTask& task, bool ten);
  void mode_select(ScsiTask& task);
  ScsiSense mode_error(std::span<const u8> list, bool ten, bool apply);
  bool ask_medium(ScsiTask& task);
  void ask(ScsiTask& task, DiskRequest request);
  void answered(ScsiTask& task, DiskRequest& request);
  void take_blocks(ScsiTask& task, std::vector<u8> bytes);
  u64 blocks_at_once(const ScsiTask& task) const;
  void disk_done(DiskRequest& request);

  std::string name_;
  u8 type_;
  bool removable_;
  ScsiIdentity identity_;
  std::function<void()> medium_done_;

  ScsiSense sense_, attention_;
  bool locked_ = false, tray_open_ = false, stopped_ = false;
  u32 last_request_ = 0;
  DiskRequest* done_ = nullptr;  // while medium_done_ is told
};

}  // namespace xlat
