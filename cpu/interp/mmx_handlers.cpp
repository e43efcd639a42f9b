// Interpreter code of the mmx group.
#include "cpu/interp/handlers.h"
#include "cpu/sem/mmx.h"

#define IN_mmx(x) x
#define GROUP_TABLE kMmxHandlers
#include "cpu/group.inc"
