// Control, debug and model-specific registers; construction and reset of a processor.
#include <sys/mman.h>

#include <new>

#include "cpu/cpu.h"

namespace xlat {

Cpu::Cpu(const CpuModel& model, AddressSpace& memory, PortBus& ports, Clock& clock, Log& log)
    : model_(model), memory_(memory), ports_(ports), clock_(clock), log_(log) {
  memory.add_listener(*this);
  memory.code_watch().add_listener(*this);
  static const std::uintptr_t* const kNoEntries = [] {
    // Never written: the host maps one page of zeros throughout.
    void* zeros = mmap(nullptr, 2 * Tlb::kTableBytes, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    if (zeros == MAP_FAILED) throw std::bad_alloc();
    return static_cast<const std::uintptr_t*>(zeros);
  }();
  no_table_ = const_cast<std::uintptr_t*>(kNoEntries);
  reset();
}

void Cpu::reset() {
  s.reset(model_.leaf(1).eax);
  faulted_ = task_switched_ = false;
  ext_ = 0;
  pending_ &= kPendingIntr;
  flush_tlb();
  update_tables();
  leave_block();
}

void Cpu::serialize(Archive& ar) {
  s.serialize(ar);
  ar(pending_)(nmi_level_)(ignne_)(a20_mask_);
  if (!ar.loading()) return;
  faulted_ = task_switched_ = false;
  flush_tlb();
  update_tables();
}

// SDM vol. 3, 2.5 and MOV--Move to/from Control Registers in vol. 2.
void Cpu::write_cr0(u32 value) {
  if (faulted_) return;
  if ((value & kCr0Pg) && !(value & kCr0Pe)) return raise(kGP, 0);
  if ((value & kCr0Nw) && !(value & kCr0Cd)) return raise(kGP, 0);
  const u32 known = kCr0Pe | kCr0Mp | kCr0Em | kCr0Ts | kCr0Ne | kCr0Wp | kCr0Am | kCr0Nw | kCr0Cd | kCr0Pg;
  value = (value & known) | kCr0Et;
  const u32 changed = value ^ s.cr0;
  // SDM vol. 3, 4.4.1: these changes load the PDPTEs again.
  if ((value & kCr0Pg) && (s.cr4 & kCr4Pae) && (changed & (kCr0Pg | kCr0Cd | kCr0Nw)) && !load_pdptes(s.cr3)) return;
  s.cr0 = value;
  if (changed & kCr0Pe) {
    if (!(value & kCr0Pe)) s.cpl = 0;
    for (Segment& seg : s.seg) seg.update();
  }
  if (changed & (kCr0Pg | kCr0Wp)) flush_tlb();
  update_tables();
}

// SDM vol. 3, 4.4.1: reserved bits of a present PDPTE are a #GP.
bool Cpu::load_pdptes(u32 cr3) {
  std::array<u64, 4> loaded{};
  for (unsigned i = 0; i < 4; ++i) {
    loaded[i] = memory_.read(((cr3 & ~31u) + 8 * i) & a20_mask_, 8);
    const u64 reserved = ~mask(model_.max_phys_bits()) | 0x1e6;
    if ((loaded[i] & 1) && (loaded[i] & reserved)) {
      raise(kGP, 0);
      return false;
    }
  }
  s.pdpte = loaded;
  return true;
}

void Cpu::write_cr3(u32 value) {
  if (faulted_) return;
  if ((s.cr0 & kCr0Pg) && (s.cr4 & kCr4Pae) && !load_pdptes(value)) return;
  s.cr3 = value;
  switch_address_space();
}

void Cpu::write_cr4(u32 value) {
  if (faulted_) return;
  u32 known = 0;
  if (model_.has(kCpuidVme)) known |= kCr4Vme | kCr4Pvi;
  if (model_.has(kCpuidTsc)) known |= kCr4Tsd;
  if (model_.has(kCpuidDe)) known |= kCr4De;
  if (model_.has(kCpuidPse)) known |= kCr4Pse;
  if (model_.has(kCpuidPae)) known |= kCr4Pae;
  if (model_.has(kCpuidMce)) known |= kCr4Mce;
  if (model_.has(kCpuidPge)) known |= kCr4Pge;
  if (model_.family >= 6) known |= kCr4Pce;
  if (model_.has(kCpuidFxsr)) known |= kCr4Osfxsr;
  if (value & ~known) return raise(kGP, 0);
  const u32 changed = value ^ s.cr4;
  if ((s.cr0 & kCr0Pg) && (value & kCr4Pae) && (changed & (kCr4Pae | kCr4Pge | kCr4Pse))) {
    if (!load_pdptes(s.cr3)) return;
  }
  s.cr4 = value;
  if (changed & (kCr4Pse | kCr4Pae | kCr4Pge)) flush_tlb();
}

// DR4 and DR5 are DR6 and DR7, or invalid with CR4.DE. Any access with DR7.GD set traps first. SDM vol. 3, 17.2.
u32 Cpu::read_dr(unsigned n) {
  if (n == 4 || n == 5) {
    if (s.cr4 & kCr4De) {
      raise(kUD);
      return 0;
    }
    n += 2;
  }
  if (s.dr[7] & kDr7Gd) {
    s.dr[6] |= kDr6Bd;
    s.dr[7] &= ~u32{kDr7Gd};
    raise(kDB);
    return 0;
  }
  return s.dr[n];
}

void Cpu::write_dr(unsigned n, u32 value) {
  read_dr(n);
  if (faulted_) return;
  if (n == 4 || n == 5) n += 2;
  if (n == 6) value = (value & 0x0000e00f) | kDr6Fixed1;
  if (n == 7) value = (value & 0xffff23ff) | kDr7Fixed1;
  s.dr[n] = value;
  update_tables();
}

u64 Cpu::tsc() {
  publish_count();
  // A 1 GHz counter on virtual time.
  return clock_.now() + s.tsc_offset;
}

namespace {
enum Msr : u32 {
  kMsrMcAddr = 0x00,
  kMsrMcType = 0x01,
  kMsrTsc = 0x10,
  kMsrPlatformId = 0x17,
  kMsrApicBase = 0x1b,
  kMsrEblCrPoweron = 0x2a,
  kMsrBiosUpdtTrig = 0x79,
  kMsrBiosSignId = 0x8b,
  kMsrMtrrCap = 0xfe,
  kMsrBblCrCtl3 = 0x11e,
  kMsrSysenterCs = 0x174,
  kMsrSysenterEsp,
  kMsrSysenterEip,
  kMsrMcgCap = 0x179,
  kMsrMcgStatus = 0x17a,
  kMsrEvntsel0 = 0x186,
  kMsrEvntsel1 = 0x187,
  kMsrPerfctr0 = 0xc1,
  kMsrPerfctr1 = 0xc2,
  kMsrDebugCtl = 0x1d9,
  kMsrMtrrPhys = 0x200,
  kMsrMtrrFix64k = 0x250,
  kMsrMtrrFix16k = 0x258,
  kMsrMtrrFix4k = 0x268,
  kMsrPat = 0x277,
  kMsrMtrrDefType = 0x2ff,
  kMsrEfer = 0xc0000080,
};

// Index into the fixed-range MTRRs, or -1.
int mtrr_fixed_index(u32 msr) {
  if (msr == kMsrMtrrFix64k) return 0;
  if (msr == kMsrMtrrFix16k || msr == kMsrMtrrFix16k + 1) return static_cast<int>(1 + msr - kMsrMtrrFix16k);
  if (msr >= kMsrMtrrFix4k && msr < kMsrMtrrFix4k + 8) return static_cast<int>(3 + msr - kMsrMtrrFix4k);
  return -1;
}

// Memory types that exist. SDM vol. 3, table 11-8.
bool valid_memory_types(u64 value, bool pat) {
  for (unsigned i = 0; i < 8; ++i) {
    const u64 type = (value >> (8 * i)) & 0xff;
    if (!(type == 0 || type == 1 || (type >= 4 && type <= 6) || (pat && type == 7))) return false;
  }
  return true;
}
}  // namespace

u64 Cpu::read_msr(u32 index) {
  if (index == kMsrTsc) return tsc();
  if (model_.family >= 6) {
    if (index >= kMsrMtrrPhys && index < kMsrMtrrPhys + 16) return s.mtrr_variable[index - kMsrMtrrPhys];
    if (const int i = mtrr_fixed_index(index); i >= 0) return s.mtrr_fixed[static_cast<unsigned>(i)];
    switch (index) {
      case kMsrMtrrCap: return 8 | 1 << 8 | 1 << 10;  // 8 variable ranges, fixed ranges, write-combining
      case kMsrMtrrDefType: return s.mtrr_def_type;
      case kMsrPat: return s.pat;
      case kMsrSysenterCs: return s.sysenter_cs;
      case kMsrSysenterEsp: return s.sysenter_esp;
      case kMsrSysenterEip: return s.sysenter_eip;
      case kMsrMcgCap:
      case kMsrMcgStatus: return 0;  // no banks
      case kMsrEvntsel0:
      case kMsrEvntsel1:
      case kMsrPerfctr0:
      case kMsrPerfctr1: return 0;
      case kMsrApicBase: return 0xfee00100;  // the bootstrap processor, its APIC off
      case kMsrPlatformId:
      case kMsrEblCrPoweron:
      case kMsrBiosSignId:
      case kMsrDebugCtl:
      case kMsrBblCrCtl3: return 0;
      default: break;
    }
  } else if (index == kMsrMcAddr || index == kMsrMcType) {
    return 0;
  }
  if (index == kMsrEfer && model_.nx) return s.efer;
  raise(kGP, 0);
  return 0;
}

void Cpu::write_msr(u32 index, u64 value) {
  if (faulted_) return;
  if (index == kMsrTsc) {
    s.tsc_offset += value - tsc();
    return;
  }
  if (model_.family >= 6) {
    if (index >= kMsrMtrrPhys && index < kMsrMtrrPhys + 16) {
      s.mtrr_variable[index - kMsrMtrrPhys] = value;
      return;
    }
    if (const int i = mtrr_fixed_index(index); i >= 0) {
      if (!valid_memory_types(value, false)) return raise(kGP, 0);
      s.mtrr_fixed[static_cast<unsigned>(i)] = value;
      return;
    }
    switch (index) {
      case kMsrMtrrDefType:
        if (value & ~u64{0xcff}) return raise(kGP, 0);
        s.mtrr_def_type = value;
        return;
      case kMsrPat:
        if (!valid_memory_types(value, true)) return raise(kGP, 0);
        s.pat = value;
        return;
      case kMsrSysenterCs: s.sysenter_cs = value & 0xffff; return;
      case kMsrSysenterEsp: s.sysenter_esp = value & 0xffffffff; return;
      case kMsrSysenterEip: s.sysenter_eip = value & 0xffffffff; return;
      case kMsrApicBase:
      case kMsrMcgStatus:
      case kMsrEvntsel0:
      case kMsrEvntsel1:
      case kMsrPerfctr0:
      case kMsrPerfctr1:
      case kMsrEblCrPoweron:
      case kMsrBiosUpdtTrig:
      case kMsrBiosSignId:
      case kMsrDebugCtl:
      case kMsrBblCrCtl3: return;
      default: break;
    }
  } else if (index == kMsrMcAddr || index == kMsrMcType) {
    return;
  }
  if (index == kMsrEfer && model_.nx) {
    if (value & ~u64{kEferNxe}) return raise(kGP, 0);
    s.efer = value;
    flush_tlb();
    return;
  }
  raise(kGP, 0);
}

}  // namespace xlat
