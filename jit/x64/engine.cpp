// The life of a translation, from the first time its block is hot to the write that makes it wrong.
#include "jit/x64/engine.h"

#include <fmt/format.h>

#include "cpu/encoding.h"
#include "jit/lift/lifter.h"

namespace xlat::jit::x64 {

namespace {
constexpr u32 kNeverHot = ~u32{0};  // heat of a block that was tried and is nothing for the code generator
// Times an indirect jump goes to another place before the jump table has it for good.
constexpr u32 kMostMisses = 32;
// A block has a translation for each address and context it runs at; so many.
constexpr unsigned kMostVersions = 6;
// One that had to go for another shows that there are more contexts than versions. Each doubles how often the block has
// to come by before the next is made, up to this power of two, as making it costs as much as interpreting it a hundred
// times.
constexpr u8 kMostPatience = 16;
// So many writes to the code of a page, and it may be written again before it comes by again.
constexpr u8 kManyWrites = 4;
constexpr std::size_t kMostRoom = 2 * Codegen::kMostCodeBytes;

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
                        {&Engine::load_segment, &Engine::verify, &Engine::sysenter, &Engine::sysexit, &Engine::rdtsc,
                         &Engine::invlpg})),
      reencoder_(layout_, stubs_, recipes_),
      codegen_(layout_, stubs_) {
  frame_.engine = this;
  frame_.returns.fill(stubs_.indirect);
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
  const u32 number = contexts_.find(now);
  if (number == 0) return 0;
  last_context_ = now;
  return last_number_ = number;
}

u32 Engine::context_number() {
  if (const u32 known = known_context()) return known;
  last_context_ = context();
  if (contexts_.size() >= ContextTable::kMost) {
    flush_cache();
    contexts_.clear();
  }
  return last_number_ = contexts_.add(last_context_);
}

// Most blocks are cold: the context is worked out only where it decides.
Translation* Engine::translation_of(const Block& block, u32 ip) {
  if (block.heat == kNeverHot) return nullptr;
  u32 context = 0;
  for (auto* t = static_cast<Translation*>(block.translation); t; t = t->next) {
    if (t->ip != ip) continue;
    if (context == 0) context = known_context();
    if (t->context == context) return t;
  }
  unsigned threshold = options_.threshold;
  if (block.rewritten >= kManyWrites) threshold = std::max(threshold, options_.rewritten_threshold);
  if (block.by_ir) threshold = std::max(threshold, options_.ir_threshold);
  if (++block.heat < threshold << std::min(block.versions_lost, kMostPatience)) return nullptr;
  block.heat = 0;
  return translate(block, ip, context_number(), options_.samples == 0);
}

Translation* Engine::translate(const Block& block, u32 ip, u32 context_number, bool as_loop) {
  const Context& context = contexts_[context_number];
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
  if (block.two_pages()) {
    t->entry2 = second_page_entry(*t);
    if (t->entry2 == 0) return nullptr;
  }
  t->broken = options_.break_from != 0 && counters_.translated + 1 >= options_.break_from;
  const std::span<const Insn> insns = blocks_.insns(block);
  const bool forced = !options_.reencode || (as_loop && Codegen::jumps_to_itself(block));
  const HostCode* host = forced ? nullptr : reencoder_.translate(block, *t, context, cache_.next(), cache_.cold_end());
  const bool by_ir = !host;
  if (by_ir) {
    if (!as_loop && !block.by_ir && options_.ir_threshold > options_.threshold) {
      block.by_ir = true;
      return nullptr;
    }
    ir_ = Lifter::lift(insns, std::move(ir_));
    host = codegen_.generate(block, ir_, *t, context, cache_.next(), cache_.cold_end(), as_loop);
  }
  if (!host || host->interpreted == insns.size()) {
    block.heat = kNeverHot;
    return nullptr;
  }
  drop_oldest_version(block);
  t->code = cache_.add(host->hot);
  t->cold = cache_.add_cold(host->cold);
  t->code_bytes = static_cast<u32>(host->hot.size());
  t->cold_bytes = static_cast<u32>(host->cold.size());
  t->uses_fpu = host->uses_fpu;
  t->overwrites_flags = host->overwrites_flags;
  t->changed_before = host->changed_before;
  counters_.loops += host->loops;
  counters_.by_ir += by_ir;
  const u32 hot = cache_.place_of(t->code), cold = cache_.place_of(t->cold);
  t->exits.reserve(host->exits.size());
  for (const HostCode::ExitPlace& place : host->exits) {
    Exit* exit = &t->exits.emplace_back();
    exit->owner = t;
    exit->ip = place.ip;
    exit->site = hot + place.site;
    exit->guard = place.guard ? hot + place.guard : place.cold_guard ? cold + place.cold_guard : 0;
    exit->last = place.last ? cold + place.last : 0;
    exit->store = place.store ? cold + place.store : 0;
    exit->check = place.check ? cold + place.check : 0;
    exit->needs = place.needs;
    exit->stub = cold + place.stub;
    exit->returns = place.returns;
    store_code(t->cold + place.exit_slot, exit);
    if (place.miss) {
      exit->miss = hot + place.miss;
      store_code(t->cold + place.miss_slot, exit);
    }
  }
  t->next = static_cast<Translation*>(block.translation);
  block.translation = t;
  t->index = translations_.size();
  translations_.push_back(std::move(owned));
  ++counters_.translated;
  counters_.guest_insns += insns.size();
  counters_.left_to_interp += host->interpreted;
  counters_.host_bytes += host->hot.size();
  counters_.cold_bytes += host->cold.size();
  log(block, *t);
  if (options_.perf_map) {
    options_.perf_map->add(t->code, t->code_bytes, fmt::format("guest_{:08x}", t->ip));
    options_.perf_map->add(t->cold, t->cold_bytes, fmt::format("guest_{:08x}_cold", t->ip));
  }
  if (watched()) t->text = std::make_unique<Interp::CodeText>(text_of(block, *t));
  blocks_.let_insns_go(block);
  return t;
}

// Where slices end is a sample of what runs: a block often found there is worth more than one pass.
Translation* Engine::sampled(Translation* t) {
  if (++t->samples != options_.samples || cache_.left() < kMostRoom) return t;
  const Block& block = *t->block;
  blocks_.insns(block);
  if (!Codegen::jumps_to_itself(block)) return t;
  const u32 ip = t->ip, context = t->context;
  drop(t);
  Translation* loop = translate(block, ip, context, true);
  if (loop) loop->samples = options_.samples;
  return loop;
}

// The last in the list goes if it is full.
void Engine::drop_oldest_version(const Block& block) {
  unsigned versions = 0;
  for (auto* t = static_cast<Translation*>(block.translation); t; t = t->next) ++versions;
  if (versions < kMostVersions) return;
  auto* last = static_cast<Translation*>(block.translation);
  while (last->next) last = last->next;
  drop(last);
  if (block.versions_lost < kMostPatience) ++block.versions_lost;
}

// ---- Links ----

void Engine::link(Exit& exit, Translation& target) {
  if (exit.owner->context != target.context) return;
  if (exit.target && exit.target != &target) return;
  if (exit.guard) {
    const u32 linear = target.ip + contexts_[target.context].cs_base;
    const u64 entry = page_entry(linear);
    if (entry == 0) return;
    store_code(cache_.at(exit.guard), entry);
  } else if (!leads_into_own_page(exit, *target.block)) {
    return;  // what was mapped there changed in between
  }
  if (exit.target) return;  // the TLB had lost the page the guard asks for
  if (exit.last) {
    const bool stored = exit.store && !(target.overwrites_flags && (target.changed_before & exit.needs) == 0);
    set_jump(exit.last, target.code);
    set_jump(exit.site, stored ? cache_.at(exit.store) : exit.check ? cache_.at(exit.check) : target.code);
  } else {
    set_jump(exit.site, target.code);
  }
  exit.target = &target;
  exit.next_incoming = std::exchange(target.incoming, &exit);
  ++counters_.chained;
}

void Engine::unlink(Exit& exit) {
  set_jump(exit.site, cache_.at(exit.stub));
  exit.target = nullptr;
}

// The target does not know of it any more.
void Engine::forget_incoming(Exit& exit) {
  if (!exit.target) return;
  Exit** link = &exit.target->incoming;
  while (*link != &exit) link = &(*link)->next_incoming;
  *link = exit.next_incoming;
  exit.target = nullptr;
}

void Engine::set_jump(u32 site, const u8* to) {
  const u8* const at = cache_.at(site);
  store_code(at, static_cast<i32>(to - (at + 4)));
}

// An indirect jump left for `target`: that is where it shall go without asking from now on.
void Engine::learn(Exit& site, Translation& target) {
  if (site.owner->context != target.context) return;
  forget_incoming(site);
  unlink(site);
  const bool give_up = ++site.misses >= kMostMisses;
  site.ip = give_up ? Exit::kNowhere : target.ip;
  store_code(cache_.at(site.guard - Exit::kIpToGuard), site.ip);
  if (give_up) return set_jump(site.miss, indirect_of(stubs_, *site.owner));
  const u32 linear = target.ip + contexts_[target.context].cs_base;
  store_code(cache_.at(site.guard + Exit::kGuardToPage), (linear >> 12) * 8);
  link(site, target);
}

void Engine::remember_jump(const Translation& target) {
  const u32 linear = target.ip + contexts_[target.context].cs_base;
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
  while (Exit* exit = t->incoming) {
    t->incoming = exit->next_incoming;
    unlink(*exit);
  }
  for (Exit& exit : t->exits) {
    if (wanted_site_ == &exit) wanted_site_ = nullptr;
    if (exit.returns) continue;  // its code may still be found by a RET
    forget_incoming(exit);
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

// Blocks with a breakpoint are the interpreter's (Interp::run); what was translated before must not be found any more.
void Engine::forget_translations(u32 linear) {
  for (std::size_t n = 0; n < translations_.size();) {
    Translation* const t = translations_[n].get();
    const u32 start = t->ip + contexts_[t->context].cs_base;
    // Another one takes its place in the list.
    linear - start < t->block->bytes ? drop(t) : void(++n);
  }
}

// Only between blocks: nothing of the cache runs.
void Engine::flush_cache() {
  for (const auto& t : translations_) t->block->translation = nullptr;
  translations_.clear();
  dropped_.clear();
  ran_ = nullptr;
  std::fill(jumps_.begin(), jumps_.end(), JumpEntry{});
  frame_.returns.fill(stubs_.indirect);
  wanted_ = wanted_site_ = nullptr;
  recipes_.clear();
  cache_.truncate(stubs_.bytes);
  ++counters_.cache_flushes;
}

}  // namespace xlat::jit::x64
