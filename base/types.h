// The integer types every room uses, and the assertion for our own mistakes.
#pragma once

#include <cstddef>
#include <cstdint>
#include <cstdio>
#include <cstdlib>

namespace xlat {

using u8 = std::uint8_t;
using u16 = std::uint16_t;
using u32 = std::uint32_t;
using u64 = std::uint64_t;
using i8 = std::int8_t;
using i16 = std::int16_t;
using i32 = std::int32_t;
using i64 = std::int64_t;

[[noreturn]] inline void assertion_failed(const char* what, const char* file, int line) {
  std::fprintf(stderr, "xlat: internal error at %s:%d: %s\n", file, line, what);
  std::abort();
}

}  // namespace xlat

// For mistakes of ours only: nothing a guest, an image or a user supplies may reach a failing ASSERT.
#define ASSERT(cond) ((cond) ? void(0) : ::xlat::assertion_failed(#cond, __FILE__, __LINE__))
