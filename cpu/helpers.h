// What semantics hand over to Cpu by Emitter::call: cpu/helpers.inc as functions and as data.
#pragma once

#include "cpu/registers.h"
#include "cpu/x87/lists.h"

namespace xlat {

class Cpu;
struct Insn;

namespace helper {

// s.ip is the next instruction's when it is called.
#define HELPER(name, bits, reads, sets, leaves) u64 name(Cpu& cpu, const Insn& i, u64 a, u64 b);
#include "cpu/helpers.inc"
#undef HELPER

}  // namespace helper

enum class Helper : u8 {
#define HELPER(name, bits, reads, sets, leaves) name,
#include "cpu/helpers.inc"
#undef HELPER
};

// What is known of a helper; the columns of cpu/helpers.inc.
struct HelperInfo {
  enum Leaves : bool { kStays, kMayLeave };
  u64 (*work)(Cpu&, const Insn&, u64 a, u64 b);
  const char* name;
  u8 bits;
  u32 reads, sets;
  Leaves leaves;
};

inline constexpr HelperInfo kHelpers[] = {
#define HELPER(name, bits, reads, sets, leaves) {&helper::name, #name, bits, reads, sets, HelperInfo::leaves},
#include "cpu/helpers.inc"
#undef HELPER
};

constexpr const HelperInfo& info_of(Helper h) { return kHelpers[static_cast<u8>(h)]; }

}  // namespace xlat
