// Bits of an AHCI port's registers that its parts share (AHCI 1.0, 3.3).
#pragma once

#include "base/types.h"

namespace xlat::ahci {

// PxIS.
inline constexpr u32 kDhrs = 1 << 0, kPss = 1 << 1, kSdbs = 1 << 3, kPcs = 1 << 6, kPrcs = 1 << 22, kTfes = 1 << 30;
inline constexpr u32 kInterrupts = 0xfdc000ff;
// PxCMD.
inline constexpr u32 kSt = 1 << 0, kSud = 1 << 1, kPod = 1 << 2, kClo = 1 << 3, kFre = 1 << 4, kFr = 1 << 14,
                     kCr = 1 << 15, kAtapi = 1 << 24, kIcc = u32{0xf} << 28;
// READ and WRITE FPDMA QUEUED, and the tag of an error that was no queued command's (ATA-8 ACS, A.5).
inline constexpr u8 kReadQueued = 0x60, kWriteQueued = 0x61, kNotQueued = 0x80;

}  // namespace xlat::ahci
