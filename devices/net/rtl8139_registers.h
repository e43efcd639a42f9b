// Places and bits of the RTL8139C+'s registers and descriptors.
#pragma once

#include "base/types.h"

namespace xlat::rtl8139 {

enum Register : unsigned {
  kIdr = 0x00,
  kMar = 0x08,
  kTsd = 0x10,    // four; in C+ mode DTCCR is here
  kTsad = 0x20,   // four; in C+ mode TNPDS
  kThpds = 0x28,  // C+
  kRbstart = 0x30,
  kErbcr = 0x34,
  kCr = 0x37,
  kCapr = 0x38,
  kCbr = 0x3a,
  kImr = 0x3c,
  kIsr = 0x3e,
  kTcr = 0x40,
  kRcr = 0x44,
  kTctr = 0x48,
  kMpc = 0x4c,
  k9346 = 0x50,
  kConfig0 = 0x51,
  kConfig1 = 0x52,
  kTimerInt = 0x54,
  kMsr = 0x58,
  kConfig3 = 0x59,
  kConfig4 = 0x5a,
  kMulint = 0x5c,
  kRerid = 0x5e,
  kTsadSummary = 0x60,
  kBmcr = 0x62,
  kBmsr = 0x64,
  kAnar = 0x66,
  kAnlpar = 0x68,
  kAner = 0x6a,
  kNwaytr = 0x70,
  kCscr = 0x74,
  kConfig5 = 0xd8,
  kTppoll = 0xd9,
  kCpcr = 0xe0,
  kRdsar = 0xe4,
  kEtthr = 0xec,
};

inline constexpr u8 kCrEmpty = 1, kCrTransmit = 4, kCrReceive = 8, kCrReset = 0x10;
inline constexpr u16 kIsrRok = 1, kIsrTok = 4, kIsrOverflow = 0x10, kIsrLink = 0x20, kIsrFifo = 0x40, kIsrTdu = 0x80,
                     kIsrSoftware = 0x100, kIsrTimeout = 0x4000;
inline constexpr u32 kTsdOwn = 0x2000, kTsdOk = 0x8000, kTsdCarrier = 0x8000'0000;
inline constexpr u32 kRcrAll = 1, kRcrMatch = 2, kRcrMulticast = 4, kRcrBroadcast = 8, kRcrWrap = 0x80;
inline constexpr u32 kTcrLoop = 3 << 17, kTcrVersion = 0x7480'0000, kTcrWritable = 0x0307'07f1;
inline constexpr u16 kCpTransmit = 1, kCpReceive = 2, kCpSums = 0x20, kCpVlan = 0x40;
// Descriptors of C+ mode.
inline constexpr u32 kOwn = u32{1} << 31, kEndOfRing = 1 << 30, kFirst = 1 << 29, kLast = 1 << 28, kLargeSend = 1 << 27,
                     kSumIp = 1 << 18, kSumUdp = 1 << 17, kSumTcp = 1 << 16, kTagged = 1 << 17, kRxTagged = 1 << 16;
inline constexpr u32 kRxMulticast = 1 << 26, kRxPhysical = 1 << 25, kRxBroadcast = 1 << 24, kRxIpFail = 1 << 15,
                     kRxUdpFail = 1 << 14, kRxTcpFail = 1 << 13;

inline constexpr u64 kStarvedPoll = 100'000;  // ns between two looks at a descriptor that is not ours

}  // namespace xlat::rtl8139
