// cpu/opcodes.inc as an array.
#include "cpu/encoding.h"

namespace xlat {

namespace {

using namespace match;
using namespace attr;

constexpr Encoding kEncodings[] = {
#define OP(group, map, opcode, match, name, width, o1, o2, o3, attributes) \
  Encoding{#name,                                                          \
           #name ""_sem,                                                   \
           map,                                                            \
           static_cast<u8>(opcode),                                        \
           match,                                                          \
           WidthClass::width,                                              \
           {OpCode::o1, OpCode::o2, OpCode::o3},                           \
           attributes},
#include "cpu/opcodes.inc"
#undef OP
    Encoding{"invalid", "invalid"_sem, 0xff, 0, 0, WidthClass::x, {}, Branch},
    Encoding{"too_long", "too_long"_sem, 0xff, 0, 0, WidthClass::x, {}, Branch},
};

}  // namespace

std::span<const Encoding> encodings() { return kEncodings; }

}  // namespace xlat
