// Names and bit positions of the x86 registers, as the manuals give them.
#pragma once

#include "base/types.h"

namespace xlat {

// General registers in encoding order; kZeroReg is an extra slot that always reads zero (no base, no index).
enum Gpr : u8 { kEax, kEcx, kEdx, kEbx, kEsp, kEbp, kEsi, kEdi, kZeroReg = 16 };

// Segment registers in encoding order.
enum SegReg : u8 { kEs, kCs, kSs, kDs, kFs, kGs, kSegRegs };

inline constexpr const char* kGprNames[] = {"eax", "ecx", "edx", "ebx", "esp", "ebp", "esi", "edi"};
inline constexpr const char* kSegNames[kSegRegs] = {"es", "cs", "ss", "ds", "fs", "gs"};

inline constexpr u32 kCf = 1 << 0, kFlagsFixed1 = 1 << 1, kPf = 1 << 2, kAf = 1 << 4, kZf = 1 << 6, kSf = 1 << 7,
                     kTf = 1 << 8, kIf = 1 << 9, kDf = 1 << 10, kOf = 1 << 11, kIopl = 3 << 12, kNt = 1 << 14,
                     kRf = 1 << 16, kVm = 1 << 17, kAc = 1 << 18, kVif = 1 << 19, kVip = 1 << 20, kId = 1 << 21,
                     kArithFlags = kCf | kPf | kAf | kZf | kSf | kOf;

inline constexpr u32 kCr0Pe = 1 << 0, kCr0Mp = 1 << 1, kCr0Em = 1 << 2, kCr0Ts = 1 << 3, kCr0Et = 1 << 4,
                     kCr0Ne = 1 << 5, kCr0Wp = 1 << 16, kCr0Am = 1 << 18, kCr0Nw = 1 << 29, kCr0Cd = 1 << 30,
                     kCr0Pg = 1u << 31;

inline constexpr u32 kCr4Vme = 1 << 0, kCr4Pvi = 1 << 1, kCr4Tsd = 1 << 2, kCr4De = 1 << 3, kCr4Pse = 1 << 4,
                     kCr4Pae = 1 << 5, kCr4Mce = 1 << 6, kCr4Pge = 1 << 7, kCr4Pce = 1 << 8, kCr4Osfxsr = 1 << 9,
                     kCr4Osxmmexcpt = 1 << 10;

inline constexpr u32 kEferSce = 1 << 0, kEferNxe = 1 << 11;

inline constexpr u32 kDr6Bd = 1 << 13, kDr6Bs = 1 << 14, kDr6Bt = 1 << 15, kDr6Fixed1 = 0xffff0ff0;
inline constexpr u32 kDr7Gd = 1 << 13, kDr7Fixed1 = 1 << 10;

}  // namespace xlat
