// A processor's registers for a person: info registers, -d cpu_reset.
#pragma once

#include <string>

#include "cpu/cpu.h"

namespace xlat {

// Lines as QEMU prints them, each with its newline.
std::string registers_text(Cpu& cpu);

}  // namespace xlat
