// A run of elements goes as far as a page of each operand does. What has no entry in the TLB, crosses a page or counts
// downwards is the interpreter's.
#include "jit/x64/string_stubs.h"

#include "cpu/encoding.h"
#include "jit/x64/look_up.h"

namespace xlat::jit::x64 {

namespace {

// Hosts take a nanosecond or two to compare an element; the interpreter takes 100, and then less than that for eight.
constexpr i32 kMostCompared = 32;

// `at` = the TLB's entry for the page of `address`.
void look_up_or(host::Assembler& a, const host::Gp& at, const host::Gp& address, bool write,
                const asmjit::Label& slow) {
  a.mov(at.r32(), address);
  look_up(a, at, write);
  a.jz(slow);
}

// `count` = no more than the elements from `address` to the end of its page.
void limit_to_page(host::Assembler& a, const host::Gp& count, const host::Gp& address, unsigned bytes_log2) {
  a.mov(host::r9d, address);
  a.or_(host::r9d, ~0xfff);
  a.neg(host::r9d);
  if (bytes_log2 != 0) a.shr(host::r9d, bytes_log2);
  a.cmp(count, host::r9d);
  a.cmova(count, host::r9d);
}

void host_instruction(host::Assembler& a, const StringRoutine& routine) {
  static constexpr u8 kOpcodes[] = {0xa4, 0xaa, 0xa6, 0xae};
  if (routine.bytes_log2 == 1) a.db(0x66);
  a.db(routine.while_equal ? 0xf3 : 0xf2);
  a.db(static_cast<u8>(kOpcodes[routine.what] | (routine.bytes_log2 != 0)));
}

}  // namespace

std::optional<StringRoutine> string_routine(const Insn& i) {
  if (i.rep == Rep::kNone || i.asize != 4) return std::nullopt;
  StringRoutine routine{StringRoutine::kMovs, static_cast<u8>(std::countr_zero(i.width))};
  switch (i.sem) {
    case "movs"_sem: break;
    case "stos"_sem: routine.what = StringRoutine::kStos; break;
    case "cmps"_sem: routine.what = StringRoutine::kCmps; break;
    case "scas"_sem: routine.what = StringRoutine::kScas; break;
    default: return std::nullopt;
  }
  routine.while_equal = !routine.compares() || i.rep == Rep::kRep;
  return routine;
}

// r8d: elements of the run; r9, r10: what is added to ESI and EDI; r11d: ECX after it.
void emit_string_routine(host::Assembler& a, const StateLayout& layout, const StringRoutine& routine) {
  const asmjit::Label again = a.newLabel(), slow = a.newLabel(), done = a.newLabel(), nothing = a.newLabel();
  a.test(host::ecx, host::ecx);
  a.jz(nothing);
  a.test(layout.at(layout.system_flags + 1, 1), static_cast<i32>(kDf >> 8));
  a.jnz(slow);
  a.bind(again);
  a.mov(host::r8d, host::ecx);
  if (routine.compares()) {
    a.mov(host::r9d, kMostCompared);
    a.cmp(host::r8d, host::r9d);
    a.cmova(host::r8d, host::r9d);
  }
  a.cmp(host::r8, kBudget);
  a.cmovg(host::r8, kBudget);
  if (routine.reads_esi()) limit_to_page(a, host::r8d, host::esi, routine.bytes_log2);
  limit_to_page(a, host::r8d, host::edi, routine.bytes_log2);
  a.test(host::r8d, host::r8d);
  a.jz(slow);
  if (routine.reads_esi()) look_up_or(a, host::r9, host::esi, false, slow);
  look_up_or(a, host::r10, host::edi, !routine.compares(), slow);

  a.sub(kBudget, host::r8);
  a.mov(host::r11d, host::ecx);
  a.sub(host::r11d, host::r8d);
  a.mov(host::ecx, host::r8d);
  if (routine.reads_esi()) a.add(host::rsi, host::r9);
  a.add(host::rdi, host::r10);
  if (routine.reads_esi()) a.neg(host::r9);
  a.neg(host::r10);
  host_instruction(a, routine);
  // Nothing here changes the host's flags.
  if (routine.reads_esi()) a.lea(host::esi, host::ptr(host::rsi, host::r9));
  a.lea(host::edi, host::ptr(host::rdi, host::r10));
  if (routine.compares()) {
    a.lea(kBudget, host::ptr(kBudget, host::rcx));
    a.lea(host::ecx, host::ptr(host::rcx, host::r11));
    a.mov(host::r8, host::rax);
    a.lahf();
    a.seto(host::al);
    a.mov(layout.at(layout.packed_flags, 2), host::ax);
    a.mov(host::rax, host::r8);
    routine.while_equal ? a.jnz(done) : a.jz(done);
    a.test(host::ecx, host::ecx);
    a.jnz(slow);
  } else {
    a.mov(host::ecx, host::r11d);
    a.test(host::ecx, host::ecx);
    a.jnz(again);
  }
  a.bind(done);
  a.inc(kBudget);  // the block has paid for one
  a.bind(nothing);
  a.xor_(host::r8d, host::r8d);
  a.ret();
  a.bind(slow);
  a.or_(host::r8d, 1);
  a.ret();
}

}  // namespace xlat::jit::x64
