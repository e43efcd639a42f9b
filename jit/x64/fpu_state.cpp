// FNSAVE images made from and taken into CpuState.
#include "jit/x64/fpu_state.h"

#include "base/bits.h"
#include "cpu/x87/unit.h"

namespace xlat::jit::x64 {

namespace {
// SDM vol. 1, figure 8-9.
constexpr unsigned kControlAt = 0, kStatusAt = 4, kTagAt = 8, kRegsAt = 28, kRegBytes = 10;
}  // namespace

bool host_may_run_fpu(const CpuState& s) {
  return (s.cr0 & (kCr0Em | kCr0Ts)) == 0 && (s.fpu.control & x87::kExceptions) == x87::kExceptions &&
         (s.fpu.status & x87::kSwEs) == 0;
}

void put_fpu(const FpuState& f, FpuImage& image) {
  image.fill(0);
  store_le<u16>(&image[kControlAt], f.control);
  store_le<u16>(&image[kStatusAt], f.status);
  store_le<u16>(&image[kTagAt], f.tag);
  for (unsigned n = 0; n < 8; ++n) {
    const F80& r = f.regs[(f.top() + n) & 7];
    u8* at = &image[kRegsAt + kRegBytes * n];
    store_le<u64>(at, r.mantissa);
    store_le<u16>(at + 8, r.sign_exp);
  }
}

void take_fpu(const FpuImage& image, FpuState& f) {
  f.control = load_le<u16>(&image[kControlAt]);
  f.status = load_le<u16>(&image[kStatusAt]);
  // The host tells valid, zero and special apart; what is kept is empty or not.
  const unsigned tag = load_le<u16>(&image[kTagAt]);
  const unsigned empty = tag & tag >> 1 & 0x5555;
  f.tag = static_cast<u16>(empty * x87::kTagEmpty);
  for (unsigned n = 0; n < 8; ++n) {
    const u8* at = &image[kRegsAt + kRegBytes * n];
    f.regs[(f.top() + n) & 7] = {load_le<u64>(at), load_le<u16>(at + 8)};
  }
}

}  // namespace xlat::jit::x64
