// Programs are drawn from the encoding table. Where operands lie is decided first; registers and displacements are then
// chosen so that the address comes out, whatever form it is written in.
#include "random_program.h"

#include <algorithm>
#include <random>

#include "base/bits.h"
#include "cpu/decoder.h"
#include "cpu/model.h"
#include "cpu/registers.h"
#include "effects.h"

namespace xlat::test {

namespace {

using Bytes = std::vector<u8>;
constexpr u32 kData = Native::kData;
constexpr CodeMode kMode{true, true, true, false};

const Decoder& decoder() {
  static const Decoder kDecoder(find_cpu_model("max").value().decoder_features());
  return kDecoder;
}

bool same_name(const std::string& name, std::initializer_list<const char*> list) {
  return std::any_of(list.begin(), list.end(), [&](const char* n) { return name == n; });
}

class Generator {
 public:
  explicit Generator(u32 seed) : rng_(seed) {
    const auto table = encodings();
    for (u16 n = 0; n < table.size(); ++n) {
      const Encoding& e = table[n];
      if (e.attributes & (attr::Branch | attr::FFxsr)) continue;
      (e.attributes & attr::FFpu ? floats_ : e.attributes & attr::FMmx ? mmx_ : integers_).push_back(n);
    }
  }

  Program make(unsigned units) {
    make_start();
    const std::size_t wanted = units;
    define_flags();
    // Bounded: what is drawn may turn out to be of no use.
    for (unsigned tries = 0; units_.size() < wanted && tries < 40 * wanted; ++tries) one();
    program_.units = std::move(units_);
    return std::move(program_);
  }

 private:
  u32 random() { return static_cast<u32>(rng_()); }
  u32 below(u32 n) { return random() % n; }
  bool one_in(u32 n) { return below(n) == 0; }

  static Bytes bytes32(std::initializer_list<u8> head, u32 value) {
    Bytes b(head);
    for (unsigned n = 0; n < 4; ++n) b.push_back(static_cast<u8>(value >> (8 * n)));
    return b;
  }
  static Bytes mov(unsigned reg, u32 value) { return bytes32({static_cast<u8>(0xb8 | reg)}, value); }
  // Displacement of a linear address of the data area in DS.
  u32 in_ds(u32 linear) const { return linear - base_[kDs]; }
  Bytes store16(u32 linear, u32 value) {
    Bytes b = bytes32({0x66, 0xc7, 0x05}, in_ds(linear));
    b.push_back(static_cast<u8>(value));
    b.push_back(static_cast<u8>(value >> 8));
    return b;
  }
  Bytes store32(u32 linear, u32 value) {
    Bytes b = bytes32({0xc7, 0x05}, in_ds(linear));
    const Bytes imm = bytes32({}, value);
    b.insert(b.end(), imm.begin(), imm.end());
    return b;
  }

  static u32 base_of(u16 selector) { return (selector & 4) ? kData : 0; }

  void make_start() {
    UserState& s = program_.start;
    for (u32& r : s.gpr) r = random();
    s.eflags = (random() & kArithFlags) | kFlagsFixed1;
    const auto data_selector = [&] { return one_in(2) ? Native::kFlatSel : Native::kBasedSel; };
    s.seg[kDs] = data_selector();
    s.seg[kEs] = data_selector();
    s.seg[kFs] = one_in(8) ? Native::kReadOnlySel : data_selector();
    s.seg[kGs] = Native::kBasedSel;
    s.seg[kSs] = one_in(6) ? Native::kStack16Sel : one_in(6) ? Native::kBasedSel : Native::kFlatSel;
    stack16_ = s.seg[kSs] == Native::kStack16Sel;
    for (unsigned n = 0; n < kSegRegs; ++n) base_[n] = base_of(s.seg[n]);
    esp_start_ = kData + 0x1800 - base_[kSs];
    if (stack16_ && one_in(2)) esp_start_ |= random() & 0xffff0000;
    s.gpr[kEsp] = esp_start_;
    known_[kEsp] = esp_start_;
    for (const u8 n : {kEbx, kEbp, kEsi, kEdi}) known_[n] = s.gpr[n];
    make_fpu(s);
    program_.data.resize(Native::kDataBytes);
    for (std::size_t n = 0; n < program_.data.size();) {
      const std::size_t run = std::min<std::size_t>(one_in(4) ? 1 + below(24) : 1, program_.data.size() - n);
      const u8 b = one_in(6) ? 0 : one_in(6) ? 0xff : static_cast<u8>(random());
      for (std::size_t k = 0; k < run; ++k) program_.data[n++] = run > 1 ? b : static_cast<u8>(random());
    }
  }

  u16 control_word() {
    const u16 masks = one_in(25) ? static_cast<u16>(random() & 0x3f) : u16{0x3f};
    return static_cast<u16>((random() & 0x0f00) | 0x40 | masks);
  }
  void make_fpu(UserState& s) {
    u8* image = s.fpu.data();
    for (unsigned n = 0; n < 7; ++n) store_le<u32>(image + 4 * n, 0xffff0000);
    store_le<u32>(image, 0xffff0000 | control_word());
    store_le<u32>(image + 4, 0xffff0000 | (random() & 0x7f00));
    u32 tag = 0;
    for (unsigned n = 0; n < 8; ++n) tag |= (one_in(2) ? 3u : 0u) << (2 * n);
    store_le<u32>(image + 8, 0xffff0000 | tag);
    for (unsigned n = 12; n < 28; ++n) image[n] = 0;
    for (unsigned n = 0; n < 8; ++n) {
      u8* r = image + 28 + 10 * n;
      store_le<u32>(r, one_in(3) ? 0 : random());
      store_le<u32>(r + 4, one_in(10) ? random() : random() | 0x80000000);
      store_le<u16>(r + 8, static_cast<u16>((random() & 0x8000) | (one_in(8) ? random() & 0x7fff : 0x3fff + below(80) - 40)));
    }
  }

  // ---- Units ----
  void add(Unit unit) {
    if (unit.effect.uses & undefined_) {
      if (unit.effect.uses & undefined_ & kX87Codes) {
        units_.push_back({{{0xdb, 0xe3}}, {kX87Codes, 0, 0}});  // fninit
        undefined_ &= ~kX87Codes;
      }
      if (unit.effect.uses & undefined_) define_flags();
    }
    undefined_ = (undefined_ & ~unit.effect.sets) | unit.effect.undefines;
    units_.push_back(std::move(unit));
  }

  // cmp eax, imm32: every flag defined.
  void define_flags() {
    undefined_ &= ~u32{kArithFlags};
    units_.push_back({{bytes32({0x3d}, random())}, {kArithFlags, 0, 0}});
  }

  void one() {
    if ((*known_[kEsp] & 0xffff) - (esp_start_ & 0xffff) + 0x180 > 0x300) {
      known_[kEsp] = esp_start_;
      return add({{mov(kEsp, esp_start_)}, {}});
    }
    switch (below(32)) {
      case 0:
      case 1: return string();
      case 2: return frame();
      case 3: return skip();
      case 4: return call();
      case 5: return loop();
      case 6: return load_segment();
      case 7: return flags_by_stack();
      case 8: return pointer();
      default: break;
    }
    const std::vector<u16>& from = one_in(4) ? floats_ : one_in(16) ? mmx_ : integers_;
    if (auto unit = instruction(from[below(static_cast<u32>(from.size()))], true)) add(std::move(*unit));
  }

  // A pointer left in a register for later instructions.
  void pointer() {
    static constexpr u8 kRegs[] = {kEbx, kEbp, kEsi, kEdi};
    const u8 r = kRegs[below(4)];
    known_[r] = (one_in(2) ? 0 : kData) + below(0x700);
    add({{mov(r, *known_[r])}, {}});
  }

  void forget(const Insn& i, const std::string& name) {
    for (unsigned k = 0; k < 2; ++k) {
      if (i.op[k].kind != Operand::kReg) continue;
      const u8 r = i.width == 1 && i.op[k].reg >= 4 ? i.op[k].reg - 4u : i.op[k].reg;
      if (r != kEsp) known_[r].reset();
    }
    known_[kEax].reset();
    known_[kEcx].reset();
    known_[kEdx].reset();
    if (name == "popa") {
      for (const u8 r : {kEbx, kEbp, kEsi, kEdi}) known_[r].reset();
    }
  }

  // ---- One instruction, whose operand may lie anywhere and be written in any form ----
  struct Form {
    Bytes bytes;
    std::size_t disp_at = 0;
    unsigned disp_bytes = 0;
  };

  Form draw(const Encoding& e) {
    Form f;
    const bool floating = e.attributes & (attr::FFpu | attr::FMmx);
    const bool has_modrm = has_modrm_byte(e);
    const bool memory = (e.match & match::Mem) || (!(e.match & match::Reg) && !(e.match & match::kHasRm) && one_in(2));
    bool small = false;
    Bytes prefixes;
    const unsigned copies = one_in(12) ? 2 : 1;
    if (!(e.match & match::NoPrefix) && one_in(4)) prefixes.insert(prefixes.end(), copies, 0x66);
    if (one_in(5)) {
      small = true;
      prefixes.insert(prefixes.end(), copies, 0x67);
    }
    static constexpr u8 kSegs[] = {0x26, 0x36, 0x3e, 0x64, 0x65, 0x65, 0x65};
    for (unsigned n = one_in(4) ? 1 + below(2) : 0; n > 0; --n)
      prefixes.push_back(one_in(40) ? u8{0x2e} : kSegs[below(std::size(kSegs))]);
    if (one_in(20) && e.map == 0 && !floating) prefixes.push_back(one_in(2) ? 0xf2 : 0xf3);
    if ((e.attributes & attr::Lock) && memory && one_in(6)) prefixes.push_back(0xf0);
    std::shuffle(prefixes.begin(), prefixes.end(), rng_);
    f.bytes = prefixes;
    if (e.map == 1) f.bytes.push_back(0x0f);
    const unsigned variants = (e.match & match::OpReg) ? 8 : (e.match & match::OpCc) ? 16 : 1;
    f.bytes.push_back(static_cast<u8>(e.opcode + below(variants)));
    f.disp_at = f.bytes.size();
    if (e.operands[0] == OpCode::Ob || e.operands[0] == OpCode::Ov || e.operands[1] == OpCode::Ob ||
        e.operands[1] == OpCode::Ov) {
      f.disp_bytes = small ? 2 : 4;
    } else if (e.match & match::kHasRm) {
      f.bytes.push_back(static_cast<u8>(e.match));
    } else if (has_modrm) {
      modrm(f, (e.match & match::kHasExt) ? e.match & 7 : below(8), memory, small);
    }
    f.bytes.resize(f.bytes.size() + f.disp_bytes);
    for (unsigned k = 0; k < 8; ++k) f.bytes.push_back(static_cast<u8>(random()));  // immediates, as many as it has
    return f;
  }
  static bool has_modrm_byte(const Encoding& e) {
    if (e.match & (match::Mem | match::Reg | match::kHasExt | match::kHasRm)) return true;
    for (const OpCode o : e.operands) {
      switch (o) {
        case OpCode::Eb: case OpCode::Ew: case OpCode::Ed: case OpCode::Ev: case OpCode::Eq: case OpCode::Gb:
        case OpCode::Gw: case OpCode::Gd: case OpCode::Gv: case OpCode::M: case OpCode::Sw: case OpCode::Pq:
        case OpCode::Pd: case OpCode::Qq: case OpCode::Qd: case OpCode::Rd: return true;
        default: break;
      }
    }
    return false;
  }
  void modrm(Form& f, unsigned reg, bool memory, bool small) {
    const unsigned mod = memory ? below(3) : 3, rm = below(8);
    f.bytes.push_back(static_cast<u8>(mod << 6 | reg << 3 | rm));
    if (memory && !small && rm == 4) {
      const u8 sib = static_cast<u8>(random());
      f.bytes.push_back(sib);
      f.disp_bytes = mod == 0 && (sib & 7) == 5 ? 4 : 0;
    } else if (memory && mod == 0 && rm == (small ? 6 : 5)) {
      f.disp_bytes = small ? 2 : 4;
    }
    if (mod == 1) f.disp_bytes = 1;
    if (mod == 2) f.disp_bytes = small ? 2 : 4;
    f.disp_at = f.bytes.size();
  }

  // Makes the operand lie at `linear` (or near it): instructions that load registers go to `setup`, the displacement
  // into the form. No register of `avoid` is loaded. False where it cannot be done.
  bool aim(const Insn& i, Form& f, u32& linear, u32 avoid, u32 esp, std::vector<Bytes>& setup) {
    const u32 mask = i.asize == 2 ? 0xffff : 0xffffffff;
    const unsigned full = i.asize == 2 ? 2 : 4;
    if ((i.base < 8 && (avoid >> i.base & 1)) || (i.index < 8 && (avoid >> i.index & 1))) return false;
    std::array<std::optional<u32>, 8> value = known_;
    value[kEsp] = esp;
    const auto set = [&](u8 r, u32 v) {
      v = (v & mask) | (random() & ~mask);
      setup.push_back(mov(r, v));
      value[r] = known_[r] = v;
    };
    const bool by_esp = i.base == kEsp && f.disp_bytes != full;
    if (by_esp) {
      if (stack16_ && (esp >> 16)) return false;
      linear = base_[i.seg] + esp;
      if (base_[i.seg] != base_[kSs]) return false;
    }
    u32 offset = linear - base_[i.seg];
    if (offset > mask || (i.asize == 2 && offset > 0xff00)) return false;
    u32 disp = 0;
    if (f.disp_bytes == full) {
      u32 sum = 0;
      for (const u8 r : {i.base, i.index}) {
        if (r >= 8) continue;
        if (!value[r]) set(r, random());
      }
      if (i.base < 8) sum += *value[i.base];
      if (i.index < 8) sum += *value[i.index] << i.scale;
      disp = offset - sum;
    } else {
      if (i.base >= 8 && i.index >= 8) return false;
      if (i.base == i.index) return false;
      disp = f.disp_bytes == 1 ? random() & 0x7f : 0;
      if (by_esp) {
        if (i.index < 8) {
          set(i.index, 0 - below(8));
          offset = *value[kEsp] + (*value[i.index] << i.scale) + disp;
        } else {
          offset += disp;
        }
        linear = base_[i.seg] + offset;
      } else {
        if (f.disp_bytes == 1 && one_in(2)) disp |= 0xffffff80;
        if (i.index < 8 && !value[i.index]) set(i.index, random());
        const u32 rest = offset - disp - (i.index < 8 ? *value[i.index] << i.scale : 0);
        if (i.base >= 8) {
          set(i.index, offset - disp);
        } else if (!value[i.base] || ((*value[i.base] ^ rest) & mask)) {
          set(i.base, rest);
        }
      }
    }
    for (unsigned n = 0; n < f.disp_bytes; ++n) f.bytes[f.disp_at + n] = static_cast<u8>(disp >> (8 * n));
    return true;
  }

  u32 draw_target(const Insn& i) {
    if (one_in(12)) return kData + 0x1000 - below(12);  // over a page's end
    if (one_in(150) && base_[i.seg] == kData) return kData + Native::kLdtLimit - below(12);  // over the segment's end
    return kData + 0x80 + below(0x680);
  }

  // Top-level instructions may move ESP; `mask` of registers that must survive otherwise.
  std::optional<Unit> instruction(u16 n, bool top, u32 keep = 0) {
    const auto known = known_;
    new_base_.reset();
    auto unit = try_instruction(n, top, keep);
    if (!unit) known_ = known;
    return unit;
  }
  std::optional<Unit> try_instruction(u16 n, bool top, u32 keep) {
    const Encoding& e = encodings()[n];
    const std::string name = e.name;
    if ((e.attributes & attr::Str) || (!top && same_name(name, {"push", "pop", "pusha", "popa", "pushf"}))) return {};
    Form f = draw(e);
    Insn i;
    if (!decoder().decode(f.bytes, kMode, i) || i.encoding != n || i.len > kMaxInsnBytes) return {};
    f.bytes.resize(i.len);

    Unit unit;
    u32 avoid = keep;
    std::optional<unsigned> count;
    std::vector<Bytes>& setup = unit.insns;
    std::vector<Bytes> late, after;
    const bool memory = i.has_mem || (name == "xlat");
    u32 target = draw_target(i);

    for (const Operand& o : i.op) {
      if (o.kind == Operand::kReg && (keep >> (i.width == 1 ? o.reg & 3 : o.reg) & 1)) return {};
    }
    if (name == "bswap" && i.osize == 2) return {};
    if (is_shift(name) && one_in(2)) {
      const Operand& by = i.op[name == "shld" || name == "shrd" ? 2 : 1];
      if (by.kind == Operand::kReg && !(keep >> kEcx & 1)) {
        avoid |= 1u << kEcx;
        count = below(one_in(2) ? 40 : 10);
        late.push_back({0xb1, static_cast<u8>(*count)});
        *count &= 31;
      }
    }
    if (same_name(name, {"div", "idiv"})) {
      if (i.op[0].kind == Operand::kReg && i.op[0].reg == (i.width == 1 ? 4 : kEdx)) return {};
      avoid |= 1u << kEax | 1u << kEdx;
      // A small dividend and a divisor that is not zero; or whatever comes.
      if (!one_in(50)) {
        late.push_back(bytes32({0x81, 0xe0}, i.width == 1 ? 0x7f : 0x7fff));  // and eax, imm32
        if (i.width > 1) late.push_back({0x31, 0xd2});                         // xor edx, edx
        if (memory) {
          late.emplace_back();  // filled in when the target is known
        } else {
          late.push_back({static_cast<u8>(i.width == 1 ? 0x80 : 0x83), static_cast<u8>(0xc8 | i.op[0].reg), 0x01});
        }
      }
    }
    const bool bit_string = same_name(name, {"bt", "bts", "btr", "btc"}) && memory && i.op[1].kind == Operand::kReg;
    if (bit_string) {
      if (i.op[1].reg == kEsp) return {};
      avoid |= 1u << i.op[1].reg;
      target = kData + 0x300 + below(0x100);
      const u32 at = below(8192) - 4096;
      late.push_back(mov(i.op[1].reg, i.osize == 2 ? (at & 0xffff) | (random() & 0xffff0000) : at));
    }
    if (same_name(name, {"cmpxchg", "cmpxchg8b"}) && memory && one_in(2)) {
      avoid |= 1u << kEax | 1u << kEdx;
      late.emplace_back();
    }
    if (same_name(name, {"lar", "lsl", "verr", "verw"})) {
      const Operand& sel = i.op[name[0] == 'l' ? 1 : 0];
      if (memory || sel.reg == kEsp) return {};
      static constexpr u16 kSels[] = {Native::kBasedSel, Native::kStack16Sel, Native::kReadOnlySel, 0, 3, 0x1f, 0x27};
      late.push_back(mov(sel.reg, kSels[below(std::size(kSels))] | (random() & 0xffff0000)));
    }
    if (same_name(name, {"mov_to_seg", "load_far"})) {
      if (!special(name, i, late, top)) return {};
    }
    // Where ESP is when the address is worked out.
    const u32 esp_then = *known_[kEsp] + (name == "pop" ? i.osize : 0);
    const bool touches = name != "lea" && name != "nop";
    if (name == "xlat") {
      if (keep >> kEbx & 1) return {};
      const u32 offset = target - base_[i.seg];
      if (i.asize == 2 && offset > 0x8000) return {};
      target = kData + 0x80 + below(0x400);
      setup.push_back(mov(kEbx, target - base_[i.seg]));
      known_[kEbx].reset();
    } else if (memory && touches && !aim(i, f, target, avoid, esp_then, setup)) {
      return {};
    }
    for (Bytes& b : late) {
      if (!b.empty()) continue;
      if (name == "cmpxchg8b") {
        setup.push_back(bytes32({0x8b, 0x15}, in_ds(target + 4)));
        b = bytes32({0x8b, 0x05}, in_ds(target));
      } else if (name == "cmpxchg") {
        b = bytes32({0x8b, 0x05}, in_ds(target));
      } else {
        b = bytes32({0x83, 0x0d}, in_ds(target));
        b.push_back(0x01);
      }
    }
    if (name == "fnstenv" || name == "fnsave") clear_pointers(i, target, after);
    if (name == "fldcw") late.push_back(store16(target, control_word()));
    if (name == "fldenv" || name == "frstor") image_for(i, target, late);
    if (name == "fbld") bcd_at(target, late);
    if (name == "load_far" || (name == "mov_to_seg" && memory)) {
      late.push_back(store16(target + (name == "load_far" ? i.osize : 0), next_selector_));
    }
    setup.insert(setup.end(), late.begin(), late.end());
    setup.push_back(f.bytes);

    // ESP is kept where it is known to be.
    u32 esp = *known_[kEsp];
    const u32 step = i.osize;
    if (name == "push" || name == "pushf") esp = moved(esp, 0 - step);
    if (name == "pop") esp = moved(esp, step);
    if (name == "pusha") esp = moved(esp, 0 - 8 * step);
    if (name == "popa") esp = moved(esp, 8 * step);
    known_[kEsp] = esp;
    for (unsigned k = 0; k < 2; ++k) {
      if (i.op[k].kind == Operand::kReg && i.op[k].reg == kEsp && i.width > 1 && name != "push") {
        after.push_back(mov(kEsp, esp));
        break;
      }
    }
    setup.insert(setup.end(), after.begin(), after.end());
    forget(i, name);
    const auto effect = effect_of(name, i, count);
    if (!effect) return {};
    unit.effect = *effect;
    if (same_name(name, {"div", "idiv"})) unit.effect = {0, kArithFlags, 0};
    if (new_base_) {
      base_[new_base_->first] = new_base_->second;
      new_base_.reset();
    }
    return unit;
  }

  u32 moved(u32 esp, u32 by) const {
    return stack16_ ? (esp & 0xffff0000) | ((esp + by) & 0xffff) : esp + by;
  }

  // What these need is not in the table of encodings.
  bool special(const std::string& name, const Insn& i, std::vector<Bytes>& late, bool top) {
    if (!top) return false;
    const u8 seg = i.op[0].reg;
    if (seg == kSs || seg == kCs) return false;
    static constexpr u16 kSels[] = {Native::kFlatSel, Native::kBasedSel};
    next_selector_ = kSels[below(2)];
    if (name == "mov_to_seg" && !i.has_mem) {
      if (i.op[1].reg == kEsp) return false;
      late.push_back(mov(i.op[1].reg, next_selector_ | (random() & 0xffff0000)));
      known_[i.op[1].reg].reset();
    }
    new_base_ = {seg, base_of(next_selector_)};
    return true;
  }

  // The pointers of the last instruction are not compared: hosts lose them.
  void clear_pointers(const Insn& i, u32 target, std::vector<Bytes>& after) {
    if (i.osize == 4) {
      for (unsigned n = 12; n < 28; n += 4) after.push_back(store32(target + n, 0));
    } else {
      for (unsigned n = 6; n < 14; n += 4) after.push_back(store32(target + n, 0));
    }
  }
  void image_for(const Insn& i, u32 target, std::vector<Bytes>& late) {
    const unsigned word = i.osize;
    late.push_back(store16(target, control_word()));
    late.push_back(store16(target + word, random() & 0x7f00));
    late.push_back(store16(target + 2 * word, random()));
    clear_pointers(i, target, late);
  }
  void bcd_at(u32 target, std::vector<Bytes>& late) {
    const auto digits = [&] {
      u32 v = 0;
      for (unsigned n = 0; n < 8; ++n) v = v << 4 | below(10);
      return v;
    };
    late.push_back(store32(target, digits()));
    late.push_back(store32(target + 4, digits()));
    late.push_back(store16(target + 8, (digits() & 0xff) | (random() & 0x8000)));
  }

  // ---- Units of several instructions ----
  void load_segment() {
    static constexpr u8 kPush[][2] = {{0x06, 0}, {0x0e, 0}, {0x16, 0}, {0x1e, 0}, {0x0f, 0xa0}, {0x0f, 0xa8}};
    static constexpr u8 kPop[][3] = {{kEs, 0x07, 0}, {kDs, 0x1f, 0}, {kFs, 0x0f, 0xa1}, {kGs, 0x0f, 0xa9}};
    Unit unit;
    const bool small = one_in(3);
    u32& esp = *known_[kEsp];
    if (one_in(2)) {
      const auto& p = kPush[below(6)];
      esp = moved(esp, small ? 0u - 2 : 0u - 4);
      Bytes b;
      if (small) b.push_back(0x66);
      b.push_back(p[0]);
      if (p[0] == 0x0f) b.push_back(p[1]);
      unit.insns.push_back(b);
      // Processors differ in what they write above the selector.
      if (!small) unit.insns.push_back(store16(base_[kSs] + (stack16_ ? esp & 0xffff : esp) + 2, 0));
    } else {
      const auto& p = kPop[below(4)];
      const u16 selector = one_in(2) ? Native::kFlatSel : Native::kBasedSel;
      Bytes push = bytes32({0x68}, selector | (random() & 0xffff0000)), pop;
      if (small) {
        push = {0x66, 0x68, static_cast<u8>(selector), 0};
        pop.push_back(0x66);
      }
      pop.push_back(p[1]);
      if (p[1] == 0x0f) pop.push_back(p[2]);
      unit.insns = {push, pop};
      base_[p[0]] = base_of(selector);
    }
    add(std::move(unit));
  }

  void flags_by_stack() {
    const u32 flags = (random() & (kArithFlags | kDf)) | kFlagsFixed1;
    if (one_in(2)) {
      add({{bytes32({0x68}, flags), {0x9d}}, {kArithFlags, 0, 0}});
    } else {
      add({{{0x66, 0x68, static_cast<u8>(flags), static_cast<u8>(flags >> 8)}, {0x66, 0x9d}}, {kArithFlags, 0, 0}});
    }
  }

  // ENTER of any level, or LEAVE.
  void frame() {
    Unit unit;
    const u32 at = kData + 0x1800 - base_[kSs] + below(0x100) + (stack16_ ? random() & 0xffff0000 : 0);
    unit.insns.push_back(mov(kEbp, at));
    Bytes b;
    if (one_in(3)) b.push_back(0x66);
    if (one_in(2)) {
      const u32 bytes = below(0x80);
      const u8 level = static_cast<u8>(one_in(2) ? 0 : random());
      b.insert(b.end(), {0xc8, static_cast<u8>(bytes), 0, level});
    } else {
      b.push_back(0xc9);
    }
    unit.insns.push_back(b);
    // ESP is seen once before it is put back.
    unit.insns.push_back({0x89, 0xe0});  // mov eax, esp
    unit.insns.push_back(mov(kEsp, *known_[kEsp]));
    known_[kEbp].reset();
    known_[kEax].reset();
    add(std::move(unit));
  }

  void string() {
    static constexpr u8 kOps[] = {0xa4, 0xa5, 0xa6, 0xa7, 0xaa, 0xab, 0xac, 0xad, 0xae, 0xaf};
    const u8 op = kOps[below(std::size(kOps))];
    const bool compares = op == 0xa6 || op == 0xa7 || op >= 0xae;
    Unit unit;
    Bytes prefixes;
    const bool repeated = !one_in(3), small = base_[kEs] == kData && one_in(4);
    static constexpr u8 kSegs[] = {0x26, 0x3e, 0x65};
    static constexpr u8 kRegs[] = {kEs, kDs, kGs};
    u32 source = base_[kDs];
    if (one_in(4)) {
      const u32 n = below(3);
      prefixes.push_back(kSegs[n]);
      source = base_[kRegs[n]];
    }
    if (small && source != kData) return;
    if (repeated) prefixes.push_back(one_in(2) ? 0xf3 : 0xf2);
    if (one_in(4)) prefixes.push_back(0x66);
    if (small) prefixes.push_back(0x67);
    std::shuffle(prefixes.begin(), prefixes.end(), rng_);
    prefixes.push_back(op);
    const u32 from = kData + 0x9c0 + below(0x100), to = one_in(3) ? from + below(9) - 4 : kData + 0x9c0 + below(0x100);
    const u32 high = small ? random() & 0xffff0000 : 0;
    const u32 count = one_in(6) ? 0 : below(40);
    unit.insns = {mov(kEsi, (from - source) | high), mov(kEdi, (to - base_[kEs]) | high),
                  mov(kEcx, count | (small ? random() & 0xffff0000 : 0)), {static_cast<u8>(one_in(2) ? 0xfd : 0xfc)}};
    if (compares) unit.insns.push_back(bytes32({0x3d}, random()));  // with a count of zero the flags stay
    unit.insns.push_back(prefixes);
    if (compares) unit.effect.sets = kArithFlags;
    for (const u8 r : {kEcx, kEsi, kEdi, kEax}) known_[r].reset();
    add(std::move(unit));
  }

  static std::size_t size_of(const std::vector<Bytes>& insns) {
    std::size_t n = 0;
    for (const Bytes& b : insns) n += b.size();
    return n;
  }
  // An instruction that leaves ESP where it is, made for a place that may be run any number of times.
  std::optional<Unit> inner(u32 keep) {
    const auto bases = base_;
    const auto known = known_;
    const std::vector<u16>& from = one_in(4) ? floats_ : integers_;
    auto unit = instruction(from[below(static_cast<u32>(from.size()))], false, keep | 1u << kEsp);
    if (unit && (bases != base_ || size_of(unit->insns) > 100)) {
      base_ = bases;
      known_ = known;
      return {};
    }
    return unit;
  }

  // A conditional jump over an instruction.
  void skip() {
    const auto before = known_;
    auto unit = inner(0);
    if (!unit) return;
    const std::size_t n = size_of(unit->insns);
    const u8 cc = static_cast<u8>(below(16));
    Bytes jump{static_cast<u8>(0x70 | cc), static_cast<u8>(n)};
    if (one_in(3)) jump = bytes32({0x0f, static_cast<u8>(0x80 | cc)}, static_cast<u32>(n));
    // The registers it loads are loaded or not.
    for (unsigned r = 0; r < 8; ++r) {
      if (known_[r] != before[r]) known_[r].reset();
    }
    known_[kEsp] = before[kEsp];
    unit->insns.insert(unit->insns.begin(), jump);
    unit->effect.uses |= kArithFlags & ~kAf;
    unit->effect.sets = 0;
    unit->jumps = true;
    add(std::move(*unit));
  }

  // CALL of a subroutine that comes next in the code, by displacement or through a register; RET or RET n.
  void call() {
    auto unit = inner(0);
    if (!unit) return;
    const u32 n = static_cast<u32>(size_of(unit->insns));
    const bool release = one_in(2);
    std::vector<Bytes> insns;
    if (release) insns.push_back({0x6a, static_cast<u8>(random())});
    const u32 ret_bytes = release ? 3 : 1;
    if (one_in(2)) {
      insns.push_back(bytes32({0xe8}, 2));                               // call +2
      insns.push_back({0xeb, static_cast<u8>(n + ret_bytes)});           // jmp over it
    } else {
      // call $+5; pop ecx; add ecx, 10; call ecx; jmp over it
      insns.push_back(bytes32({0xe8}, 0));
      insns.push_back({0x59});
      insns.push_back({0x8d, 0x49, 8});  // lea ecx, [ecx + 8]: pop, lea, call, jmp are 1 + 3 + 2 + 2 bytes
      insns.push_back({0xff, 0xd1});
      insns.push_back({0xeb, static_cast<u8>(n + ret_bytes)});
    }
    insns.insert(insns.end(), unit->insns.begin(), unit->insns.end());
    insns.push_back(release ? Bytes{0xc2, 0x04, 0x00} : Bytes{0xc3});
    unit->insns = std::move(insns);
    unit->jumps = true;
    known_[kEcx].reset();
    add(std::move(*unit));
  }

  // LOOP, LOOPE, LOOPNE around an instruction, or JECXZ over it.
  void loop() {
    const auto before = known_;
    // Addresses are loaded inside the loop, as its instruction may change what they were made from.
    for (unsigned r = 0; r < 8; ++r) {
      if (r != kEsp) known_[r].reset();
    }
    auto unit = inner(1u << kEcx);
    if (!unit || (unit->effect.uses & (unit->effect.undefines | kX87Codes))) {
      known_ = before;
      return;
    }
    const u32 n = static_cast<u32>(size_of(unit->insns));
    const unsigned kind = below(4);
    if (kind < 2 && (unit->effect.undefines & kZf)) {
      known_ = before;
      return;
    }
    const bool small = one_in(4);
    std::vector<Bytes> insns{mov(kEcx, (kind == 3 ? below(2) : 1 + below(6)) | (small ? random() & 0xffff0000 : 0))};
    Bytes branch;
    if (small) branch.push_back(0x67);
    branch.push_back(static_cast<u8>(0xe0 + kind));
    branch.push_back(static_cast<u8>(kind == 3 ? n : 0 - n - branch.size() - 1));
    if (kind == 3) insns.push_back(branch);
    insns.insert(insns.end(), unit->insns.begin(), unit->insns.end());
    if (kind != 3) insns.push_back(branch);
    unit->insns = std::move(insns);
    if (kind == 3) unit->effect.sets = 0;
    if (kind < 2) unit->effect.uses |= kZf;
    unit->jumps = true;
    for (unsigned r = 0; r < 8; ++r) {
      if (known_[r] != before[r]) known_[r].reset();
    }
    known_[kEsp] = before[kEsp];
    known_[kEcx].reset();
    add(std::move(*unit));
  }

  std::mt19937 rng_;
  Program program_;
  std::vector<Unit> units_;
  std::vector<u16> integers_, floats_, mmx_;
  std::array<std::optional<u32>, 8> known_;  // what registers surely hold
  std::array<u32, kSegRegs> base_{};
  u32 esp_start_ = 0;
  bool stack16_ = false;
  u16 next_selector_ = 0;
  std::optional<std::pair<u8, u32>> new_base_;
  u32 undefined_ = 0;
};

}  // namespace

std::vector<u8> Program::code() const {
  std::vector<u8> out;
  for (const Unit& u : units) {
    for (const auto& insn : u.insns) out.insert(out.end(), insn.begin(), insn.end());
  }
  return out;
}

std::optional<u32> Program::defined_flags() const {
  u32 undefined = 0;
  for (const Unit& u : units) {
    if (u.effect.uses & undefined) return std::nullopt;
    undefined = (undefined & ~u.effect.sets) | u.effect.undefines;
  }
  return (kArithFlags | kDf | kX87Codes) & ~undefined;
}

Program make_random_program(u32 seed, unsigned units) { return Generator(seed).make(units); }

std::string name_of(const std::vector<u8>& insn) {
  Insn i;
  if (!decoder().decode(insn, kMode, i) || i.encoding >= encodings().size()) return {};
  return encodings()[i.encoding].name;
}

}  // namespace xlat::test
