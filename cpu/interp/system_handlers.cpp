// Interpreter code of the system group.
#include "cpu/interp/handlers.h"
#include "cpu/sem/system.h"

#define IN_system(x) x
#define GROUP_TABLE kSystemHandlers
#include "cpu/group.inc"
