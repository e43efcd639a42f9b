// The string group, lifted.
#include "cpu/sem/string.h"
#include "jit/lift/tables.h"

#define IN_string(x) x
#define GROUP_TABLE kStringLifts
#include "cpu/group.inc"
