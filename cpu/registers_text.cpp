// A processor's registers for a person, in QEMU's layout.
#include "cpu/registers_text.h"

#include <fmt/format.h>

namespace xlat {

namespace {

constexpr const char* kSystemTypes[16] = {
    "Reserved", "TSS16-avl", "LDT",      "TSS16-busy", "CallGate16", "TaskGate", "IntGate16", "TrapGate16",
    "Reserved", "TSS32-avl", "Reserved", "TSS32-busy", "CallGate32", "Reserved", "IntGate32", "TrapGate32"};

std::string segment_line(const char* name, const Segment& s, bool protected_mode) {
  // As the descriptor's high doubleword has it: limit 19:16 lies between the two halves of the attributes.
  const u32 raw_limit = (s.attr & kAttrG) ? s.limit >> 12 : s.limit;
  const u32 flags = u32{s.attr} << 8 | (raw_limit & 0xf0000);
  std::string line = fmt::format("{:<3}={:04x} {:08x} {:08x} {:08x}", name, s.selector, s.base, s.limit, flags);
  if (protected_mode && s.usable()) {
    line += fmt::format(" DPL={} ", s.dpl());
    if (!(s.attr & kAttrS)) {
      line += kSystemTypes[s.attr & kAttrType];
    } else if (s.attr & kTypeCode) {
      line += fmt::format("{} [{}{}{}]", s.big() ? "CS32" : "CS16", s.attr & kTypeConforming ? 'C' : '-',
                          s.attr & kTypeReadable ? 'R' : '-', s.attr & kTypeAccessed ? 'A' : '-');
    } else {
      line += fmt::format("{} [{}{}{}]", s.big() ? "DS  " : "DS16", s.attr & kTypeExpandDown ? 'E' : '-',
                          s.attr & kTypeWritable ? 'W' : '-', s.attr & kTypeAccessed ? 'A' : '-');
    }
  }
  return line + "\n";
}

}  // namespace

std::string registers_text(Cpu& cpu) {
  const CpuState& s = cpu.s;
  const u32 flags = s.flags.get();
  const auto flag = [&](u32 bit, char letter) { return flags & bit ? letter : '-'; };
  std::string out;
  out += fmt::format("EAX={:08x} EBX={:08x} ECX={:08x} EDX={:08x}\n", s.reg32(kEax), s.reg32(kEbx), s.reg32(kEcx),
                     s.reg32(kEdx));
  out += fmt::format("ESI={:08x} EDI={:08x} EBP={:08x} ESP={:08x}\n", s.reg32(kEsi), s.reg32(kEdi), s.reg32(kEbp),
                     s.reg32(kEsp));
  out += fmt::format("EIP={:08x} EFL={:08x} [{}{}{}{}{}{}{}] CPL={} II={} A20={} SMM=0 HLT={}{}\n",
                     static_cast<u32>(s.ip), flags, flag(kDf, 'D'), flag(kOf, 'O'), flag(kSf, 'S'), flag(kZf, 'Z'),
                     flag(kAf, 'A'), flag(kPf, 'P'), flag(kCf, 'C'), s.cpl, s.shadow != Shadow::kNone ? 1 : 0,
                     cpu.a20() ? 1 : 0, s.halted ? 1 : 0, cpu.log().symbol(s.seg[kCs].base + static_cast<u32>(s.ip)));
  static constexpr const char* kNames[kSegRegs] = {"ES", "CS", "SS", "DS", "FS", "GS"};
  for (unsigned n = 0; n < kSegRegs; ++n) out += segment_line(kNames[n], s.seg[n], s.protected_mode());
  out += segment_line("LDT", s.ldtr, s.protected_mode());
  out += segment_line("TR", s.tr, s.protected_mode());
  out += fmt::format("GDT=     {:08x} {:08x}\n", s.gdtr.base, s.gdtr.limit);
  out += fmt::format("IDT=     {:08x} {:08x}\n", s.idtr.base, s.idtr.limit);
  out += fmt::format("CR0={:08x} CR2={:08x} CR3={:08x} CR4={:08x}\n", s.cr0, s.cr2, s.cr3, s.cr4);
  out += fmt::format("DR0={:08x} DR1={:08x} DR2={:08x} DR3={:08x}\n", s.dr[0], s.dr[1], s.dr[2], s.dr[3]);
  out += fmt::format("DR6={:08x} DR7={:08x}\n", s.dr[6], s.dr[7]);
  out += fmt::format("EFER={:016x}\n", s.efer);
  // A bit for each register that is not empty, as FXSAVE shows it.
  unsigned used = 0;
  for (unsigned n = 0; n < 8; ++n) used |= ((s.fpu.tag >> (2 * n)) & 3) != 3 ? 1u << n : 0;
  out += fmt::format("FCW={:04x} FSW={:04x} [ST={}] FTW={:02x} MXCSR={:08x}\n", s.fpu.control, s.fpu.status,
                     s.fpu.top(), used, s.fpu.mxcsr);
  for (unsigned n = 0; n < 8; ++n) {
    out += fmt::format("FPR{}={:016x} {:04x}{}", n, s.fpu.regs[n].mantissa, s.fpu.regs[n].sign_exp, n % 2 ? "\n" : " ");
  }
  return out;
}

}  // namespace xlat
