// Repeated string instructions many elements at a time, as far as one page of each operand goes.
#include <algorithm>
#include <bit>
#include <cstring>

#include "cpu/encoding.h"
#include "cpu/interp/interp.h"

namespace xlat {

namespace {

// How many elements from the one at `offset` on stay inside the segment, the page and the address size.
u64 run_length(const Segment& seg, u32 offset, unsigned bytes, i64 high, bool small_addresses, bool down) {
  if (offset < seg.lo || i64{offset} + (bytes - 1) > high) return 0;
  const u32 in_page = (seg.base + offset) & 0xfff;
  if (in_page + bytes > 4096) return 0;
  if (down) return std::min(in_page, offset - seg.lo) / bytes + 1;
  const u64 end = std::min<u64>(static_cast<u64>(high) + 1, small_addresses ? 0x10000u : u64{1} << 32);
  return std::min<u64>(4096 - in_page, end - offset) / bytes;
}

void fill(u8* to, u32 value, unsigned bytes, u64 count) {
  const u32 byte = value & 0xff;
  if (bytes == 1 || value == byte * 0x01010101) {
    std::memset(to, static_cast<int>(byte), count * bytes);
  } else if (bytes == 2) {
    for (u64 n = 0; n < count; ++n) store_le_fixed<2>(to + 2 * n, value);
  } else {
    for (u64 n = 0; n < count; ++n) store_le_fixed<4>(to + 4 * n, value);
  }
}

// How many elements at the start are the same. `step` 0: all of `b` is its first eight bytes.
u64 same_elements(const u8* a, const u8* b, u64 step, unsigned bytes, u64 count) {
  const u64 all = count * bytes;
  u64 at = 0;
  for (; at + 8 <= all; at += 8) {
    const u64 differ = load_le_n(a + at, 8) ^ load_le_n(b + at * step, 8);
    if (differ != 0) return (at + static_cast<unsigned>(std::countr_zero(differ)) / 8) / bytes;
  }
  while (at < all && a[at] == b[step ? at : at % 8]) ++at;
  return at / bytes;
}

// Iterations of REP CMPS or SCAS up to the one that ends it, as far as `count` goes. From one element to the next are
// `step` bytes; SCAS compares with a pattern of eight bytes instead of `b`.
u64 compared(const u8* a, const u8* b, bool pattern, i64 step, unsigned bytes, u64 count, bool while_equal) {
  u64 n = 0;
  if (step > 0 && while_equal) {
    n = same_elements(a, b, pattern ? 0 : 1, bytes, count);
  } else if (step == 1 && pattern) {
    const void* found = std::memchr(a, *b, count);
    n = found ? static_cast<u64>(static_cast<const u8*>(found) - a) : count;
  } else {
    const i64 step_b = pattern ? 0 : step;
    for (; n < count && (load_le_n(a, bytes) == load_le_n(b, bytes)) == while_equal; ++n) a += step, b += step_b;
  }
  return std::min(n + 1, count);
}

}  // namespace

u64 Interp::bulk(const Insn& i, unsigned bytes, u64 most) {
  static_assert(std::endian::native == std::endian::little, "fill() copies the low bytes of a number");
  CpuState& s = cpu_.s;
  const bool movs = i.sem == "movs"_sem, cmps = i.sem == "cmps"_sem, lods = i.sem == "lods"_sem,
             stos = i.sem == "stos"_sem;
  const bool small = i.asize == 2, down = s.flags.image() & kDf;
  const i64 step = down ? -i64{bytes} : i64{bytes};
  const auto offset_of = [&](Gpr reg) { return static_cast<u32>(small ? s.gpr[reg] & 0xffff : s.gpr[reg]); };
  // Elements of the run, and what lies from the first one to the last; `n` of them done, to go on behind.
  u64 count = most;
  const auto behind = [&](u64 n) { return step * static_cast<i64>(n); };
  const auto lowest = [&](auto* first) { return down ? first + behind(count - 1) : first; };
  const auto advance = [&](Gpr reg) {
    const u32 next = offset_of(reg) + static_cast<u32>(behind(count));
    s.gpr[reg] = small ? (s.gpr[reg] & 0xffff0000) | (next & 0xffff) : next;
  };
  // Where the first element is, if two or more can be had at once.
  const auto readable = [&](unsigned seg, Gpr reg) -> const u8* {
    const u32 offset = offset_of(reg);
    count = std::min(count, run_length(s.seg[seg], offset, bytes, s.seg[seg].hi_read, small, down));
    return count < 2 ? nullptr : cpu_.readable_host(s.seg[seg].base + offset);
  };
  const auto compare = [&](const u8* a, const u8* b, bool pattern) {
    count = compared(a, b, pattern, step, bytes, count, i.rep == Rep::kRep);
    const i64 last = behind(count - 1);
    const u64 x = load_le_n(a + last, bytes), y = load_le_n(pattern ? b : b + last, bytes);
    // SCAS compares the register with memory, which is `a` here.
    const u64 first = pattern ? y : x, second = pattern ? x : y;
    s.flags.record(FlagKind::kSub, 8 * bytes, first, second, (first - second) & mask(8 * bytes));
    if (!pattern) advance(kEsi);
    advance(kEdi);
    return count;
  };
  const u8* from = nullptr;
  if (movs || cmps || lods) {
    from = readable(i.seg, kEsi);
    if (!from) return 0;
  }
  if (lods) {
    const u64 last = load_le_n(from + behind(count - 1), bytes);
    s.gpr[kEax] = bytes == 4 ? last : (s.gpr[kEax] & ~mask(8 * bytes)) | last;
    advance(kEsi);
    return count;
  }
  if (cmps) {
    const u8* const with = readable(kEs, kEdi);
    return with ? compare(from, with, false) : 0;
  }
  if (i.sem == "scas"_sem) {
    const u8* const in = readable(kEs, kEdi);
    if (!in) return 0;
    u8 pattern[8];
    fill(pattern, s.reg32(kEax), bytes, 8 / bytes);
    return compare(in, pattern, true);
  }
  if (!movs && !stos) return 0;  // INS, OUTS
  const Segment& es = s.seg[kEs];
  const u32 to_offset = offset_of(kEdi);
  count = std::min(count, run_length(es, to_offset, bytes, es.hi_write, small, down));
  if (count < 2) return 0;
  u8* const to = cpu_.writable_host(es.base + to_offset, bytes);
  if (!to) return 0;
  if (stos) {
    fill(lowest(to), s.reg32(kEax), bytes, count);
    advance(kEdi);
    return count;
  }
  // Elements are copied one after the other: what is written may be read again further on, if it lies ahead.
  const i64 ahead = down ? from - to : to - from;
  if (ahead > 0 && ahead < static_cast<i64>(count * bytes)) {
    count = static_cast<u64>(ahead) / bytes;
    if (count < 2) return 0;
  }
  std::memmove(lowest(to), lowest(from), count * bytes);
  advance(kEsi);
  advance(kEdi);
  return count;
}

}  // namespace xlat
