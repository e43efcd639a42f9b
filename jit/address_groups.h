// Memory accesses of a block that lie so close together that one check of the page serves them all.
#pragma once

#include <vector>

#include "jit/ir/ir.h"

namespace xlat::jit {

// Accesses by the same register plus different constants, as to a stack frame or the fields of a structure. Offsets are
// from what the register held when the block's code first used it.
struct AddressGroups {
  struct Group {
    i32 low = 0, high = 0;  // bytes [low, high)
    bool write = false;     // one of them writes
    u32 first_insn = 0, last_insn = 0;
    unsigned accesses = 0;
  };
  static constexpr i32 kMostBytes = 256;
  static constexpr unsigned kMostGroups = 16;

  std::vector<Group> groups;
  std::vector<u8> group_of;    // by operation: its group plus one, or zero
  std::vector<i32> offset_of;  // by operation
};

// Only segments in `flat` (bit n: segment register n) count. No group reaches over an instruction in `left_out`, which
// may change anything, or beyond one in `ends_groups`. The memory of `reuse` is used again.
AddressGroups find_address_groups(const IrBlock& ir, const std::vector<bool>& left_out,
                                  const std::vector<bool>& ends_groups, u8 flat, AddressGroups reuse = {});

}  // namespace xlat::jit
