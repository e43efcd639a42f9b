// The processors that -cpu names: CPUID leaves and the features behind them.
#pragma once

#include <span>
#include <string>
#include <string_view>

#include "base/result.h"
#include "base/types.h"

namespace xlat {

// CPUID.01H:EDX bits. SDM vol. 2, CPUID, table 3-11.
inline constexpr u32 kCpuidFpu = 1 << 0, kCpuidVme = 1 << 1, kCpuidDe = 1 << 2, kCpuidPse = 1 << 3, kCpuidTsc = 1 << 4,
                     kCpuidMsr = 1 << 5, kCpuidPae = 1 << 6, kCpuidMce = 1 << 7, kCpuidCx8 = 1 << 8,
                     kCpuidSep = 1 << 11, kCpuidMtrr = 1 << 12, kCpuidPge = 1 << 13, kCpuidMca = 1 << 14,
                     kCpuidCmov = 1 << 15, kCpuidPat = 1 << 16, kCpuidPse36 = 1 << 17, kCpuidMmx = 1 << 23,
                     kCpuidFxsr = 1 << 24;

struct CpuModel {
  std::string_view name;
  u8 family, model, stepping;
  u32 features;            // CPUID.01H:EDX
  bool nx;                 // CPUID.80000001H:EDX bit 20
  bool cpuid = true;       // CPUID exists
  std::string_view brand;  // 80000002H..4H; empty: no extended leaves

  bool has(u32 edx) const { return (features & edx) == edx; }
  // Gives the processor a feature or takes it away; false if no feature has that name.
  bool set_feature(std::string_view feature, bool on);
  // attr::F... bits for the decoder.
  u32 decoder_features() const;
  // Physical address bits, SDM vol. 3, 4.1.4.
  unsigned max_phys_bits() const { return has(kCpuidPae) ? 36 : 32; }

  struct Leaf {
    u32 eax, ebx, ecx, edx;
  };
  // What CPUID answers for EAX = `leaf`. Leaves above the highest basic one answer as that one does.
  Leaf leaf(u32 leaf) const;
};

// The features that can be set, by QEMU's names.
struct CpuFeature {
  std::string_view name;
  u32 edx;  // CPUID.01H:EDX bit; 0 for NX
};
std::span<const CpuFeature> cpu_features();

// The model called `name`, or an error that lists the names. "max" is all that xlat implements, and so is "host".
Result<CpuModel> find_cpu_model(std::string_view name);
std::string cpu_model_names();

}  // namespace xlat
