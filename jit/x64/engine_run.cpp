// Entering translated code, and what it calls: the interpreter for one instruction, the x87 state, simple helpers.
#include "cpu/encoding.h"
#include "jit/x64/engine.h"

namespace xlat::jit::x64 {

namespace {
bool loads_segment(const Insn& i) { return encodings()[i.encoding].attributes & attr::Seg; }
}  // namespace

bool Engine::run_translated(const Block& block, u64 budget) {
  const u32 ip = static_cast<u32>(cpu_.s.ip);
  Exit* const wanted = std::exchange(wanted_, nullptr);
  Exit* const site = std::exchange(wanted_site_, nullptr);
  const bool jump_wanted = std::exchange(jump_wanted_, false);
  if (cpu_.log().enabled(LogItem::kExec)) return false;
  const u64 flushes = counters_.cache_flushes;
  Translation* t = translation_of(block, ip);
  if (std::exchange(slice_ended_, false) && t) t = sampled(t);
  if (!t || budget < block.count) return false;
  // It would come straight back.
  if (block.two_pages() && t->entry2 != second_page_entry(*t)) return false;
  if (flushes == counters_.cache_flushes) {
    if (wanted && wanted->ip == ip) link(*wanted, *t);
    if (jump_wanted) remember_jump(*t);
    if (site) learn(*site, *t);
  }
  CpuState& s = cpu_.s;
  if (t->uses_fpu && !host_may_run_fpu(s)) return false;
  s.flags.pack();
  s.mid_rep = false;
  const u64 allowed = std::min(budget, std::max<u64>(most_at_once_, block.count));
  count_at_zero_ = count_ + allowed;
  frame_.budget = static_cast<i64>(allowed);
  frame_.read_table = cpu_.read_table();
  ++counters_.entries;
  ran_ = t;
  reinterpret_cast<void (*)(CpuState*, Frame*, const void*)>(reinterpret_cast<std::uintptr_t>(stubs_.enter))(
      &s, &frame_, t->code);
  take_fpu();
  take_flags();
  count_ = count_at_zero_ - static_cast<u64>(frame_.budget);
  cpu_.clock().set_count(count_);
  slice_ended_ = frame_.budget < static_cast<i64>(InsnPool::kMostInsns);
  if (frame_.exit) {
    s.ip = frame_.exit->ip;
    wanted_ = frame_.exit;
  } else {
    jump_wanted_ = true;
    wanted_site_ = std::exchange(frame_.site, nullptr);
  }
  return true;
}

Interpreted Engine::interpret(Frame* frame, Translation* translation, u64 n, i64 budget) {
  return static_cast<Engine*>(frame->engine)->interpret_part(*translation, static_cast<unsigned>(n), budget);
}

// The budget was paid for the whole block when it was entered.
Interpreted Engine::interpret_part(Translation& t, unsigned from, i64 budget) {
  take_fpu();
  take_flags();
  const bool rest = from & kInterpretRest;
  const std::size_t n = from & ~kInterpretRest;
  const Block& block = *t.block;
  const std::span<const Insn> insns = blocks_.insns(block);
  const i64 at_start = budget + block.count;
  ++counters_.slow;
  ++slow_[insns[n].encoding];
  u64 executed = 0;
  const bool go_on = run_part(block, t.ip, n, rest ? block.count : n + 1, count_at_zero_ - static_cast<u64>(at_start),
                              static_cast<u64>(at_start), executed);
  const bool last = n + 1 == block.count;
  const i64 left = budget - static_cast<i64>(executed - (n + 1));  // iterations beyond one were not paid for
  if (rest) {
    count_rest(t);
  } else if (go_on && !last && left >= 0 &&
             // Instructions that load segments may have changed what this translation takes for granted.
             (!loads_segment(insns[n]) || flat_segments() == contexts_[t.context].flat)) {
    frame_.read_table = cpu_.read_table();
    cpu_.s.flags.pack();
    return {Interpreted::kNext, left};
  }
  count_ += executed;
  const u64 how = where_to_go_on(go_on);
  frame_.read_table = cpu_.read_table();
  cpu_.s.flags.pack();
  return {how, static_cast<i64>(count_at_zero_ - count_)};
}

// After an instruction that ends a run through a block: what the loop would do, if that is simple. `as_planned`:
// nothing asked for the block to be left.
u64 Engine::where_to_go_on(bool as_planned) {
  if (cpu_.faulted()) {
    cpu_.clock().set_count(count_);
    cpu_.deliver_fault();
    ++count_;
    cpu_.clock().set_count(count_);
    as_planned = goes_on_to(count_at_zero_);
  }
  if (!as_planned || cpu_.attention()) return Interpreted::kLeave;
  return Interpreted::jump(known_context());
}

// ---- Called from translated code: see HelperFn ----

u64 Engine::load_segment(Frame* frame, u32 selector, u32 seg, u32 fpu_slot) {
  if (fpu_slot != 0) return 1;  // FDS is still to be taken from the segment register
  Cpu& cpu = static_cast<Engine*>(frame->engine)->cpu_;
  return !cpu.load_segment_fast(static_cast<SegReg>(seg), static_cast<u16>(selector));
}

u64 Engine::verify(Frame* frame, u32 selector, u32 writing, u32) {
  Cpu& cpu = static_cast<Engine*>(frame->engine)->cpu_;
  Descriptor d;
  if (!cpu.visible_fast(static_cast<u16>(selector), d)) return 1;
  u16& packed = cpu.s.flags.packed();
  const u16 zf = pack_flags(kZf);
  packed = static_cast<u16>((packed & ~zf) | ((writing ? d.writable_data() : d.readable()) ? zf : 0));
  return 0;
}

u64 Engine::sysenter(Frame* frame, u32, u32, u32 fpu_slot) {
  Cpu& cpu = static_cast<Engine*>(frame->engine)->cpu_;
  if (fpu_slot != 0 || (cpu.s.sysenter_cs & 0xfffc) == 0) return 1;
  cpu.sysenter();
  frame->read_table = cpu.read_table();
  return 0;
}

u64 Engine::sysexit(Frame* frame, u32, u32, u32 fpu_slot) {
  Cpu& cpu = static_cast<Engine*>(frame->engine)->cpu_;
  if (fpu_slot != 0 || cpu.s.cpl != 0 || (cpu.s.sysenter_cs & 0xfffc) == 0) return 1;
  cpu.sysexit();
  frame->read_table = cpu.read_table();
  return 0;
}

u64 Engine::rdtsc(Frame* frame, u32, u32 rest, u32) {
  Engine& engine = *static_cast<Engine*>(frame->engine);
  if (!engine.cpu_.may_read_tsc()) return 1;
  engine.count_ = engine.count_at_zero_ - static_cast<u64>(frame->budget + rest);  // Cpu::tsc() asks for it
  frame->value = engine.cpu_.tsc();
  return 0;
}

u64 Engine::invlpg(Frame* frame, u32 offset, u32 seg, u32) {
  Cpu& cpu = static_cast<Engine*>(frame->engine)->cpu_;
  if (cpu.s.cpl != 0) return 1;
  cpu.invalidate_page(cpu.s.seg[seg].base + offset);
  return 0;
}

Interpreted Engine::load_fpu(Frame* frame, Translation* translation, u64 n, i64 budget) {
  Engine& engine = *static_cast<Engine*>(frame->engine);
  CpuState& s = engine.cpu_.s;
  ++engine.counters_.fpu_loads;
  if (host_may_run_fpu(s)) {
    put_fpu(s.fpu, frame->fpu_image);
    return {Interpreted::kNext, budget};
  }
  const std::span<const Insn> insns = engine.blocks_.insns(*translation->block);
  s.ip = translation->ip + insns[n].off;
  return {Interpreted::kLeave, budget + static_cast<i64>(insns.size() - n)};
}

// Flags that translated code has not stored.
void Engine::take_flags() {
  if (const u32 number = std::exchange(frame_.flag_word, 0)) recipes_.make(number, cpu_.s);
}

// What translated code left in the frame becomes the state that C++ works on.
void Engine::take_fpu() {
  if (frame_.fpu_slot == 0) return;
  const u32 slot = std::exchange(frame_.fpu_slot, 0);
  CpuState& s = cpu_.s;
  x64::take_fpu(frame_.fpu_image, s.fpu);
  const unsigned noted = (slot >> 8) & 0xff, seg = (slot >> 16) & 0xff;
  if (noted != 0) s.fpu.cs = s.seg[kCs].selector;
  if (seg != 0) s.fpu.ds = s.seg[seg - 1].selector;
}

// A block whose groups of accesses often do not lie in one page is translated again without them.
void Engine::count_rest(Translation& t) {
  constexpr u32 kMany = 64;
  constexpr u64 kShort = kMany * 1000;  // instructions
  if (t.rests == 0) t.rests_since = count_;
  if (++t.rests < kMany) return;
  t.rests = 0;
  if (count_ - t.rests_since > kShort || !t.block->valid) return;
  const Block& block = *t.block;
  block.apart = true;
  while (block.translation) drop(static_cast<Translation*>(block.translation));
}

}  // namespace xlat::jit::x64
