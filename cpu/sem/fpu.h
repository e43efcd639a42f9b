// x87 instructions. SDM vol. 2 under each name.
#pragma once

#include "cpu/emitter.h"
#include "cpu/helpers.h"

namespace xlat::sem {

template <Emitter E>
void fwait(E& e, const Insn& i, auto) {
  e.call(helper::fwait, i);
}

}  // namespace xlat::sem
