// The logical units of a SCSI bus, by target and LUN.
#pragma once

#include <array>

#include "devices/scsi/scsi_unit.h"

namespace xlat {

class ScsiBus {
 public:
  static constexpr unsigned kTargets = 8, kLuns = 8;

  void plug(unsigned target, unsigned lun, ScsiUnit& unit);
  // Told when the medium of a unit is done with something.
  void on_medium_done(std::function<void()> told) { medium_done_ = std::move(told); }
  // Null if there is none.
  ScsiUnit* unit(unsigned target, unsigned lun) const {
    return target < kTargets && lun < kLuns ? units_[target][lun] : nullptr;
  }
  bool has_target(unsigned target) const;

  // A command for a target that is there. What it says of LUNs that it does not have, and which it has, is answered
  // here (SPC-3, 6.21).
  void begin(ScsiTask& task, unsigned target, unsigned lun, std::span<const u8> cdb);
  // Ends a task that no unit has seen.
  static void end(ScsiTask& task, ScsiStatus status);
  // All units of a target, or of all targets.
  void reset(unsigned target, ScsiSense attention);
  void reset(ScsiSense attention);

 private:
  static void answer(ScsiTask& task, std::vector<u8> bytes, u64 allocation);
  std::array<std::array<ScsiUnit*, kLuns>, kTargets> units_{};
  std::function<void()> medium_done_;
};

}  // namespace xlat
