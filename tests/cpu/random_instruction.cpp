// Drawing an instruction from the encoding table and making its address come out.
#include "random_instruction.h"

#include "cpu/model.h"

namespace xlat::test {

namespace {

bool same_name(const std::string& name, std::initializer_list<const char*> list) {
  return std::any_of(list.begin(), list.end(), [&](const char* n) { return name == n; });
}

}  // namespace

const Decoder& oracle_decoder() {
  static const Decoder kDecoder(find_cpu_model("max").value().decoder_features());
  return kDecoder;
}

void RandomInstruction::forget(const Insn& i, const std::string& name) {
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

RandomInstruction::Form RandomInstruction::draw(const Encoding& e) {
  Form f;
  const bool floating = e.attributes & (attr::FFpu | attr::FMmx);
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
  } else if (uses_modrm(e)) {
    modrm(f, (e.match & match::kHasExt) ? e.match & 7 : below(8), memory, small);
  }
  f.bytes.resize(f.bytes.size() + f.disp_bytes);
  for (unsigned k = 0; k < 8; ++k) f.bytes.push_back(static_cast<u8>(random()));  // immediates, as many as it has
  return f;
}

void RandomInstruction::modrm(Form& f, unsigned reg, bool memory, bool small) {
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
bool RandomInstruction::aim(const Insn& i, Form& f, u32& linear, u32 avoid, u32 esp, std::vector<Bytes>& setup) {
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

u32 RandomInstruction::draw_target(const Insn& i) {
  if (one_in(12)) return kData + 0x1000 - below(12);                                       // over a page's end
  if (one_in(150) && base_[i.seg] == kData) return kData + Native::kLdtLimit - below(12);  // over the segment's end
  return kData + 0x80 + below(0x680);
}

// Top-level instructions may move ESP; `mask` of registers that must survive otherwise.
std::optional<Unit> RandomInstruction::instruction(u16 n, bool top, u32 keep) {
  const auto known = known_;
  new_base_.reset();
  auto unit = try_instruction(n, top, keep);
  if (!unit) known_ = known;
  return unit;
}

std::optional<Unit> RandomInstruction::try_instruction(u16 n, bool top, u32 keep) {
  const Encoding& e = encodings()[n];
  const std::string name = e.name;
  if ((e.attributes & attr::Str) || (!top && same_name(name, {"push", "pop", "pusha", "popa", "pushf"}))) return {};
  Form f = draw(e);
  Insn i;
  if (!oracle_decoder().decode(f.bytes, kOracleMode, i) || i.encoding != n || i.len > kMaxInsnBytes) return {};
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
      if (i.width > 1 && one_in(3)) {
        late.push_back(mov(kEdx, one_in(2) ? below(64) : 0 - below(64)));  // fits mostly
      } else {
        late.push_back(bytes32({0x81, 0xe0}, i.width == 1 ? 0x7f : 0x7fff));  // and eax, imm32
        if (i.width > 1) late.push_back({0x31, 0xd2});                        // xor edx, edx
      }
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

// What these need is not in the table of encodings.
bool RandomInstruction::special(const std::string& name, const Insn& i, std::vector<Bytes>& late, bool top) {
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
void RandomInstruction::clear_pointers(const Insn& i, u32 target, std::vector<Bytes>& after) {
  if (i.osize == 4) {
    for (unsigned n = 12; n < 28; n += 4) after.push_back(store32(target + n, 0));
  } else {
    for (unsigned n = 6; n < 14; n += 4) after.push_back(store32(target + n, 0));
  }
}

void RandomInstruction::image_for(const Insn& i, u32 target, std::vector<Bytes>& late) {
  const unsigned word = i.osize;
  late.push_back(store16(target, control_word()));
  late.push_back(store16(target + word, random() & 0x7f00));
  late.push_back(store16(target + 2 * word, random()));
  clear_pointers(i, target, late);
}

void RandomInstruction::bcd_at(u32 target, std::vector<Bytes>& late) {
  const auto digits = [&] {
    u32 v = 0;
    for (unsigned n = 0; n < 8; ++n) v = v << 4 | below(10);
    return v;
  };
  late.push_back(store32(target, digits()));
  late.push_back(store32(target + 4, digits()));
  late.push_back(store16(target + 8, (digits() & 0xff) | (random() & 0x8000)));
}

}  // namespace xlat::test
