// The x87's transcendental functions: deterministic, within one unit in the last place, in integers alone. Operands are
// finite or special as the manual's tables say; results are rounded to 64 bits by the rounding mode.
#pragma once

#include "cpu/x87/softfloat80.h"

namespace xlat::x87 {

// Arguments of the trigonometric functions must be below 2^63; larger ones are left alone (C2).
inline bool out_of_range(const Unpacked& a) { return a.kind == Unpacked::kFinite && a.exponent >= 63; }

F80 sine(FloatContext& ctx, const Unpacked& a);
F80 cosine(FloatContext& ctx, const Unpacked& a);
F80 tangent(FloatContext& ctx, const Unpacked& a);
// Angle of the point (x, y).
F80 arctangent(FloatContext& ctx, const Unpacked& y, const Unpacked& x);
// 2^a - 1
F80 exponential(FloatContext& ctx, const Unpacked& a);
// y * log2(x), y * log2(x + 1)
F80 logarithm(FloatContext& ctx, const Unpacked& y, const Unpacked& x);
F80 logarithm_plus_one(FloatContext& ctx, const Unpacked& y, const Unpacked& x);

}  // namespace xlat::x87
