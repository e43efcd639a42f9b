// The processor's state in words, field by field, for reports of differences.
#pragma once

#include <string>
#include <vector>

#include "cpu/state.h"

namespace xlat {

struct StateField {
  std::string name, value;
  bool operator==(const StateField&) const = default;
};

// Everything CpuState holds, the same fields in the same order whatever their values.
std::vector<StateField> state_fields(const CpuState& s);

}  // namespace xlat
