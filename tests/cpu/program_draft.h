// A random program being made: its start, its units so far, and what is known of registers, segments and flags.
#pragma once

#include <algorithm>
#include <random>

#include "base/bits.h"
#include "cpu/decoder.h"
#include "cpu/registers.h"
#include "random_program.h"

namespace xlat::test {

using Bytes = std::vector<u8>;

class ProgramDraft {
 protected:
  static constexpr u32 kData = Native::kData;

  explicit ProgramDraft(u32 seed) : rng_(seed) {}

  u32 random() { return static_cast<u32>(rng_()); }
  u32 below(u32 n) { return random() % n; }
  bool one_in(u32 n) { return below(n) == 0; }

  static Bytes bytes32(std::initializer_list<u8> head, u32 value) {
    Bytes b(head);
    for (unsigned n = 0; n < 4; ++n) b.push_back(static_cast<u8>(value >> (8 * n)));
    return b;
  }
  static Bytes mov(unsigned reg, u32 value) { return bytes32({static_cast<u8>(0xb8 | reg)}, value); }
  // Displacement of a linear address of the data area in DS.
  u32 in_ds(u32 linear) const { return linear - base_[kDs]; }
  Bytes store16(u32 linear, u32 value) {
    Bytes b = bytes32({0x66, 0xc7, 0x05}, in_ds(linear));
    b.push_back(static_cast<u8>(value));
    b.push_back(static_cast<u8>(value >> 8));
    return b;
  }
  Bytes store32(u32 linear, u32 value) {
    Bytes b = bytes32({0xc7, 0x05}, in_ds(linear));
    const Bytes imm = bytes32({}, value);
    b.insert(b.end(), imm.begin(), imm.end());
    return b;
  }

  static u32 base_of(u16 selector) { return (selector & 4) ? kData : 0; }

  void make_start() {
    UserState& s = program_.start;
    for (u32& r : s.gpr) r = random();
    s.eflags = (random() & kArithFlags) | kFlagsFixed1;
    const auto data_selector = [&] { return one_in(2) ? Native::kFlatSel : Native::kBasedSel; };
    s.seg[kDs] = data_selector();
    s.seg[kEs] = data_selector();
    s.seg[kFs] = one_in(8) ? Native::kReadOnlySel : data_selector();
    s.seg[kGs] = Native::kBasedSel;
    s.seg[kSs] = one_in(6) ? Native::kStack16Sel : one_in(6) ? Native::kBasedSel : Native::kFlatSel;
    stack16_ = s.seg[kSs] == Native::kStack16Sel;
    for (unsigned n = 0; n < kSegRegs; ++n) base_[n] = base_of(s.seg[n]);
    esp_start_ = kData + 0x1800 - base_[kSs];
    if (stack16_ && one_in(2)) esp_start_ |= random() & 0xffff0000;
    s.gpr[kEsp] = esp_start_;
    known_[kEsp] = esp_start_;
    for (const u8 n : {kEbx, kEbp, kEsi, kEdi}) known_[n] = s.gpr[n];
    make_fpu(s);
    program_.data.resize(Native::kDataBytes);
    for (std::size_t n = 0; n < program_.data.size();) {
      const std::size_t run = std::min<std::size_t>(one_in(4) ? 1 + below(24) : 1, program_.data.size() - n);
      const u8 b = one_in(6) ? 0 : one_in(6) ? 0xff : static_cast<u8>(random());
      for (std::size_t k = 0; k < run; ++k) program_.data[n++] = run > 1 ? b : static_cast<u8>(random());
    }
  }

  u16 control_word() {
    const u16 masks = one_in(25) ? static_cast<u16>(random() & 0x3f) : u16{0x3f};
    return static_cast<u16>((random() & 0x0f00) | 0x40 | masks);
  }
  void make_fpu(UserState& s) {
    u8* image = s.fpu.data();
    for (unsigned n = 0; n < 7; ++n) store_le<u32>(image + 4 * n, 0xffff0000);
    store_le<u32>(image, 0xffff0000 | control_word());
    store_le<u32>(image + 4, 0xffff0000 | (random() & 0x7f00));
    u32 tag = 0;
    for (unsigned n = 0; n < 8; ++n) tag |= (one_in(2) ? 3u : 0u) << (2 * n);
    store_le<u32>(image + 8, 0xffff0000 | tag);
    for (unsigned n = 12; n < 28; ++n) image[n] = 0;
    for (unsigned n = 0; n < 8; ++n) {
      u8* r = image + 28 + 10 * n;
      store_le<u32>(r, one_in(3) ? 0 : random());
      store_le<u32>(r + 4, one_in(10) ? random() : random() | 0x80000000);
      store_le<u16>(r + 8,
                    static_cast<u16>((random() & 0x8000) | (one_in(8) ? random() & 0x7fff : 0x3fff + below(80) - 40)));
    }
  }

  // ---- Units ----
  void add(Unit unit) {
    if (unit.effect.uses & undefined_) {
      if (unit.effect.uses & undefined_ & kX87Codes) {
        units_.push_back({{{0xdb, 0xe3}}, {kX87Codes, 0, 0}});  // fninit
        undefined_ &= ~kX87Codes;
      }
      if (unit.effect.uses & undefined_) define_flags();
    }
    undefined_ = (undefined_ & ~unit.effect.sets) | unit.effect.undefines;
    units_.push_back(std::move(unit));
  }

  // cmp eax, imm32: every flag defined.
  void define_flags() {
    undefined_ &= ~u32{kArithFlags};
    units_.push_back({{bytes32({0x3d}, random())}, {kArithFlags, 0, 0}});
  }

  u32 moved(u32 esp, u32 by) const { return stack16_ ? (esp & 0xffff0000) | ((esp + by) & 0xffff) : esp + by; }

  std::mt19937 rng_;
  Program program_;
  std::vector<Unit> units_;
  std::array<std::optional<u32>, 8> known_;  // what registers surely hold
  std::array<u32, kSegRegs> base_{};
  u32 esp_start_ = 0;
  bool stack16_ = false;
  u32 undefined_ = 0;
};

}  // namespace xlat::test
