// A SCSI disk (SBC-2).
#pragma once

#include "devices/scsi/scsi_unit.h"

namespace xlat {

class ScsiDisk final : public ScsiUnit {
 public:
  static constexpr u32 kBlock = 512;

  // `rotations` a minute; 0: it does not tell, 1: it has no disk.
  ScsiDisk(Clock& clock, std::string name, std::unique_ptr<BlockImage> image, bool is_removable, ScsiIdentity identity,
           DiskSetup setup = {}, u16 rotations = 0)
      : ScsiUnit(clock, std::move(name), 0x00, kBlock, std::move(image), is_removable, std::move(identity),
                 std::move(setup)),
        rotations_(rotations),
        write_cache_at_power_on_(disk_.write_cache()) {}

  void serialize(Archive& ar) override;

 private:
  bool execute(ScsiTask& task) override;
  bool execute_blocks(ScsiTask& task);
  void parameters(ScsiTask& task) override;
  std::vector<ScsiModePage> mode_pages(bool changeable) const override;
  void set_mode_page(u8 code, std::span<const u8> data) override;
  bool block_descriptor() const override { return true; }
  std::vector<u8> vital_product_data(u8 page) const override;
  std::vector<u8> vital_pages() const override { return {0x00, 0x80, 0x83, 0xb0, 0xb1, 0xb2}; }
  void forget_settings() override { disk_.set_write_cache(write_cache_at_power_on_), read_ahead_ = true; }
  bool writes_through(const ScsiTask& task) const override;

  void read_capacity(ScsiTask& task, bool sixteen);
  void synchronize(ScsiTask& task, u64 lba, u64 count);
  void verify(ScsiTask& task, u64 lba, u64 count);
  void write_same(ScsiTask& task, u64 lba, u64 count);
  void unmap(ScsiTask& task);
  void format_unit(ScsiTask& task);

  const u16 rotations_;
  const bool write_cache_at_power_on_;
  bool read_ahead_ = true;
};

}  // namespace xlat
