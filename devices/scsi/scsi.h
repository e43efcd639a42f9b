// Numbers of the SCSI standards that units, buses and adapters share.
#pragma once

#include <vector>

#include "base/types.h"

namespace xlat {

// SAM-3, 5.3.
enum class ScsiStatus : u8 {
  kGood = 0x00,
  kCheckCondition = 0x02,
  kBusy = 0x08,
  kReservationConflict = 0x18,
  kTaskSetFull = 0x28,
};

// Sense key, additional sense code and its qualifier (SPC-3, 4.5.6).
struct ScsiSense {
  u8 key = 0, code = 0, qualifier = 0;
  bool operator==(const ScsiSense&) const = default;
};

// A page of MODE SENSE: what is behind its two-byte header.
struct ScsiModePage {
  u8 code;
  std::vector<u8> data;
};

namespace scsi {

// The pages with this code, 3Fh: all, go behind what is there. False if there is none.
inline bool put_mode_pages(std::vector<u8>& data, const std::vector<ScsiModePage>& pages, u8 wanted) {
  bool any = false;
  for (const ScsiModePage& page : pages) {
    if (page.code != wanted && wanted != 0x3f) continue;
    any = true;
    data.push_back(page.code);
    data.push_back(static_cast<u8>(page.data.size()));
    data.insert(data.end(), page.data.begin(), page.data.end());
  }
  return any;
}

inline constexpr ScsiSense kNoSense{}, kNoMedium{2, 0x3a, 0}, kNoMediumClosed{2, 0x3a, 1}, kNoMediumOpen{2, 0x3a, 2},
    kNotReady{2, 0x04, 2}, kReadError{3, 0x11, 0}, kWriteError{3, 0x0c, 0}, kInvalidCommand{5, 0x20, 0},
    kOutOfRange{5, 0x21, 0}, kInvalidField{5, 0x24, 0}, kNoUnit{5, 0x25, 0}, kInvalidParameter{5, 0x26, 0},
    kParameterLength{5, 0x1a, 0}, kNoSaving{5, 0x39, 0}, kSequence{5, 0x2c, 0}, kRemovalPrevented{5, 0x53, 2},
    kWrongTrackMode{5, 0x64, 0}, kPowerOn{6, 0x29, 0}, kBusReset{6, 0x29, 2}, kDeviceReset{6, 0x29, 3},
    kChanged{6, 0x28, 0}, kWriteProtected{7, 0x27, 0}, kOverlapped{0xb, 0x4e, 0}, kMiscompare{0xe, 0x1d, 0};

}  // namespace scsi

}  // namespace xlat
