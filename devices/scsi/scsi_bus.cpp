// Commands that are the target's and not a unit's.
#include "devices/scsi/scsi_bus.h"

#include <algorithm>

namespace xlat {

using namespace scsi;

void ScsiBus::plug(unsigned target, unsigned lun, ScsiUnit& unit) {
  units_[target][lun] = &unit;
  unit.on_medium_done([this] {
    if (medium_done_) medium_done_();
  });
}

bool ScsiBus::has_target(unsigned target) const {
  return target < kTargets &&
         std::any_of(units_[target].begin(), units_[target].end(), [](auto* unit) { return unit; });
}

void ScsiBus::end(ScsiTask& task, ScsiStatus status) {
  task.phase_ = ScsiTask::Phase::kDone;
  task.status_ = status;
}

void ScsiBus::answer(ScsiTask& task, std::vector<u8> bytes, u64 allocation) {
  if (bytes.size() > allocation) bytes.resize(allocation);
  end(task, ScsiStatus::kGood);
  task.buffer_ = std::move(bytes);
  if (!task.buffer_.empty()) task.phase_ = ScsiTask::Phase::kDataIn;
}

void ScsiBus::begin(ScsiTask& task, unsigned target, unsigned lun, std::span<const u8> cdb) {
  task.begin(cdb);
  constexpr u8 kReportLuns = 0xa0, kInquiry = 0x12, kRequestSense = 0x03;
  const u8 operation = task.cdb()[0];
  ScsiUnit* const here = unit(target, lun);
  if (operation == kReportLuns && target < kTargets && task.cdb32(6) >= 16 && task.cdb()[2] <= 2) {
    std::vector<u8> list(8);
    for (unsigned n = 0; n < kLuns; ++n) {
      if (units_[target][n]) list.insert(list.end(), {0, static_cast<u8>(n), 0, 0, 0, 0, 0, 0});
    }
    store_be<u32>(&list[0], static_cast<u32>(list.size() - 8));
    return answer(task, std::move(list), task.cdb32(6));
  }
  if (here) return here->begin(task, cdb);
  if (operation == kInquiry && !(task.cdb()[1] & 1)) {
    std::vector<u8> data(36);
    data[0] = 0x7f;  // no device can be here
    data[2] = 5;
    data[4] = 31;
    return answer(task, std::move(data), task.cdb16(3));
  }
  if (operation == kRequestSense) {
    std::vector<u8> data(18);
    data[0] = 0x70;
    data[2] = kNoUnit.key;
    data[7] = 10;
    data[12] = kNoUnit.code;
    return answer(task, std::move(data), task.cdb()[4]);
  }
  end(task, ScsiStatus::kCheckCondition);
}

void ScsiBus::reset(unsigned target, ScsiSense attention) {
  if (target >= kTargets) return;
  for (ScsiUnit* each : units_[target]) {
    if (each) each->reset_settings(attention);
  }
}

void ScsiBus::reset(ScsiSense attention) {
  for (unsigned target = 0; target < kTargets; ++target) reset(target, attention);
}

}  // namespace xlat
