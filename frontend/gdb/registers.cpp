// The table of registers, and access to them.
#include "frontend/gdb/registers.h"

#include "base/bits.h"
#include "cpu/x87/tag.h"
#include "cpu/x87/unit.h"

namespace xlat {

namespace {

enum Id : u8 {
  kGpr,  // + n
  kIp,
  kEflags,
  kSelector,  // + n, in encoding order
  kBase,      // + n
  kKernelGsBase,
  kCr0,
  kCr2,
  kCr3,
  kCr4,
  kCr8,
  kEfer,
  kSt,   // + n
  kFpu,  // + n: control, status, tag, then code and data pointer, opcode
  kRawEip,
  kRawEsp,
  kCodeBits,
};

struct Register {
  u8 number;
  const char* name;
  u8 bits;
  const char* type;
  const char* group;  // null: the general ones
  Id id;
  u8 n = 0;
};

constexpr Register kRegisters[] = {
    {0, "eax", 32, "int32", nullptr, kGpr, kEax},
    {1, "ecx", 32, "int32", nullptr, kGpr, kEcx},
    {2, "edx", 32, "int32", nullptr, kGpr, kEdx},
    {3, "ebx", 32, "int32", nullptr, kGpr, kEbx},
    {4, "esp", 32, "data_ptr", nullptr, kGpr, kEsp},
    {5, "ebp", 32, "data_ptr", nullptr, kGpr, kEbp},
    {6, "esi", 32, "int32", nullptr, kGpr, kEsi},
    {7, "edi", 32, "int32", nullptr, kGpr, kEdi},
    {8, "eip", 32, "code_ptr", nullptr, kIp},
    {9, "eflags", 32, "eflags", nullptr, kEflags},
    {10, "cs", 32, "int32", nullptr, kSelector, kCs},
    {11, "ss", 32, "int32", nullptr, kSelector, kSs},
    {12, "ds", 32, "int32", nullptr, kSelector, kDs},
    {13, "es", 32, "int32", nullptr, kSelector, kEs},
    {14, "fs", 32, "int32", nullptr, kSelector, kFs},
    {15, "gs", 32, "int32", nullptr, kSelector, kGs},
    {16, "fs_base", 32, "int32", nullptr, kBase, kFs},
    {17, "gs_base", 32, "int32", nullptr, kBase, kGs},
    {18, "k_gs_base", 32, "int32", nullptr, kKernelGsBase},
    {19, "cr0", 32, "cr0", nullptr, kCr0},
    {20, "cr2", 32, "data_ptr", nullptr, kCr2},
    {21, "cr3", 32, "data_ptr", nullptr, kCr3},
    {22, "cr4", 32, "cr4", nullptr, kCr4},
    {23, "cr8", 32, "int32", nullptr, kCr8},
    {24, "efer", 32, "efer", nullptr, kEfer},
    {25, "st0", 80, "i387_ext", nullptr, kSt, 0},
    {26, "st1", 80, "i387_ext", nullptr, kSt, 1},
    {27, "st2", 80, "i387_ext", nullptr, kSt, 2},
    {28, "st3", 80, "i387_ext", nullptr, kSt, 3},
    {29, "st4", 80, "i387_ext", nullptr, kSt, 4},
    {30, "st5", 80, "i387_ext", nullptr, kSt, 5},
    {31, "st6", 80, "i387_ext", nullptr, kSt, 6},
    {32, "st7", 80, "i387_ext", nullptr, kSt, 7},
    {33, "fctrl", 32, "int", "float", kFpu, 0},
    {34, "fstat", 32, "int", "float", kFpu, 1},
    {35, "ftag", 32, "int", "float", kFpu, 2},
    {36, "fiseg", 32, "int", "float", kFpu, 3},
    {37, "fioff", 32, "int", "float", kFpu, 4},
    {38, "foseg", 32, "int", "float", kFpu, 5},
    {39, "fooff", 32, "int", "float", kFpu, 6},
    {40, "fop", 32, "int", "float", kFpu, 7},
    // 41 to 49 are XMM0-XMM7 and MXCSR, of processors that have them. From here on the numbers are ours.
    {64, "cs_base", 32, "data_ptr", nullptr, kBase, kCs},
    {65, "ss_base", 32, "data_ptr", nullptr, kBase, kSs},
    {66, "ds_base", 32, "data_ptr", nullptr, kBase, kDs},
    {67, "es_base", 32, "data_ptr", nullptr, kBase, kEs},
    {68, "raw_eip", 32, "int32", nullptr, kRawEip},
    {69, "raw_esp", 32, "int32", nullptr, kRawEsp},
    {70, "code_bits", 32, "int32", nullptr, kCodeBits},
};
constexpr unsigned kFirstOwn = 64;

const Register* find(unsigned number) {
  for (const Register& r : kRegisters) {
    if (r.number == number) return &r;
  }
  return nullptr;
}

u32 fpu_word(const FpuState& f, unsigned n) {
  const u32 words[] = {f.control, f.status, x87::full_tag(f), f.cs, f.ip, f.ds, f.dp, f.opcode};
  return words[n];
}

void set_fpu_word(Cpu& cpu, unsigned n, u32 value) {
  FpuState& f = cpu.s.fpu;
  const auto low = static_cast<u16>(value);
  switch (n) {
    case 0: x87::set_control(cpu, low); break;
    case 1:
      f.status = low;
      x87::update_summary(cpu);
      break;
    case 2: f.tag = low; break;
    case 3: f.cs = low; break;
    case 4: f.ip = value; break;
    case 5: f.ds = low; break;
    case 6: f.dp = value; break;
    default: f.opcode = low & 0x7ff; break;
  }
}

// The part of ESP that is the stack pointer.
u32 stack_mask(const CpuState& s) { return s.seg[kSs].big() ? 0xffffffff : 0xffff; }

u32 word(const Cpu& cpu, const Register& r) {
  const CpuState& s = cpu.s;
  switch (r.id) {
    case kGpr: return r.n == kEsp ? s.seg[kSs].base + (s.reg32(kEsp) & stack_mask(s)) : s.reg32(r.n);
    case kIp: return s.seg[kCs].base + static_cast<u32>(s.ip);
    case kEflags: return s.flags.get();
    case kSelector: return s.seg[r.n].selector;
    case kBase: return s.seg[r.n].base;
    case kKernelGsBase: return 0;  // no SWAPGS without long mode
    case kCr0: return s.cr0;
    case kCr2: return s.cr2;
    case kCr3: return s.cr3;
    case kCr4: return s.cr4;
    case kCr8: return 0;  // no local APIC
    case kEfer: return static_cast<u32>(s.efer);
    case kFpu: return fpu_word(s.fpu, r.n);
    case kRawEip: return static_cast<u32>(s.ip);
    case kRawEsp: return s.reg32(kEsp);
    case kCodeBits: return s.mode().cs32 ? 32 : 16;
    case kSt: break;
  }
  return 0;
}

// As MOV or a far jump would load it, but a debugger does not change privileges.
void set_selector(Cpu& cpu, SegReg n, u32 value) {
  const auto selector = static_cast<u16>(value);
  CpuState& s = cpu.s;
  if (s.vm86()) return s.seg[n].load_v86(selector);
  if (!s.protected_mode()) return s.seg[n].load_real(selector);
  if (n != kCs) return cpu.load_segment(n, selector);
  Descriptor d;
  u32 linear = 0;
  if (!cpu.descriptor(selector, d, linear)) return cpu.raise(kGP, 0);
  const u16 attr = d.attr();
  if (!(attr & kAttrP) || !(attr & kAttrS) || !(attr & kTypeCode) || (selector & 3) != s.cpl) return cpu.raise(kGP, 0);
  s.seg[kCs].load(selector, d);
}

void set_ip(CpuState& s, u32 ip) {
  s.ip = ip;
  s.mid_rep = false;
  s.halted = false;  // what is there shall run
}

void set_word(Cpu& cpu, const Register& r, u32 value) {
  CpuState& s = cpu.s;
  constexpr u32 kMayChange = kArithFlags | kTf | kIf | kDf | kIopl | kNt | kRf | kAc | kVif | kVip | kId;
  switch (r.id) {
    case kGpr:
      if (r.n == kEsp) {
        const u32 mask = stack_mask(s);
        s.gpr[kEsp] = (s.reg32(kEsp) & ~mask) | ((value - s.seg[kSs].base) & mask);
      } else {
        s.gpr[r.n] = value;
      }
      break;
    case kIp: set_ip(s, value - s.seg[kCs].base); break;
    case kEflags: s.flags.set((s.flags.get() & ~kMayChange) | (value & kMayChange)); break;
    case kSelector: set_selector(cpu, static_cast<SegReg>(r.n), value); break;
    case kBase:
      s.seg[r.n].base = value;
      s.seg[r.n].update();
      break;
    case kCr0: cpu.write_cr0(value); break;
    case kCr2: s.cr2 = value; break;
    case kCr3: cpu.write_cr3(value); break;
    case kCr4: cpu.write_cr4(value); break;
    case kEfer: cpu.write_msr(0xc0000080, value); break;
    case kFpu: set_fpu_word(cpu, r.n, value); break;
    case kRawEip: set_ip(s, value); break;
    case kRawEsp: s.gpr[kEsp] = value; break;
    case kKernelGsBase:
    case kCr8:
    case kCodeBits: cpu.raise(kGP, 0); break;  // they are what they are
    case kSt: break;
  }
}

F80& st(FpuState& f, unsigned n) { return f.regs[(f.top() + n) & 7]; }

struct Flag {
  const char* name;
  unsigned bit, last = 0;  // last: of a field of several bits
};
struct FlagSet {
  const char* id;
  std::initializer_list<Flag> flags;
};

std::string flag_type(const FlagSet& set) {
  std::string text = fmt::format("<flags id=\"{}\" size=\"4\">\n", set.id);
  for (const Flag& f : set.flags) {
    text += fmt::format("<field name=\"{}\" start=\"{}\" end=\"{}\"/>\n", f.name, f.bit, std::max(f.bit, f.last));
  }
  return text + "</flags>\n";
}

std::string register_line(const Register& r) {
  return fmt::format("<reg name=\"{}\" bitsize=\"{}\" type=\"{}\" regnum=\"{}\"{}/>\n", r.name, r.bits, r.type,
                     r.number, r.group ? fmt::format(" group=\"{}\"", r.group) : "");
}

}  // namespace

unsigned GdbRegisters::end() { return std::end(kRegisters)[-1].number + 1u; }

unsigned GdbRegisters::bytes(unsigned number) {
  const Register* r = find(number);
  return r ? r->bits / 8u : 0;
}

GdbRegisters::Value GdbRegisters::read(const Cpu& cpu, unsigned number) {
  Value value{};
  const Register* r = find(number);
  if (!r) return value;
  if (r->id == kSt) {
    FpuState f = cpu.s.fpu;
    store_le_n(value.data(), 8, st(f, r->n).mantissa);
    store_le_n(value.data() + 8, 2, st(f, r->n).sign_exp);
  } else {
    store_le_n(value.data(), 4, word(cpu, *r));
  }
  return value;
}

bool GdbRegisters::write(Cpu& cpu, unsigned number, const Value& value) {
  const Register* r = find(number);
  if (!r) return false;
  // A debugger that writes all registers means those that it changed.
  if (read(cpu, number) == value) return true;
  if (r->id == kSt) {
    st(cpu.s.fpu, r->n) = {load_le_n(value.data(), 8), static_cast<u16>(load_le_n(value.data() + 8, 2))};
    return true;
  }
  const CpuState before = cpu.s;
  set_word(cpu, *r, static_cast<u32>(load_le_n(value.data(), 4)));
  const bool taken = !cpu.faulted();
  if (!taken) {
    cpu.clear_fault();
    cpu.s = before;
    cpu.flush_tlb();
  }
  cpu.update_tables();
  return taken;
}

std::string GdbRegisters::description(unsigned bits) {
  static const FlagSet kFlagSets[] = {
      {"eflags",
       {{"CF", 0},
        {"", 1},
        {"PF", 2},
        {"AF", 4},
        {"ZF", 6},
        {"SF", 7},
        {"TF", 8},
        {"IF", 9},
        {"DF", 10},
        {"OF", 11},
        {"IOPL", 12, 13},
        {"NT", 14},
        {"RF", 16},
        {"VM", 17},
        {"AC", 18},
        {"VIF", 19},
        {"VIP", 20},
        {"ID", 21}}},
      {"cr0",
       {{"PE", 0},
        {"MP", 1},
        {"EM", 2},
        {"TS", 3},
        {"ET", 4},
        {"NE", 5},
        {"WP", 16},
        {"AM", 18},
        {"NW", 29},
        {"CD", 30},
        {"PG", 31}}},
      {"cr4",
       {{"VME", 0},
        {"PVI", 1},
        {"TSD", 2},
        {"DE", 3},
        {"PSE", 4},
        {"PAE", 5},
        {"MCE", 6},
        {"PGE", 7},
        {"PCE", 8},
        {"OSFXSR", 9},
        {"OSXMMEXCPT", 10}}},
      {"efer", {{"SCE", 0}, {"LME", 8}, {"LMA", 10}, {"NXE", 11}}},
  };
  std::string text = "<?xml version=\"1.0\"?>\n<!DOCTYPE target SYSTEM \"gdb-target.dtd\">\n<target version=\"1.0\">\n";
  text += fmt::format("<architecture>{}</architecture>\n", bits == 16 ? "i8086" : "i386");
  text += "<feature name=\"org.gnu.gdb.i386.core\">\n";
  for (const FlagSet& set : kFlagSets) text += flag_type(set);
  for (const Register& r : kRegisters) {
    if (r.number == kFirstOwn) text += "</feature>\n<feature name=\"xlat.segments\">\n";
    text += register_line(r);
  }
  return text + "</feature>\n</target>\n";
}

}  // namespace xlat
