// The move group, lifted.
#include "cpu/sem/move.h"
#include "jit/lift/tables.h"

#define IN_move(x) x
#define GROUP_TABLE kMoveLifts
#include "cpu/group.inc"
