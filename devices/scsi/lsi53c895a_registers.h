// Names of the 53C895A's registers and of their bits, as its technical manual (version 2.2, chapter 4) has them.
#pragma once

#include "base/types.h"

namespace xlat::lsi {

enum Register : u8 {
  kScntl0 = 0x00,
  kScntl1 = 0x01,
  kScntl2 = 0x02,
  kScntl3 = 0x03,
  kScid = 0x04,
  kSxfer = 0x05,
  kSdid = 0x06,
  kGpreg = 0x07,
  kSfbr = 0x08,
  kSocl = 0x09,
  kSsid = 0x0a,
  kSbcl = 0x0b,
  kDstat = 0x0c,
  kSstat0 = 0x0d,
  kSstat1 = 0x0e,
  kSstat2 = 0x0f,
  kDsa = 0x10,
  kIstat0 = 0x14,
  kIstat1 = 0x15,
  kMbox0 = 0x16,
  kCtest0 = 0x18,
  kCtest1 = 0x19,
  kCtest2 = 0x1a,
  kCtest3 = 0x1b,
  kTemp = 0x1c,
  kDfifo = 0x20,
  kCtest4 = 0x21,
  kCtest5 = 0x22,
  kCtest6 = 0x23,
  kDbc = 0x24,
  kDcmd = 0x27,
  kDnad = 0x28,
  kDsp = 0x2c,
  kDsps = 0x30,
  kScratchA = 0x34,
  kDmode = 0x38,
  kDien = 0x39,
  kDcntl = 0x3b,
  kAdder = 0x3c,
  kSien0 = 0x40,
  kSien1 = 0x41,
  kSist0 = 0x42,
  kSist1 = 0x43,
  kMacntl = 0x46,
  kGpcntl = 0x47,
  kStime0 = 0x48,
  kStime1 = 0x49,
  kRespid0 = 0x4a,
  kRespid1 = 0x4b,
  kStest0 = 0x4c,
  kStest1 = 0x4d,
  kStest2 = 0x4e,
  kStest3 = 0x4f,
  kSidl = 0x50,
  kStest4 = 0x52,
  kSodl = 0x54,
  kCcntl0 = 0x56,
  kCcntl1 = 0x57,
  kSbdl = 0x58,
  kScratchB = 0x5c,
  kScratchC = 0x60,
  kMmrs = 0xa0,
  kMmws = 0xa4,
  kSfs = 0xa8,
  kDrs = 0xac,
  kSbms = 0xb0,
  kDbms = 0xb4,
  kDnad64 = 0xb8,
  kPmjad1 = 0xc0,
  kPmjad2 = 0xc4,
  kRbc = 0xc8,
  kUa = 0xcc,
  kEsa = 0xd0,
  kIa = 0xd4,
  kSbc = 0xd8,
  kCsbc = 0xdc,
};

inline constexpr u8 kTrg = 0x01;                                                          // SCNTL0
inline constexpr u8 kCon = 0x10, kRst = 0x08, kIarb = 0x02;                               // SCNTL1
inline constexpr u8 kSdu = 0x80, kWsr = 0x01;                                             // SCNTL2
inline constexpr u8 kRre = 0x40;                                                          // SCID
inline constexpr u8 kVal = 0x80;                                                          // SSID
inline constexpr u8 kReq = 0x80, kAck = 0x40, kBsy = 0x20, kAtn = 0x08;                   // SOCL, SBCL
inline constexpr u8 kDfe = 0x80, kAbrtBit = 0x10, kSsi = 0x08, kSir = 0x04, kIid = 0x01;  // DSTAT, DIEN
inline constexpr u8 kWoa = 0x04, kRstBit = 0x02;                                          // SSTAT0
inline constexpr u8 kLdsc = 0x02;                                                         // SSTAT2
inline constexpr u8 kAbrt = 0x80, kSrst = 0x40, kSigp = 0x20, kSem = 0x10, kConnected = 0x08, kIntf = 0x04, kSip = 0x02,
                    kDip = 0x01;                                                                     // ISTAT0
inline constexpr u8 kFlsh = 0x04, kSrun = 0x02;                                                      // ISTAT1
inline constexpr u8 kSigpBit = 0x40, kCio = 0x20, kCm = 0x10, kPcicie = 0x08, kDack = 0x01;          // CTEST2
inline constexpr u8 kMan = 0x01;                                                                     // DMODE
inline constexpr u8 kSsm = 0x10, kStd = 0x04, kIrqd = 0x02;                                          // DCNTL
inline constexpr u8 kMa = 0x80, kRsl = 0x10, kSge = 0x08, kUdc = 0x04, kRstInt = 0x02, kPar = 0x01;  // SIST0, SIEN0
inline constexpr u8 kSbmc = 0x10, kSto = 0x04, kGen = 0x02, kHth = 0x01;                             // SIST1, SIEN1
inline constexpr u8 kGensf = 0x20, kHthsf = 0x10;                                                    // STIME1
inline constexpr u8 kQen = 0x08;                                                                     // STEST1
inline constexpr u8 kEnpmj = 0x80, kPmjctl = 0x40, kEnndj = 0x20;                                    // CCNTL0
inline constexpr u8 kTimod64 = 0x04, kEn64tibmv = 0x02, kEn64dbmv = 0x01;                            // CCNTL1

// STIME0's SEL, STIME0's HTH and STIME1's GEN, 1 to 15, in ns: 125 us doubled by each number.
constexpr u64 time_of(u8 setting, bool scaled) { return (u64{125'000} << (setting - 1)) * (scaled ? 16 : 1); }

}  // namespace xlat::lsi
