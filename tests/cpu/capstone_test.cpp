// The decoder against Capstone on random byte strings, 16- and 32-bit code. XLAT_STRINGS says how many (a million
// unless told); every disagreement must be one of those in kExceptions, which give the reason.
#include <capstone/capstone.h>
#include <fmt/format.h>

#include <catch2/catch.hpp>
#include <cstdlib>
#include <map>
#include <random>
#include <string>
#include <vector>

#include "base/bits.h"
#include "cpu/decoder.h"
#include "cpu/model.h"

using namespace xlat;

namespace {

constexpr u32 kAddress = 0x1000;

// One string, and what both sides made of it.
struct Case {
  std::span<const u8> bytes;
  bool cs32 = false;
  // Read from the bytes here once more, for the exceptions.
  bool p66 = false, p67 = false, lock = false, repne = false, rep = false;
  unsigned prefixes = 0;
  u32 opcode = 0;  // 0x0fXX after the escape
  u8 modrm = 0;

  bool decoded = false;  // ours
  Insn ours;
  const Encoding* encoding = nullptr;
  const cs_insn* theirs = nullptr;  // null: invalid

  bool valid() const { return decoded && ours.encoding < kEncodingInvalid; }
  bool memory() const { return (modrm >> 6) != 3; }
  unsigned reg() const { return (modrm >> 3) & 7; }
  unsigned rm() const { return modrm & 7; }
};

void look_at_prefixes(Case& c) {
  std::size_t at = 0;
  for (; at < c.bytes.size(); ++at) {
    const u8 b = c.bytes[at];
    if (b == 0x66)
      c.p66 = true;
    else if (b == 0x67)
      c.p67 = true;
    else if (b == 0xf0)
      c.lock = true;
    else if (b == 0xf2)
      c.repne = true;
    else if (b == 0xf3)
      c.rep = true;
    else if (b != 0x26 && b != 0x2e && b != 0x36 && b != 0x3e && b != 0x64 && b != 0x65)
      break;
  }
  c.prefixes = static_cast<unsigned>(at);
  const auto byte = [&](std::size_t n) { return n < c.bytes.size() ? c.bytes[n] : u8{0}; };
  c.opcode = byte(at++);
  if (c.opcode == 0x0f) c.opcode = 0x0f00u | byte(at++);
  c.modrm = byte(at);
}

// ---- Capstone's registers as (kind, number, bytes) ----

struct Reg {
  Operand::Kind kind = Operand::kNone;
  unsigned number = 0, bytes = 0;
  bool operator==(const Reg&) const = default;
};

Reg reg_of(unsigned r) {
  static const std::map<unsigned, Reg> kRegs = [] {
    std::map<unsigned, Reg> m;
    const auto add = [&](Operand::Kind kind, unsigned bytes, std::initializer_list<unsigned> regs) {
      unsigned n = 0;
      for (const unsigned id : regs) m[id] = {kind, n++, bytes};
    };
    add(Operand::kReg, 1,
        {X86_REG_AL, X86_REG_CL, X86_REG_DL, X86_REG_BL, X86_REG_AH, X86_REG_CH, X86_REG_DH, X86_REG_BH});
    add(Operand::kReg, 2,
        {X86_REG_AX, X86_REG_CX, X86_REG_DX, X86_REG_BX, X86_REG_SP, X86_REG_BP, X86_REG_SI, X86_REG_DI});
    add(Operand::kReg, 4,
        {X86_REG_EAX, X86_REG_ECX, X86_REG_EDX, X86_REG_EBX, X86_REG_ESP, X86_REG_EBP, X86_REG_ESI, X86_REG_EDI});
    add(Operand::kSeg, 2, {X86_REG_ES, X86_REG_CS, X86_REG_SS, X86_REG_DS, X86_REG_FS, X86_REG_GS});
    add(Operand::kCr, 4, {X86_REG_CR0, X86_REG_CR1, X86_REG_CR2, X86_REG_CR3, X86_REG_CR4});
    add(Operand::kDr, 4,
        {X86_REG_DR0, X86_REG_DR1, X86_REG_DR2, X86_REG_DR3, X86_REG_DR4, X86_REG_DR5, X86_REG_DR6, X86_REG_DR7});
    add(Operand::kMm, 8,
        {X86_REG_MM0, X86_REG_MM1, X86_REG_MM2, X86_REG_MM3, X86_REG_MM4, X86_REG_MM5, X86_REG_MM6, X86_REG_MM7});
    add(Operand::kSt, 10,
        {X86_REG_ST0, X86_REG_ST1, X86_REG_ST2, X86_REG_ST3, X86_REG_ST4, X86_REG_ST5, X86_REG_ST6, X86_REG_ST7});
    return m;
  }();
  const auto found = kRegs.find(r);
  return found == kRegs.end() ? Reg{} : found->second;
}

// Width in bytes of a register operand, or 0 where the code says nothing of it.
unsigned reg_bytes(const Case& c, OpCode code) {
  switch (code) {
    case OpCode::Eb:
    case OpCode::Gb:
    case OpCode::Zb: return 1;
    case OpCode::Ew:
    case OpCode::Gw: return 2;
    case OpCode::Ed:
    case OpCode::Gd:
    case OpCode::Rd: return 4;
    case OpCode::Ev:
    case OpCode::Gv:
    case OpCode::Zv: return c.ours.width;
    default: return 0;
  }
}

bool is_coded(OpCode code) {
  switch (code) {
    case OpCode::_:
    case OpCode::AL:
    case OpCode::rAX:
    case OpCode::CL:
    case OpCode::DX:
    case OpCode::One:
    case OpCode::ST0:
    case OpCode::SegES:
    case OpCode::SegCS:
    case OpCode::SegSS:
    case OpCode::SegDS:
    case OpCode::SegFS:
    case OpCode::SegGS: return false;
    default: return true;
  }
}

bool same_memory(const Case& c, const x86_op_mem& m, std::string& why) {
  const Reg base = reg_of(m.base), index = reg_of(m.index);
  const unsigned our_base = c.ours.base, our_index = c.ours.index;
  const u32 address_mask = c.ours.asize == 2 ? 0xffff : 0xffffffff;
  const unsigned base_number = base.kind == Operand::kReg ? base.number : unsigned{kZeroReg};
  const unsigned index_number = index.kind == Operand::kReg ? index.number : unsigned{kZeroReg};
  if (base_number != our_base || index_number != our_index) {
    why = "base or index";
    return false;
  }
  if (our_index != kZeroReg && (1 << c.ours.scale) != m.scale) {
    why = "scale";
    return false;
  }
  if (((static_cast<u32>(m.disp) ^ static_cast<u32>(c.ours.disp)) & address_mask) != 0) {
    why = "displacement";
    return false;
  }
  unsigned segment = base_number == kEbp || base_number == kEsp ? kSs : kDs;
  if (m.segment != X86_REG_INVALID) segment = reg_of(m.segment).number;
  if (segment != c.ours.seg) {
    why = "segment";
    return false;
  }
  return true;
}

// One operand of ours against one of theirs.
bool same_operand(const Case& c, OpCode code, const Operand& o, const cs_x86_op& t, std::string& why) {
  why = "operand kind";
  switch (o.kind) {
    case Operand::kMem: return t.type == X86_OP_MEM && same_memory(c, t.mem, why);
    case Operand::kImm: {
      if (t.type != X86_OP_IMM) return false;
      why = "immediate";
      const u64 m = code == OpCode::Ib ? 0xff : code == OpCode::Iw ? 0xffff : mask(8 * c.ours.width);
      return ((static_cast<u64>(t.imm) ^ c.ours.imm) & m) == 0;
    }
    case Operand::kRel: {
      if (t.type != X86_OP_IMM) return false;
      why = "branch target";
      const u64 target = kAddress + c.ours.len + c.ours.imm;
      return ((static_cast<u64>(t.imm) ^ target) & mask(8 * c.ours.osize)) == 0;
    }
    case Operand::kFar: return false;  // two operands of theirs: see compare()
    default: {
      if (t.type != X86_OP_REG) return false;
      const Reg r = reg_of(t.reg);
      if (r.kind != o.kind || r.number != o.reg) {
        why = "register";
        return false;
      }
      const unsigned bytes = reg_bytes(c, code);
      if (bytes != 0 && bytes != r.bytes) {
        why = fmt::format("register of {} bytes, theirs of {}", bytes, r.bytes);
        return false;
      }
      return true;
    }
  }
}

// The operation's name, without the prefixes Capstone puts before it.
std::string mnemonic(const cs_insn& insn) {
  std::string text = insn.mnemonic;
  if (const auto space = text.rfind(' '); space != std::string::npos) text.erase(0, space + 1);
  return text;
}

// Our names where they are not the manual's.
bool same_name(const Case& c, std::string& why) {
  static const std::map<std::string, std::vector<std::string>> kNames = {
      {"push_seg", {"push"}},
      {"pop_seg", {"pop"}},
      {"imul1", {"imul"}},
      {"imul2", {"imul"}},
      {"imul3", {"imul"}},
      {"shl", {"shl", "sal"}},
      {"cbw", {"cbw", "cwde"}},
      {"cwd", {"cwd", "cdq"}},
      {"load_far", {"les", "lds", "lss", "lfs", "lgs"}},
      {"mov", {"mov", "movabs"}},
      {"mov_from_seg", {"mov"}},
      {"mov_to_seg", {"mov"}},
      {"mov_from_cr", {"mov"}},
      {"mov_from_dr", {"mov"}},
      {"mov_to_cr", {"mov"}},
      {"mov_to_dr", {"mov"}},
      {"movzx_b", {"movzx"}},
      {"movzx_w", {"movzx"}},
      {"movsx_b", {"movsx"}},
      {"movsx_w", {"movsx"}},
      {"call_near", {"call"}},
      {"call_far", {"lcall"}},
      {"jmp_near", {"jmp"}},
      {"jmp_far", {"ljmp"}},
      {"ret_far", {"retf"}},
      {"iret", {"iret", "iretd"}},
      {"int_n", {"int"}},
      {"jcxz", {"jcxz", "jecxz"}},
      {"pusha", {"pushaw", "pushal"}},
      {"popa", {"popaw", "popal"}},
      {"pushf", {"pushf", "pushfd"}},
      {"popf", {"popf", "popfd"}},
      {"ud", {"ud0", "ud1", "ud2", "ud2b"}},
      {"nop", {"nop", "pause", "prefetchnta", "prefetcht0", "prefetcht1", "prefetcht2"}},
      {"movd_load", {"movd"}},
      {"movd_store", {"movd"}},
      {"movq_store", {"movq"}},
      {"fwait", {"wait"}},
      {"xlat", {"xlatb"}},
      {"loopne", {"loopne"}},
      {"movs", {"movsb", "movsw", "movsd"}},
      {"fcomp", {"fcomp", "ficomp"}},
      {"fcom", {"fcom", "ficom"}},
      {"fld", {"fld", "fild"}},
      {"fld_m80", {"fld"}},
      {"fst", {"fst", "fist"}},
      {"fst_st", {"fst"}},
      {"fstp", {"fstp", "fistp"}},
      {"fstp_m80", {"fstp"}},
      {"fstp_st", {"fstp"}},
      {"fadd", {"fadd", "fiadd"}},
      {"fmul", {"fmul", "fimul"}},
      {"fsub", {"fsub", "fisub"}},
      {"fsubr", {"fsubr", "fisubr"}},
      {"fdiv", {"fdiv", "fidiv"}},
      {"fdivr", {"fdivr", "fidivr"}},
      {"fld_constant", {"fld1", "fldl2t", "fldl2e", "fldpi", "fldlg2", "fldln2", "fldz"}},
      {"fucomi", {"fucomi"}},
      {"fcomi", {"fcomi"}},
      {"fucomip", {"fucompi", "fucomip"}},
      {"fcomip", {"fcompi", "fcomip"}},
      {"fneni", {"feni8087_nop", "fdisi8087_nop", "fsetpm"}},
  };
  std::string ours = c.encoding->name, theirs = mnemonic(*c.theirs);
  if (ours.back() == '_') ours.pop_back();
  why = fmt::format("name {}", theirs);
  if (const auto known = kNames.find(ours); known != kNames.end()) {
    for (const std::string& name : known->second) {
      if (theirs == name) return true;
    }
    return false;
  }
  // Conditions, and string instructions with their width.
  static constexpr const char* kConditions[] = {"o", "no", "b", "ae", "e", "ne", "be", "a",
                                                "s", "ns", "p", "np", "l", "ge", "le", "g"};
  if (ours == "jcc") return theirs == std::string("j") + kConditions[c.ours.cc()];
  if (ours == "setcc") return theirs == std::string("set") + kConditions[c.ours.cc()];
  if (ours == "cmov") return theirs == std::string("cmov") + kConditions[c.ours.cc()];
  if (ours == "fcmov") return theirs.starts_with("fcmov");
  if (c.encoding->attributes & attr::Str) {
    const char* suffix = c.ours.width == 1 ? "b" : c.ours.width == 2 ? "w" : "d";
    return theirs == ours + suffix;
  }
  return theirs == ours;
}

// Empty when both agree.
std::string compare(const Case& c) {
  if (!c.valid()) return c.theirs ? fmt::format("invalid, theirs {}", mnemonic(*c.theirs)) : "";
  if (!c.theirs) return "valid, theirs invalid";
  if (c.theirs->size != c.ours.len) return fmt::format("length {}, theirs {}", c.ours.len, c.theirs->size);
  std::string why;
  if (!same_name(c, why)) return why;
  const cs_x86& x = c.theirs->detail->x86;
  // Every operand of ours that bytes of the instruction name must be among theirs. (Theirs list some registers that
  // ours take as given, and the other way round.)
  for (unsigned n = 0; n < 3; ++n) {
    const OpCode code = c.encoding->operands[n];
    if (!is_coded(code)) continue;
    if (code == OpCode::Ap) {
      const u64 m = mask(8 * c.ours.osize);
      if (x.op_count != 2 || (static_cast<u64>(x.operands[0].imm) & 0xffff) != c.ours.imm2 ||
          (static_cast<u64>(x.operands[1].imm) & m) != (c.ours.imm & m)) {
        return "far pointer";
      }
      continue;
    }
    if (code == OpCode::Ib2) {
      if (x.op_count != 2 || (x.operands[1].imm & 0xff) != c.ours.imm2) return "second immediate";
      continue;
    }
    bool found = false;
    std::string last = "operand missing";
    for (unsigned k = 0; k < x.op_count && !found; ++k) {
      std::string reason;
      found = same_operand(c, code, c.ours.op[n], x.operands[k], reason);
      if (!found && reason != "operand kind") last = reason;
    }
    if (!found) return fmt::format("operand {}: {}", n, last);
  }
  return "";
}

// ---- Where the two may differ ----

bool in_group(const Case& c, std::initializer_list<unsigned> groups) {
  if (!c.theirs) return false;
  for (unsigned n = 0; n < c.theirs->detail->groups_count; ++n) {
    for (const unsigned g : groups) {
      if (c.theirs->detail->groups[n] == g) return true;
    }
  }
  return false;
}

// LOCK may stand before these, with memory as destination; before anything else it is #UD. SDM vol. 2, LOCK.
bool lockable(const Case& c) {
  if (!c.memory()) return false;
  switch (c.opcode) {
    case 0x80:
    case 0x81:
    case 0x82:
    case 0x83: return c.reg() != 7;  // ADD OR ADC SBB AND SUB XOR, not CMP
    case 0x86:
    case 0x87: return true;  // XCHG
    case 0xf6:
    case 0xf7: return c.reg() == 2 || c.reg() == 3;  // NOT NEG
    case 0xfe:
    case 0xff: return c.reg() < 2;  // INC DEC
    case 0x0fab:
    case 0x0fb3:
    case 0x0fbb: return true;         // BTS BTR BTC
    case 0x0fba: return c.reg() > 4;  // the same
    case 0x0fb0:
    case 0x0fb1:
    case 0x0fc0:
    case 0x0fc1: return true;                               // CMPXCHG XADD
    case 0x0fc7: return c.reg() == 1;                       // CMPXCHG8B
    default: return c.opcode < 0x38 && (c.opcode & 7) < 2;  // the same as 80, r/m with register
  }
}

struct Exception {
  const char* reason;
  bool (*applies)(const Case& c, const std::string& difference);
};

constexpr Exception kExceptions[] = {
#include "capstone_exceptions.inc"
};

const Exception* exception_for(const Case& c, const std::string& difference) {
  for (const Exception& e : kExceptions) {
    if (e.applies(c, difference)) return &e;
  }
  return nullptr;
}

// Capstone for one code size.
class Capstone {
 public:
  explicit Capstone(bool cs32) {
    REQUIRE(cs_open(CS_ARCH_X86, cs32 ? CS_MODE_32 : CS_MODE_16, &handle_) == CS_ERR_OK);
    cs_option(handle_, CS_OPT_DETAIL, CS_OPT_ON);
    insn_ = cs_malloc(handle_);
  }
  ~Capstone() {
    cs_free(insn_, 1);
    cs_close(&handle_);
  }
  const cs_insn* decode(std::span<const u8> bytes) {
    const u8* code = bytes.data();
    size_t left = bytes.size();
    u64 address = kAddress;
    return cs_disasm_iter(handle_, &code, &left, &address, insn_) ? insn_ : nullptr;
  }

 private:
  csh handle_ = 0;
  cs_insn* insn_ = nullptr;
};

// A third of the strings is purely random; the others have few prefixes, and half of those the two-byte map.
void fill(std::mt19937_64& rng, std::array<u8, 16>& bytes) {
  static constexpr u8 kPrefixes[] = {0x26, 0x2e, 0x36, 0x3e, 0x64, 0x65, 0x66, 0x66, 0x67, 0x67, 0xf0, 0xf2, 0xf3};
  for (unsigned n = 0; n < 2; ++n) {
    const u64 r = rng();
    for (unsigned k = 0; k < 8; ++k) bytes[8 * n + k] = static_cast<u8>(r >> (8 * k));
  }
  const u64 choice = rng();
  if (choice % 3 == 0) return;
  unsigned at = 0;
  for (unsigned k = (choice >> 8) % 4; k > 1; --k) bytes[at++] = kPrefixes[(choice >> (8 + 8 * k)) % sizeof kPrefixes];
  if (choice & 0x80) bytes[at] = 0x0f;
}

}  // namespace

TEST_CASE("Random byte strings decode as Capstone decodes them") {
  const char* text = std::getenv("XLAT_STRINGS");
  const u64 strings = text ? std::strtoull(text, nullptr, 10) : 1'000'000;
  const Decoder decoder(find_cpu_model("max").value().decoder_features());
  Capstone capstone16(false), capstone32(true);
  std::mt19937_64 rng(1);
  struct Seen {
    u64 count = 0;
    std::string example;
  };
  std::map<std::string, Seen> findings;
  std::map<const Exception*, u64> used;
  u64 valid = 0;
  for (u64 n = 0; n < strings; ++n) {
    std::array<u8, 16> bytes;
    fill(rng, bytes);
    Case c;
    c.bytes = bytes;
    c.cs32 = n & 1;
    look_at_prefixes(c);
    CodeMode mode;
    mode.cs32 = c.cs32;
    c.decoded = decoder.decode(bytes, mode, c.ours);
    c.encoding = &encodings()[c.ours.encoding];
    c.theirs = (c.cs32 ? capstone32 : capstone16).decode({bytes.data(), kMaxInsnBytes});
    if (!c.decoded) FAIL("16 bytes were not enough");
    valid += c.valid();
    const std::string difference = compare(c);
    if (difference.empty()) continue;
    if (const Exception* e = exception_for(c, difference)) {
      ++used[e];
      continue;
    }
    Seen& seen = findings[fmt::format("{:04x}{} {}: {}", c.opcode, c.valid() ? "" : "!", c.encoding->name, difference)];
    if (seen.count++ == 0) {
      std::string hex;
      for (const u8 b : bytes) hex += fmt::format("{:02x} ", b);
      seen.example = fmt::format("{}-bit {}{}", c.cs32 ? 32 : 16, hex,
                                 c.theirs ? fmt::format("{} {}", c.theirs->mnemonic, c.theirs->op_str) : "");
    }
  }
  std::string report;
  for (const auto& [what, seen] : findings) report += fmt::format("{:6} {}  ({})\n", seen.count, what, seen.example);
  std::fputs(report.c_str(), stderr);
  CHECK(findings.empty());
  CHECK(valid > strings / 3);  // the comparison is not an empty one
  if (strings >= 1'000'000) {
    for (const Exception& e : kExceptions) {
      INFO("no longer needed: " << e.reason);
      CHECK(used[&e] > 0);
    }
  }
}
