// Ways out of the block. Where flags wait as a recipe, a jump that is linked to a block which overwrites them skips the
// code that would store them.
#include "base/bits.h"
#include "cpu/interp/block_cache.h"
#include "jit/x64/reencoder.h"

namespace xlat::jit::x64 {

namespace {

constexpr unsigned kR8 = 8, kR9 = 9, kR10 = 10, kR11 = 11, kR12 = 12, kRsp = 4;
constexpr unsigned kHostEsp = kGuestReg[kEsp];

}  // namespace

bool Reencoder::in_another_page(u32 ip) const {
  const u32 base = context_->cs_base;
  return ((translation_->ip + base) ^ (ip + base)) >> 12 != 0;
}

// The exits that follow find the flags in memory, or named by kFlagWord. The host's flags do not change.
void Reencoder::prepare_exit_flags() {
  if (flags_ == Flags::kHost) store_flags();
  if (flags_ == Flags::kRecipe) {
    set_flag_word(hot_, recipes_.number(recipe_));
  } else if (word_stale_) {
    set_flag_word(hot_, 0);
  }
}

// A jump, if `cc` is not negative on that condition, that can be linked to the block at `ip`.
void Reencoder::exit_to(u32 ip, int cc) {
  PendingExit exit;
  exit.ip = ip;
  exit.site = hot_.jump(cc);
  exit.in_cold = in_another_page(ip);
  if (flags_ == Flags::kRecipe) {
    exit.recipe = recipe_;
    exit.host_flags = host_valid_ && host_kind_ != FlagKind::kInc && host_kind_ != FlagKind::kDec;
    exit.kind = host_kind_;
    exit.count = host_count_;
  }
  exits_.push_back(exit);
}

// The TLB's entry of the page of `ip` against what will be filled in; where that is. See Exit::kGuardToPage.
u32 Reencoder::guard(ByteWriter& w, u32 ip) {
  const u32 slot = w.mov_later(kR8);
  w.dword(0x2484394d);  // cmp [r12 + disp32], r8
  w.dword(((ip + context_->cs_base) >> 12) * 8);
  return slot;
}

// The RET of this CALL shall find the code at what will be patched in. ESP is what it will be before the RET.
u32 Reencoder::note_call() {
  hot_.mov32(kR9, kHostEsp);
  hot_.op(32, 0x81, 4, Rm::reg(kR9));
  hot_.dword(kReturnMask);
  hot_.op(64, 0x8b, kR10, Rm::at(kRsp));
  hot_.byte(0x4c);  // lea r11, [rip + disp32]
  hot_.byte(0x8d);
  hot_.byte(0x1d);
  hot_.dword(0);
  const u32 site = hot_.size() - 4;
  hot_.op(64, 0x89, kR11, Rm::at(kR10, kR9, 1, kReturns));
  return site;
}

// r8d = EIP, r11d = context, as for Stubs::indirect. The page may have been mapped anew since the call.
void Reencoder::return_point(u32 site, u32 ip) {
  fixups_.push_back({false, false, site, hot_.size()});
  hot_.op(32, 0x81, 7, Rm::reg(kR8));
  hot_.dword(ip);
  absolutes_.push_back({false, hot_.jump(kNotZero), indirect_of(stubs_, *translation_)});
  hot_.op(32, 0x81, 7, Rm::reg(kR11));
  hot_.dword(translation_->context);
  absolutes_.push_back({false, hot_.jump(kNotZero), indirect_of(stubs_, *translation_)});
  PendingExit exit;
  exit.ip = ip;
  exit.returns = true;
  exit.guard = guard(hot_, ip);
  exit.guard_jump = hot_.jump(kNotZero);
  exit.site = hot_.jump(kAlways);
  exits_.push_back(exit);
}

// RET to r8d, when it has taken `popped` bytes.
void Reencoder::go_back(i32 popped) {
  hot_.op(32, 0x8d, kR9, Rm::at(kHostEsp, -popped));
  hot_.op(32, 0x81, 4, Rm::reg(kR9));
  hot_.dword(kReturnMask);
  hot_.op(64, 0x8b, kR10, Rm::at(kRsp));
  hot_.mov_imm32(kR11, translation_->context);
  hot_.op(32, 0xff, 4, Rm::at(kR10, kR9, 1, kReturns));
}

// To r8d. Until it has been somewhere it is a jump to nowhere that is never taken: EIP and page are filled in.
void Reencoder::indirect_jump() {
  PendingExit exit;
  exit.ip = Exit::kNowhere;
  hot_.mov_imm32(kR11, translation_->context);
  hot_.byte(0x41);
  hot_.byte(0x81);
  hot_.byte(0xf8);  // cmp r8d, imm32
  const u32 ip = hot_.size();
  hot_.dword(Exit::kNowhere);
  exit.miss_site = hot_.jump(kNotZero);
  exit.guard = guard(hot_, Exit::kNowhere - context_->cs_base);
  exit.guard_jump = hot_.jump(kNotZero);
  exit.site = hot_.jump(kAlways);
  ASSERT(ip + Exit::kIpToGuard == exit.guard);
  exits_.push_back(exit);
}

void Reencoder::emit_exit(const PendingExit& exit) {
  HostCode::ExitPlace place;
  place.ip = exit.ip;
  place.site = exit.site;
  place.guard = exit.guard;
  place.returns = exit.returns;
  if (exit.recipe) {
    place.store = cold_.size();
    if (!exit.host_flags) emit_recipe(cold_, exit.recipe);
    store_host_flags(cold_, exit.host_flags ? exit.kind : exit.recipe.kind(),
                     exit.host_flags ? exit.count : exit.recipe.count());
    set_flag_word(cold_, 0);
    for (unsigned reg = 0; reg < 16; ++reg) {
      if (exit.recipe.uses(reg)) place.needs |= static_cast<u8>(1u << guest_of(reg));
    }
  }
  u32 guard_jump = 0;
  if (exit.in_cold) {
    place.check = cold_.size();
    place.cold_guard = guard(cold_, exit.ip);
    guard_jump = cold_.jump(kNotZero);
  }
  if (exit.recipe || exit.in_cold) place.last = cold_.jump(kAlways);
  place.stub = cold_.size();
  if (guard_jump) fixups_.push_back({true, true, guard_jump, place.stub});
  if (place.last) fixups_.push_back({true, true, place.last, place.stub});
  if (exit.guard_jump) fixups_.push_back({false, true, exit.guard_jump, place.stub});
  fixups_.push_back({false, true, exit.site, place.stub});
  place.exit_slot = cold_.mov_later(kR8);
  absolutes_.push_back({true, cold_.jump(kAlways), stubs_.leave_by_exit});
  if (exit.miss_site) {
    place.miss = exit.miss_site;
    fixups_.push_back({false, true, exit.miss_site, cold_.size()});
    place.miss_slot = cold_.mov_later(kR9);
    absolutes_.push_back({true, cold_.jump(kAlways), stubs_.learn});
  }
  out_.exits.push_back(place);
}

// Now that their sizes are known, so are the places of both parts, and the distances between them.
void Reencoder::lay_out(const u8* base, const u8* cold_end) {
  const u8* const cold_base = cold_end - cold_.size();
  const auto place = [&](bool cold, u32 at) { return (cold ? cold_base : base) + at; };
  for (const Fixup& f : fixups_) {
    (f.from_cold ? cold_ : hot_).patch(f.at, static_cast<u32>(place(f.to_cold, f.to) - (place(f.from_cold, f.at) + 4)));
  }
  for (const Absolute& a : absolutes_) {
    (a.cold ? cold_ : hot_).patch(a.at, static_cast<u32>(a.target - (place(a.cold, a.at) + 4)));
  }
  out_.hot = hot_.bytes();
  out_.cold = cold_.bytes();
}

}  // namespace xlat::jit::x64
