// REP MOVS and REP STOS many elements at a time, as far as one page of each operand goes.
#include <algorithm>
#include <bit>
#include <cstring>

#include "cpu/interp/interp.h"

namespace xlat {

namespace {

// How many elements from `offset` upwards stay inside the segment, the page and the address size.
u64 run_length(const Segment& seg, u32 offset, unsigned bytes, i64 high, bool small_addresses) {
  if (offset < seg.lo || i64{offset} + (bytes - 1) > high) return 0;
  const u32 linear = seg.base + offset;
  const u64 in_page = (4096 - (linear & 0xfff)) / bytes;
  const u64 in_segment = (static_cast<u64>(high) - offset + 1) / bytes;
  const u64 in_space = ((small_addresses ? 0x10000u : u64{1} << 32) - offset) / bytes;
  return std::min({in_page, in_segment, in_space});
}

void fill(u8* to, u32 value, unsigned bytes, u64 count) {
  if (bytes == 1) {
    std::memset(to, static_cast<int>(value), count);
    return;
  }
  for (u64 n = 0; n < count; ++n, to += bytes) std::memcpy(to, &value, bytes);
}

}  // namespace

u64 Interp::bulk(const Insn& i, unsigned bytes, u64 most) {
  static_assert(std::endian::native == std::endian::little, "fill() copies the low bytes of a number");
  CpuState& s = cpu_.s;
  const bool is_movs = i.opcode == 0xa4 || i.opcode == 0xa5, is_stos = i.opcode == 0xaa || i.opcode == 0xab;
  if ((!is_movs && !is_stos) || (s.flags.image() & kDf)) return 0;
  const bool small = i.asize == 2;
  const auto offset_of = [&](Gpr reg) { return static_cast<u32>(small ? s.gpr[reg] & 0xffff : s.gpr[reg]); };
  const auto advance = [&](Gpr reg, u64 by) {
    const u32 next = offset_of(reg) + static_cast<u32>(by);
    s.gpr[reg] = small ? (s.gpr[reg] & 0xffff0000) | (next & 0xffff) : next;
  };
  const Segment& es = s.seg[kEs];
  const u32 to_offset = offset_of(kEdi);
  u64 count = std::min(most, run_length(es, to_offset, bytes, es.hi_write, small));
  if (count < 2) return 0;
  u8* const to = cpu_.writable_host(es.base + to_offset, 1);
  if (!to) return 0;
  if (is_stos) {
    fill(to, s.reg32(kEax), bytes, count);
    advance(kEdi, count * bytes);
    return count;
  }
  const Segment& from_seg = s.seg[i.seg];
  const u32 from_offset = offset_of(kEsi);
  count = std::min(count, run_length(from_seg, from_offset, bytes, from_seg.hi_read, small));
  const u8* const from = cpu_.readable_host(from_seg.base + from_offset);
  if (!from || count < 2) return 0;
  // Elements are copied one after the other: what is written may be read again further on.
  if (to > from && to < from + count * bytes) {
    count = std::min(count, static_cast<u64>(to - from) / bytes);
    if (count < 2) return 0;
  }
  std::memmove(to, from, count * bytes);
  advance(kEsi, count * bytes);
  advance(kEdi, count * bytes);
  return count;
}

}  // namespace xlat
