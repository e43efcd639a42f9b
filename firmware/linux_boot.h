// Starting a Linux kernel by the 16-bit boot protocol, as boot loaders do (Documentation/arch/x86/boot.rst).
#pragma once

#include <span>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "firmware/boot_plan.h"

namespace xlat {

// True when the bytes carry the setup header's magic; plan_linux says what is wrong with those that do.
bool looks_like_linux(std::span<const u8> kernel);

struct LinuxBoot {
  std::span<const u8> kernel;
  std::span<const u8> initrd;  // empty for none
  std::string_view command_line;
};

// Where setup code, command line, kernel and initrd lie in a machine with this memory. Their keys are those of QEMU's
// machines, so that firmware which starts kernels by itself finds them too.
Result<BootPlan> plan_linux(const LinuxBoot& boot, std::span<const E820Entry> map);

}  // namespace xlat
