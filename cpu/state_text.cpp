// Names and values of the fields of CpuState.
#include "cpu/state_text.h"

#include <fmt/format.h>

namespace xlat {

namespace {

std::string flag_names(u32 eflags) {
  static constexpr struct {
    u32 bit;
    const char* name;
  } kNames[] = {{kCf, "CF"}, {kPf, "PF"}, {kAf, "AF"}, {kZf, "ZF"}, {kSf, "SF"}, {kTf, "TF"}, {kIf, "IF"},
                {kDf, "DF"}, {kOf, "OF"}, {kNt, "NT"}, {kRf, "RF"}, {kVm, "VM"}, {kAc, "AC"}, {kVif, "VIF"}};
  std::string text;
  for (const auto& flag : kNames) {
    if (eflags & flag.bit) text += fmt::format(" {}", flag.name);
  }
  return text;
}

class Fields {
 public:
  template <class T>
  void hex(std::string name, T value) {
    add(std::move(name), fmt::format("{:0{}x}", static_cast<u64>(value), 2 * sizeof(T)));
  }
  void add(std::string name, std::string value) { all.push_back({std::move(name), std::move(value)}); }
  void segment(const std::string& name, const Segment& s) {
    add(name, fmt::format("{:04x} base {:08x} limit {:08x} attr {:04x}", s.selector, s.base, s.limit, s.attr));
    add(name + " range", fmt::format("{:x}..{:x}/{:x}", s.lo, s.hi_read, s.hi_write));
  }

  std::vector<StateField> all;
};

}  // namespace

std::vector<StateField> state_fields(const CpuState& s) {
  Fields f;
  for (unsigned n = 0; n < 8; ++n) {
    // The upper halves are always zero; a stray one must show.
    if (s.gpr[n] >> 32) {
      f.hex(kGprNames[n], s.gpr[n]);
    } else {
      f.hex(kGprNames[n], s.reg32(n));
    }
  }
  f.hex("eip", static_cast<u32>(s.ip));
  const u32 eflags = s.flags.get();
  f.add("eflags", fmt::format("{:08x}{}", eflags, flag_names(eflags)));
  for (unsigned n = 0; n < kSegRegs; ++n) f.segment(kSegNames[n], s.seg[n]);
  f.segment("ldtr", s.ldtr);
  f.segment("tr", s.tr);
  f.add("gdtr", fmt::format("{:08x} limit {:04x}", s.gdtr.base, s.gdtr.limit));
  f.add("idtr", fmt::format("{:08x} limit {:04x}", s.idtr.base, s.idtr.limit));
  f.hex("cr0", s.cr0);
  f.hex("cr2", s.cr2);
  f.hex("cr3", s.cr3);
  f.hex("cr4", s.cr4);
  for (const unsigned n : {0u, 1u, 2u, 3u, 6u, 7u}) f.hex(fmt::format("dr{}", n), s.dr[n]);
  f.hex("efer", s.efer);
  for (unsigned n = 0; n < 4; ++n) f.hex(fmt::format("pdpte{}", n), s.pdpte[n]);
  f.hex("cpl", s.cpl);
  f.hex("halted", static_cast<u8>(s.halted));
  f.hex("nmi blocked", static_cast<u8>(s.nmi_blocked));
  f.hex("shadow", static_cast<u8>(s.shadow));
  f.hex("mid rep", static_cast<u8>(s.mid_rep));
  f.hex("debug trap", s.debug_trap);
  f.hex("sysenter_cs", s.sysenter_cs);
  f.hex("sysenter_esp", s.sysenter_esp);
  f.hex("sysenter_eip", s.sysenter_eip);
  f.hex("tsc offset", s.tsc_offset);
  f.hex("pat", s.pat);
  f.hex("mtrr def type", s.mtrr_def_type);
  for (std::size_t n = 0; n < s.mtrr_fixed.size(); ++n) f.hex(fmt::format("mtrr fixed {}", n), s.mtrr_fixed[n]);
  for (std::size_t n = 0; n < s.mtrr_variable.size(); ++n) f.hex(fmt::format("mtrr var {}", n), s.mtrr_variable[n]);
  const FpuState& fpu = s.fpu;
  for (std::size_t n = 0; n < fpu.regs.size(); ++n) {
    f.add(fmt::format("fpr{}", n), fmt::format("{:04x} {:016x}", fpu.regs[n].sign_exp, fpu.regs[n].mantissa));
  }
  f.hex("fcw", fpu.control);
  f.hex("fsw", fpu.status);
  f.hex("ftw", fpu.tag);
  f.hex("fop", fpu.opcode);
  f.add("fip", fmt::format("{:04x}:{:08x}", fpu.cs, fpu.ip));
  f.add("fdp", fmt::format("{:04x}:{:08x}", fpu.ds, fpu.dp));
  f.hex("mxcsr", fpu.mxcsr);
  return f.all;
}

}  // namespace xlat
