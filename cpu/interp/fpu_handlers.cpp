// Interpreter code of the fpu group.
#include "cpu/interp/handlers.h"
#include "cpu/sem/fpu.h"

#define IN_fpu(x) x
#define GROUP_TABLE kFpuHandlers
#include "cpu/group.inc"
