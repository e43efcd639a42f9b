// Bits of the Am79C970A's registers and descriptors.
#pragma once

#include "base/types.h"

namespace xlat::pcnet {

// CSR0.
inline constexpr u16 kInit = 1, kStrt = 2, kStop = 4, kTdmd = 8, kTxon = 0x10, kRxon = 0x20, kIena = 0x40, kIntr = 0x80,
                     kIdon = 0x100, kTint = 0x200, kRint = 0x400, kMiss = 0x1000, kErr = 0x8000;
inline constexpr u16 kErrors = 0x7800, kCauses = 0x5f00, kClearable = 0x7f00;
// CSR4, CSR5 and the mode in CSR15.
inline constexpr u16 kNoTransmitPoll = 0x1000, kPadTransmit = 0x0800, kStripReceive = 0x0400, kSuspend = 1;
inline constexpr u16 kPromiscuous = 0x8000, kNoBroadcast = 0x4000, kNoPhysical = 0x2000, kNoFcs = 8, kLoop = 4,
                     kModeNoTransmit = 2, kModeNoReceive = 1;
// The upper byte of RMD1 and TMD1.
inline constexpr u16 kOwn = 0x8000, kError = 0x4000, kAddFcs = 0x2000, kBufferError = 0x0400, kStart = 0x0200,
                     kEnd = 0x0100;

inline constexpr u64 kPollInterval = 1'966'000;  // ns: 65536 clocks, what CSR47 says at first

}  // namespace xlat::pcnet
