// Interpreter code of the string group.
#include "cpu/interp/handlers.h"
#include "cpu/sem/string.h"

#define IN_string(x) x
#define GROUP_TABLE kStringHandlers
#include "cpu/group.inc"
