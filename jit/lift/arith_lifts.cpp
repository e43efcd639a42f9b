// The arith group, lifted.
#include "cpu/sem/arith.h"
#include "jit/lift/tables.h"

#define IN_arith(x) x
#define GROUP_TABLE kArithLifts
#include "cpu/group.inc"
