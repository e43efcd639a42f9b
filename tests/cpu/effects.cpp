// The table of effects.
#include "effects.h"

#include <map>

#include "cpu/encoding.h"
#include "cpu/registers.h"

namespace xlat::test {

namespace {

constexpr u32 kAll = kArithFlags;
constexpr u32 kC1 = 0x02000000;

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
      {"div", {0, kAll, 0}},
      {"idiv", {0, kAll, 0}},
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
      {"jcc", {0, 0, kAll & ~kAf}},
      {"lahf", {0, 0, kAll & ~kOf}},
      {"sahf", {kAll & ~kOf, 0, 0}},
      {"clc", {kCf, 0, 0}},
      {"stc", {kCf, 0, 0}},
      {"cmc", {kCf, 0, kCf}},
      {"cld", {}},
      {"std_", {}},
      {"bt", {kCf, kOf | kSf | kAf | kPf, 0}},
      {"bts", {kCf, kOf | kSf | kAf | kPf, 0}},
      {"btr", {kCf, kOf | kSf | kAf | kPf, 0}},
      {"btc", {kCf, kOf | kSf | kAf | kPf, 0}},
      {"bsf", {kZf, kAll & ~kZf, 0}},
      {"bsr", {kZf, kAll & ~kZf, 0}},
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
      {"popa", {}},
      {"pushf", {0, 0, kAll}},
      {"xlat", {}},
      {"movs", {}},
      {"stos", {}},
      {"lods", {}},
      {"cmps", {kAll, 0, 0}},
      {"scas", {kAll, 0, 0}},
      {"arpl", {kZf, 0, 0}},
      {"lar", {kZf, 0, 0}},
      {"lsl", {kZf, 0, 0}},
      {"verr", {kZf, 0, 0}},
      {"verw", {kZf, 0, 0}},
      {"mov_from_seg", {}},
      {"mov_to_seg", {}},
      {"load_far", {}},
      {"ud", {}},
      {"fwait", {}},
      // Processors differ in C1 after the comparisons that set EFLAGS.
      {"fcomi", {kAll, kC1, 0}},
      {"fcomip", {kAll, kC1, 0}},
      {"fucomi", {kAll, kC1, 0}},
      {"fucomip", {kAll, kC1, 0}},
      {"fcmov", {0, 0, kCf | kZf | kPf}},
      {"fnstsw", {0, 0, kX87Codes}},
      {"fnstenv", {0, 0, kX87Codes}},
      {"fnsave", {kX87Codes, 0, kX87Codes}},
      {"fninit", {kX87Codes, 0, 0}},
      {"fcom", {kX87Codes, 0, 0}},
      {"fcomp", {kX87Codes, 0, 0}},
      {"fcompp", {kX87Codes, 0, 0}},
      {"fxam", {kX87Codes, 0, 0}},
      {"fadd", {kC1, 0, 0}},
      {"fmul", {kC1, 0, 0}},
      {"faddp", {kC1, 0, 0}},
      {"fmulp", {kC1, 0, 0}},
      {"fld", {kC1, 0, 0}},
      {"fld_constant", {kC1, 0, 0}},
  };
  return kEffects;
}

// Not exact, or with undefined results, or not to be had in user mode.
bool is_excluded_float(const std::string& name) {
  for (const char* other :
       {"f2xm1", "fyl2x", "fptan", "fpatan", "fyl2xp1", "fsincos", "fsin", "fcos", "fxsave", "fxrstor"}) {
    if (name == other) return true;
  }
  return false;
}

bool is_rotate(const std::string& name) { return name == "rol" || name == "ror" || name == "rcl" || name == "rcr"; }

// With a count of zero the flags stay, so nothing becomes defined unless the count is known.
std::optional<Effect> shift_effect(const std::string& name, const Insn& i, std::optional<unsigned> given, Effect e) {
  const unsigned width = 8u * i.width;
  const bool twice = name == "shld" || name == "shrd";
  const Operand& by = i.op[twice ? 2 : 1];
  const bool known = by.kind != Operand::kReg || given;
  const unsigned count = (by.kind == Operand::kOne   ? 1
                          : by.kind == Operand::kReg ? given.value_or(0)
                                                     : static_cast<unsigned>(i.imm)) &
                         31;
  if (twice && width == 16 && (!known || count > 16)) return std::nullopt;  // the result is undefined
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

}  // namespace

bool is_shift(const std::string& name) {
  return name == "shl" || name == "shr" || name == "sar" || name == "shld" || name == "shrd" || is_rotate(name);
}

std::optional<Effect> effect_of(const std::string& name, const Insn& i, std::optional<unsigned> count) {
  const auto found = effects().find(name);
  if (found == effects().end()) {
    const bool floating = encodings()[i.encoding].attributes & (attr::FFpu | attr::FMmx);
    return floating && !is_excluded_float(name) ? std::optional(Effect{}) : std::nullopt;
  }
  if (is_shift(name)) return shift_effect(name, i, count, found->second);
  return found->second;
}

}  // namespace xlat::test
