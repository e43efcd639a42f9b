// The system group, lifted.
#include "cpu/sem/system.h"
#include "jit/lift/tables.h"

#define IN_system(x) x
#define GROUP_TABLE kSystemLifts
#include "cpu/group.inc"
