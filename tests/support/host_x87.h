// The host's own x87 and MMX as the oracle: runs one instruction on a given register file. x86-64 hosts only.
#pragma once

#if defined(__x86_64__)

#include <sys/mman.h>

#include <cstring>
#include <random>
#include <vector>

#include "cpu/x87/state.h"

namespace xlat::test {

// What goes into an instruction and comes out of it.
struct FloatMachine {
  FpuState fpu;
  u64 memory[2] = {};  // the operand at [eax]
  u32 eflags = 2;
};

// A page of stubs, one for each instruction; memory operands must be [rax], that is [eax] for the guest.
class HostX87 {
 public:
  static constexpr unsigned kStub = 64;

  explicit HostX87(const std::vector<std::vector<u8>>& instructions)
      : bytes_(instructions.size() * kStub),
        page_(static_cast<u8*>(mmap(nullptr, bytes_, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0))) {
    for (std::size_t n = 0; n < instructions.size(); ++n) {
      u8* at = page_ + n * kStub;
      const auto put = [&](std::initializer_list<u8> code) {
        for (const u8 b : code) *at++ = b;
      };
      put({0xdd, 0x27});        // frstor [rdi]
      put({0x48, 0x89, 0xd0});  // mov rax, rdx
      put({0x41, 0x50, 0x9d});  // push r8; popf
      for (const u8 b : instructions[n]) *at++ = b;
      put({0x9c, 0x41, 0x58});  // pushf; pop r8
      put({0xdd, 0x36});        // fnsave [rsi]
      put({0x4c, 0x89, 0x01});  // mov [rcx], r8
      put({0xdb, 0xe3, 0xc3});  // fninit; ret
    }
    mprotect(page_, bytes_, PROT_READ | PROT_EXEC);
  }
  ~HostX87() { munmap(page_, bytes_); }
  HostX87(const HostX87&) = delete;
  HostX87& operator=(const HostX87&) = delete;

  void run(std::size_t instruction, FloatMachine& m) const {
    Image in, out;
    in.words[0] = m.fpu.control;
    in.words[1] = m.fpu.status;
    in.words[2] = m.fpu.tag;
    for (unsigned n = 0; n < 8; ++n) {
      const F80& r = m.fpu.regs[(m.fpu.top() + n) & 7];
      std::memcpy(in.regs[n], &r.mantissa, 8);
      std::memcpy(in.regs[n] + 8, &r.sign_exp, 2);
    }
    u64 flags = m.eflags;
    using Stub = void (*)(const Image*, Image*, void* memory, u64* flags_out, u64 flags_in);
    reinterpret_cast<Stub>(page_ + instruction * kStub)(&in, &out, m.memory, &flags, flags);
    m.eflags = static_cast<u32>(flags);
    m.fpu.control = static_cast<u16>(out.words[0]);
    m.fpu.status = static_cast<u16>(out.words[1]);
    m.fpu.tag = static_cast<u16>(out.words[2]);
    for (unsigned n = 0; n < 8; ++n) {
      F80& r = m.fpu.regs[(m.fpu.top() + n) & 7];
      std::memcpy(&r.mantissa, out.regs[n], 8);
      std::memcpy(&r.sign_exp, out.regs[n] + 8, 2);
    }
  }

 private:
  struct Image {
    u32 words[7] = {};
    u8 regs[8][10] = {};
  };
  std::size_t bytes_;
  u8* page_;
};

// Numbers that find mistakes: specials, neighbours of specials, sparse significands, close and far exponents.
class FloatSource {
 public:
  explicit FloatSource(u64 seed) : random_(seed) {}
  u64 operator()() { return random_(); }
  unsigned below(unsigned n) { return static_cast<unsigned>(random_() % n); }

  u64 significand() {
    u64 m = random_();
    switch (below(6)) {
      case 0: m = 0; break;
      case 1: m = ~u64{0}; break;
      case 2: m &= random_() & random_() & random_(); break;
      case 3: m <<= below(64); break;
      case 4: m = (random_() & 1 ? ~u64{0} : u64{0}) ^ u64 { 1 } << below(64); break;
      default: break;
    }
    return m | u64{1} << 63;
  }
  F80 number() {
    static constexpr F80 kSpecial[] = {
        {0, 0},
        {u64{1} << 63, 0x7fff},
        {u64{1} << 63, 0x3fff},
        {0xc000000000000000, 0x7fff},
        {0xc000000000000001, 0x7fff},
        {0x8000000000000001, 0x7fff},
        {0xbfffffffffffffff, 0x7fff},
        {1, 0},
        {u64{1} << 63, 0},
        {u64{1} << 63, 1},
        {0x7fffffffffffffff, 0},
        {~u64{0}, 0x7ffe},
        {1, 0x7fff},
        {0, 0x7fff},
        {0x4000000000000000, 0x4000},
        {0, 0x3fff},
        {u64{1} << 63, 0x3ffe},
        {u64{1} << 63, 0x4000},
        {u64{1} << 63, 0x403e},
        {~u64{0}, 0x403d},
        {~u64{0}, 0},
    };
    F80 v{significand(), 0x3fff};
    switch (below(10)) {
      case 0: v = kSpecial[below(std::size(kSpecial))]; break;
      case 1:
        v.sign_exp = static_cast<u16>(below(130));
        if (v.sign_exp == 0 && below(2)) v.mantissa >>= below(64);
        break;
      case 2: v.sign_exp = static_cast<u16>(0x7ffe - below(130)); break;
      case 3: v = {random_(), static_cast<u16>(random_())}; break;
      case 4:
        v.sign_exp = static_cast<u16>(0x3fff + below(66));
        v.mantissa &= ~u64{0} << below(64);
        v.mantissa |= u64{1} << 63;
        break;
      case 5: v.sign_exp = static_cast<u16>(0x3fff - 1040 + below(60)); break;
      case 6: v.sign_exp = static_cast<u16>(0x3fff + (below(2) ? 127 : 1023) - 2 + below(4)); break;
      case 7: v.sign_exp = static_cast<u16>(0x3fff - 160 + below(60)); break;
      default: v.sign_exp = static_cast<u16>(0x3fff - 70 + below(140)); break;
    }
    if (below(2)) v.sign_exp ^= 0x8000;
    return v;
  }
  FloatMachine machine(bool all_masked) {
    FloatMachine m;
    static constexpr u16 kPrecision[8] = {3, 3, 3, 3, 0, 2, 2, 1};
    for (F80& r : m.fpu.regs) r = number();
    if (below(3) == 0) {  // operands that are close
      for (F80& r : m.fpu.regs) r = {significand(), static_cast<u16>(0x3ffe + below(3) + (below(2) << 15))};
    }
    if (below(16) == 0) m.fpu.regs[below(8)] = m.fpu.regs[below(8)];
    m.fpu.control = static_cast<u16>(0x40 | kPrecision[below(8)] << 8 | below(4) << 10 | 0x3f);
    if (!all_masked && below(2)) m.fpu.control ^= below(64);
    m.fpu.status = static_cast<u16>((random_() & 0x7f00) | (below(4) == 0 ? random_() & m.fpu.control & 0x3f : 0));
    m.fpu.tag = 0;
    const unsigned depth = below(3) == 0 ? 8 : below(9);
    for (unsigned n = depth; n < 8; ++n) m.fpu.tag |= static_cast<u16>(3u << (2 * ((m.fpu.top() + n) & 7)));
    if (below(8) == 0) m.fpu.tag ^= static_cast<u16>(3u << (2 * below(8)));
    m.eflags = static_cast<u32>((random_() & 0x8d5) | 0x202);
    const F80 operand = number();
    m.memory[0] = operand.mantissa;
    m.memory[1] = operand.sign_exp;
    if (below(8) == 0) m.fpu.regs[below(8)].mantissa = below(70);  // shift counts
    switch (below(7)) {
      case 0: m.memory[0] = random_(); break;
      case 5: m.memory[0] = below(70); break;
      case 1: m.memory[0] = random_() & 0x800fffff807fffff; break;  // denormal reals
      case 2: m.memory[0] |= 0x7ff000007f800000; break;             // infinities and NaNs
      case 3: m.memory[0] = (random_() & 0x807fffff807fffff) | 0x3f8000003f800000; break;
      case 4:
        m.memory[0] &= 0x9999999999999999;
        m.memory[1] &= 0x8099;
        break;
      default: break;
    }
    return m;
  }

 private:
  std::mt19937_64 random_;
};

}  // namespace xlat::test

#endif
