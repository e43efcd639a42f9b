// Interpreter code of the stack group.
#include "cpu/interp/handlers.h"
#include "cpu/sem/stack.h"

#define IN_stack(x) x
#define GROUP_TABLE kStackHandlers
#include "cpu/group.inc"
