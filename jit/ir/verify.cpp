// The rules, one operation after the other.
#include "jit/ir/verify.h"

#include <bit>
#include <iterator>
#include <string_view>

#include "cpu/flags.h"

namespace xlat::jit {

namespace {

class Verifier {
 public:
  explicit Verifier(const IrBlock& ir) : ir_(ir), code_(ir.code), bits_(ir.code.size(), 0) {}

  Status run() {
    const auto& starts = ir_.starts;
    if (starts.empty() || starts.front() != 0 || starts.back() != code_.size()) {
      return error("the instructions do not cover the block's operations");
    }
    for (insn_ = 0; insn_ + 1 < starts.size(); ++insn_) {
      if (starts[insn_] > starts[insn_ + 1]) return error("instruction {} ends before it starts", insn_);
      begin_ = starts[insn_];
      end_ = starts[insn_ + 1];
      changed_ = false;
      open_.clear();
      left_.clear();
      for (at_ = begin_; at_ < end_; ++at_) {
        while (!open_.empty() && open_.back().end <= at_) {
          left_.push_back(open_.back());
          open_.pop_back();
        }
        if (const char* wrong = operation(code_[at_])) {
          return error("instruction {}, %{} {}: {}", insn_, at_, info_of(code_[at_].op).name, wrong);
        }
      }
    }
    return {};
  }

 private:
  // What follows a kWhen.
  struct Branch {
    Ref begin, end;
  };

  // What is wrong with it; null: nothing.
  const char* operation(const Inst& i) {
    if (static_cast<std::size_t>(i.op) >= std::size(kOps)) return "there is no such operation";
    const OpInfo& op = info_of(i.op);
    const Ref operands[] = {i.a, i.b, i.c};
    for (unsigned n = 0; n < op.operands; ++n) {
      if (const char* wrong = operand(operands[n])) return wrong;
    }
    if (const char* wrong = fields(i)) return wrong;
    if (const char* wrong = widths(i)) return wrong;
    if (const char* wrong = order(i, op)) return wrong;
    if (i.op == Op::kWhen) {
      if (i.imm <= at_ || i.imm > end_) return "it goes on outside its instruction";
      if (!open_.empty() && i.imm > open_.back().end) return "it goes on behind the condition around it";
      open_.push_back({at_, static_cast<Ref>(i.imm)});
    }
    bits_[at_] = static_cast<u8>(result_bits(i, [this](Ref r) { return bits_[r]; }));
    return nullptr;
  }

  const char* operand(Ref r) const {
    if (r >= at_) return "an operand comes later";
    if (r < begin_) return "an operand is another instruction's";
    const Inst& i = code_[r];
    const bool helper_without = i.op == Op::kCall && info_of(static_cast<Helper>(i.imm)).bits == 0;
    if (info_of(i.op).result == OpInfo::kNone || helper_without) return "an operand has no value";
    for (const Branch& b : left_) {
      if (r > b.begin && r < b.end) return "an operand may not have been computed";
    }
    return nullptr;
  }

  static bool is_width(unsigned w) { return w == 8 || w == 16 || w == 32 || w == 64; }

  const char* fields(const Inst& i) const {
    switch (i.op) {
      case Op::kGetReg:
      case Op::kSetReg: return i.aux < 8 && is_width(i.w) ? nullptr : "there is no such register";
      case Op::kGetSelector: return i.aux < kSegRegs ? nullptr : "there is no such segment";
      case Op::kLoad:
      case Op::kStore:
      case Op::kProbe: return i.aux < kSegRegs && is_width(i.w) ? nullptr : "there is no such access";
      case Op::kShiftFlags:
        if (!is_shift(static_cast<FlagKind>(i.aux))) return "these are no flags of a shift";
        [[fallthrough]];
      case Op::kFlags:
        return i.aux > static_cast<u8>(FlagKind::kNone) && i.aux < static_cast<u8>(FlagKind::kPacked) && is_width(i.w)
                   ? nullptr
                   : "nothing makes flags so";
      case Op::kSetFlags: return i.imm != 0 && i.imm <= 0xffffffff ? nullptr : "it sets no flags";
      case Op::kGetFlag: return std::has_single_bit(i.imm) ? nullptr : "it wants one flag";
      case Op::kCondition: return i.aux < 16 ? nullptr : "there is no such condition";
      case Op::kCall: return i.imm < std::size(kHelpers) ? nullptr : "there is no such helper";
      case Op::kSext: return i.aux < i.w && is_width(i.aux) && is_width(i.w) ? nullptr : "it extends nothing";
      default: return info_of(i.op).result != OpInfo::kWidth || is_width(i.w) ? nullptr : "there is no such width";
    }
  }

  // Values are zero-extended from the width that an operation works at.
  const char* widths(const Inst& i) const {
    constexpr const char* kWide = "an operand is wider than the operation";
    const auto fits = [this](Ref r, unsigned w) { return bits_[r] <= w; };
    switch (i.op) {
      case Op::kTrunc:
      case Op::kSext:
      case Op::kSetReg:
      case Op::kStore:
      case Op::kSelect: return nullptr;
      case Op::kShl:
      case Op::kShr:
      case Op::kSar: return fits(i.a, i.w) ? nullptr : kWide;
      case Op::kFlags:
      case Op::kShiftFlags: return fits(i.a, i.w) && fits(i.c, i.w) ? nullptr : kWide;
      case Op::kLoad:
      case Op::kProbe:
      case Op::kCheckTarget:
      case Op::kSetIp: return fits(i.a, 32) ? nullptr : "the address is wider than 32 bits";
      default: break;
    }
    if (info_of(i.op).effect != OpInfo::kPure) return nullptr;
    const Ref operands[] = {i.a, i.b, i.c};
    for (unsigned n = 0; n < info_of(i.op).operands; ++n) {
      if (!fits(operands[n], i.w)) return kWide;
    }
    return nullptr;
  }

  // Faults come before changes, so that an instruction can begin again (docs/adr/0002). EIP is the loop's until the
  // end.
  const char* order(const Inst& i, const OpInfo& op) {
    const bool access = i.op == Op::kLoad || i.op == Op::kStore || i.op == Op::kProbe;
    const bool stays = i.op == Op::kRepeatIf ||
                       (i.op == Op::kCall && info_of(static_cast<Helper>(i.imm)).leaves == HelperInfo::kStays);
    const bool leaves = (op.effect == OpInfo::kLeaves || op.effect == OpInfo::kStores) && !stays;
    if (leaves && changed_ && !(access && accessed_before(i))) return "it may fault when something was changed already";
    if (op.effect == OpInfo::kStores || (op.effect == OpInfo::kWrites && i.op != Op::kSetIp)) changed_ = true;
    return nullptr;
  }

  // An access to the same place before cannot have faulted, or it would not have come to this one.
  bool accessed_before(const Inst& i) const {
    for (Ref r = begin_; r < at_; ++r) {
      const Inst& o = code_[r];
      const bool access = o.op == Op::kProbe || (o.op == Op::kLoad && i.op == Op::kLoad) || o.op == Op::kStore;
      if (access && o.aux == i.aux && o.w >= i.w && same(o.a, i.a)) return true;
    }
    return false;
  }
  bool same(Ref x, Ref y) const {
    if (x == y) return true;
    const Inst &a = code_[x], &b = code_[y];
    const OpInfo& op = info_of(a.op);
    if (a.op != b.op || a.w != b.w || a.aux != b.aux || a.imm != b.imm || !is_value(a.op)) return false;
    return (op.operands < 1 || same(a.a, b.a)) && (op.operands < 2 || same(a.b, b.b)) &&
           (op.operands < 3 || same(a.c, b.c));
  }

  const IrBlock& ir_;
  const std::vector<Inst>& code_;
  std::vector<u8> bits_;  // of each operation's result
  std::size_t insn_ = 0;
  Ref begin_ = 0, end_ = 0, at_ = 0;
  bool changed_ = false;
  std::vector<Branch> open_, left_;
};

}  // namespace

Status verify(const IrBlock& ir) { return Verifier(ir).run(); }

void assert_sound(const IrBlock& ir) {
  if (const Status status = verify(ir); !status) {
    assertion_failed((status.error().message + "\n" + ir.dump()).c_str(), __FILE__, __LINE__);
  }
}

}  // namespace xlat::jit
