// Interpreter code of the mmx group.
#include "cpu/interp/handlers.h"
#include "cpu/sem/mmx.h"

#define IN_mmx(x) x
#define HANDLER_TABLE kMmxHandlers
#include "cpu/interp/group.inc"
