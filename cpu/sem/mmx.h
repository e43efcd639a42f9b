// MMX instructions. SDM vol. 2 under each name.
#pragma once

#include "cpu/emitter.h"
#include "cpu/x87/helpers.h"

namespace xlat::sem {

template <Emitter E>
void emms(E& e, const Insn& i, auto) {
  e.call(helper::mmx_check, i);
  e.call(helper::emms, i);
}
template <Emitter E>
void fxsave(E& e, const Insn& i, auto) { e.call(helper::fxsave, i, e.ea(i)); }
template <Emitter E>
void fxrstor(E& e, const Insn& i, auto) { e.call(helper::fxrstor, i, e.ea(i)); }

}  // namespace xlat::sem
