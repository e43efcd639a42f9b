// Prefixes, opcode, ModRM, SIB, displacement, immediates. SDM vol. 2, chapter 2.
#include "cpu/decoder.h"

#include "base/bits.h"

namespace xlat {

bool uses_modrm(const Encoding& e) {
  if (e.match & (match::Mem | match::Reg | match::kHasExt | match::kHasRm)) return true;
  for (const OpCode o : e.operands) {
    switch (o) {
      case OpCode::Eb:
      case OpCode::Ew:
      case OpCode::Ed:
      case OpCode::Ev:
      case OpCode::Eq:
      case OpCode::Gb:
      case OpCode::Gw:
      case OpCode::Gd:
      case OpCode::Gv:
      case OpCode::M:
      case OpCode::Mr:
      case OpCode::Mi:
      case OpCode::Sw:
      case OpCode::Cd:
      case OpCode::Dd:
      case OpCode::Rd:
      case OpCode::Pq:
      case OpCode::Pd:
      case OpCode::Qq:
      case OpCode::Qd: return true;
      default: break;
    }
  }
  return false;
}

namespace {

// MOV to and from control and debug registers: ModRM.mod is ignored. SDM vol. 2, MOV.
bool names_register_always(const Encoding& e) { return e.operands[0] == OpCode::Rd || e.operands[1] == OpCode::Rd; }

// One decoding: a cursor over the bytes and the instruction being filled in.
class Decoding {
 public:
  Decoding(std::span<const u8> bytes, CodeMode mode, Insn& out) : bytes_(bytes), out_(out) {
    out_ = Insn{};
    out_.mode = mode;
    out_.osize = out_.asize = mode.cs32 ? 4 : 2;
  }

  bool run(u32 features, const std::vector<u16> (&candidates)[2][256]) {
    if (!prefixes()) return finish_short();
    unsigned map = 0;
    u8 opcode = 0;
    if (!byte(opcode)) return finish_short();
    if (opcode == 0x0f) {
      map = 1;
      if (!byte(opcode)) return finish_short();
    }
    out_.opcode = opcode;
    const Encoding* found = nullptr;
    for (const u16 index : candidates[map][opcode]) {
      const Encoding& e = encodings()[index];
      if (uses_modrm(e) && !have_modrm_ && !modrm(names_register_always(e))) return finish_short();
      if (!matches(e)) continue;
      found = &e;
      out_.encoding = index;
      out_.sem = e.sem;
      break;
    }
    if (!found || (found->attributes & attr::kFeatures & ~features)) return invalid();
    out_.width = width_of(*found);
    for (unsigned i = 0; i < 3; ++i) {
      if (!operand(found->operands[i], out_.op[i])) return bad_ ? invalid() : finish_short();
    }
    if (out_.lock && !((found->attributes & attr::Lock) && out_.op[0].kind == Operand::kMem)) return invalid();
    if (at_ > kMaxInsnBytes) return too_long();
    out_.len = static_cast<u8>(at_);
    return true;
  }

 private:
  // The bytes ended early. If 15 were there, the instruction is too long; else more have to be fetched.
  bool finish_short() { return bytes_.size() >= kMaxInsnBytes ? too_long() : false; }
  bool invalid() { return pseudo(kEncodingInvalid); }
  bool too_long() { return pseudo(kEncodingTooLong); }
  bool pseudo(u16 encoding) {
    out_.encoding = encoding;
    out_.sem = encodings()[encoding].sem;
    out_.len = static_cast<u8>(at_ < kMaxInsnBytes ? at_ : kMaxInsnBytes);
    out_.op[0] = out_.op[1] = out_.op[2] = Operand{};
    out_.has_mem = false;
    return true;
  }

  bool byte(u8& value) {
    if (at_ >= bytes_.size()) return false;
    value = bytes_[at_++];
    return true;
  }
  bool immediate(unsigned n, u64& value) {
    if (bytes_.size() - at_ < n) {
      at_ = static_cast<unsigned>(bytes_.size());
      return false;
    }
    value = load_le_n(bytes_.data() + at_, n);
    at_ += n;
    return true;
  }

  bool prefixes() {
    for (;;) {
      if (at_ >= bytes_.size()) return false;
      switch (bytes_[at_]) {
        case 0x26: segment_ = kEs; break;
        case 0x2e: segment_ = kCs; break;
        case 0x36: segment_ = kSs; break;
        case 0x3e: segment_ = kDs; break;
        case 0x64: segment_ = kFs; break;
        case 0x65: segment_ = kGs; break;
        case 0x66:
          out_.osize = out_.mode.cs32 ? 2 : 4;
          prefix66_ = true;
          break;
        case 0x67: out_.asize = out_.mode.cs32 ? 2 : 4; break;
        case 0xf0: out_.lock = true; break;
        case 0xf2: out_.rep = Rep::kRepne; break;
        case 0xf3: out_.rep = Rep::kRep; break;
        default:
          if (segment_ != kSegRegs) out_.seg = segment_;
          return true;
      }
      ++at_;
    }
  }

  bool matches(const Encoding& e) const {
    using namespace match;
    const bool memory = have_modrm_ && (out_.modrm >> 6) != 3;
    if ((e.match & Mem) && !memory) return false;
    if ((e.match & Reg) && memory) return false;
    if ((e.match & kHasExt) && ((out_.modrm >> 3) & 7u) != (e.match & 7)) return false;
    if ((e.match & kHasRm) && out_.modrm != (e.match & 0xff)) return false;
    if ((e.match & NoPrefix) && (prefix66_ || out_.rep != Rep::kNone)) return false;
    // 90 is NOP whatever comes before it; XCHG takes the other seven.
    return true;
  }

  u8 width_of(const Encoding& e) const {
    switch (e.width) {
      case WidthClass::b: return 1;
      case WidthClass::w: return 2;
      case WidthClass::d: return 4;
      case WidthClass::q: return 8;
      case WidthClass::v: return out_.osize;
      case WidthClass::x: return 4;
    }
    return 4;
  }

  // ModRM with everything that hangs on it. SDM vol. 2, tables 2-1 to 2-3.
  bool modrm(bool register_always) {
    if (!byte(out_.modrm)) return false;
    have_modrm_ = true;
    if ((out_.modrm >> 6) == 3 || register_always) return true;
    out_.has_mem = true;
    return out_.asize == 2 ? memory16() : memory32();
  }

  bool displacement(unsigned n) {
    u64 raw = 0;
    if (n == 0) return true;
    if (!immediate(n, raw)) return false;
    out_.disp = static_cast<i32>(sign_extend(raw, 8 * n));
    return true;
  }

  void default_segment(u8 seg) {
    if (segment_ == kSegRegs) out_.seg = seg;
  }

  bool memory16() {
    static constexpr u8 kBase[8] = {kEbx, kEbx, kEbp, kEbp, kEsi, kEdi, kEbp, kEbx};
    static constexpr u8 kIndex[8] = {kEsi, kEdi, kEsi, kEdi, kZeroReg, kZeroReg, kZeroReg, kZeroReg};
    const unsigned mod = out_.modrm >> 6, rm = out_.modrm & 7;
    if (mod == 0 && rm == 6) return displacement(2);
    out_.base = kBase[rm];
    out_.index = kIndex[rm];
    if (out_.base == kEbp) default_segment(kSs);
    return displacement(mod);
  }

  bool memory32() {
    const unsigned mod = out_.modrm >> 6, rm = out_.modrm & 7;
    const unsigned disp = mod == 1 ? 1 : mod == 2 ? 4 : 0;
    if (rm != 4) {
      if (mod == 0 && rm == 5) return displacement(4);
      out_.base = static_cast<u8>(rm);
      if (rm == kEbp) default_segment(kSs);
      return displacement(disp);
    }
    u8 sib = 0;
    if (!byte(sib)) return false;
    const u8 base = sib & 7, index = (sib >> 3) & 7;
    out_.scale = sib >> 6;
    if (index != 4) out_.index = index;
    if (index == 4) out_.scale = 0;
    if (mod == 0 && base == 5) return displacement(4);
    out_.base = base;
    if (base == kEsp || base == kEbp) default_segment(kSs);
    return displacement(disp);
  }

  bool set(Operand& o, Operand::Kind kind, unsigned reg = 0) {
    o.kind = kind;
    o.reg = static_cast<u8>(reg);
    return true;
  }
  bool fail() {
    bad_ = true;
    return false;
  }
  bool imm(Operand& o, unsigned n, bool sign) {
    u64 raw = 0;
    if (!immediate(n, raw)) return false;
    if (sign) raw = static_cast<u64>(sign_extend(raw, 8 * n)) & mask(8 * out_.width);
    out_.imm = raw;
    return set(o, Operand::kImm);
  }
  bool reg_or_mem(Operand& o, Operand::Kind reg_kind) {
    return out_.has_mem ? set(o, Operand::kMem) : set(o, reg_kind, out_.modrm & 7);
  }

  // Fills one operand; false when bytes are missing or (bad_) the encoding is not valid.
  bool operand(OpCode code, Operand& o) {
    const unsigned reg = (out_.modrm >> 3) & 7;
    switch (code) {
      case OpCode::_: return true;
      case OpCode::Eb:
      case OpCode::Ew:
      case OpCode::Ed:
      case OpCode::Ev:
      case OpCode::Eq: return reg_or_mem(o, Operand::kReg);
      case OpCode::Gb:
      case OpCode::Gw:
      case OpCode::Gd:
      case OpCode::Gv: return set(o, Operand::kReg, reg);
      case OpCode::M:
      case OpCode::Mr: return out_.has_mem ? set(o, Operand::kMem) : fail();
      case OpCode::Mi: return out_.has_mem ? set(o, Operand::kMem, 1) : fail();
      case OpCode::Ib: return imm(o, 1, false);
      case OpCode::Ib2: {
        u8 second = 0;
        if (!byte(second)) return false;
        out_.imm2 = second;
        return true;
      }
      case OpCode::Ibs: return imm(o, 1, true);
      case OpCode::Iw: return imm(o, 2, false);
      case OpCode::Iz:
      case OpCode::Iv: return imm(o, out_.osize, false);
      case OpCode::Jb:
      case OpCode::Jz: {
        const unsigned n = code == OpCode::Jb ? 1 : out_.osize;
        u64 raw = 0;
        if (!immediate(n, raw)) return false;
        out_.imm = static_cast<u64>(sign_extend(raw, 8 * n));
        return set(o, Operand::kRel);
      }
      case OpCode::Ap: {
        u64 selector = 0;
        if (!immediate(out_.osize, out_.imm) || !immediate(2, selector)) return false;
        out_.imm2 = static_cast<u16>(selector);
        return set(o, Operand::kFar);
      }
      case OpCode::Ob:
      case OpCode::Ov: {
        u64 address = 0;
        if (!immediate(out_.asize, address)) return false;
        out_.disp = static_cast<i32>(address);
        out_.has_mem = true;
        return set(o, Operand::kMem);
      }
      case OpCode::Sw: {
        const bool is_destination = &o == &out_.op[0];
        if (reg >= kSegRegs || (is_destination && reg == kCs)) return fail();
        return set(o, Operand::kSeg, reg);
      }
      case OpCode::Cd: return reg == 1 || reg > 4 ? fail() : set(o, Operand::kCr, reg);
      case OpCode::Dd: return set(o, Operand::kDr, reg);
      case OpCode::Rd: return set(o, Operand::kReg, out_.modrm & 7);
      case OpCode::Zb:
      case OpCode::Zv: return set(o, Operand::kReg, out_.opcode & 7);
      case OpCode::AL:
      case OpCode::rAX: return set(o, Operand::kReg, kEax);
      case OpCode::CL: return set(o, Operand::kReg, kEcx);
      case OpCode::DX: return set(o, Operand::kReg, kEdx);
      case OpCode::One: return set(o, Operand::kOne);
      case OpCode::SegES:
      case OpCode::SegCS:
      case OpCode::SegSS:
      case OpCode::SegDS:
      case OpCode::SegFS:
      case OpCode::SegGS:
        return set(o, Operand::kSeg, static_cast<unsigned>(code) - static_cast<unsigned>(OpCode::SegES));
      case OpCode::Pq:
      case OpCode::Pd: return set(o, Operand::kMm, reg);
      case OpCode::Qq:
      case OpCode::Qd: return reg_or_mem(o, Operand::kMm);
      case OpCode::ST0: return set(o, Operand::kSt, 0);
      case OpCode::STi: return set(o, Operand::kSt, out_.modrm & 7);
    }
    return fail();
  }

  std::span<const u8> bytes_;
  Insn& out_;
  unsigned at_ = 0;
  u8 segment_ = kSegRegs;
  bool prefix66_ = false;
  bool have_modrm_ = false;
  bool bad_ = false;
};

}  // namespace

Decoder::Decoder(u32 features) : features_(features) {
  const auto table = encodings();
  for (u16 i = 0; i < table.size(); ++i) {
    const Encoding& e = table[i];
    if (e.map > 1) continue;
    const unsigned count = (e.match & match::OpReg) ? 8 : (e.match & match::OpCc) ? 16 : 1;
    for (unsigned k = 0; k < count; ++k) candidates_[e.map][e.opcode + k].push_back(i);
  }
}

bool Decoder::decode(std::span<const u8> bytes, CodeMode mode, Insn& out) const {
  return Decoding(bytes, mode, out).run(features_, candidates_);
}

}  // namespace xlat
