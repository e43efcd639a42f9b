// What every IR block must be like, for tests and builds that check themselves.
#pragma once

#include "base/result.h"
#include "jit/ir/ir.h"

namespace xlat::jit {

// Operands come first, within their instruction, and from no branch that may not have been taken; widths and numbers
// fit; once an instruction has changed state it cannot fault any more. The error says which operation is wrong, and
// how.
Status verify(const IrBlock& ir);

void assert_sound(const IrBlock& ir);

}  // namespace xlat::jit
