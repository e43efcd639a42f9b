// Bit arithmetic on guest values: masks, fields, sign extension, unaligned access in either byte order.
#pragma once

#include <bit>
#include <concepts>
#include <cstring>

#include "base/types.h"

namespace xlat {

// All ones in the low `n` bits, n in 0..64.
constexpr u64 mask(unsigned n) { return n >= 64 ? ~u64{0} : (u64{1} << n) - 1; }

constexpr bool bit(u64 value, unsigned n) { return (value >> n) & 1; }

// The `width`-bit field of `value` that starts at bit `low`.
constexpr u64 bits(u64 value, unsigned low, unsigned width) { return (value >> low) & mask(width); }

// `value` with bit `n` replaced by `on`.
template <std::unsigned_integral T>
constexpr T with_bit(T value, unsigned n, bool on) {
  return static_cast<T>((value & ~(T{1} << n)) | (T{on} << n));
}

// The low `n` bits of `value` as a signed number, n in 1..64.
constexpr i64 sign_extend(u64 value, unsigned n) { return static_cast<i64>(value << (64 - n)) >> (64 - n); }

constexpr u64 align_down(u64 value, u64 power_of_two) { return value & ~(power_of_two - 1); }
constexpr u64 align_up(u64 value, u64 power_of_two) { return align_down(value + power_of_two - 1, power_of_two); }

// Little-endian load and store at any alignment, on any host.
template <std::unsigned_integral T>
inline T load_le(const void* from) {
  T value;
  std::memcpy(&value, from, sizeof value);
  if constexpr (std::endian::native == std::endian::big) {
    T swapped = 0;
    for (unsigned i = 0; i < sizeof(T); ++i) swapped = static_cast<T>(swapped << 8 | ((value >> (8 * i)) & 0xff));
    value = swapped;
  }
  return value;
}

template <std::unsigned_integral T>
inline void store_le(void* to, T value) {
  if constexpr (std::endian::native == std::endian::big) {
    for (unsigned i = 0; i < sizeof(T); ++i) static_cast<u8*>(to)[i] = static_cast<u8>(value >> (8 * i));
  } else {
    std::memcpy(to, &value, sizeof value);
  }
}

// The same in big-endian order, as networks and some disk formats have it.
template <std::unsigned_integral T>
inline T load_be(const void* from) {
  T value = 0;
  for (unsigned i = 0; i < sizeof(T); ++i) value = static_cast<T>(value << 8 | static_cast<const u8*>(from)[i]);
  return value;
}
template <>
inline u8 load_be<u8>(const void* from) {
  return *static_cast<const u8*>(from);
}

template <std::unsigned_integral T>
inline void store_be(void* to, T value) {
  for (unsigned i = 0; i < sizeof(T); ++i) static_cast<u8*>(to)[i] = static_cast<u8>(value >> (8 * (sizeof(T) - 1 - i)));
}

// Little-endian access of a fixed number of bytes, zero-extended to 64 bits.
template <unsigned kBytes>
inline u64 load_le_fixed(const void* from) {
  if constexpr (kBytes == 1) return *static_cast<const u8*>(from);
  if constexpr (kBytes == 2) return load_le<u16>(from);
  if constexpr (kBytes == 4) return load_le<u32>(from);
  if constexpr (kBytes == 8) return load_le<u64>(from);
}

template <unsigned kBytes>
inline void store_le_fixed(void* to, u64 value) {
  if constexpr (kBytes == 1) *static_cast<u8*>(to) = static_cast<u8>(value);
  if constexpr (kBytes == 2) store_le(to, static_cast<u16>(value));
  if constexpr (kBytes == 4) store_le(to, static_cast<u32>(value));
  if constexpr (kBytes == 8) store_le(to, value);
}

// Little-endian access of `bytes` = 1..8 bytes, for widths known only when running.
inline u64 load_le_n(const void* from, unsigned bytes) {
  if (bytes == 4) return load_le_fixed<4>(from);
  if (bytes == 8) return load_le_fixed<8>(from);
  const u8* p = static_cast<const u8*>(from);
  u64 value = 0;
  for (unsigned i = 0; i < bytes; ++i) value |= u64{p[i]} << (8 * i);
  return value;
}

inline void store_le_n(void* to, unsigned bytes, u64 value) {
  if (bytes == 4) return store_le_fixed<4>(to, value);
  if (bytes == 8) return store_le_fixed<8>(to, value);
  u8* p = static_cast<u8*>(to);
  for (unsigned i = 0; i < bytes; ++i) p[i] = static_cast<u8>(value >> (8 * i));
}

}  // namespace xlat
