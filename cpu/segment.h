// A segment register with its hidden part, and the descriptor formats. SDM vol. 3, 3.4 and 3.5.
#pragma once

#include "base/archive.h"
#include "base/bits.h"
#include "base/types.h"

namespace xlat {

// Access rights: bits 8..23 of a descriptor's high doubleword, moved down by 8.
inline constexpr u16 kAttrType = 0x0f, kAttrS = 1 << 4, kAttrDpl = 3 << 5, kAttrP = 1 << 7, kAttrAvl = 1 << 12,
                     kAttrL = 1 << 13, kAttrDb = 1 << 14, kAttrG = 1 << 15,
                     // type bits of code and data segments
    kTypeAccessed = 1, kTypeWritable = 2, kTypeReadable = 2, kTypeExpandDown = 4, kTypeConforming = 4, kTypeCode = 8;

// System descriptor types (S = 0). SDM vol. 3, table 3-2.
inline constexpr u8 kTss16 = 1, kLdtType = 2, kTss16Busy = 3, kCallGate16 = 4, kTaskGate = 5, kInterruptGate16 = 6,
                    kTrapGate16 = 7, kTss32 = 9, kTss32Busy = 11, kCallGate32 = 12, kInterruptGate32 = 14,
                    kTrapGate32 = 15;

// An 8-byte descriptor as it lies in a table.
struct Descriptor {
  u32 low = 0, high = 0;

  u16 attr() const { return static_cast<u16>(high >> 8); }
  u8 type() const { return attr() & kAttrType; }
  bool system() const { return !(attr() & kAttrS); }
  bool code() const { return !system() && (type() & kTypeCode); }
  bool data() const { return !system() && !(type() & kTypeCode); }
  bool conforming() const { return code() && (type() & kTypeConforming); }
  bool writable_data() const { return data() && (type() & kTypeWritable); }
  bool readable() const { return data() || (code() && (type() & kTypeReadable)); }
  bool present() const { return attr() & kAttrP; }
  unsigned dpl() const { return (attr() >> 5) & 3; }

  u32 base() const { return low >> 16 | (high & 0xff) << 16 | (high & 0xff000000); }
  u32 limit() const {
    const u32 raw = (low & 0xffff) | (high & 0x000f0000);
    return (attr() & kAttrG) ? raw << 12 | 0xfff : raw;
  }

  // Gates.
  u16 gate_selector() const { return static_cast<u16>(low >> 16); }
  u32 gate_offset(bool is32) const { return (low & 0xffff) | (is32 ? high & 0xffff0000 : 0); }
  unsigned gate_params() const { return high & 31; }
};

// A loaded segment register. `lo..hi_read/hi_write` are the offsets a data access may touch, worked out once when the
// segment is loaded, so that a check is two compares whatever the segment's kind.
struct Segment {
  u16 selector = 0;
  u16 attr = 0;
  u32 base = 0;
  u32 limit = 0;

  u32 lo = 0;
  i64 hi_read = -1;
  i64 hi_write = -1;
  bool flat = false;  // base 0 and no limits

  bool big() const { return attr & kAttrDb; }
  unsigned dpl() const { return (attr >> 5) & 3; }
  bool usable() const { return attr & kAttrP; }
  bool tss32() const { return (attr & kAttrType) == kTss32Busy || (attr & kAttrType) == kTss32; }

  // Recomputes the valid ranges from base, limit and attr.
  void update() {
    lo = 0;
    hi_read = hi_write = -1;
    flat = false;
    if (!usable() || !(attr & kAttrS)) return;
    i64 hi = limit;
    const bool is_code = attr & kTypeCode;
    if (!is_code && (attr & kTypeExpandDown)) {
      hi = big() ? 0xffffffff : 0xffff;
      if (i64{limit} >= hi) return;
      lo = limit + 1;
    }
    if (!is_code || (attr & kTypeReadable)) hi_read = hi;
    if (!is_code && (attr & kTypeWritable)) hi_write = hi;
    flat = base == 0 && lo == 0 && hi_read == 0xffffffff && hi_write == 0xffffffff;
  }

  bool operator==(const Segment&) const = default;

  bool readable(u32 offset, unsigned bytes) const { return offset >= lo && i64{offset} + (bytes - 1) <= hi_read; }
  bool writable(u32 offset, unsigned bytes) const { return offset >= lo && i64{offset} + (bytes - 1) <= hi_write; }

  void load(u16 sel, const Descriptor& d) {
    selector = sel;
    attr = d.attr() & 0xf0ff;
    base = d.base();
    limit = d.limit();
    update();
  }

  // Real-address mode: selector and base change, the segment can be read and written; limit and size stay ("unreal"
  // mode rests on that).
  void load_real(u16 sel) {
    selector = sel;
    base = u32{sel} << 4;
    attr = static_cast<u16>((attr & (kAttrDb | kAttrG)) | kAttrP | kAttrS | kTypeWritable | kTypeAccessed);
    update();
  }

  // Virtual-8086 mode: everything is fixed.
  void load_v86(u16 sel) {
    selector = sel;
    base = u32{sel} << 4;
    limit = 0xffff;
    attr = kAttrP | kAttrDpl | kAttrS | kTypeWritable | kTypeAccessed;
    update();
  }

  void set_null(u16 sel) {
    selector = sel;
    attr = 0;
    update();
  }

  void serialize(Archive& ar) {
    ar(selector)(attr)(base)(limit);
    if (ar.loading()) update();
  }
};

struct TableRegister {
  u32 base = 0;
  u16 limit = 0xffff;
  bool operator==(const TableRegister&) const = default;
};

}  // namespace xlat
