// -cpu MODEL[,+FEATURE][,-FEATURE][,FEATURE=on|off].
#include <algorithm>
#include <array>

#include "cpu/model.h"
#include "frontend/options/parser.h"
#include "frontend/options/values.h"

namespace xlat {

namespace {

// Names that QEMU gives features of CPUID leaves 1, 7 and 80000001h, which no processor of this version has. The guest
// sees that they are missing, as it does with TCG, which warns as well.
constexpr std::string_view kNotHere[] = {
    "sse",     "sse2",    "pni",     "sse3",       "ssse3",   "sse4.1",   "sse4.2",   "sse4_1",       "sse4_2",
    "sse4a",   "popcnt",  "avx",     "avx2",       "fma",     "f16c",     "aes",      "pclmulqdq",    "bmi1",
    "bmi2",    "abm",     "lzcnt",   "adx",        "movbe",   "rdrand",   "rdseed",   "xsave",        "xsaveopt",
    "xsavec",  "sha-ni",  "clflush", "clflushopt", "clwb",    "apic",     "x2apic",   "ss",           "ht",
    "htt",     "tm",      "ds",      "acpi",       "monitor", "vmx",      "svm",      "hypervisor",   "lm",
    "syscall", "pdpe1gb", "rdtscp",  "lahf_lm",    "lahf-lm", "3dnow",    "3dnowext", "mmxext",       "fxsr_opt",
    "smep",    "smap",    "umip",    "pcid",       "invpcid", "fsgsbase", "erms",     "tsc-deadline", "tsc_adjust",
    "cx16",    "arat",    "invtsc",  "spec-ctrl",  "ssbd",    "md-clear", "pku",      "la57"};
// Properties that are about the hypervisor or change nothing here.
constexpr std::string_view kIgnored[] = {
    "kvm",    "check", "enforce", "migratable",         "pmu", "l3-cache", "host-phys-bits",
    "vendor", "level", "xlevel",  "x-hv-synic-kvm-only"};

bool one_of(std::string_view word, std::span<const std::string_view> words) {
  return std::find(words.begin(), words.end(), word) != words.end();
}

// What a guest would be offered by a hypervisor of that kind; some have numbers for values.
bool for_hyper_v(std::string_view name) { return name.starts_with("hv-") || name.starts_with("hv_"); }

}  // namespace

Status OptionParser::cpu(const std::string& value) {
  std::string features;
  for (const CpuFeature& feature : cpu_features()) features += fmt::format(" {}", feature.name);
  if (value == "help" || value == "?") {
    say(fmt::format("Processors: {}\nFeatures, as +NAME, -NAME or NAME=on|off:{}\n", cpu_model_names(), features));
    return {};
  }
  const auto parts = split_suboptions(value, "model");
  auto model = find_cpu_model(parts[0].value);
  if (!model) return model.error();
  for (std::size_t n = 1; n < parts.size(); ++n) {
    std::string_view name = parts[n].name;
    const bool has_sign = name.starts_with('+') || name.starts_with('-');
    bool on = !name.starts_with('-');
    if (has_sign) name.remove_prefix(1);
    if (for_hyper_v(name) || (!has_sign && one_of(name, kIgnored))) continue;
    if (!has_sign && parts[n].has_value) {
      const auto given = parse_switch(parts[n].value);
      if (!given) return error("-cpu {}: {}={}: give on or off", value, name, parts[n].value);
      on = *given;
    }
    if (model->set_feature(name, on)) continue;
    if (!one_of(name, kNotHere)) {
      std::vector<std::string_view> names(std::begin(kNotHere), std::end(kNotHere));
      for (const CpuFeature& feature : cpu_features()) names.push_back(feature.name);
      const auto near = nearest(name, names);
      return error("-cpu {}: no feature '{}'{}{}; -cpu help lists them", value, name,
                   near.empty() ? "" : "; the nearest is ", near);
    }
    if (on)
      settings_.warnings.push_back(fmt::format("-cpu {}: {}: not in this version; the guest sees none", value, name));
  }
  settings_.machine.cpu = *model;
  return {};
}

Status OptionParser::smp(const std::string& value) {
  for (const SubOption& part : split_suboptions(value, "cpus")) {
    static constexpr std::string_view kNames[] = {"cpus", "maxcpus", "sockets", "dies", "clusters", "cores", "threads"};
    if (std::find(std::begin(kNames), std::end(kNames), part.name) == std::end(kNames)) {
      return error("-smp: no sub-option '{}'; {}", part.name, choices(part.name, kNames));
    }
    const auto number = parse_number(part.value);
    if (!number || *number == 0) return error("-smp: '{}' is not a number of {}", part.value, part.name);
    if (*number != 1 && part.name != "maxcpus") {
      return error("-smp: {}={}: several processors: not in this version; use -smp 1", part.name, *number);
    }
  }
  return {};
}

}  // namespace xlat
