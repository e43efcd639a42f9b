// Entry and exit of translated code, calls to the interpreter, indirect jumps.
#include "jit/x64/stubs.h"

#include <bit>
#include <cstddef>

#include "jit/address_groups.h"
#include "jit/x64/flag_recipe.h"
#include "jit/x64/look_up.h"
#include "jit/x64/string_stubs.h"

namespace xlat::jit::x64 {

StateLayout::StateLayout(Cpu& cpu) {
  CpuState& s = cpu.s;
  const auto offset = [&s](const auto& field) {
    return static_cast<i32>(reinterpret_cast<const u8*>(&field) - reinterpret_cast<const u8*>(&s));
  };
  cpl = offset(s.cpl);
  pending = offset(cpu.pending());
  gpr = offset(s.gpr);
  ip = offset(s.ip);
  packed_flags = offset(s.flags.packed());
  system_flags = offset(s.flags.system_image());
  fpu_ip = offset(s.fpu.ip);
  fpu_dp = offset(s.fpu.dp);
  fpu_opcode = offset(s.fpu.opcode);
  flag_field[static_cast<unsigned>(FlagField::kA)] = offset(s.flags.recorded_a());
  flag_field[static_cast<unsigned>(FlagField::kB)] = offset(s.flags.recorded_b());
  flag_field[static_cast<unsigned>(FlagField::kResult)] = offset(s.flags.recorded_result());
  for (unsigned n = 0; n < kSegRegs; ++n) {
    seg_base[n] = offset(s.seg[n].base);
    seg_lo[n] = offset(s.seg[n].lo);
    seg_hi_read[n] = offset(s.seg[n].hi_read);
    seg_hi_write[n] = offset(s.seg[n].hi_write);
    selector[n] = offset(s.seg[n].selector);
  }
}

namespace {

class StubMaker {
 public:
  StubMaker(const StateLayout& layout) : layout_(layout) {
    code_.init(asmjit::Environment::host());
    code_.attach(&a);
  }

  void save_guest() {
    for (unsigned n = 0; n < 8; ++n) a.mov(layout_.at(layout_.gpr + static_cast<i32>(8 * n), 8), gp64(kGuestReg[n]));
  }
  void load_guest() {
    for (unsigned n = 0; n < 8; ++n) a.mov(gp64(kGuestReg[n]), layout_.at(layout_.gpr + static_cast<i32>(8 * n), 8));
  }
  // If the host's x87 unit holds the guest's state, that goes to the Frame, and the unit is as C++ wants it.
  // `pushed`: bytes on the stack above the Frame*; `frame` is loaded with it.
  void store_fpu(i32 pushed, const host::Gp& frame) {
    const asmjit::Label not_held = a.newLabel();
    a.mov(frame, host::qword_ptr(host::rsp, pushed));
    a.cmp(host::byte_ptr(host::rsp, pushed + kFpuSlot), 0);
    a.je(not_held);
    a.fnsave(host::ptr(frame, offsetof(Frame, fpu_image)));
    a.mov(host::eax, host::dword_ptr(host::rsp, pushed + kFpuSlot));
    a.mov(host::dword_ptr(frame, offsetof(Frame, fpu_slot)), host::eax);
    a.mov(host::dword_ptr(host::rsp, pushed + kFpuSlot), 0);
    a.bind(not_held);
  }
  // What kFlagWord is goes to the Frame; then the flags are in memory.
  void take_flag_word(i32 pushed, const host::Gp& frame) {
    a.mov(host::eax, host::dword_ptr(host::rsp, pushed + kFlagWord));
    a.mov(host::dword_ptr(frame, offsetof(Frame, flag_word)), host::eax);
    a.mov(host::dword_ptr(host::rsp, pushed + kFlagWord), 0);
  }
  // Calls `fn` for the caller of a stub: rdi = Frame*, r8d = instruction, r9 = Translation*. `vectors`: the vector
  // registers are kept; they hold TLB entries of groups, of which only the low halves count. Then the guest's registers
  // are loaded, r9 = Frame*, and the host's ZF is clear if the code is to be left.
  void call_engine(InterpretFn fn, bool vectors) {
    const u32 kept = vectors ? AddressGroups::kMostGroups : 0;
    const auto saved = [](u32 n) { return host::qword_ptr(host::rsp, static_cast<i32>(8 * n)); };
    static_assert(AddressGroups::kMostGroups % 2 == 0);  // or the stack is not aligned
    a.mov(host::rsi, host::r9);
    a.mov(host::edx, host::r8d);
    a.mov(host::rcx, kBudget);
    a.sub(host::rsp, 8 * kept + 8);
    for (u32 n = 0; n < kept; ++n) a.movq(saved(n), host::xmm(n));
    a.mov(host::rax, reinterpret_cast<u64>(fn));
    a.call(host::rax);
    for (u32 n = 0; n < kept; ++n) a.movq(host::xmm(n), saved(n));
    a.add(host::rsp, 8 * kept + 8);
    a.mov(kBudget, host::rdx);
    a.mov(host::r8, host::rax);
    a.mov(host::r9, host::qword_ptr(host::rsp, 8));
    load_guest();
    a.test(host::r8d, host::r8d);
  }
  // What has been in C++ may have changed the TLB.
  void forget_stack_page(i32 pushed) { a.mov(host::qword_ptr(host::rsp, pushed + kStackPage), kNoStackPage); }
  // See Stubs::stack.
  void find_stack_page(const host::Gp& at, bool write) {
    const host::Mem page = host::qword_ptr(host::rsp, 8 + kStackPage),
                    host = host::qword_ptr(host::rsp, 8 + kStackHost);
    const asmjit::Label none = a.newLabel(), only_read = a.newLabel();
    a.add(at, page);
    a.add(host::r8d, at.r32());
    a.xor_(host::r8d, at.r32());
    a.shr(host::r8d, 12);
    a.jnz(none);
    a.mov(host::r8d, at.r32());
    x64::look_up(a, host::r8, true);
    a.jz(write ? none : only_read);
    a.mov(page, at);
    a.and_(page, ~0xfff);
    a.add(host::r8, page);
    a.mov(host, host::r8);
    a.sub(at, page);
    a.add(at, host::r8);  // no address in this process is 0
    a.ret();
    if (!write) {
      a.bind(only_read);
      a.mov(host::r8d, at.r32());
      x64::look_up(a, host::r8, false);
      a.jz(none);
      a.add(at, host::r8);
      a.ret();
    }
    a.bind(none);
    a.xor_(at.r32(), at.r32());
    a.ret();
  }
  // r8d = EIP, r11d = context. The jump table, as jump_slot() says.
  void look_up(const JumpEntry* jump_table, const asmjit::Label& miss) {
    constexpr unsigned kEntryLog2 = std::countr_zero(sizeof(JumpEntry));
    const auto entry = [](std::size_t offset) {
      return host::qword_ptr(host::r10, host::r9, 0, static_cast<i32>(offset));
    };
    a.imul(host::r9d, host::r8d, static_cast<i32>(kHash));
    a.shl(host::r11, 32);
    a.or_(host::r11, host::r8);  // JumpEntry::key_of()
    a.shr(host::r9d, 32 - kJumpEntriesLog2 - kEntryLog2);
    a.and_(host::r9d, ~(static_cast<u32>(sizeof(JumpEntry)) - 1));
    a.mov(host::r10, reinterpret_cast<u64>(jump_table));
    a.cmp(entry(offsetof(JumpEntry, key)), host::r11);
    a.jne(miss);
    a.mov(host::r11, entry(offsetof(JumpEntry, table_offset)));
    a.mov(host::r11, host::qword_ptr(kTlb, host::r11));
    a.cmp(entry(offsetof(JumpEntry, addend)), host::r11);
    a.jne(miss);
    a.jmp(entry(offsetof(JumpEntry, code)));
  }
  std::size_t here() const { return a.offset(); }
  std::span<const u8> bytes() {
    if (code_.hasUnresolvedLinks()) code_.resolveUnresolvedLinks();
    const asmjit::CodeBuffer& buffer = code_.sectionById(0)->buffer();
    return {buffer.data(), buffer.size()};
  }

  host::Assembler a;

 private:
  const StateLayout& layout_;
  asmjit::CodeHolder code_;
};

constexpr host::Gp kSaved[] = {host::rbx, host::rbp, host::r12, host::r13, host::r14, host::r15};

}  // namespace

Stubs make_stubs(CodeCache& cache, const StateLayout& layout, const JumpEntry* jump_table, InterpretFn interpret,
                 LoadFpuFn load_fpu, const HelperFn (&helpers)[kHelperRoutines]) {
  StubMaker m(layout);
  host::Assembler& a = m.a;
  const auto field = [](const host::Gp& frame, std::size_t offset) {
    return host::qword_ptr(frame, static_cast<i32>(offset));
  };

  // enter(rdi = CpuState*, rsi = Frame*, rdx = code). Six pushes and the return address, then these bytes: rsp is a
  // multiple of 16 in translated code.
  constexpr i32 kStackBytes = kSlots + kSlotBytes * static_cast<i32>(kMostSlots);
  static_assert(kStackBytes % 16 == 8);
  const std::size_t enter = m.here();
  for (const host::Gp& reg : kSaved) a.push(reg);
  a.sub(host::rsp, kStackBytes);
  a.mov(host::qword_ptr(host::rsp), host::rsi);
  a.mov(host::dword_ptr(host::rsp, kFpuSlot), 0);
  a.mov(host::dword_ptr(host::rsp, kFlagWord), 0);
  m.forget_stack_page(0);
  a.mov(kState, host::rdi);
  a.mov(kTlb, field(host::rsi, offsetof(Frame, read_table)));
  a.mov(kBudget, field(host::rsi, offsetof(Frame, budget)));
  a.mov(host::r8, host::rdx);
  m.load_guest();
  a.jmp(host::r8);

  const asmjit::Label leave_at_ip = a.newLabel(), leave_after_call = a.newLabel(), look_up = a.newLabel();
  const std::size_t interpret_at = m.here();
  m.save_guest();
  m.store_fpu(8, host::rdi);
  m.take_flag_word(8, host::rdi);
  m.call_engine(interpret, false);
  m.forget_stack_page(8);
  a.mov(kTlb, field(host::r9, offsetof(Frame, read_table)));
  a.jnz(leave_after_call);
  a.ret();

  const asmjit::Label leave = a.newLabel();
  a.bind(leave_after_call);  // r8d: Interpreted::how
  a.add(host::rsp, 8);
  a.mov(host::r11d, host::r8d);
  a.shr(host::r11d, 1);
  a.jz(leave);
  a.mov(host::r8d, layout.at(layout.ip, 4));
  a.jmp(look_up);
  const std::size_t leave_at = m.here();
  a.bind(leave_at_ip);
  a.mov(layout.at(layout.ip, 8), host::r8);
  a.bind(leave);
  a.xor_(host::r8d, host::r8d);
  const std::size_t leave_by_exit = m.here();
  m.save_guest();
  m.store_fpu(0, host::rsi);
  m.take_flag_word(0, host::rsi);
  a.mov(field(host::rsi, offsetof(Frame, budget)), kBudget);
  a.mov(field(host::rsi, offsetof(Frame, exit)), host::r8);
  a.add(host::rsp, kStackBytes);
  for (std::size_t n = std::size(kSaved); n-- > 0;) a.pop(kSaved[n]);
  a.ret();

  // r8d = EIP, r11d = context: the jump table, as jump_slot() says.
  std::size_t indirect_at[kIndirectCopies];
  const std::size_t indirect = m.here();
  a.bind(look_up);
  m.look_up(jump_table, leave_at_ip);
  for (std::size_t& at : indirect_at) {
    at = m.here();
    m.look_up(jump_table, leave_at_ip);
  }
  const std::size_t learn = m.here();
  a.mov(host::r10, host::qword_ptr(host::rsp));
  a.mov(field(host::r10, offsetof(Frame, site)), host::r9);
  a.jmp(leave_at_ip);

  // The other way round; r8d and r9 as for `interpret`.
  const std::size_t load_fpu_at = m.here();
  m.save_guest();
  a.mov(host::rdi, host::qword_ptr(host::rsp, 8));
  m.call_engine(load_fpu, true);
  a.jnz(leave_after_call);
  a.frstor(host::ptr(host::r9, offsetof(Frame, fpu_image)));
  a.mov(host::dword_ptr(host::rsp, 8 + kFpuSlot), FpuSlot{1}.word());
  a.ret();

  // Registers that C++ may change are kept on the stack, a multiple of 16 with the return address.
  constexpr unsigned kKept[] = {0, 1, 2, 6, 7, 8, 9, 10, 11};
  constexpr i32 kPushed = 8 * (static_cast<i32>(std::size(kKept)) + 1);
  static_assert(kPushed % 16 == 0);
  std::size_t helpers_at[kHelperRoutines];
  for (unsigned n = 0; n < kHelperRoutines; ++n) {
    helpers_at[n] = m.here();
    for (const unsigned reg : kKept) a.push(gp64(reg));
    a.mov(host::rdi, host::qword_ptr(host::rsp, kPushed));
    a.mov(host::esi, host::dword_ptr(host::rsp, kPushed + kHelperArg));
    a.mov(host::edx, host::dword_ptr(host::rsp, kPushed + kHelperInfo));
    a.mov(host::ecx, host::dword_ptr(host::rsp, kPushed + kFpuSlot));
    a.mov(field(host::rdi, offsetof(Frame, budget)), kBudget);
    a.mov(host::rax, reinterpret_cast<u64>(helpers[n]));
    a.call(host::rax);
    m.forget_stack_page(kPushed);
    a.test(host::eax, host::eax);
    for (std::size_t k = std::size(kKept); k-- > 0;) a.pop(gp64(kKept[k]));
    a.ret();
  }

  std::size_t stack_at[std::size(kStackPointers)][2];
  for (unsigned n = 0; n < std::size(kStackPointers); ++n) {
    for (const bool write : {false, true}) {
      stack_at[n][write] = m.here();
      m.find_stack_page(gp64(kStackPointers[n]), write);
    }
  }

  std::size_t strings_at[kStringRoutines];
  for (unsigned n = 0; n < kStringRoutines; ++n) {
    strings_at[n] = m.here();
    emit_string_routine(a, layout, StringRoutine::of(n));
  }

  const std::span<const u8> bytes = m.bytes();
  const u8* base = cache.add(bytes);
  Stubs stubs;
  stubs.enter = base + enter;
  stubs.interpret = base + interpret_at;
  stubs.leave_at = base + leave_at;
  stubs.leave_by_exit = base + leave_by_exit;
  for (unsigned n = 0; n < kIndirectCopies; ++n) stubs.indirect_copy[n] = base + indirect_at[n];
  stubs.indirect = base + indirect;
  stubs.learn = base + learn;
  stubs.load_fpu = base + load_fpu_at;
  for (unsigned n = 0; n < kHelperRoutines; ++n) stubs.helpers[n] = base + helpers_at[n];
  for (unsigned n = 0; n < std::size(kStackPointers); ++n) {
    for (const bool write : {false, true}) stubs.stack[n][write] = base + stack_at[n][write];
  }
  for (unsigned n = 0; n < kStringRoutines; ++n) stubs.strings[n] = base + strings_at[n];
  stubs.bytes = cache.used();
  return stubs;
}

}  // namespace xlat::jit::x64
