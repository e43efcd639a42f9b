// Programs are drawn from the encoding table; what each instruction does to the flags is said here once more, from the
// manual (SDM vol. 1, appendix A), so that undefined flags are never looked at.
#include "random_program.h"

#include <map>
#include <string>

#include "cpu/decoder.h"
#include "cpu/model.h"
#include "cpu/registers.h"

namespace xlat::test {

namespace {

constexpr u32 kAll = kArithFlags;

struct Effect {
  u32 sets = 0;       // defined after
  u32 undefines = 0;  // undefined after
  u32 uses = 0;       // read: must be defined before
};

const std::map<std::string, Effect>& effects() {
  static const std::map<std::string, Effect> kEffects = {
      {"add", {kAll, 0, 0}},
      {"sub", {kAll, 0, 0}},
      {"cmp", {kAll, 0, 0}},
      {"neg", {kAll, 0, 0}},
      {"xadd", {kAll, 0, 0}},
      {"adc", {kAll, 0, kCf}},
      {"sbb", {kAll, 0, kCf}},
      {"cmpxchg", {kAll, 0, 0}},
      {"cmpxchg8b", {kZf, 0, 0}},
      {"inc", {kAll & ~kCf, 0, 0}},
      {"dec", {kAll & ~kCf, 0, 0}},
      {"and_", {kAll & ~kAf, kAf, 0}},
      {"or_", {kAll & ~kAf, kAf, 0}},
      {"xor_", {kAll & ~kAf, kAf, 0}},
      {"test", {kAll & ~kAf, kAf, 0}},
      {"not_", {}},
      {"mul", {kCf | kOf, kSf | kZf | kAf | kPf, 0}},
      {"imul1", {kCf | kOf, kSf | kZf | kAf | kPf, 0}},
      {"imul2", {kCf | kOf, kSf | kZf | kAf | kPf, 0}},
      {"imul3", {kCf | kOf, kSf | kZf | kAf | kPf, 0}},
      {"cbw", {}},
      {"cwd", {}},
      {"daa", {kAll & ~kOf, kOf, kCf | kAf}},
      {"das", {kAll & ~kOf, kOf, kCf | kAf}},
      {"aaa", {kCf | kAf, kAll & ~(kCf | kAf), kAf}},
      {"aas", {kCf | kAf, kAll & ~(kCf | kAf), kAf}},
      {"aad", {kSf | kZf | kPf, kOf | kAf | kCf, 0}},
      {"aam", {kSf | kZf | kPf, kOf | kAf | kCf, 0}},
      {"salc", {0, 0, kCf}},
      {"mov", {}},
      {"xchg", {}},
      {"lea", {}},
      {"nop", {}},
      {"bswap", {}},
      {"movzx_b", {}},
      {"movzx_w", {}},
      {"movsx_b", {}},
      {"movsx_w", {}},
      {"cmov", {0, 0, kAll & ~kAf}},
      {"setcc", {0, 0, kAll & ~kAf}},
      {"lahf", {0, 0, kAll & ~kOf}},
      {"sahf", {kAll & ~kOf, 0, 0}},
      {"clc", {kCf, 0, 0}},
      {"stc", {kCf, 0, 0}},
      {"cmc", {kCf, 0, kCf}},
      {"bt", {kCf, kOf | kSf | kAf | kPf, 0}},
      {"bts", {kCf, kOf | kSf | kAf | kPf, 0}},
      {"btr", {kCf, kOf | kSf | kAf | kPf, 0}},
      {"btc", {kCf, kOf | kSf | kAf | kPf, 0}},
      {"bsf", {kZf, kAll & ~kZf, 0}},
      {"bsr", {kZf, kAll & ~kZf, 0}},
      // Shifts and rotates depend on the count: see shift_effect().
      {"shl", {}},
      {"shr", {}},
      {"sar", {}},
      {"rol", {}},
      {"ror", {}},
      {"rcl", {0, 0, kCf}},
      {"rcr", {0, 0, kCf}},
      {"shld", {}},
      {"shrd", {}},
      {"push", {}},
      {"pop", {}},
      {"pusha", {}},
      {"xlat", {}},
      {"movs", {}},
      {"stos", {}},
      {"lods", {}},
      {"cmps", {kAll, 0, 0}},
      {"scas", {kAll, 0, 0}},
      {"div", {0, kAll, 0}},
      {"idiv", {0, kAll, 0}},
  };
  return kEffects;
}

bool is_rotate(const std::string& name) { return name == "rol" || name == "ror" || name == "rcl" || name == "rcr"; }
bool is_shift(const std::string& name) {
  return name == "shl" || name == "shr" || name == "sar" || name == "shld" || name == "shrd" || is_rotate(name);
}

class Generator {
 public:
  Generator(u32 seed, u32 data) : rng_(seed), data_(data), decoder_(find_cpu_model("max").value().decoder_features()) {
    const auto table = encodings();
    for (u16 n = 0; n < table.size(); ++n) {
      if (table[n].map <= 1 && effects().count(table[n].name)) usable_.push_back(n);
    }
  }

  RandomProgram make(unsigned instructions) {
    define_flags();
    while (made_ < instructions) one();
    code({0xfc});  // cld
    return {std::move(out_), kArithFlags & ~undefined_};
  }

 private:
  u32 random() { return static_cast<u32>(rng_()); }
  u32 below(u32 n) { return random() % n; }
  void code(std::initializer_list<u8> bytes) { out_.insert(out_.end(), bytes); }
  void code32(u32 value) {
    for (unsigned n = 0; n < 4; ++n) out_.push_back(static_cast<u8>(value >> (8 * n)));
  }

  // cmp eax, imm32: every flag defined.
  void define_flags() {
    code({0x3d});
    code32(random());
    undefined_ = 0;
  }

  // Shifts: with a count of zero the flags stay, so nothing becomes defined unless the count is known.
  Effect shift_effect(const std::string& name, const Insn& i, Effect e) const {
    const unsigned width = 8u * i.width;
    const unsigned k = name == "shld" || name == "shrd" ? 2 : 1;
    const bool known = i.op[k].kind != Operand::kReg;
    const unsigned count = i.op[k].kind == Operand::kOne ? 1 : static_cast<unsigned>(i.imm & 31);
    if (known && count == 0) return e;
    const u32 of = known && count == 1 ? 0 : kOf;
    if (is_rotate(name)) {
      e.undefines |= of;
      if (known) e.sets |= kCf | (kOf & ~of);
      return e;
    }
    // CF is undefined when the count reaches beyond the operand.
    const u32 cf = (name != "sar" && (known ? count > width : width < 32)) ? kCf : 0;
    e.undefines |= of | kAf | cf;
    if (known) e.sets |= kArithFlags & ~(of | kAf | cf);
    return e;
  }

  // A ModRM for a register or one of the memory forms [edi + disp8], [edi + disp32], [disp32].
  void modrm(unsigned reg, bool memory) {
    const u8 r = static_cast<u8>(reg << 3);
    if (!memory) return code({static_cast<u8>(0xc0 | r | below(8))});
    switch (below(4)) {
      case 0: return code({static_cast<u8>(0x40 | r | 7), static_cast<u8>(below(120))});
      case 1: code({static_cast<u8>(0x80 | r | 7)}); return code32(below(240));
      case 2:  // SIB without index
        return code({static_cast<u8>(0x44 | r), 0x27, static_cast<u8>(below(120))});
      default: code({static_cast<u8>(r | 5)}); return code32(data_ + below(240));
    }
  }

  void one() {
    const u16 n = usable_[below(static_cast<u32>(usable_.size()))];
    const Encoding& e = encodings()[n];
    const std::string name = e.name;
    if (e.attributes & attr::Str) return string(e);
    const std::size_t start = out_.size();
    if (below(4) == 0) code({0x66});
    if (e.map == 1) code({0x0f});
    const unsigned variants = (e.match & match::OpReg) ? 8 : (e.match & match::OpCc) ? 16 : 1;
    code({static_cast<u8>(e.opcode + below(variants))});
    const unsigned ext = (e.match & match::kHasExt) ? e.match & 7 : below(8);
    modrm(ext, (e.match & match::Mem) || (!(e.match & match::Reg) && below(3) == 0));
    for (unsigned k = 0; k < 10; ++k) code({static_cast<u8>(random())});

    Insn i;
    const bool decoded = decoder_.decode({out_.data() + start, out_.size() - start}, {true, true, true, false}, i);
    if (!decoded || i.encoding != n || !safe(i, name)) {
      out_.resize(start);
      return;
    }
    std::vector<u8> bytes(out_.begin() + static_cast<std::ptrdiff_t>(start),
                          out_.begin() + static_cast<std::ptrdiff_t>(start + i.len));
    out_.resize(start);
    Effect effect = effects().at(name);
    if (is_shift(name)) effect = shift_effect(name, i, effect);
    if (effect.uses & undefined_) define_flags();
    if (name == "div" || name == "idiv") make_divisible(i);
    out_.insert(out_.end(), bytes.begin(), bytes.end());
    undefined_ = (undefined_ & ~effect.sets) | effect.undefines;
    if (name == "div" || name == "idiv") define_flags();
    if (name == "push") code({0x8d, 0x64, 0x24, static_cast<u8>(i.osize)});  // lea esp, [esp + n]
    if (name == "pusha") code({0x8d, 0x64, 0x24, static_cast<u8>(8 * i.osize)});
    if (name == "pop") code({0x8d, 0x64, 0x24, static_cast<u8>(-i.osize)});
    ++made_;
  }

  // No ESP or EDI as a destination, no address but the data area, nothing that is undefined in its result.
  bool safe(const Insn& i, const std::string& name) const {
    for (const Operand& o : i.op) {
      if (o.kind == Operand::kReg && i.width > 1 && (o.reg == kEsp || o.reg == kEdi)) return false;
    }
    if (i.has_mem) {
      const bool absolute = i.base == kZeroReg && i.index == kZeroReg && static_cast<u32>(i.disp) - data_ < 240;
      const bool relative = i.base == kEdi && i.index == kZeroReg && i.disp >= 0 && i.disp < 240;
      if (!absolute && !relative) return false;
      // A bit index in a register reaches out of the area.
      if (name[0] == 'b' && name[1] == 't' && i.op[1].kind == Operand::kReg) return false;
    }
    if (name == "xlat") return false;
    // The upper half of the dividend cannot be the divisor as well.
    if ((name == "div" || name == "idiv") && i.op[0].kind == Operand::kReg &&
        i.op[0].reg == (i.width == 1 ? 4 : kEdx)) {
      return false;
    }
    if (name == "bswap" && i.osize == 2) return false;
    if (name == "aam" && i.imm == 0) return false;
    if ((name == "shld" || name == "shrd") && i.osize == 2) {
      return i.op[2].kind == Operand::kImm && (i.imm & 31) <= 16;
    }
    return true;
  }

  // Makes the following DIV or IDIV fit: a small dividend and a divisor that is not zero.
  void make_divisible(const Insn& i) {
    define_flags();
    code({0x81, 0xe0});  // and eax, imm32
    code32(i.width == 1 ? 0x7f : 0x7fff);
    if (i.width > 1) code({0x31, 0xd2});  // xor edx, edx
    if (i.op[0].kind == Operand::kReg) {
      code({static_cast<u8>(i.width == 1 ? 0x80 : 0x83), static_cast<u8>(0xc8 | i.op[0].reg), 0x01});
    } else if (i.base == kEdi) {
      code({0x83, 0x8f});
      code32(static_cast<u32>(i.disp));
      code({0x01});
    } else {
      code({0x83, 0x0d});
      code32(static_cast<u32>(i.disp));
      code({0x01});
    }
  }

  // A string instruction with its own pointers and count; ESI and EDI are put back.
  void string(const Encoding& e) {
    const std::string name = e.name;
    if (!effects().count(name)) return;
    const bool repeated = below(2);
    const bool down = below(2);
    code({0xbe});
    code32(data_ + 0xa00 + below(256));
    code({0xbf});
    code32(data_ + 0xa00 + below(256));
    code({0xb9});
    code32(below(20));
    code({static_cast<u8>(down ? 0xfd : 0xfc)});
    define_flags();
    if (repeated) code({static_cast<u8>(below(2) || (name != "cmps" && name != "scas") ? 0xf3 : 0xf2)});
    if (below(4) == 0 && e.width == WidthClass::v) code({0x66});
    code({e.opcode});
    if (!repeated || effects().at(name).sets == 0) {
      undefined_ &= ~effects().at(name).sets;
    }
    code({0xfc, 0xbf});
    code32(data_);
    ++made_;
  }

  std::mt19937 rng_;
  u32 data_;
  Decoder decoder_;
  std::vector<u16> usable_;
  std::vector<u8> out_;
  u32 undefined_ = kArithFlags;
  unsigned made_ = 0;
};

}  // namespace

RandomProgram make_random_program(u32 seed, u32 data, unsigned instructions) {
  return Generator(seed, data).make(instructions);
}

}  // namespace xlat::test
