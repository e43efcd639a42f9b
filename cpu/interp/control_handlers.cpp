// Interpreter code of the control group.
#include "cpu/interp/handlers.h"
#include "cpu/sem/control.h"

#define IN_control(x) x
#define GROUP_TABLE kControlHandlers
#include "cpu/group.inc"
