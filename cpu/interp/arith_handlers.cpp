// Interpreter code of the arith group.
#include "cpu/interp/handlers.h"
#include "cpu/sem/arith.h"

#define IN_arith(x) x
#define HANDLER_TABLE kArithHandlers
#include "cpu/interp/group.inc"
