// Interpreter code of the move group.
#include "cpu/interp/handlers.h"
#include "cpu/sem/move.h"

#define IN_move(x) x
#define HANDLER_TABLE kMoveHandlers
#include "cpu/interp/group.inc"
