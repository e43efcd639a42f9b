// Interpreter code of the arith group.
#include "cpu/interp/handlers.h"
#include "cpu/sem/arith.h"

#define IN_arith(x) x
#define GROUP_TABLE kArithHandlers
#include "cpu/group.inc"
