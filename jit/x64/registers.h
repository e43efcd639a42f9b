// Which host register holds what while translated code runs, and what it shares with the engine.
//
//   rax rcx rdx rbx r14 rbp rsi rdi   the guest's EAX ECX EDX EBX ESP EBP ESI EDI, zero-extended
//   r8 - r11                          temporaries
//   r12                               the TLB's read table; the write table lies Tlb::kTableBytes behind it
//   r13                               budget: instructions left
//   r15                               CpuState
//   rsp                               its top holds the Frame*, above it the FpuSlot
//   xmm0 - xmm15                      TLB entries that serve several accesses of the block
#pragma once

#include <asmjit/x86.h>

#include <array>
#include <cstddef>
#include <iterator>

#include "cpu/cpu.h"
#include "jit/x64/fpu_state.h"

namespace xlat::jit::x64 {

namespace host = asmjit::x86;

inline constexpr unsigned kGuestReg[8] = {0, 1, 2, 3, 14, 5, 6, 7};
// The guest register that host register `id` holds.
inline constexpr unsigned guest_of(unsigned id) { return id == 14 ? 4 : id; }
inline constexpr unsigned kTempFirst = 8, kTemps = 4;
inline constexpr bool is_temp(unsigned id) { return id >= kTempFirst && id < kTempFirst + kTemps; }

inline host::Gp gp64(unsigned id) { return host::gpq(id); }
inline host::Gp gp32(unsigned id) { return host::gpd(id); }
// Register `id` at `w` bits.
inline host::Gp gp(unsigned id, unsigned w) {
  if (w == 8) return host::gpb(id);
  if (w == 16) return host::gpw(id);
  if (w == 32) return host::gpd(id);
  return host::gpq(id);
}

inline const host::Gp kTlb = host::r12, kBudget = host::r13, kState = host::r15;

struct Exit;

// Whether the host's x87 unit holds the guest's state, in four bytes of translated code's stack.
struct FpuSlot {
  u8 held = 0;
  u8 noted = 0;  // an instruction has run that sets FCS to CS
  u8 seg = 0;    // FDS is the selector of this segment register; plus one, 0: none has run with an operand

  constexpr i32 word() const { return held | noted << 8 | seg << 16; }
};
inline constexpr i32 kFpuSlot = 8;
// The number of the recipe by which the guest's flags can be made where a block begins; 0: they are in memory. Only
// blocks that overwrite all flags are entered with another number.
inline constexpr i32 kFlagWord = 12;
// Arguments of the routines in Stubs::helpers, in the stack of translated code: 32 bits each.
inline constexpr i32 kHelperArg = 16, kHelperInfo = 20;
// The page of the guest's stack that accesses by ESP found last, in the same place: its linear address and where it is
// in this process, both 64 bits. It may be written. Whatever may change the TLB makes the address kNoStackPage.
inline constexpr i32 kStackPage = 24, kStackHost = 32;
inline constexpr i32 kNoStackPage = -0x7fffffff - 1;  // sign-extended, no linear address is near it
// Pages that accesses of a loop found last, likewise: the linear address of the page, then what it is to be
// added to (see codegen_loop.cpp).
inline constexpr i32 kSlots = 40, kSlotBytes = 16;
inline constexpr u32 kMostSlots = 8;

// Where the RET of each CALL is to go on, by the ESP between them: code that compares EIP and context, so anything may
// be found here that has been put here since the code cache was emptied. No count of calls can get out of step,
// whatever the guest does with its stack.
inline constexpr unsigned kReturnsLog2 = 9;
using ReturnTable = std::array<const u8*, 1 << kReturnsLog2>;
inline constexpr u32 kReturnMask = ((1u << kReturnsLog2) - 1) * 4;  // of ESP: what tells entries apart

// What the engine and translated code tell each other; its address is at the top of the stack.
struct Frame {
  void* engine = nullptr;
  const void* read_table = nullptr;
  i64 budget = 0;
  Exit* exit = nullptr;  // how the code was left: a chainable exit, or null with CpuState::ip set
  u64 value = 0;         // what a helper routine gives
  u32 fpu_slot = 0;      // what the FpuSlot was when the state went to fpu_image; 0: CpuState has it
  FpuImage fpu_image{};
  u32 flag_word = 0;     // what kFlagWord was when translated code was left
  Exit* site = nullptr;  // an indirect jump that left because it was not the one of last time
  ReturnTable returns{};
};
inline constexpr i32 kReturns = offsetof(Frame, returns);

// Where fields of CpuState lie; its parts have private members, so they are measured on an object.
struct StateLayout {
  explicit StateLayout(Cpu& cpu);
  i32 gpr, ip, packed_flags, system_flags, fpu_ip, fpu_dp, fpu_opcode, cpl;
  i32 pending;        // of the Cpu around CpuState
  i32 flag_field[3];  // by FlagField
  i32 seg_base[kSegRegs], seg_lo[kSegRegs], seg_hi_read[kSegRegs], seg_hi_write[kSegRegs], selector[kSegRegs];

  host::Mem at(i32 offset, unsigned bytes) const { return host::ptr(kState, offset, bytes); }
};

inline constexpr unsigned kInterpretRest = 1 << 8;

// C++ functions that translated code calls with the guest's registers still in the host's: they take a few
// nanoseconds, touch no x87 state, change nothing of the guest's registers, and give 0, or change nothing at all and
// give something else where the interpreter is to run the instruction. Frame::budget is what is left after paying for
// the block. `fpu_slot` is not 0 while the host's x87 unit holds the guest's state.
using HelperFn = u64 (*)(Frame*, u32 arg, u32 info, u32 fpu_slot);
enum class HelperRoutine : u8 {
  kLoadSegment,  // arg: selector, info: SegReg
  kVerify,       // arg: selector, info: 1 for writing; flags are packed
  kSysenter,     // from memory to memory: gpr, ip
  kSysexit,
  kRdtsc,   // info: instructions of the block from this one on; Frame::value
  kInvlpg,  // arg: offset, info: SegReg
};
inline constexpr unsigned kHelperRoutines = 6;
inline constexpr unsigned kStringRoutines = 24;

// The registers in which an access by ESP can have its address.
inline constexpr unsigned kStackPointers[] = {9, 10, 11};

inline constexpr unsigned kIndirectCopiesLog2 = 5, kIndirectCopies = 1 << kIndirectCopiesLog2;

// The routines all translated code of an engine shares; addresses in the code cache.
struct Stubs {
  const u8* enter = nullptr;          // Exit* (CpuState*, Frame*, const void* code)
  const u8* interpret = nullptr;      // called: r8d = instruction, r9 = Translation*; returns if the code is to go on
  const u8* leave_at = nullptr;       // r8d = EIP
  const u8* leave_by_exit = nullptr;  // r8 = Exit*
  const u8* indirect = nullptr;       // r8d = EIP to go to, r11d = context
  // The same once more, many times: a host guesses where a jump goes by where it stands.
  const u8* indirect_copy[kIndirectCopies] = {};
  const u8* learn = nullptr;     // r8d = EIP to go to, r9 = Exit* of the site
  const u8* load_fpu = nullptr;  // called: r8d = instruction, r9 = Translation*; leaves if it may not run directly
  const u8* helpers[kHelperRoutines] = {};  // called; host flags then: NZ if the interpreter is to run the instruction
  // Called: an access that does not lie in the page that the accesses by ESP found last. By kStackPointers and whether
  // it writes: that register is the linear address less kStackPage and becomes where it is in this process; r8d is the
  // number of bytes less one. The host's ZF says that the TLB has no such page, or it lies in two.
  const u8* stack[std::size(kStackPointers)][2] = {};
  const u8* strings[kStringRoutines] = {};  // by StringRoutine::number()
  std::size_t bytes = 0;                    // of the code cache they take
};

}  // namespace xlat::jit::x64
