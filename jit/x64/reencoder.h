// The first and cheap translator: most guest instructions are host instructions on other registers, so that one pass
// over the decoded block writes bytes. A block with anything else goes by the IR (jit/x64/codegen.h); docs/adr/0019.
#pragma once

#include <array>

#include "jit/x64/byte_writer.h"
#include "jit/x64/flag_recipe.h"
#include "jit/x64/host_code.h"

namespace xlat::jit::x64 {

class Reencoder {
 public:
  Reencoder(const StateLayout& layout, const Stubs& stubs, FlagRecipes& recipes);

  // As Codegen::generate(). Null if the block has something that is not written so.
  const HostCode* translate(const Block& block, const Translation& translation, const Context& context, const u8* base,
                            const u8* cold_end);

 private:
  enum class Pass : u8 {
    kOther,
    kAlu,    // op r/m, r; op r, r/m; op r/m, imm: `number` is group 1's
    kCarry,  // ADC, SBB
    kCompare,
    kTest,
    kStep,     // INC, DEC
    kUnary,    // NOT, NEG
    kShift,    // by a constant
    kProduct,  // IMUL of two or three operands, where nobody wants its flags
    kMove,
    kExtend,    // MOVZX, MOVSX
    kAddress,   // LEA
    kMoveIf,    // CMOVcc
    kSet,       // SETcc
    kExchange,  // XCHG of registers
    kSign,      // CBW, CWDE, CWD, CDQ
    kSwap,      // BSWAP
    kNothing,
    kPush,
    kPop,
    kLeave,
    kBranch,  // Jcc
    kJump,
    kCall,
    kReturn,
  };
  static constexpr u16 kNone = 0, kAll = kArithFlags, kNotCf = kArithFlags & ~kCf;
  struct How {
    Pass pass = Pass::kOther;
    u8 number = 0;
    u16 sets = 0;
  };

  // An access to memory: by itself, or within a group that is checked once.
  struct Access {
    u8 bytes = 0;  // 0: none
    bool write = false;
    bool stack = false;  // by ESP, or EBP for LEAVE, with no operand of the instruction
    u8 group = 0;        // plus one; 0: none
    i32 offset = 0;      // from what the group's register held when the block began
    i32 disp = 0;        // from what the register holds now
    unsigned base = kZeroReg;
  };
  struct Step {
    How how;
    u16 reads = 0;  // arithmetic flags
    u16 live = 0;   // that matter behind it, if only to somebody who looks at a fault
    u8 writes = 0;  // guest registers
    bool exits = false;
    Access access[2];
  };
  // Accesses by one register plus constants, close together. While its accesses go on, a host register points to `low`.
  struct Group {
    unsigned base;  // guest register, or kZeroReg: absolute
    u32 version;    // of what it holds
    i32 low, high;  // bytes [low, high)
    bool write = false;
    unsigned first, last, accesses = 0;
    u8 pointer = 0;  // 0: none, it is no group
    bool checked = false;
  };
  static constexpr i32 kMostGroupBytes = 256;

  // Where the guest's arithmetic flags are.
  enum class Flags : u8 {
    kInherited,  // as when the block was entered: in memory, or made by the recipe that kFlagWord names
    kMemory,
    kHost,    // in the host's flags alone
    kRecipe,  // made by recipe_; perhaps in the host's flags as well
    kDead,    // nobody wants them
  };
  struct Slow {
    unsigned insn;
    bool rest;      // of the block, as what follows relies on checks that were not made
    bool set_word;  // kFlagWord gets `word` first
    u32 word;
    u32 next = 0;  // in the hot part
    bool to_host_flags = false;
  };
  struct SlowJump {
    u32 site;  // in the hot part
    u32 slow;  // index
  };
  struct OtherStackPage {
    u32 site, back;  // in the hot part
    unsigned reg, bytes;
    bool write;
    u32 slow;
  };
  struct PendingExit {
    u32 ip = 0;
    // In the hot part:
    u32 site = 0, guard = 0, guard_jump = 0, miss_site = 0;
    bool returns = false;
    bool in_cold = false;  // it goes by way of a guard there
    // How flags wait, if they do, and whether the host's are they, as an operation of `kind` made them.
    FlagRecipe recipe{};
    bool host_flags = false;
    FlagKind kind = FlagKind::kPacked;
    u64 count = 0;
  };
  struct Fixup {
    bool from_cold, to_cold;
    u32 at, to;
  };
  struct Absolute {
    bool cold;
    u32 at;
    const u8* target;
  };

  // reencoder_plan.cpp
  static const std::vector<How>& table();
  bool plan();
  static u64 shift_count(const Insn& i);
  bool plan_step(unsigned n);
  bool find_operands(unsigned n);
  void follow_registers(unsigned n);
  void join_group(Access& access, unsigned n);
  void keep_groups();
  void find_live_flags();

  // reencoder.cpp
  void budget();
  bool emit(unsigned n);
  bool nameable(const Insn& i, const Rm& rm, unsigned w) const;
  void emit_binary(u8 number, const Insn& i, const Rm& rm);
  bool emit_operation(unsigned n);
  bool emit_transfer(unsigned n);

  // reencoder_memory.cpp
  Rm address(const Insn& i) const;
  void load_to(unsigned to, unsigned w, const Rm& from);
  void linear_to(unsigned to, const Rm& at);
  void page_number(unsigned n, unsigned page, unsigned linear, unsigned bytes);
  void look_up(unsigned n, unsigned page, bool write);
  Rm memory(unsigned n, unsigned which);
  Rm grouped(unsigned n, const Access& access);
  void by_stack_page(unsigned n, unsigned to, i32 disp, unsigned bytes, bool write);
  bool rest_relies(unsigned n) const;
  u32 slow_path(unsigned n);
  void slow_jump(unsigned n, int cc);
  void find_other_page(const OtherStackPage& access);
  void emit_slow_paths();

  // reencoder_flags.cpp
  u16 needed(unsigned n) const;
  void clobber(unsigned n);
  void store_host_flags(ByteWriter& w, FlagKind kind, u64 count);
  void load_host_flags(ByteWriter& w);
  void store_flags();
  void settle_in_memory();
  void remake();
  void emit_recipe(ByteWriter& w, const FlagRecipe& recipe);
  void carry_from_memory(ByteWriter& w);
  void want_carry();
  int condition(unsigned cc);
  void made(const FlagRecipe& recipe, FlagKind kind, u64 count, unsigned n);
  void changing(unsigned n, u8 guests);
  static FlagRecipe recipe_of(FlagRecipe::Form form, unsigned w, const Operand& a, const Operand& b, u64 imm = 0);
  FlagOperand field_operand(FlagField field, unsigned host_reg);
  static void set_flag_word(ByteWriter& w, u32 number);

  // reencoder_exits.cpp
  bool in_another_page(u32 ip) const;
  void prepare_exit_flags();
  void exit_to(u32 ip, int cc);
  u32 guard(ByteWriter& w, u32 ip);
  u32 note_call();
  void return_point(u32 site, u32 ip);
  void go_back(i32 popped);
  void indirect_jump();
  void emit_exit(const PendingExit& exit);
  void lay_out(const u8* base, const u8* cold_end);

  const Insn& insn(unsigned n) const { return block_->insns[n]; }

  const StateLayout& layout_;
  const Stubs& stubs_;
  FlagRecipes& recipes_;
  const Block* block_ = nullptr;
  const Translation* translation_ = nullptr;
  const Context* context_ = nullptr;
  ByteWriter hot_, cold_;
  HostCode out_;

  std::array<Step, InsnPool::kMostInsns> steps_;
  std::vector<Group> groups_;
  // Of each guest register, while the plan is made: which value it holds, and how much has been added to it.
  std::array<u32, 8> version_{};
  std::array<i32, 8> moved_{};
  u32 versions_ = 0;
  bool overwrites_ = false;  // all flags are made anew before anybody wants the ones there were
  u8 changed_before_ = 0;    // guest registers that change while those can still be asked for

  Flags flags_ = Flags::kMemory;
  bool host_valid_ = false;  // the host's flags are the guest's
  FlagKind host_kind_ = FlagKind::kPacked;
  u64 host_count_ = 0;
  FlagRecipe recipe_;
  bool word_stale_ = false;  // kFlagWord may name a recipe that is not the flags' any more
  bool ended_ = false;
  std::vector<Slow> slow_;
  std::vector<SlowJump> slow_jumps_;
  std::vector<OtherStackPage> other_stack_pages_;
  std::vector<PendingExit> exits_;
  std::vector<Fixup> fixups_;
  std::vector<Absolute> absolutes_;
  int slow_of_now_ = -1;
};

}  // namespace xlat::jit::x64
