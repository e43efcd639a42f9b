// CPUID tables. SDM vol. 2, CPUID; family and model numbers as Intel's processor identification note gives them.
#include "cpu/model.h"

#include <cstring>

#include "cpu/encoding.h"

namespace xlat {

namespace {

constexpr u32 kPentium = kCpuidFpu | kCpuidVme | kCpuidDe | kCpuidPse | kCpuidTsc | kCpuidMsr | kCpuidMce | kCpuidCx8;
constexpr u32 kPentium2 = kPentium | kCpuidPae | kCpuidSep | kCpuidMtrr | kCpuidPge | kCpuidMca | kCpuidCmov |
                          kCpuidPat | kCpuidPse36 | kCpuidMmx | kCpuidFxsr;

constexpr CpuModel kModels[] = {
    {"max", 6, 8, 10, kPentium2, true, true, "xlat virtual processor"},
    {"host", 6, 8, 10, kPentium2, true, true, "xlat virtual processor"},
    // Family, model and stepping as QEMU's, less SSE, the APIC and CLFLUSH, which do not exist here yet.
    {"qemu32", 6, 6, 3, kPentium2, false, true, "QEMU Virtual CPU version 2.5+"},
    {"kvm32", 15, 6, 1, kPentium2, false, true, "Common 32-bit KVM processor"},
    {"base", 6, 0, 0, kCpuidFpu, false, true, {}},
    {"486", 4, 8, 0, kCpuidFpu, false, true, {}},
    {"pentium", 5, 4, 3, kPentium, false, true, {}},
    {"pentium2", 6, 5, 2, kPentium2, false, true, {}},
    // A Pentium III less SSE, which does not exist here yet.
    {"pentium3", 6, 7, 3, kPentium2, false, true, {}},
};

constexpr CpuFeature kFeatures[] = {
    {"fpu", kCpuidFpu},
    {"vme", kCpuidVme},
    {"de", kCpuidDe},
    {"pse", kCpuidPse},
    {"tsc", kCpuidTsc},
    {"msr", kCpuidMsr},
    {"pae", kCpuidPae},
    {"mce", kCpuidMce},
    {"cx8", kCpuidCx8},
    {"sep", kCpuidSep},
    {"mtrr", kCpuidMtrr},
    {"pge", kCpuidPge},
    {"mca", kCpuidMca},
    {"cmov", kCpuidCmov},
    {"pat", kCpuidPat},
    {"pse36", kCpuidPse36},
    {"mmx", kCpuidMmx},
    {"fxsr", kCpuidFxsr},
    {"nx", 0},
};

// Models of QEMU's that have what no processor here has: long mode, or SSE at least.
constexpr std::string_view kLater[] = {
    "qemu64",     "kvm64",          "core2duo",       "coreduo",        "n270",           "athlon",
    "phenom",     "Conroe",         "Penryn",         "Nehalem",        "Westmere",       "SandyBridge",
    "IvyBridge",  "Haswell",        "Broadwell",      "Skylake-Client", "Skylake-Server", "Cascadelake-Server",
    "Cooperlake", "Icelake-Client", "Icelake-Server", "SapphireRapids", "KnightsMill",    "Snowridge",
    "Denverton",  "Opteron_G1",     "Opteron_G2",     "Opteron_G3",     "Opteron_G4",     "Opteron_G5",
    "EPYC",       "EPYC-Rome",      "EPYC-Milan",     "Dhyana"};

}  // namespace

std::span<const CpuFeature> cpu_features() { return kFeatures; }

bool CpuModel::set_feature(std::string_view feature, bool on) {
  for (const CpuFeature& f : kFeatures) {
    if (f.name != feature) continue;
    if (f.edx == 0) nx = on;
    features = on ? features | f.edx : features & ~f.edx;
    return true;
  }
  return false;
}

u32 CpuModel::decoder_features() const {
  using namespace attr;
  u32 f = FI486;
  if (cpuid) f |= FCpuid;
  if (has(kCpuidTsc)) f |= FTsc;
  if (has(kCpuidMsr)) f |= FMsr;
  if (has(kCpuidCx8)) f |= FCx8;
  if (family >= 6) f |= FP6;
  if (has(kCpuidSep)) f |= FSep;
  if (has(kCpuidCmov)) f |= FCmov;
  if (has(kCpuidMmx)) f |= FMmx;
  if (has(kCpuidFxsr)) f |= FFxsr;
  if (has(kCpuidFpu)) f |= FFpu;
  return f;
}

CpuModel::Leaf CpuModel::leaf(u32 n) const {
  const u32 highest_basic = family >= 6 ? 2 : 1;
  const u32 highest_extended = brand.empty() ? 0 : 0x80000004;
  if (n >= 0x80000000 && n <= highest_extended) {
    switch (n) {
      case 0x80000000: return {highest_extended, 0, 0, 0};
      case 0x80000001: return {0, 0, 0, nx ? 1u << 20 : 0};
      default: {
        char text[48] = {};
        std::memcpy(text, brand.data(), std::min<std::size_t>(brand.size(), sizeof text - 1));
        u32 words[4];
        std::memcpy(words, text + 16 * (n - 0x80000002), sizeof words);
        return {words[0], words[1], words[2], words[3]};
      }
    }
  }
  if (n > highest_basic) n = highest_basic;
  switch (n) {
    case 0: return {highest_basic, 0x756e6547, 0x6c65746e, 0x49656e69};  // "GenuineIntel"
    case 1: {
      const u32 signature = u32{family} << 8 | u32{model} << 4 | stepping;
      return {signature, 0, 0, features};
    }
    default: return {0x03020101, 0, 0, 0x0c040843};  // cache and TLB descriptors of a Pentium II
  }
}

Result<CpuModel> find_cpu_model(std::string_view name) {
  for (const CpuModel& m : kModels) {
    if (m.name == name) return m;
  }
  for (const std::string_view later : kLater) {
    const std::string_view base = name.substr(0, name.find("-v"));
    if (later == name || later == base || name.substr(0, name.find('-')) == later) {
      return error("-cpu {}: 64-bit mode and SSE: not in this version; there are: {}", name, cpu_model_names());
    }
  }
  return error("-cpu: no processor '{}'; there are: {}", name, cpu_model_names());
}

std::string cpu_model_names() {
  std::string names;
  for (const CpuModel& m : kModels) {
    if (!names.empty()) names += ", ";
    names += m.name;
  }
  return names;
}

}  // namespace xlat
