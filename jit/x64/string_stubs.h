// Routines that make the iterations of repeated string instructions with the host's own.
#pragma once

#include <optional>

#include "jit/x64/registers.h"

namespace xlat::jit::x64 {

// One of them: what it does, with elements of how many bytes, and when it stops.
struct StringRoutine {
  enum What : u8 { kMovs, kStos, kCmps, kScas };
  What what;
  u8 bytes_log2;
  bool while_equal = true;  // CMPS and SCAS: REPE

  // In Stubs::strings.
  constexpr unsigned number() const { return (what * 3u + bytes_log2) * 2 + while_equal; }
  static constexpr StringRoutine of(unsigned number) {
    return {static_cast<What>(number / 6), static_cast<u8>(number / 2 % 3), number % 2 != 0};
  }
  bool compares() const { return what == kCmps || what == kScas; }
  bool reads_esi() const { return what == kMovs || what == kCmps; }
};
static_assert(StringRoutine{StringRoutine::kScas, 2, true}.number() + 1 == kStringRoutines);

// The routine for an instruction with 32-bit addresses, if there is one.
std::optional<StringRoutine> string_routine(const Insn& i);

// It is called with the guest's registers, and the guest's flags in CpuState; all segments are flat. It makes as many
// iterations as it can, and pays for those beyond the first. Host flags then: NZ if iterations are left that are the
// interpreter's; those made are paid for, and what is left is the same instruction with a smaller count.
void emit_string_routine(host::Assembler& a, const StateLayout& layout, const StringRoutine& routine);

}  // namespace xlat::jit::x64
