// Interpreter code of the move group.
#include "cpu/interp/handlers.h"
#include "cpu/sem/move.h"

#define IN_move(x) x
#define GROUP_TABLE kMoveHandlers
#include "cpu/group.inc"
