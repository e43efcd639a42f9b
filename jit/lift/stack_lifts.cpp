// The stack group, lifted.
#include "cpu/sem/stack.h"
#include "jit/lift/tables.h"

#define IN_stack(x) x
#define GROUP_TABLE kStackLifts
#include "cpu/group.inc"
