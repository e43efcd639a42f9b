// The control group, lifted.
#include "cpu/sem/control.h"
#include "jit/lift/tables.h"

#define IN_control(x) x
#define GROUP_TABLE kControlLifts
#include "cpu/group.inc"
