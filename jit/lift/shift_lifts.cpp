// The shift group, lifted.
#include "cpu/sem/shift.h"
#include "jit/lift/tables.h"

#define IN_shift(x) x
#define GROUP_TABLE kShiftLifts
#include "cpu/group.inc"
