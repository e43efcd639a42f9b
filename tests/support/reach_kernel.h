// Runs a deterministic machine up to the first instruction of its -kernel.
#pragma once

#include <algorithm>

#include "machine/machine.h"

namespace xlat::test {

// `entry` is the kernel's entry point, in flat protected mode. False if it is not reached. Steps are small from when
// the boot ROM has told the memory map on, so that the kernel cannot run to a HLT, from which a machine without a limit
// of time would not come back.
inline bool reach_kernel(Machine& machine, u32 entry, u64 most = 50'000'000) {
  Pc& pc = machine.pc();
  const auto told = [&pc] {
    const std::vector<u8>* map = pc.fw_cfg.item(kBootMapKey);
    return map && std::any_of(map->begin(), map->end(), [](u8 byte) { return byte != 0; });
  };
  const auto there = [&pc, entry] { return pc.cpu.s.protected_mode() && pc.cpu.s.ip == entry; };
  while (pc.clock.count() < most && !there()) {
    if (machine.run_until(pc.clock.count() + (told() ? 1 : 40)) != Machine::Exit::kCount) return false;
  }
  return there();
}

}  // namespace xlat::test
