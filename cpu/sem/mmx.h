// MMX instructions. SDM vol. 2 under each name.
#pragma once

#include "cpu/emitter.h"
#include "cpu/helpers.h"

namespace xlat::sem {

// op[0] = op[0] `h` op[1]; the helper gets the source unless that is an MMX register.
template <Emitter E>
void mmx_operation(E& e, const Insn& i, auto w, Helper h) {
  e.call(Helper::mmx_check, i);
  if (i.op[1].kind == Operand::kMm) {
    e.call(h, i);
  } else {
    e.call(h, i, e.read(i, 1, w));
  }
}

#define XLAT_SEM(name)                     \
  template <Emitter E>                     \
  void name(E& e, const Insn& i, auto w) { \
    mmx_operation(e, i, w, Helper::name);  \
  }
XLAT_MMX_OPERATIONS(XLAT_SEM)
#undef XLAT_SEM

// The upper half becomes zero.
template <Emitter E>
void movd_load(E& e, const Insn& i, auto w) {
  mmx_operation(e, i, w, Helper::movq);
}

template <Emitter E>
void movq_store(E& e, const Insn& i, auto w) {
  e.call(Helper::mmx_check, i);
  e.write(i, 0, w, e.trunc(w, e.call(Helper::mmx_value, i)));
  e.call(Helper::mmx_enter, i);
}
template <Emitter E>
void movd_store(E& e, const Insn& i, auto w) {
  movq_store(e, i, w);
}

template <Emitter E>
void emms(E& e, const Insn& i, auto) {
  e.call(Helper::mmx_check, i);
  e.call(Helper::emms, i);
}
template <Emitter E>
void fxsave(E& e, const Insn& i, auto) {
  e.call(Helper::fxsave, i, e.ea(i));
}
template <Emitter E>
void fxrstor(E& e, const Insn& i, auto) {
  e.call(Helper::fxrstor, i, e.ea(i));
}

}  // namespace xlat::sem
