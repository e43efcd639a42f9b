// The mmx group, lifted.
#include "cpu/sem/mmx.h"
#include "jit/lift/tables.h"

#define IN_mmx(x) x
#define GROUP_TABLE kMmxLifts
#include "cpu/group.inc"
