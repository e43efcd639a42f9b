// What can be found out about a Linux guest from its memory alone.
#pragma once

#include <optional>
#include <string>

#include "machine/machine.h"

namespace xlat {

struct GuestLinux {
  std::string banner;   // without the newline
  u64 banner_phys = 0;  // where it was found
  // What the kernel describes itself by for crash dumps (VMCOREINFO), if it does.
  bool described = false;
  std::optional<u32> stext;        // linear address of _stext
  std::optional<u32> page_offset;  // linear address of physical 0
  std::optional<std::string> log;  // dmesg, a line each
  std::string no_log;              // why there is none
};

// Nothing if there is no Linux in memory. Looks at 32-bit kernels.
std::optional<GuestLinux> find_linux(Pc& pc);

}  // namespace xlat
