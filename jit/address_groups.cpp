// Follows registers through a block as "what it held at first, plus a constant".
#include "jit/address_groups.h"

#include <algorithm>
#include <array>
#include <optional>

namespace xlat::jit {

namespace {

// A value as an unknown number plus a constant; root 0: just the constant. `base` is the offset of the register it was
// made from.
struct Sum {
  u32 root = 0;
  u32 offset = 0;
  u32 base = 0;
};

struct Span {
  i32 low, high;
  Span with(i32 from, i32 to) const { return {std::min(low, from), std::max(high, to)}; }
  bool small() const { return i64{high} - low <= AddressGroups::kMostBytes; }
};

class Finder {
 public:
  Finder(const IrBlock& ir, u8 flat, AddressGroups reuse) : ir_(ir), flat_(flat), result_(std::move(reuse)) {
    result_.groups.clear();
    result_.group_of.assign(ir.code.size(), 0);
    result_.offset_of.assign(ir.code.size(), 0);
    forget_registers();
  }

  AddressGroups run(const std::vector<bool>& left_out, const std::vector<bool>& ends_groups) {
    for (u32 n = 0; n + 1 < ir_.starts.size(); ++n) {
      insn_ = n;
      probed_.reset();
      if (left_out[n]) {
        forget_registers();
        open_.clear();
        continue;
      }
      first_ = ir_.starts[n];
      sums_.assign(ir_.starts[n + 1] - first_, std::nullopt);
      Ref conditional_until = 0;
      for (Ref r = ir_.starts[n]; r < ir_.starts[n + 1]; ++r) {
        if (ir_.code[r].op == Op::kWhen) conditional_until = static_cast<Ref>(ir_.code[r].imm);
        step(r, r < conditional_until);
      }
      if (ends_groups[n]) open_.clear();
    }
    keep_those_that_pay();
    return std::move(result_);
  }

 private:
  struct Open {
    u32 root;
    u8 group;
  };

  std::optional<Sum>& sum_of(Ref r) { return sums_[r - first_]; }
  void forget_registers() {
    for (Sum& sum : registers_) sum = {++roots_};
  }

  void step(Ref r, bool conditional) {
    const Inst& i = ir_.code[r];
    switch (i.op) {
      case Op::kConst: sum_of(r) = Sum{0, static_cast<u32>(i.imm)}; break;
      case Op::kGetReg:
        if (i.w != 32) break;
        sum_of(r) = registers_[i.aux];
        sum_of(r)->base = sum_of(r)->offset;
        break;
      case Op::kTrunc:
        if (i.w == 32) sum_of(r) = sum_of(i.a);
        break;
      case Op::kAdd:
      case Op::kSub: {
        const auto &a = sum_of(i.a), &b = sum_of(i.b);
        if (i.w != 32 || !a || !b) break;
        if (b->root == 0) {
          sum_of(r) = Sum{a->root, i.op == Op::kAdd ? a->offset + b->offset : a->offset - b->offset, a->base};
        } else if (a->root == 0 && i.op == Op::kAdd) {
          sum_of(r) = Sum{b->root, a->offset + b->offset, b->base};
        }
        break;
      }
      case Op::kSetReg: {
        Sum& reg = registers_[i.w == 8 ? i.aux & 3 : i.aux];
        const auto& value = sum_of(i.a);
        reg = i.w == 32 && value && !conditional ? *value : Sum{++roots_};
        break;
      }
      case Op::kProbe:
      case Op::kLoad:
      case Op::kStore:
        if (!conditional) access(r);
        break;
      default: break;
    }
  }

  void access(Ref r) {
    const Inst& i = ir_.code[r];
    if (i.op == Op::kProbe) {
      probed_ = i.a;
    } else if (probed_ == i.a) {
      return;  // checked by the probe
    }
    const auto& at = sum_of(i.a);
    if (!at || at->root == 0 || !(flat_ & 1u << i.aux)) return;
    const auto offset = static_cast<i32>(at->offset), base = static_cast<i32>(at->base);
    const Span alone{offset, offset + i.w / 8};
    // With the register itself in the page, its operand needs no sum of its own.
    const Span wide = alone.with(base, base + 1), span = wide.small() ? wide : alone;
    result_.offset_of[r] = offset;
    AddressGroups::Group* group = nullptr;
    for (const Open& open : open_) {
      if (open.root != at->root) continue;
      AddressGroups::Group& g = result_.groups[open.group];
      if (!span.with(g.low, g.high).small()) continue;
      group = &g;
      result_.group_of[r] = static_cast<u8>(open.group + 1);
    }
    if (!group) {
      if (result_.groups.size() >= kMostTried) return;
      open_.push_back({at->root, static_cast<u8>(result_.groups.size())});
      group = &result_.groups.emplace_back(AddressGroups::Group{span.low, span.high, false, insn_, insn_, 0});
      result_.group_of[r] = static_cast<u8>(result_.groups.size());
    }
    group->low = std::min(group->low, span.low);
    group->high = std::max(group->high, span.high);
    group->write |= i.op != Op::kLoad;
    group->last_insn = insn_;
    ++group->accesses;
  }

  // Groups of one access are none, and there is room for so many.
  void keep_those_that_pay() {
    if (result_.groups.empty()) return;
    std::array<u8, kMostTried + 1> number{};
    std::size_t kept = 0;
    for (std::size_t n = 0; n < result_.groups.size(); ++n) {
      if (result_.groups[n].accesses < 2 || kept == AddressGroups::kMostGroups) continue;
      result_.groups[kept++] = result_.groups[n];
      number[n + 1] = static_cast<u8>(kept);
    }
    result_.groups.resize(kept);
    for (u8& group : result_.group_of) group = number[group];
  }

  static constexpr std::size_t kMostTried = 254;

  const IrBlock& ir_;
  const u8 flat_;
  Ref first_ = 0;
  std::vector<std::optional<Sum>> sums_;  // of the instruction's operations
  Sum registers_[8];
  u32 roots_ = 0;
  u32 insn_ = 0;
  std::optional<Ref> probed_;
  std::vector<Open> open_;
  AddressGroups result_;
};

}  // namespace

AddressGroups find_address_groups(const IrBlock& ir, const std::vector<bool>& left_out,
                                  const std::vector<bool>& ends_groups, u8 flat, AddressGroups reuse) {
  return Finder(ir, flat, std::move(reuse)).run(left_out, ends_groups);
}

}  // namespace xlat::jit
