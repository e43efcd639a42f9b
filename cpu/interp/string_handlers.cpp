// Interpreter code of the string group.
#include "cpu/interp/handlers.h"
#include "cpu/sem/string.h"

#define IN_string(x) x
#define HANDLER_TABLE kStringHandlers
#include "cpu/interp/group.inc"
