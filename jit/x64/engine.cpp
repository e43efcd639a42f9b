// The life of a translation, from the first time its block is hot to the write that makes it wrong.
#include "jit/x64/engine.h"

#include <fmt/format.h>

#include <limits>

#include "cpu/disasm.h"
#include "cpu/encoding.h"
#include "jit/lift/lifter.h"

namespace xlat::jit::x64 {

namespace {
constexpr u32 kNeverHot = ~u32{0};  // heat of a block that was tried and is nothing for the code generator
// A block has a translation for each address and context it runs at, and for ways its flags wait at its entry; so many.
constexpr unsigned kMostVersions = 6;
constexpr std::size_t kMostRoom = 2 * Codegen::kMostCodeBytes;

bool loads_segment(const Insn& i) { return encodings()[i.encoding].attributes & attr::Seg; }

// Whether `to` begins in a page of the block that the exit belongs to.
bool leads_into_own_page(const Exit& exit, const Block& to) {
  const Block& from = *exit.owner->block;
  return to.phys >> 12 == from.phys >> 12 || (from.two_pages() && to.phys >> 12 == from.phys2 >> 12);
}
}  // namespace

Engine::Engine(Cpu& cpu, const JitOptions& options, CodeCache cache)
    : Interp(cpu),
      options_(options),
      cache_(std::move(cache)),
      layout_(cpu),
      jumps_(std::size_t{1} << kJumpEntriesLog2),
      stubs_(make_stubs(cache_, layout_, jumps_.data(), &Engine::interpret, &Engine::load_fpu,
                        {&Engine::load_segment, &Engine::verify, &Engine::sysenter, &Engine::sysexit})),
      codegen_(layout_, stubs_) {
  frame_.engine = this;
  slow_.resize(encoding_too_long() + 1u);
  if (options_.perf_map) options_.perf_map->add(stubs_.enter, stubs_.bytes, "xlat_stubs");
  blocks_.on_drop = [this](const Block& block) {
    while (block.translation) drop(static_cast<Translation*>(block.translation));
  };
}

Engine::~Engine() {
  blocks_.on_drop = [](const Block&) {};
}

u8 Engine::flat_segments() const {
  u8 flat = 0;
  for (const SegReg n : {kEs, kCs, kSs, kDs, kFs, kGs}) flat |= static_cast<u8>(cpu_.s.seg[n].flat << n);
  return flat;
}

Context Engine::context() const {
  const CpuState& s = cpu_.s;
  Context c;
  c.mode = s.mode();
  c.flat = flat_segments();
  c.cs_base = s.seg[kCs].base;
  c.cs_limit = s.seg[kCs].limit;
  return c;
}

u32 Engine::known_context() {
  const Context now = context();
  if (last_number_ != 0 && now == last_context_) return last_number_;
  for (std::size_t n = 0; n < contexts_.size(); ++n) {
    if (contexts_[n] != now) continue;
    last_context_ = now;
    return last_number_ = static_cast<u32>(n + 1);
  }
  return 0;
}

u32 Engine::context_number() {
  if (const u32 known = known_context()) return known;
  last_context_ = context();
  constexpr std::size_t kMostContexts = 4096;  // real-mode programs have one for each code segment
  if (contexts_.size() >= kMostContexts) {
    flush_cache();
    contexts_.clear();
  }
  contexts_.push_back(last_context_);
  return last_number_ = static_cast<u32>(contexts_.size());
}

Translation* Engine::translation_of(const Block& block, u32 ip, u32 context) {
  if (block.heat == kNeverHot) return nullptr;
  if (Translation* known = version(block, ip, context, {})) return known;
  if (++block.heat < options_.threshold) return nullptr;
  block.heat = 0;
  return translate(block, ip, context, {});
}

Translation* Engine::version(const Block& block, u32 ip, u32 context, const FlagRecipe& entry) {
  for (auto* t = static_cast<Translation*>(block.translation); t; t = t->next) {
    if (t->ip == ip && t->context == context && t->entry == entry) return t;
  }
  return nullptr;
}

Translation* Engine::translate(const Block& block, u32 ip, u32 context_number, const FlagRecipe& entry) {
  const Context& context = contexts_[context_number - 1];
  if (u64{ip} + block.bytes - 1 > context.cs_limit) return nullptr;
  if (cache_.left() < kMostRoom) {
    flush_cache();
    return nullptr;
  }
  auto owned = std::make_unique<Translation>();
  Translation* t = owned.get();
  t->block = &block;
  t->ip = ip;
  t->context = context_number;
  t->entry = entry;
  if (block.two_pages()) {
    t->entry2 = second_page_entry(*t);
    if (t->entry2 == 0) return nullptr;
  }
  t->broken = counters_.translated + 1 == options_.break_nth;
  ir_ = Lifter::lift(block.insns, std::move(ir_));
  const HostCode* host = codegen_.generate(block, ir_, *t, context, cache_.next(), cache_.cold_end());
  if (!host || host->interpreted == block.insns.size()) {
    block.heat = kNeverHot;
    return nullptr;
  }
  drop_oldest_version(block);
  t->settles = host->settles;
  t->code = cache_.add(host->hot);
  t->cold = cache_.add_cold(host->cold);
  t->code_bytes = static_cast<u32>(host->hot.size());
  t->cold_bytes = static_cast<u32>(host->cold.size());
  t->uses_fpu = host->uses_fpu;
  t->exits.reserve(host->exits.size());
  for (const HostCode::ExitPlace& place : host->exits) {
    Exit* exit = &t->exits.emplace_back();
    exit->owner = t;
    exit->ip = place.ip;
    exit->site = t->code + place.site;
    exit->guard = place.guard ? t->code + place.guard : nullptr;
    exit->stub = t->cold + place.stub;
    exit->stored_site = place.stored_site ? t->cold + place.stored_site : nullptr;
    exit->recipe = place.recipe;
    exit->passes = static_cast<i32>(options_.passes);
    for (const u32 slot : place.exit_slots) {
      if (slot != 0) std::memcpy(cache_.writable(t->cold + slot), &exit, sizeof exit);
    }
  }
  t->next = static_cast<Translation*>(block.translation);
  block.translation = t;
  t->index = translations_.size();
  translations_.push_back(std::move(owned));
  ++counters_.translated;
  counters_.guest_insns += block.insns.size();
  counters_.left_to_interp += host->interpreted;
  counters_.host_bytes += host->hot.size();
  counters_.cold_bytes += host->cold.size();
  log(block, *t);
  if (options_.perf_map) {
    options_.perf_map->add(t->code, t->code_bytes, fmt::format("guest_{:08x}", t->ip));
    options_.perf_map->add(t->cold, t->cold_bytes, fmt::format("guest_{:08x}_cold", t->ip));
  }
  if (watched()) t->text = std::make_unique<Interp::CodeText>(text_of(block, *t));
  return t;
}

std::vector<u8> Engine::guest_bytes(const Block& block) const {
  std::vector<u8> bytes(block.bytes);
  const std::size_t first = std::min<std::size_t>(block.bytes, 4096 - (block.phys & 0xfff));
  cpu_.memory().read_block(block.phys, std::span(bytes).first(first));
  if (block.two_pages()) cpu_.memory().read_block(block.phys2, std::span(bytes).subspan(first));
  return bytes;
}

Interp::CodeText Engine::text_of(const Block& block, const Translation& t) const {
  const std::vector<u8> bytes = guest_bytes(block);
  return {.guest = disassemble(bytes, t.ip, block.mode.cs32 ? 32 : 16),
          .ir = Lifter::lift(block.insns).dump(),
          .host = disassemble({t.code, t.code_bytes}, reinterpret_cast<u64>(t.code), 64) + "cold:\n" +
                  disassemble({t.cold, t.cold_bytes}, reinterpret_cast<u64>(t.cold), 64)};
}

std::vector<Interp::CodeText> Engine::code_texts(u32 ip) const {
  std::vector<CodeText> all;
  const auto take = [&](const Translation& t) {
    if (t.ip == ip && t.text) all.push_back(*t.text);
  };
  if (ran_) take(*ran_);
  for (const auto& t : translations_) {
    if (t.get() != ran_) take(*t);
  }
  // One that was dropped by its own store.
  if (all.empty() && !dropped_.empty()) take(*dropped_.back());
  return all;
}

void Engine::log(const Block& block, const Translation& t) {
  Log& log = cpu_.log();
  if (!log.enabled(LogItem::kIr) && !log.enabled(LogItem::kOutAsm)) return;
  const CodeText text = text_of(block, t);
  log.line(LogItem::kIr, "IR of {:08x}\n{}", t.ip, text.ir);
  log.line(LogItem::kOutAsm, "IN:\n{}OUT: {} bytes\n{}", text.guest, t.code_bytes + t.cold_bytes, text.host);
}

unsigned Engine::versions_of(const Block& block) {
  unsigned versions = 0;
  for (auto* t = static_cast<Translation*>(block.translation); t; t = t->next) ++versions;
  return versions;
}

// The last in the list goes if it is full.
void Engine::drop_oldest_version(const Block& block) {
  if (versions_of(block) < kMostVersions) return;
  auto* last = static_cast<Translation*>(block.translation);
  while (last->next) last = last->next;
  drop(last);
}

// ---- Links ----

// An exit led to `target`, which takes its flags from memory.
void Engine::follow(Exit& exit, Translation& target) {
  if (!exit.recipe || exit.owner->context != target.context) return link(exit, target);
  Translation* better = version(*target.block, target.ip, target.context, exit.recipe);
  const bool wanted = exit.passes < 0 && target.settles && versions_of(*target.block) < kMostVersions;
  if (!better && wanted && cache_.left() >= kMostRoom) {
    better = translate(*target.block, target.ip, target.context, exit.recipe);
  }
  if (exit.passes < 0) exit.passes = std::numeric_limits<i32>::max();
  link(exit, better ? *better : target);
}

// Flags that wait are taken over by a target that was made for them, or stored on the way.
void Engine::link(Exit& exit, Translation& target) {
  if (exit.owner->context != target.context) return;
  if (exit.target && exit.target->block != target.block) return;
  if (exit.guard) {
    const u32 linear = target.ip + contexts_[target.context - 1].cs_base;
    const u64 entry = page_entry(linear);
    if (entry == 0) return;
    std::memcpy(cache_.writable(exit.guard), &entry, sizeof entry);
  } else if (!leads_into_own_page(exit, *target.block)) {
    return;  // what was mapped there changed in between
  }
  if (exit.target == &target) return;  // the TLB had lost the page the guard asks for
  if (exit.target) {
    std::erase(exit.target->incoming, &exit);
    unlink(exit);
  }
  set_jump(exit.recipe == target.entry ? exit.site : exit.stored_site, target.code);
  exit.target = &target;
  target.incoming.push_back(&exit);
  ++counters_.chained;
}

void Engine::unlink(Exit& exit) {
  set_jump(exit.site, exit.stub);
  if (exit.stored_site) set_jump(exit.stored_site, stubs_.leave_by_exit);
  exit.target = nullptr;
}

void Engine::set_jump(const u8* site, const u8* to) {
  const auto displacement = static_cast<i32>(to - (site + 4));
  std::memcpy(cache_.writable(site), &displacement, sizeof displacement);
}

void Engine::remember_jump(const Translation& target) {
  const u32 linear = target.ip + contexts_[target.context - 1].cs_base;
  const u64 entry = page_entry(linear);
  if (entry == 0) return;
  jumps_[jump_slot(target.ip)] = {JumpEntry::key_of(target.ip, target.context), u64{linear >> 12} * 8, entry,
                                  target.code};
}

// The block is gone, or its translation is to be replaced. The code stays where it is: it may be running.
void Engine::drop(Translation* t) {
  if (t->block->translation == t) {
    t->block->translation = t->next;
  } else {
    auto* before = static_cast<Translation*>(t->block->translation);
    while (before->next != t) before = before->next;
    before->next = t->next;
  }
  for (Exit* exit : t->incoming) unlink(*exit);
  t->incoming.clear();
  for (Exit& exit : t->exits) {
    if (exit.target) std::erase(exit.target->incoming, &exit);
    exit.target = nullptr;
    if (wanted_ == &exit) wanted_ = nullptr;
  }
  JumpEntry& jump = jumps_[jump_slot(t->ip)];
  if (jump.code == t->code) jump = {};
  translations_.back()->index = t->index;
  std::swap(translations_[t->index], translations_.back());
  dropped_.push_back(std::move(translations_.back()));
  translations_.pop_back();
  ++counters_.dropped;
}

// Only between blocks: nothing of the cache runs.
void Engine::flush_cache() {
  for (const auto& t : translations_) t->block->translation = nullptr;
  translations_.clear();
  dropped_.clear();
  ran_ = nullptr;
  std::fill(jumps_.begin(), jumps_.end(), JumpEntry{});
  wanted_ = nullptr;
  cache_.truncate(stubs_.bytes);
  ++counters_.cache_flushes;
}

// ---- Running ----

bool Engine::run_translated(const Block& block, u64 budget) {
  const u32 ip = static_cast<u32>(cpu_.s.ip);
  const u32 number = context_number();
  Exit* const wanted = std::exchange(wanted_, nullptr);
  const bool jump_wanted = std::exchange(jump_wanted_, false);
  if (cpu_.log().enabled(LogItem::kExec)) return false;
  const u64 flushes = counters_.cache_flushes;
  Translation* t = translation_of(block, ip, number);
  if (!t || budget < block.insns.size()) return false;
  // It would come straight back.
  if (block.two_pages() && t->entry2 != second_page_entry(*t)) return false;
  if (flushes == counters_.cache_flushes) {
    if (wanted && wanted->ip == ip) follow(*wanted, *t);
    if (jump_wanted) remember_jump(*t);
  }
  CpuState& s = cpu_.s;
  if (t->uses_fpu && !host_may_run_fpu(s)) return false;
  s.flags.pack();
  s.mid_rep = false;
  const u64 allowed = std::min(budget, std::max<u64>(most_at_once_, block.insns.size()));
  count_at_zero_ = count_ + allowed;
  frame_.budget = static_cast<i64>(allowed);
  frame_.read_table = cpu_.read_table();
  ++counters_.entries;
  ran_ = t;
  reinterpret_cast<void (*)(CpuState*, Frame*, const void*)>(reinterpret_cast<std::uintptr_t>(stubs_.enter))(
      &s, &frame_, t->code);
  take_fpu();
  count_ = count_at_zero_ - static_cast<u64>(frame_.budget);
  cpu_.clock().set_count(count_);
  if (frame_.exit) {
    s.ip = frame_.exit->ip;
    wanted_ = frame_.exit;
  } else {
    jump_wanted_ = true;
  }
  return true;
}

Interpreted Engine::interpret(Frame* frame, Translation* translation, u64 n, i64 budget) {
  return static_cast<Engine*>(frame->engine)->interpret_part(*translation, static_cast<unsigned>(n), budget);
}

// The budget was paid for the whole block when it was entered.
Interpreted Engine::interpret_part(Translation& t, unsigned from, i64 budget) {
  take_fpu();
  const bool rest = from & kInterpretRest;
  const std::size_t n = from & ~kInterpretRest;
  const Block& block = *t.block;
  const auto insns = static_cast<i64>(block.insns.size());
  const i64 at_start = budget + insns;
  ++counters_.slow;
  ++slow_[block.insns[n].encoding];
  u64 executed = 0;
  const bool go_on = run_part(block, t.ip, n, rest ? block.insns.size() : n + 1,
                              count_at_zero_ - static_cast<u64>(at_start), static_cast<u64>(at_start), executed);
  const bool last = n + 1 == block.insns.size();
  const i64 left = budget - static_cast<i64>(executed - (n + 1));  // iterations beyond one were not paid for
  if (rest) {
    count_rest(t);
  } else if (go_on && !last && left >= 0 &&
             // Instructions that load segments may have changed what this translation takes for granted.
             (!loads_segment(block.insns[n]) || flat_segments() == contexts_[t.context - 1].flat)) {
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

Interpreted Engine::load_fpu(Frame* frame, Translation* translation, u64 n, i64 budget) {
  Engine& engine = *static_cast<Engine*>(frame->engine);
  CpuState& s = engine.cpu_.s;
  ++engine.counters_.fpu_loads;
  if (host_may_run_fpu(s)) {
    put_fpu(s.fpu, frame->fpu_image);
    return {0, budget};
  }
  const std::vector<Insn>& insns = translation->block->insns;
  s.ip = translation->ip + insns[n].off;
  return {1, budget + static_cast<i64>(insns.size() - n)};
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

std::string Engine::statistics() const {
  const JitCounters& c = counters_;
  std::string text;
  const auto line = [&text](const std::string& what, u64 n) { text += counter_line(what, n); };
  line("translated blocks", c.translated);
  line("guest instructions in them", c.guest_insns);
  line("  left to the interpreter", c.left_to_interp);
  line("host code bytes", c.host_bytes);
  line("cold host code bytes", c.cold_bytes);
  line("code cache used, bytes", cache_.used());
  line("code cache size, bytes", cache_.size());
  line("code cache flushes (evictions)", c.cache_flushes);
  line("translations dropped", c.dropped);
  line("contexts", contexts_.size());
  line("chained exits", c.chained);
  line("entries from the loop", c.entries);
  line("x87 state brought to the host", c.fpu_loads);
  line("instructions interpreted in place", c.slow);
  for (const auto& [name, count] : slow_by_name()) line("  " + name, count);
  return text + Interp::statistics();
}

// The encodings most often interpreted in place.
std::vector<std::pair<std::string, u64>> Engine::slow_by_name() const {
  std::vector<std::pair<std::string, u64>> list;
  for (std::size_t n = 0; n < slow_.size(); ++n) {
    if (slow_[n] == 0) continue;
    const bool real = n < encodings().size();
    list.emplace_back(real ? fmt::format("{} ({:02x})", encodings()[n].name, encodings()[n].opcode) : "invalid",
                      slow_[n]);
  }
  std::sort(list.begin(), list.end(), [](const auto& a, const auto& b) { return a.second > b.second; });
  if (list.size() > 16) list.resize(16);
  return list;
}

}  // namespace xlat::jit::x64
