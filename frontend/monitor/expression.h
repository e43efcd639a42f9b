// Expressions of the monitor: numbers, $registers, + - * / % & | ^ ~ and parentheses.
#pragma once

#include <string_view>

#include "base/result.h"
#include "cpu/cpu.h"

namespace xlat {

// Evaluates one expression at the front of `text` and removes it from there.
Result<u64> evaluate_expression(std::string_view& text, const Cpu& cpu);

}  // namespace xlat
