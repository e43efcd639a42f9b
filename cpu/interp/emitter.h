// The interpreter's emitter: values are numbers, everything happens at once.
#pragma once

#include "cpu/emitter.h"
#include "cpu/interp/interp.h"
#include "cpu/values.h"

namespace xlat {

class InterpEmitter : public OperandAccess<InterpEmitter> {
 public:
  struct Val {
    u64 v = 0;
  };
  struct Place {
    bool memory;
    u8 reg;
    u32 linear;
    u8* host;  // null: the slow path
  };

  explicit InterpEmitter(Interp& interp) : interp_(interp), cpu_(interp.cpu_), s_(interp.cpu_.s) {}
  using OperandAccess::call;

  Val imm(u64 v) { return {v}; }
#define SHAPE_w_a(name) \
  Val name(auto w, Val a) { return {value::name(w, a.v)}; }
#define SHAPE_w_a_b(name) \
  Val name(auto w, Val a, Val b) { return {value::name(w, a.v, b.v)}; }
#define SHAPE_w_a_b_c(name) \
  Val name(auto w, Val a, Val b, Val c) { return {value::name(w, a.v, b.v, c.v)}; }
#define SHAPE_from_w_a(name) \
  Val name(auto from, auto w, Val a) { return {value::name(from, w, a.v)}; }
#define SHAPE_a(name) \
  Val name(Val a) { return {value::name(a.v)}; }
#define SHAPE_a_b(name) \
  Val name(Val a, Val b) { return {value::name(a.v, b.v)}; }
#define SHAPE_c_a_b(name) \
  Val name(Val c, Val a, Val b) { return {value::name(c.v, a.v, b.v)}; }
#define VALUE_OP(op, name, shape, result) SHAPE_##shape(name)
#include "cpu/value_ops.inc"
  void when(Val c, auto&& fn) {
    if (c.v) fn();
  }

  Val reg(auto w, unsigned n) {
    if constexpr (w.bits == 8) return {n < 4 ? s_.gpr[n] & 0xff : (s_.gpr[n - 4] >> 8) & 0xff};
    return {s_.gpr[n] & mask(w)};
  }
  void set_reg(auto w, unsigned n, Val v) {
    if (cpu_.faulted()) return;
    if constexpr (w.bits == 8) {
      u64& r = s_.gpr[n & 3];
      r = n < 4 ? (r & ~u64{0xff}) | (v.v & 0xff) : (r & ~u64{0xff00}) | (v.v & 0xff) << 8;
    } else if constexpr (w.bits == 16) {
      s_.gpr[n] = (s_.gpr[n] & ~u64{0xffff}) | (v.v & 0xffff);
    } else {
      s_.gpr[n] = v.v & mask(w);
    }
  }
  Val selector(unsigned n) { return {s_.seg[n].selector}; }

  void flags(FlagKind kind, auto w, Val a, Val b, Val r) {
    if (!cpu_.faulted()) s_.flags.record(kind, w, a.v, b.v, r.v);
  }
  void shift_flags(FlagKind kind, auto w, Val a, Val n, Val r) {
    if (n.v != 0) flags(kind, w, a, n, r);
  }
  void set_flags(u32 which, Val v) {
    if (!cpu_.faulted()) s_.flags.set_some(which, static_cast<u32>(v.v));
  }
  Val flag(u32 which) {
    switch (which) {
      case kCf: return {s_.flags.cf()};
      case kZf: return {s_.flags.zf()};
      case kOf: return {s_.flags.of()};
      case kDf: return {(s_.flags.image() & kDf) != 0};
      default: return {(s_.flags.get() & which) != 0};
    }
  }
  Val condition(unsigned cc) { return {s_.flags.holds(cc)}; }

  Val next_ip(const Insn& i) { return {(interp_.block_ip_ + i.off + i.len) & 0xffffffff}; }
  void set_ip(Val v) {
    if (!cpu_.faulted()) s_.ip = v.v;
  }
  void check_target(Val v) {
    if (v.v > s_.seg[kCs].limit) [[unlikely]]
      cpu_.raise(kGP, 0);
  }

  Val ea(const Insn& i) {
    const u64 at = s_.gpr[i.base] + (s_.gpr[i.index] << i.scale) + static_cast<u64>(i64{i.disp});
    return {at & (i.asize == 2 ? 0xffff : 0xffffffff)};
  }
  Val load(auto w, unsigned seg, Val offset) {
    const u32 linear = cpu_.linear_for_read(seg, static_cast<u32>(offset.v), w.bytes);
    if (cpu_.faulted()) [[unlikely]]
      return {0};
    return {cpu_.load<w.bytes>(linear)};
  }
  void store(auto w, unsigned seg, Val offset, Val v) {
    const u32 linear = cpu_.linear_for_write(seg, static_cast<u32>(offset.v), w.bytes);
    if (!cpu_.faulted()) [[likely]]
      cpu_.store<w.bytes>(linear, v.v);
  }
  void probe(auto w, unsigned seg, Val offset) {
    const u32 linear = cpu_.linear_for_write(seg, static_cast<u32>(offset.v), w.bytes);
    if (!cpu_.writable_host(linear, w.bytes)) cpu_.probe_store(linear, w.bytes, cpu_.user());
  }
  Place memory_place(auto w, unsigned seg, Val offset) {
    const u32 linear = cpu_.linear_for_write(seg, static_cast<u32>(offset.v), w.bytes);
    u8* host = cpu_.faulted() ? nullptr : cpu_.writable_host(linear, w.bytes);
    if (!host) cpu_.probe_store(linear, w.bytes, cpu_.user());
    return {true, 0, linear, host};
  }
  Place register_place(unsigned n) { return {false, static_cast<u8>(n), 0, nullptr}; }
  Val get(auto w, const Place& p) {
    if (!p.memory) return reg(w, p.reg);
    if (p.host) [[likely]]
      return {load_le_fixed<w.bytes>(p.host)};
    return {cpu_.load_slow(p.linear, w.bytes, cpu_.user())};
  }
  void put(auto w, const Place& p, Val v) {
    if (!p.memory) return set_reg(w, p.reg, v);
    if (p.host) [[likely]]
      return store_le_fixed<w.bytes>(p.host, v.v);
    cpu_.store_slow(p.linear, w.bytes, v.v, cpu_.user());
  }

  void raise(u8 vector, u32 code) { cpu_.raise(vector, code); }
  void raise_if(Val c, u8 vector) {
    if (c.v) cpu_.raise(vector);
  }
  Val call(Helper h, const Insn& i, Val a, Val b) {
    if (cpu_.faulted()) return {0};
    s_.ip = next_ip(i).v;
    return {info_of(h).work(cpu_, i, a.v, b.v)};
  }

  // ---- REP, for cpu/interp/handlers.h ----
  u64 bulk(const Insn& i, unsigned bytes, u64 most) { return interp_.bulk(i, bytes, most); }
  // Iterations the instruction may make before something else is due.
  u64 allowance() const { return interp_.allowance(); }
  bool must_leave() const { return interp_.leave_.load(std::memory_order_relaxed); }
  bool zf() const { return s_.flags.zf(); }
  bool faulted() const { return cpu_.faulted(); }
  u64 raw_count(const Insn& i) const { return s_.gpr[kEcx] & (i.asize == 2 ? 0xffff : 0xffffffff); }
  void finish_rep(u64 iterations, bool more) {
    interp_.iterations_ += iterations > 1 ? iterations - 1 : 0;
    interp_.again_ = more;
    if (more) interp_.leave_block();
    // More than one iteration used up budget that the block's loop does not see.
    if (iterations > 1) interp_.overspent_ = true;
  }

 private:
  Interp& interp_;
  Cpu& cpu_;
  CpuState& s_;
};

static_assert(Emitter<InterpEmitter>);

}  // namespace xlat
