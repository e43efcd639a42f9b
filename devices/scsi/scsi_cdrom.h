// A SCSI CD-ROM drive (MMC-3) over an ISO image.
#pragma once

#include "devices/scsi/mmc.h"
#include "devices/scsi/scsi_unit.h"

namespace xlat {

class ScsiCdrom final : public ScsiUnit {
 public:
  // `image` null: an empty drive.
  ScsiCdrom(Clock& clock, std::string name, std::unique_ptr<BlockImage> image, ScsiIdentity identity,
            DiskSetup setup = {})
      : ScsiUnit(clock, std::move(name), 0x05, 2048, std::move(image), true, std::move(identity), std::move(setup)),
        audio_(clock) {}

  void serialize(Archive& ar) override;

 private:
  bool execute(ScsiTask& task) override;
  bool read_sectors(ScsiTask& task);
  // `data` nothing: the command's block asks for what there is not.
  void answer(ScsiTask& task, std::optional<std::vector<u8>> data, u32 allocation);
  void read_capacity(ScsiTask& task);
  mmc::Disc disc() const { return {blocks(), disk_.present(), tray_open(), locked()}; }

  std::vector<ScsiModePage> mode_pages(bool changeable) const override {
    return mmc::mode_pages(disc(), audio_, changeable);
  }
  void set_mode_page(u8 code, std::span<const u8> data) override;
  void forget_settings() override { audio_.reset(); }

  u8 medium_type() const override { return mmc::medium_type(disc()); }
  void medium_event(u8 event) override;
  bool ignores_attention(u8 operation) const override;
  u32 sector_bytes(const ScsiTask& task) const override;
  std::vector<u8> sectors(const ScsiTask& task, u64 lba, std::vector<u8> blocks) const override;

  CdAudio audio_;
  u8 event_ = 0;  // for GET EVENT STATUS NOTIFICATION
};

}  // namespace xlat
