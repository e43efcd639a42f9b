// x86-64 instructions as bytes, into a buffer: prefix, REX, opcode, ModRM, SIB, displacement. No labels, no allocation.
#pragma once

#include <array>
#include <cstring>
#include <span>

#include "base/types.h"

namespace xlat::jit::x64 {

// Conditions of the host's jumps, as Jcc, SETcc and CMOVcc have them; one more for jumps that ask for none.
enum Cc : int { kAlways = -1, kAboveOrEqual = 3, kZero = 4, kNotZero = 5, kAbove = 7, kLess = 12 };

// What a ModRM byte names beside its register field: a register, or memory at base + index * 2^scale + disp.
struct Rm {
  static constexpr u8 kNone = 0xff;
  bool memory = false;
  u8 base = 0;  // or the register; kNone: no base
  u8 index = kNone, scale = 0;
  i32 disp = 0;

  static constexpr Rm reg(unsigned n) { return {false, static_cast<u8>(n)}; }
  static constexpr Rm at(unsigned base, i32 disp = 0) { return {true, static_cast<u8>(base), kNone, 0, disp}; }
  static constexpr Rm at(unsigned base, unsigned index, unsigned scale, i32 disp) {
    return {true, static_cast<u8>(base), static_cast<u8>(index), static_cast<u8>(scale), disp};
  }
};

class ByteWriter {
 public:
  static constexpr std::size_t kCapacity = 32 << 10;

  void clear() { size_ = 0; }
  u32 size() const { return size_; }
  // Room for what one guest instruction may take.
  bool full() const { return size_ + 1024 > kCapacity; }
  std::span<const u8> bytes() const { return {bytes_.data(), size_}; }

  void byte(unsigned v) { bytes_[size_++] = static_cast<u8>(v); }
  void word(u32 v) { put(static_cast<u16>(v)); }
  void dword(u32 v) { put(v); }
  void qword(u64 v) { put(v); }
  // An immediate of an instruction of `w` bits.
  void immediate(unsigned w, u64 v) {
    w == 8 ? byte(static_cast<u32>(v)) : w == 16 ? word(static_cast<u32>(v)) : dword(static_cast<u32>(v));
  }
  void patch(u32 at, u32 v) { std::memcpy(&bytes_[at], &v, sizeof v); }
  void patch_qword(u32 at, u64 v) { std::memcpy(&bytes_[at], &v, sizeof v); }

  // One instruction without its immediate. `opcode` is 0F xx as 0x0fxx. Registers are 64 bits long if `w` is 64; with
  // `w` of 8 the numbers 4 to 7 are AH to BH, which no REX prefix may stand beside: see needs_rex().
  void op(unsigned w, u32 opcode, unsigned reg, const Rm& rm) {
    if (w == 16) byte(0x66);
    const unsigned rex = rex_of(reg, rm) | (w == 64 ? 8 : 0);
    if (rex) byte(0x40 | rex);
    if (opcode > 0xff) byte(opcode >> 8);
    byte(opcode);
    modrm(reg, rm);
  }
  static bool needs_rex(unsigned reg, const Rm& rm) { return rex_of(reg, rm) != 0; }

  // mov r32, r32 and the like: what is used all the time.
  void mov32(unsigned to, unsigned from) { op(32, 0x8b, to, Rm::reg(from)); }
  void mov64(unsigned to, unsigned from) { op(64, 0x8b, to, Rm::reg(from)); }
  void mov_imm32(unsigned to, u32 v) {
    if (to > 7) byte(0x41);
    byte(0xb8 | (to & 7));
    dword(v);
  }
  // mov r64, imm64: where the number is, to be filled in.
  u32 mov_later(unsigned to) {
    byte(to > 7 ? 0x49 : 0x48);
    byte(0xb8 | (to & 7));
    qword(0);
    return size_ - 8;
  }
  // op r/m, imm of group 1: 0 ADD, 1 OR, 4 AND, 5 SUB, 6 XOR, 7 CMP.
  void group1(unsigned w, unsigned operation, const Rm& rm, i32 imm) {
    const bool small = imm == static_cast<i8>(imm);
    op(w, w == 8 ? 0x80 : small ? 0x83 : 0x81, operation, rm);
    immediate(small ? 8 : w, static_cast<u32>(imm));
  }
  // jcc rel32, or jmp rel32: where the displacement is.
  u32 jump(int cc) {
    if (cc < 0) {
      byte(0xe9);
    } else {
      byte(0x0f);
      byte(0x80 | static_cast<unsigned>(cc));
    }
    dword(0);
    return size_ - 4;
  }
  u32 call() {
    byte(0xe8);
    dword(0);
    return size_ - 4;
  }

 private:
  template <class T>
  void put(T v) {
    std::memcpy(&bytes_[size_], &v, sizeof v);
    size_ += sizeof v;
  }
  static unsigned rex_of(unsigned reg, const Rm& rm) {
    return (reg > 7 ? 4 : 0) | (rm.memory && rm.index != Rm::kNone && rm.index > 7 ? 2 : 0) |
           (rm.base != Rm::kNone && rm.base > 7 ? 1 : 0);
  }
  void modrm(unsigned reg, const Rm& rm) {
    const unsigned r = (reg & 7) << 3, base = rm.base & 7;
    if (!rm.memory) return byte(0xc0 | r | base);
    if (rm.base == Rm::kNone) {  // index and disp32, or disp32 alone
      byte(r | 4);
      byte(static_cast<unsigned>(rm.scale) << 6 | (rm.index == Rm::kNone ? 4 : rm.index & 7) << 3 | 5);
      return dword(static_cast<u32>(rm.disp));
    }
    const bool none = rm.disp == 0 && base != 5, small = rm.disp == static_cast<i8>(rm.disp);
    const unsigned mod = none ? 0 : small ? 0x40 : 0x80;
    if (rm.index == Rm::kNone && base != 4) {
      byte(mod | r | base);
    } else {
      byte(mod | r | 4);
      byte(static_cast<unsigned>(rm.scale) << 6 | (rm.index == Rm::kNone ? 4 : rm.index & 7) << 3 | base);
    }
    if (none) return;
    small ? byte(static_cast<u32>(rm.disp)) : dword(static_cast<u32>(rm.disp));
  }

  std::array<u8, kCapacity> bytes_;
  u32 size_ = 0;
};

}  // namespace xlat::jit::x64
