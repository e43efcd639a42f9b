// Interpreter code of the fpu group.
#include "cpu/interp/handlers.h"
#include "cpu/sem/fpu.h"

#define IN_fpu(x) x
#define HANDLER_TABLE kFpuHandlers
#include "cpu/interp/group.inc"
