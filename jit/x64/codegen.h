// From the IR of a block to x86-64 code, in one pass. Values are computed when something needs them; temporaries are
// never spilled: an instruction that needs too many, or does what is not translated, is left to the interpreter.
#pragma once

#include <optional>
#include <span>

#include "jit/address_groups.h"
#include "jit/analysis.h"
#include "jit/x64/flag_recipe.h"
#include "jit/x64/fpu_forms.h"
#include "jit/x64/host_code.h"

namespace xlat::jit::x64 {

class Codegen {
 public:
  // Of either part; far above what the 64 instructions of a block take.
  static constexpr std::size_t kMostCodeBytes = 32 << 10;

  Codegen(const StateLayout& layout, const Stubs& stubs);

  // The code will run at `base`, its cold part where it ends in front of `cold_end`, at most 2 GiB behind. `as_loop`: a
  // block that jumps to itself is made a loop if it can be. Null if the block cannot be translated; else good until the
  // next call.
  const HostCode* generate(const Block& block, const IrBlock& ir, const Translation& translation,
                           const Context& context, const u8* base, const u8* cold_end, bool as_loop);

  static bool jumps_to_itself(const Block& block);

 private:
  using Label = asmjit::Label;
  using Gp = host::Gp;
  using Cond = host::CondCode;

  struct Value {
    u32 uses = 0;
    u8 width = 64;    // bits above are zero
    i8 temp = -1;     // register it is in; -1: not computed
    Ref same_as = 0;  // for operations that change nothing: the value they stand for, plus one
  };
  // The last x87 instruction of the block so far that FSTENV would show, and its last memory operand's segment.
  struct FpuNote {
    int insn = -1;
    i8 seg = -1;
  };
  struct Cold {
    Label slow, next;
    unsigned insn;
    bool to_host_flags;
    bool rest;          // what follows in the block relies on checks that were not made
    FlagRecipe recipe;  // of the flags that waited before it
    FpuNote note;       // to be stored first
    bool load_fpu;      // the code behind counts on it
    bool again;         // in the second pass of a loop
  };
  struct FpuLoad {
    Label load, back;
    unsigned insn;
    FlagRecipe recipe;
  };
  struct FlagEffect {
    bool replaces = false;  // all arithmetic flags, without looking at them
    bool reads = false;
    bool records = false;  // some flags, in the fields that a recipe may use: so the interpreter does on a slow path
    u32 writes = 0;        // guest registers, by host register
  };
  struct Storer {
    Label label;
    FlagRecipe recipe;
  };
  struct Misaligned {
    Label label, back, slow;
    unsigned linear, temp, bytes;
  };
  // An access whose page is not the one in its slot.
  struct Refill {
    Label label, back, slow;
    host::Mem first;
    unsigned temp, bytes, slot;
    bool write;
  };
  struct Linear {
    unsigned reg;
    bool owned;  // a temporary of its own, to be freed
  };
  // A value operation that is one host instruction on two operands.
  struct Alu {
    Op op;
    unsigned w;
    Ref a, b;
    bool carry;  // ADC or SBB
  };
  struct PendingExit {
    Label stub;
    u32 ip;
    u32 site = 0, guard = 0;
    bool returns = false;
    std::optional<Label> miss{};  // of an indirect jump
    u32 miss_site = 0;
  };

  // A jump or call to an address in the code cache: where its displacement is.
  struct Absolute {
    u32 section, at;
    const u8* target;
  };

  bool run();
  void new_code();
  void start_pass();
  void body();
  bool calls_out(unsigned n) const;
  void begin();
  void instruction(unsigned n);
  void operations(unsigned n);
  void interpret(unsigned n);
  void finish();
  void lay_out();

  // codegen_values.cpp
  Ref resolve(Ref r) const {
    while (values_[r].same_as != 0) r = values_[r].same_as - 1;
    return r;
  }
  const Inst& inst(Ref r) const { return ir_->code[r]; }
  std::optional<u64> constant(Ref r) const;
  void find_widths();
  bool is_register(Ref r, unsigned guest, unsigned w) const;
  unsigned temp();
  void free_temp(unsigned reg);
  void use(Ref r);
  unsigned reg_of(Ref r);
  unsigned low_bits_of(Ref r, unsigned w);
  unsigned modifiable(Ref r);
  bool address(Ref r, host::Mem& mem) const;
  void use_tree(Ref r);

  // codegen_compute.cpp
  unsigned compute(Ref r);
  unsigned compute_alu(Ref r, const Alu& alu);
  void emit_shift(Ref r, unsigned dest, u64 count);
  unsigned compute_shift(Ref r);
  unsigned compute_select(Ref r);
  unsigned compute_division(Ref r);
  unsigned compute_address(Ref r, const host::Mem& mem);
  std::optional<Alu> as_alu(Ref r) const;
  void emit_alu(Ref r, const Alu& alu, unsigned dest);

  // codegen_registers.cpp
  void protect(unsigned guest);
  void set_reg(const Inst& i);
  bool in_place(const Inst& i);
  bool product(const Inst& i);
  bool extended(const Inst& i);
  void when(const Inst& i);

  // codegen_flags.cpp
  void clobber_flags();
  void flush_flags();
  void store_flags();
  // How dirty flags wait, if they do.
  FlagRecipe waiting_flags() const { return flags_dirty_ ? recipe_ : FlagRecipe{}; }
  void pack_host_flags(FlagKind kind, u64 count);
  void overflow_of_shl();
  void load_host_flags();
  void flags(const Inst& i);
  void shift_flags(const Inst& f);
  void find_natural_flags(unsigned n);
  bool natural(const Inst& flags) const;
  void before_alu(Ref r, bool needs_carry);
  void after_alu(Ref r, u64 count);
  void set_flags(const Inst& i);
  unsigned get_flag(const Inst& i);
  Cond guest_condition(unsigned cc);
  Cond compare(Ref r);
  Cond condition_of(Ref r);

  // codegen_double_shift.cpp
  void double_shift_flags(const Inst& f);
  void double_shift_flags_unless_zero(const Inst& f);
  void pack_shift_flags(const Inst& f, unsigned a, unsigned r, unsigned scratch, std::optional<unsigned> bit);

  // codegen_recipes.cpp
  void find_flag_effects();
  bool worth_waiting() const;
  FlagOperand operand(unsigned reg, FlagField field);
  static FlagOperand operand(u64 constant, unsigned w);
  void set_recipe(FlagRecipe::Form form, unsigned w, unsigned a, unsigned b, std::optional<u64> known);
  void set_recipe(const Alu& alu, unsigned dest, unsigned b, std::optional<u64> known);
  FlagRecipe shift_recipe(Op op, unsigned w, unsigned reg, u64 count);
  void emit_recipe(const FlagRecipe& recipe, unsigned scratch);
  static bool scratch_for(const FlagRecipe& recipe);
  void remake_flags();
  Label storer_of(const FlagRecipe& recipe);
  void emit_storer(const Storer& storer);
  void changing(unsigned host_reg);

  // codegen_memory.cpp
  // A checked operand of host memory and what it holds on to.
  struct Place {
    host::Mem at;
    unsigned temp;
    Linear linear;
    bool used = false;  // the offset has been used up
  };
  Place place(const Inst& i, Ref n, bool write);
  Place place_in_group(const Inst& i, Ref n);
  void done_with(const Place& place, Ref offset);
  bool group_goes_on(unsigned n) const;
  Linear linear(const Inst& i, bool write);
  unsigned checked(const Linear& linear, unsigned bytes, bool write);
  bool load_to_guest(Ref n) const;
  void load(const Inst& i, Ref n);
  void store(const Inst& i);
  void probe(const Inst& i);
  void store_value(const host::Mem& at, unsigned w, Ref value);
  void raise_if(const Inst& i);
  void check_target(const Inst& i);

  // codegen_loop.cpp
  bool may_loop() const;
  bool leads_back(u32 ip) const { return as_loop_ && ip == translation_->ip; }
  void jump_back(std::optional<Cond> cc);
  void begin_again();
  bool slot_left() const { return again_ && slots_ < kMostSlots; }
  unsigned checked_by_slot(const host::Mem& first, unsigned bytes, bool write);
  void forget_slots();
  void emit_refill(const Refill& refill);
  void emit_loop_entry();

  // codegen_fpu.cpp
  void find_fpu_forms();
  void require_fpu(unsigned n);
  void store_note(const FpuNote& note);
  void flush_note();
  void load_fpu(unsigned n);
  Ref fpu_operand(unsigned n) const;
  void fpu(unsigned n);
  void fpu_memory(const Insn& i, const FpuForm& form, Ref offset);
  void fpu_mmx_registers(const Insn& i);

  // codegen_system.cpp
  bool does(const Inst& call, unsigned n) const;
  bool calls_cpp(unsigned n) const;
  void call(const Inst& i, Ref r);
  bool is_cmpxchg8b(unsigned n) const;
  void cmpxchg8b(unsigned n);
  unsigned push_flags();
  void need_cpl0();
  void pop_flags(const Inst& i, unsigned bytes);
  void clear_if();
  void set_if();
  void call_helper(HelperRoutine routine, Ref arg, u32 info);
  void change_level(HelperRoutine routine);

  // codegen_strings.cpp
  bool is_string_run(unsigned n) const;
  void string_run(unsigned n);

  // codegen_exits.cpp
  void need_slow_path();
  void slow_jump(Cond cc);
  void transfer_out(u8 opcode, const u8* target);
  void jump_out(const u8* target) { transfer_out(0xe9, target); }
  void emit_tail(const Label& label, const u8* stub);
  bool in_another_page(u32 ip) const;
  void exit_to(u32 ip);
  u32 guard(u32 page, const Label& otherwise);
  void jump_exit(PendingExit exit);
  void exit_if(Cond cc, u32 ip);
  void set_ip(const Inst& i);
  void emit_stub(const PendingExit& exit);
  u32 load_later(const Gp& reg);
  void out_displacement(const u8* target);

  // codegen_indirect.cpp
  std::optional<Label> note_call();
  void return_point(const Label& label);
  void go_back();
  void indirect_jump();

  void fail() { failed_ = true; }

  const StateLayout& layout_;
  const Stubs& stubs_;
  const bool bmi2_;
  asmjit::CodeHolder code_;
  host::Assembler a_;
  std::vector<u8> buffers_[2];  // by section
  asmjit::Section* cold_section_ = nullptr;
  const u8 *base_ = nullptr, *cold_end_ = nullptr;
  std::vector<Absolute> absolutes_;
  const Block* block_ = nullptr;
  const IrBlock* ir_ = nullptr;
  const Translation* translation_ = nullptr;
  const Context* context_ = nullptr;
  Analysis analysis_;
  std::vector<bool> left_out_;      // instructions for the interpreter
  std::vector<bool> ends_groups_;   // instructions that change vector registers, or often go the slow path
  std::vector<FpuForm> fpu_forms_;  // by instruction
  int last_fpu_ = -1;               // the last one the host executes
  std::vector<Ref> flags_of_;       // by value: the live flags operation its computation gives for free, plus one

  // State of the pass.
  HostCode out_;
  std::vector<Value> values_;
  std::vector<bool> done_;  // effects that were done ahead of their place
  std::vector<Cold> cold_;
  std::vector<Misaligned> misaligned_;
  std::vector<PendingExit> exits_;
  std::vector<FpuLoad> fpu_loads_;
  std::vector<Storer> storers_;
  std::vector<FlagEffect> effects_;  // by instruction
  AddressGroups groups_;             // the page of group n is in XMMn
  std::vector<bool> group_checked_;
  u32 temps_used_ = 0;
  bool flags_dirty_ = false;              // the guest's flags in memory are older than those in the host's register
  bool host_valid_ = false;               // the host's flags are the guest's
  FlagKind host_kind_ = FlagKind::kNone;  // the operation that made them
  u64 host_count_ = 0;                    // of a shift
  bool fpu_held_ = false;                 // the host's x87 unit is known to hold the guest's state
  FpuNote fpu_note_;                      // not stored yet
  FlagRecipe recipe_;                     // how to make the flags again; dirty flags are in the host's or wait as this
  bool fresh_flags_ = false;              // the flags are this instruction's
  bool failed_ = false;
  unsigned insn_ = 0;
  Ref now_ = 0;             // operation being translated
  bool committed_ = false;  // the instruction has changed guest state
  bool ended_ = false;      // control has left the block
  bool needs_cold_ = false;
  FlagRecipe slow_recipe_;  // as flags wait when the slow path is taken
  Label slow_, next_, used_up_, interpret_, load_fpu_;
  // Of a loop: its second pass begins at `loop_`, with the flags waiting so.
  bool as_loop_ = false, again_ = false;
  Label first_round_, loop_, used_up_again_;
  std::optional<FlagRecipe> loop_flags_;  // none: no jump back yet
  u32 slots_ = 0;
  std::vector<Refill> refills_;
  // The operand checked by a probe: its offset and the register with its host address.
  std::optional<Ref> probed_;
  unsigned probed_reg_ = 0;
};

}  // namespace xlat::jit::x64
