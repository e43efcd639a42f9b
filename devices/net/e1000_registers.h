// Names of the 82540EM's registers and bits, chapter 13 of the manual.
#pragma once

#include "base/types.h"

namespace xlat::e1000 {

enum Register : u32 {
  kCtrl = 0x0000,
  kStatus = 0x0008,
  kEecd = 0x0010,
  kEerd = 0x0014,
  kCtrlExt = 0x0018,
  kMdic = 0x0020,
  kFcal = 0x0028,
  kFcah = 0x002c,
  kFct = 0x0030,
  kVet = 0x0038,
  kIcr = 0x00c0,
  kItr = 0x00c4,
  kIcs = 0x00c8,
  kIms = 0x00d0,
  kImc = 0x00d8,
  kRctl = 0x0100,
  kFcttv = 0x0170,
  kTxcw = 0x0178,
  kRxcw = 0x0180,
  kTctl = 0x0400,
  kTipg = 0x0410,
  kAifs = 0x0458,
  kLedctl = 0x0e00,
  kPba = 0x1000,
  kFcrtl = 0x2160,
  kFcrth = 0x2168,
  kRdbal = 0x2800,
  kRdbah = 0x2804,
  kRdlen = 0x2808,
  kRdh = 0x2810,
  kRdt = 0x2818,
  kRdtr = 0x2820,
  kRxdctl = 0x2828,
  kRadv = 0x282c,
  kRsrpd = 0x2c00,
  kTxdmac = 0x3000,
  kTdbal = 0x3800,
  kTdbah = 0x3804,
  kTdlen = 0x3808,
  kTdh = 0x3810,
  kTdt = 0x3818,
  kTidv = 0x3820,
  kTxdctl = 0x3828,
  kTadv = 0x382c,
  kTspmt = 0x3830,
  kStatistics = 0x4000,  // to 40FCh
  kMpc = 0x4010,
  kPrc64 = 0x405c,
  kGprc = 0x4074,
  kBprc = 0x4078,
  kMprc = 0x407c,
  kGptc = 0x4080,
  kGorcl = 0x4088,
  kGotcl = 0x4090,
  kRnbc = 0x40a0,
  kRuc = 0x40a4,
  kRoc = 0x40ac,
  kTorl = 0x40c0,
  kTotl = 0x40c8,
  kTpr = 0x40d0,
  kTpt = 0x40d4,
  kPtc64 = 0x40d8,
  kMptc = 0x40f0,
  kBptc = 0x40f4,
  kTsctc = 0x40f8,
  kTsctfc = 0x40fc,
  kRxcsum = 0x5000,
  kMta = 0x5200,   // 128 dwords
  kRal = 0x5400,   // 16 pairs
  kVfta = 0x5600,  // 128 dwords
  kWuc = 0x5800,
  kWufc = 0x5808,
  kWus = 0x5810,
  kManc = 0x5820,
};

inline constexpr u32 kCtrlFullDuplex = 1, kCtrlSpeed1000 = 2 << 8, kCtrlReset = 1 << 26, kCtrlVlan = 1 << 30,
                     kCtrlPhyReset = u32{1} << 31;
inline constexpr u32 kStatusFullDuplex = 1, kStatusLinkUp = 2, kStatusSpeed1000 = 2 << 6, kStatusAutoSpeed1000 = 2 << 8;
inline constexpr u32 kCauseTxdw = 1, kCauseTxqe = 2, kCauseLsc = 4, kCauseRxdmt0 = 1 << 4, kCauseRxo = 1 << 6,
                     kCauseRxt0 = 1 << 7, kCauseMdac = 1 << 9;
inline constexpr u32 kRctlEnable = 2, kRctlStoreBad = 4, kRctlUnicastAll = 8, kRctlMulticastAll = 16, kRctlLong = 32,
                     kRctlBroadcast = 1 << 15, kRctlVlanFilter = 1 << 18, kRctlCfiEnable = 1 << 19, kRctlCfi = 1 << 20,
                     kRctlSizeExtension = 1 << 25, kRctlStripCrc = 1 << 26;
inline constexpr u32 kTctlEnable = 2, kTctlPad = 8;
inline constexpr u32 kEecdClock = 1, kEecdSelect = 2, kEecdIn = 4, kEecdOut = 8, kEecdRequest = 0x40, kEecdGrant = 0x80,
                     kEecdPresent = 0x100, kEecdWritable = 0x77;
// Descriptors, 3.2.3 and 3.3.
inline constexpr u8 kCmdEop = 1, kCmdFcs = 2, kCmdChecksum = 4, kCmdSegment = 4, kCmdReport = 8, kCmdExtended = 0x20,
                    kCmdVlan = 0x40, kCmdDelay = 0x80;
inline constexpr u8 kPoptsIp = 1, kPoptsTu = 2;
inline constexpr u8 kRxDone = 1, kRxEop = 2, kRxIgnoreSums = 4, kRxVlan = 8, kRxTcpSum = 0x20, kRxIpSum = 0x40,
                    kRxPassed = 0x80;
inline constexpr u8 kRxTcpError = 0x20, kRxIpError = 0x40;
inline constexpr u32 kIpSumOffload = 1 << 8, kTuSumOffload = 1 << 9;

// Registers of the PHY, 802.3's and Marvell's.
enum Phy : unsigned {
  kPhyControl,
  kPhyStatus,
  kPhyId1,
  kPhyId2,
  kPhyAdvertise,
  kPhyPartner,
  kPhyExpansion,
  kPhyControl1000 = 9,
  kPhyStatus1000,
  kPhyExtendedStatus = 15,
  kPhySpecificControl,
  kPhySpecificStatus,
  kPhyExtendedControl = 20,
};
inline constexpr u16 kPhyReset = 0x8000, kPhyLoopback = 0x4000, kPhyRestart = 0x0200, kPhyLink = 4,
                     kPhyNegotiated = 0x20;

}  // namespace xlat::e1000
