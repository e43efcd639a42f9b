// One operation after the other.
#include "jit/eval.h"

#include "cpu/interp/emitter.h"
#include "jit/ir/verify.h"
#include "jit/lift/lifter.h"

namespace xlat::jit {

namespace {

void (*eval_handler(u16, unsigned, Rep))() {
  using Handler = void (*)(Interp&, const Insn&);
  const Handler handler = [](Interp& interp, const Insn& i) { static_cast<EvalEngine&>(interp).evaluate(i); };
  return reinterpret_cast<void (*)()>(handler);
}

// Calls `fn` with the Width constant of `w` bits.
auto with_width(unsigned w, auto&& fn) {
  switch (w) {
    case 8: return fn(Width<8>{});
    case 16: return fn(Width<16>{});
    case 32: return fn(Width<32>{});
    default: return fn(Width<64>{});
  }
}

}  // namespace

EvalEngine::EvalEngine(Cpu& cpu) : Interp(cpu, eval_handler) {}

const IrBlock& EvalEngine::lifted() {
  constexpr std::size_t kMost = 4096;
  const auto known = blocks_ir_.find(block().serial);
  if (known != blocks_ir_.end()) return known->second;
  if (blocks_ir_.size() >= kMost) blocks_ir_.clear();
  IrBlock& ir = blocks_ir_[block().serial] = Lifter::lift(block().insns);
  assert_sound(ir);
  cpu_.log().line(LogItem::kIr, "IR of {:08x}\n{}", block().phys, ir.dump());
  return ir;
}

// The interpreter's emitter does the effects: memory, registers and faults have one implementation.
void EvalEngine::evaluate(const Insn& i) {
  const IrBlock& ir = lifted();
  const std::size_t n = static_cast<std::size_t>(&i - block().insns.data());
  InterpEmitter e(*this);
  using Val = InterpEmitter::Val;
  values_.resize(ir.code.size());
  for (std::size_t at = ir.starts[n]; at < ir.starts[n + 1]; ++at) {
    const Inst& inst = ir.code[at];
    u64& result = values_[at];
    const Val a{values_[inst.a]}, b{values_[inst.b]}, c{values_[inst.c]};
    switch (inst.op) {
      case Op::kConst: result = inst.imm; break;
      case Op::kGetReg: result = with_width(inst.w, [&](auto w) { return e.reg(w, inst.aux); }).v; break;
      case Op::kSetReg: with_width(inst.w, [&](auto w) { e.set_reg(w, inst.aux, a); }); break;
      case Op::kGetSelector: result = e.selector(inst.aux).v; break;
      case Op::kFlags: with_width(inst.w, [&](auto w) { e.flags(static_cast<FlagKind>(inst.aux), w, a, b, c); }); break;
      case Op::kShiftFlags:
        with_width(inst.w, [&](auto w) { e.shift_flags(static_cast<FlagKind>(inst.aux), w, a, b, c); });
        break;
      case Op::kSetFlags: e.set_flags(static_cast<u32>(inst.imm), a); break;
      case Op::kGetFlag: result = e.flag(static_cast<u32>(inst.imm)).v; break;
      case Op::kCondition: result = e.condition(inst.aux).v; break;
      case Op::kNextIp: result = e.next_ip(i).v; break;
      case Op::kSetIp: e.set_ip(a); break;
      case Op::kLoad: result = with_width(inst.w, [&](auto w) { return e.load(w, inst.aux, a); }).v; break;
      case Op::kStore: with_width(inst.w, [&](auto w) { e.store(w, inst.aux, a, b); }); break;
      case Op::kProbe: with_width(inst.w, [&](auto w) { e.probe(w, inst.aux, a); }); break;
      case Op::kCheckTarget: e.check_target(a); break;
      case Op::kRaise: e.raise(inst.aux, static_cast<u32>(inst.imm)); break;
      case Op::kRaiseIf: e.raise_if(a, inst.aux); break;
      case Op::kCall: result = e.call(static_cast<Helper>(inst.imm), i, a, b).v; break;
      case Op::kWhen:
        if (a.v == 0) at = inst.imm - 1;
        break;
      case Op::kRepeatIf: e.finish_rep(1, a.v != 0); break;
      default: result = compute(inst.op, inst.w, inst.aux, a.v, b.v, c.v); break;
    }
    if (cpu_.faulted()) return;
  }
}

}  // namespace xlat::jit
