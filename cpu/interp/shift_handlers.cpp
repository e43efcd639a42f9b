// Interpreter code of the shift group.
#include "cpu/interp/handlers.h"
#include "cpu/sem/shift.h"

#define IN_shift(x) x
#define GROUP_TABLE kShiftHandlers
#include "cpu/group.inc"
