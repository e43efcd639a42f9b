// The fpu group, lifted.
#include "cpu/sem/fpu.h"
#include "jit/lift/tables.h"

#define IN_fpu(x) x
#define GROUP_TABLE kFpuLifts
#include "cpu/group.inc"
