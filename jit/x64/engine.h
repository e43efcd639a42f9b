// Translating hot blocks, running them, linking them, and forgetting them.
#pragma once

#include <cstring>

#include "jit/engine.h"
#include "jit/x64/codegen.h"
#include "jit/x64/context_table.h"
#include "jit/x64/reencoder.h"
#include "jit/x64/stubs.h"

namespace xlat::jit::x64 {

class Engine : public Interp {
 public:
  Engine(Cpu& cpu, const JitOptions& options, CodeCache cache);
  ~Engine() override;

  const JitCounters& counters() const { return counters_; }
  std::string statistics() const override;
  std::vector<CodeText> code_texts(u32 ip) const override;
  void forget_translations(u32 linear) override;

 protected:
  bool run_translated(const Block& block, u64 budget) override;

 private:
  static Interpreted interpret(Frame* frame, Translation* translation, u64 n, i64 budget);
  Interpreted interpret_part(Translation& translation, unsigned from, i64 budget);
  void count_rest(Translation& translation);
  u64 where_to_go_on(bool as_planned);
  static u64 load_segment(Frame* frame, u32 selector, u32 seg, u32 fpu_slot);
  static u64 verify(Frame* frame, u32 selector, u32 writing, u32 fpu_slot);
  static u64 sysenter(Frame* frame, u32, u32, u32 fpu_slot);
  static u64 sysexit(Frame* frame, u32, u32, u32 fpu_slot);
  static u64 rdtsc(Frame* frame, u32, u32 rest, u32);
  static u64 invlpg(Frame* frame, u32 offset, u32 seg, u32);
  static Interpreted load_fpu(Frame* frame, Translation* translation, u64 n, i64 budget);
  void take_fpu();
  void take_flags();
  Context context() const;
  u8 flat_segments() const;
  // The number of the context there is now; 0: it is a new one.
  u32 known_context();
  u32 context_number();
  Translation* translation_of(const Block& block, u32 ip);
  Translation* translate(const Block& block, u32 ip, u32 context, bool as_loop);
  Translation* sampled(Translation* translation);
  void drop_oldest_version(const Block& block);
  void link(Exit& exit, Translation& target);
  void learn(Exit& site, Translation& target);
  void remember_jump(const Translation& target);
  // The TLB's read entry for the page of the code that is to run; zero where code does not lie in RAM or ROM.
  u64 page_entry(u32 linear) const { return cpu_.read_table()[linear >> 12]; }
  u64 second_page_entry(const Translation& t) const {
    return cpu_.read_table()[BlockCache::page_after(t.ip + contexts_[t.context].cs_base)];
  }
  std::vector<u8> guest_bytes(const Block& block) const;
  void unlink(Exit& exit);
  template <class T>
  void store_code(const u8* at, T value) {
    std::memcpy(cache_.writable(at), &value, sizeof value);
  }
  void forget_incoming(Exit& exit);
  void set_jump(u32 site, const u8* to);
  void drop(Translation* translation);
  void flush_cache();
  Counters slow_by_name() const;
  CodeText text_of(const Block& block, const Translation& translation) const;
  void log(const Block& block, const Translation& translation);

  const JitOptions options_;
  CodeCache cache_;
  StateLayout layout_;
  Frame frame_;
  std::vector<JumpEntry> jumps_;
  Stubs stubs_;
  FlagRecipes recipes_;
  Reencoder reencoder_;
  Codegen codegen_;
  IrBlock ir_;
  JitCounters counters_;
  std::vector<u64> slow_;  // instructions interpreted in place, by encoding

  ContextTable contexts_;
  Context last_context_;
  u32 last_number_ = 0;
  std::vector<std::unique_ptr<Translation>> translations_;
  std::vector<std::unique_ptr<Translation>> dropped_;  // their code may still be running
  Exit* wanted_ = nullptr;                             // exit taken last, to be linked to what runs next
  Exit* wanted_site_ = nullptr;                        // likewise, an indirect jump's
  bool slice_ended_ = false;                           // in what runs next
  bool jump_wanted_ = false;                           // an indirect jump missed: its target goes into the table
  const Translation* ran_ = nullptr;                   // entered last
  u64 count_at_zero_ = 0;                              // instruction count when the budget is used up
};

}  // namespace xlat::jit::x64
