// Accesses to memory: the check of the flat TLB, once for a group of them where that can be, and the slow paths.
#include <algorithm>
#include <bit>
#include <cstddef>

#include "jit/x64/reencoder.h"
#include "mmu/tlb.h"

namespace xlat::jit::x64 {

namespace {
constexpr unsigned kR8 = 8, kR9 = 9, kR12 = 12, kRsp = 4;
}  // namespace

// The memory operand as the host addresses it, without what a segment adds.
Rm Reencoder::address(const Insn& i) const {
  const auto reg = [](u8 n) { return n == kZeroReg ? Rm::kNone : static_cast<u8>(kGuestReg[n]); };
  return {true, reg(i.base), reg(i.index), i.index == kZeroReg ? u8{0} : i.scale, i.disp};
}

// Zero-extended.
void Reencoder::load_to(unsigned to, unsigned w, const Rm& from) {
  hot_.op(32, w == 8 ? 0x0fb6 : w == 16 ? 0x0fb7 : 0x8b, to, from);
}

void Reencoder::linear_to(unsigned to, const Rm& at) {
  if (at.base == Rm::kNone && at.index == Rm::kNone) return hot_.mov_imm32(to, static_cast<u32>(at.disp));
  if (at.index == Rm::kNone && at.disp == 0) return hot_.mov32(to, at.base);
  hot_.op(32, 0x8d, to, at);
}

// `page` becomes the number of the page of the linear address in `linear`. An access that reaches into the next one
// takes the slow path: offset and page change places, so that one comparison tells.
void Reencoder::page_number(unsigned n, unsigned page, unsigned linear, unsigned bytes) {
  hot_.mov32(page, linear);
  hot_.op(32, 0xc1, bytes > 1 ? 1 : 5, Rm::reg(page));  // ror or shr page, 12
  hot_.byte(12);
  if (bytes == 1) return;
  hot_.op(32, 0x81, 7, Rm::reg(page));  // cmp page, imm32
  hot_.dword((4097 - bytes) << 20);
  slow_jump(n, kAboveOrEqual);
  hot_.op(32, 0x81, 4, Rm::reg(page));  // and page, imm32
  hot_.dword(0xfffff);
}

// The number of a page in `page` becomes the TLB's entry for it, or the slow path is taken.
void Reencoder::look_up(unsigned n, unsigned page, bool write) {
  hot_.op(64, 0x8b, page, Rm::at(kR12, page, 3, write ? static_cast<i32>(Tlb::kTableBytes) : 0));
  hot_.op(64, 0x85, page, Rm::reg(page));
  slow_jump(n, kZero);
}

// Register `to` becomes where ESP + disp is in this process.
void Reencoder::by_stack_page(unsigned n, unsigned to, i32 disp, unsigned bytes, bool write) {
  linear_to(to, Rm::at(kGuestReg[kEsp], disp));
  hot_.op(64, 0x2b, to, Rm::at(kRsp, kStackPage));
  hot_.group1(64, 7, Rm::reg(to), static_cast<i32>(4096 - bytes));
  const u32 site = hot_.jump(kAbove);
  hot_.op(64, 0x03, to, Rm::at(kRsp, kStackHost));
  other_stack_pages_.push_back({site, hot_.size(), to, bytes, write, slow_path(n)});
}

// Access `which` of the instruction, checked. By itself it is [r9], or [r9 + r8] with a guest's register in place of r8
// if that serves.
Rm Reencoder::memory(unsigned n, unsigned which) {
  const Access& access = steps_[n].access[which];
  if (access.group && groups_[access.group - 1u].pointer) return grouped(n, access);
  clobber(n);
  if (access.base == kEsp) {
    by_stack_page(n, kR9, access.disp, access.bytes, access.write);
    return Rm::at(kR9);
  }
  const Rm at = access.stack ? Rm::at(kGuestReg[access.base], access.disp) : address(insn(n));
  const bool plain = at.index == Rm::kNone && at.disp == 0 && at.base != Rm::kNone;
  const unsigned linear = plain ? at.base : kR8;
  if (!plain) linear_to(kR8, at);
  page_number(n, kR9, linear, access.bytes);
  look_up(n, kR9, access.write);
  return Rm::at(kR9, linear, 0, 0);
}

// The first access of a group looks up the page and sees to it that all of the group lies there; a register points to
// its first byte from then on.
Rm Reencoder::grouped(unsigned n, const Access& access) {
  Group& group = groups_[access.group - 1u];
  if (!group.checked) {
    group.checked = true;
    clobber(n);
    const i32 disp = static_cast<i32>(static_cast<u32>(access.disp) + static_cast<u32>(group.low - access.offset));
    const unsigned bytes = static_cast<unsigned>(group.high - group.low);
    if (access.base == kEsp) {
      by_stack_page(n, group.pointer, disp, bytes, group.write);
      return Rm::at(group.pointer, access.offset - group.low);
    }
    linear_to(kR9,
              access.base == kZeroReg ? Rm{true, Rm::kNone, Rm::kNone, 0, disp} : Rm::at(kGuestReg[access.base], disp));
    page_number(n, group.pointer, kR9, bytes);
    look_up(n, group.pointer, group.write);
    hot_.op(64, 0x03, group.pointer, Rm::reg(kR9));
  }
  return Rm::at(group.pointer, access.offset - group.low);
}

// Whether a group that was checked by then is used behind instruction `n`: its pointer does not outlive the slow path.
bool Reencoder::rest_relies(unsigned n) const {
  for (const Group& group : groups_) {
    if (group.pointer && group.first <= n && n < group.last) return true;
  }
  return false;
}

u32 Reencoder::slow_path(unsigned n) {
  if (slow_of_now_ < 0) {
    slow_of_now_ = static_cast<int>(slow_.size());
    Slow slow{n, rest_relies(n), false, 0};
    if (flags_ == Flags::kRecipe) {
      slow.set_word = true;
      slow.word = recipes_.number(recipe_);
    } else if (flags_ != Flags::kInherited && word_stale_) {
      slow.set_word = true;
    }
    ASSERT(flags_ != Flags::kHost && flags_ != Flags::kDead);
    slow_.push_back(slow);
  }
  return static_cast<u32>(slow_of_now_);
}

void Reencoder::slow_jump(unsigned n, int cc) {
  const u32 slow = slow_path(n);
  slow_jumps_.push_back({hot_.jump(cc), slow});
}

// Falls through if the access is not to be made here.
void Reencoder::find_other_page(const OtherStackPage& o) {
  fixups_.push_back({false, true, o.site, cold_.size()});
  cold_.mov_imm32(kR8, o.bytes - 1);
  const auto* reg = std::find(std::begin(kStackPointers), std::end(kStackPointers), o.reg);
  absolutes_.push_back({true, cold_.call(), stubs_.stack[reg - std::begin(kStackPointers)][o.write]});
  fixups_.push_back({true, false, cold_.jump(kNotZero), o.back});
}

// The interpreter runs the instruction, or with it the rest of the block, and knows where its flags are.
void Reencoder::emit_slow_paths() {
  std::vector<u32> begins;
  std::vector<u32> calls;
  auto other = other_stack_pages_.begin();
  for (const Slow& slow : slow_) {
    const auto is_here = [&](auto at) { return at != other_stack_pages_.end() && at->slow == begins.size(); };
    u32 over = 0;  // of two accesses the first one's jump; the last one falls through
    for (; is_here(other); ++other) {
      find_other_page(*other);
      if (is_here(std::next(other))) over = cold_.jump(kAlways);
    }
    begins.push_back(cold_.size());
    if (over) fixups_.push_back({true, true, over, begins.back()});
    if (slow.set_word) set_flag_word(cold_, slow.word);
    cold_.mov_imm32(kR8, slow.insn | (slow.rest ? kInterpretRest : 0));
    calls.push_back(cold_.call());
    if (slow.rest || slow.insn + 1 == block_->insns.size()) continue;  // it has left
    if (slow.to_host_flags) load_host_flags(cold_);
    fixups_.push_back({true, false, cold_.jump(kAlways), slow.next});
  }
  for (const SlowJump& jump : slow_jumps_) fixups_.push_back({false, true, jump.site, begins[jump.slow]});
  if (calls.empty()) return;
  for (const u32 call : calls) fixups_.push_back({true, true, call, cold_.size()});
  cold_.patch_qword(cold_.mov_later(kR9), reinterpret_cast<std::uintptr_t>(translation_));
  absolutes_.push_back({true, cold_.jump(kAlways), stubs_.interpret});
}

}  // namespace xlat::jit::x64
