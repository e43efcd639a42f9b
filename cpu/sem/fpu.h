// x87 instructions. SDM vol. 2 under each name. The work is in cpu/x87; here is the order of things: availability and
// pending exceptions first (#NM, #MF), then the memory operand, then the operation.
#pragma once

#include "cpu/emitter.h"
#include "cpu/helpers.h"

namespace xlat::sem {

// Reads memory operand op[1], if there is one; the helper gets its bits and its offset.
template <Emitter E>
void fpu_operation(E& e, const Insn& i, auto w, Helper h) {
  e.call(Helper::fpu_check, i);
  if (i.has_mem) {
    const auto at = e.ea(i);
    e.call(h, i, e.load(w, i.seg, at), at);
  } else {
    e.call(h, i);
  }
}

// The helper reads or writes memory itself, and changes nothing if that faults.
template <Emitter E>
void fpu_at(E& e, const Insn& i, Helper h) {
  e.call(Helper::fpu_check, i);
  e.call(h, i, e.ea(i));
}

#define XLAT_SEM(name)                     \
  template <Emitter E>                     \
  void name(E& e, const Insn& i, auto w) { \
    fpu_operation(e, i, w, Helper::name);  \
  }
XLAT_FPU_OPERATIONS(XLAT_SEM)
XLAT_FPU_TO_EFLAGS(XLAT_SEM)
#undef XLAT_SEM

#define XLAT_SEM(name)                   \
  template <Emitter E>                   \
  void name(E& e, const Insn& i, auto) { \
    fpu_at(e, i, Helper::name);          \
  }
XLAT_FPU_MEMORY_OPERATIONS(XLAT_SEM)
#undef XLAT_SEM

template <Emitter E>
void fcmov(E& e, const Insn& i, auto) {
  static constexpr u8 kCondition[4] = {2, 4, 6, 10};  // B, E, BE, U (P)
  e.call(Helper::fpu_check, i);
  e.call(Helper::fcmov, i, e.condition(kCondition[(i.modrm >> 3) & 3] | (i.opcode & 1)));
}

template <Emitter E>
void fwait(E& e, const Insn& i, auto) {
  e.call(Helper::fwait, i);
}

// Not waiting: they look for #NM only.
template <Emitter E>
void fninit(E& e, const Insn& i, auto) {
  e.call(Helper::fninit, i);
}
template <Emitter E>
void fnclex(E& e, const Insn& i, auto) {
  e.call(Helper::fnclex, i);
}
template <Emitter E>
void fneni(E& e, const Insn& i, auto) {
  e.call(Helper::fpu_available, i);
}
template <Emitter E>
void fnstcw(E& e, const Insn& i, auto w) {
  e.write(i, 0, w, e.call(Helper::fpu_control, i));
}
template <Emitter E>
void fnstsw(E& e, const Insn& i, auto w) {
  e.write(i, 0, w, e.call(Helper::fpu_status, i));
}
template <Emitter E>
void fnstenv(E& e, const Insn& i, auto) {
  e.call(Helper::fnstenv, i, e.ea(i));
}
template <Emitter E>
void fnsave(E& e, const Insn& i, auto) {
  e.call(Helper::fnsave, i, e.ea(i));
}

}  // namespace xlat::sem
