// The two 32-bit page table formats: 32-bit paging with PSE, and PAE with NX.
#include "mmu/page_walk.h"

#include "base/bits.h"

namespace xlat {

namespace {

constexpr u64 kCr0Wp = 1 << 16, kCr0Pg = u64{1} << 31;
constexpr u64 kCr4Pse = 1 << 4, kCr4Pae = 1 << 5, kCr4Pge = 1 << 7;
constexpr u64 kEferNxe = 1 << 11;

constexpr u64 kP = 1, kRw = 2, kUs = 4, kA = 32, kD = 64, kPs = 128, kG = 256;
constexpr u64 kNx = u64{1} << 63;

// One table entry on the way down, in the common 64-bit form.
struct Entry {
  u64 at = 0;
  u64 value = 0;
};

// The walk of one address: gathers the entries, then judges rights, then sets A and D.
class Walk {
 public:
  Walk(const PagingContext& context, AddressSpace& memory, u32 linear, Access access, bool user)
      : context_(context), memory_(memory), linear_(linear), access_(access), user_(user) {}

  WalkResult run(bool probe) {
    const bool found = (context_.cr4 & kCr4Pae) ? pae() : two_level();
    if (!found) return fault();
    if (!allowed()) return fault(kPfPresent);
    if (!probe) set_accessed_dirty();
    WalkResult result;
    result.ok = true;
    result.phys = frame_ | (linear_ & page_mask_);
    result.writable = may_write() && (entries_[depth_ - 1].value & kD);
    result.global = (entries_[depth_ - 1].value & kG) && (context_.cr4 & kCr4Pge);
    result.executable = !nx_;
    result.page_bytes = static_cast<u32>(page_mask_ + 1);
    return result;
  }

 private:
  bool nx_enabled() const { return (context_.cr4 & kCr4Pae) && (context_.efer & kEferNxe); }

  // Reads an entry of `size` bytes; false if not present or a reserved bit is set.
  bool step(u64 at, unsigned size, u64 reserved) {
    Entry& entry = entries_[depth_++];
    entry.at = at;
    entry.value = memory_.read(at, size);
    entry_size_ = size;
    if (!(entry.value & kP)) return false;
    // Reserved-bit faults have P = 1 in the error code: the entry was present.
    if (entry.value & reserved) return set_error(kPfPresent | kPfReserved);
    rights_ &= entry.value;
    nx_ = nx_ || (nx_enabled() && (entry.value & kNx));
    return true;
  }

  bool set_error(u32 extra) {
    error_ |= extra;
    return false;
  }

  bool two_level() {
    const u64 directory = context_.cr3 & 0xfffff000;
    const u64 pde_at = (directory + ((linear_ >> 22) << 2)) & context_.a20_mask;
    const u64 peek = memory_.read(pde_at, 4);
    if ((context_.cr4 & kCr4Pse) && (peek & kPs)) {
      // Bits 20:13 hold address bits 39:32 with PSE-36, of which only those below MAXPHYADDR may be set.
      const u64 high_bits = context_.pse36 ? mask(context_.max_phys_bits - 32) << 13 : 0;
      const u64 reserved = (mask(9) << 13) & ~high_bits;
      if (!step(pde_at, 4, reserved)) return false;
      page_mask_ = mask(22);
      frame_ = (peek & 0xffc00000) | bits(peek & high_bits, 13, 8) << 32;
      return true;
    }
    if (!step(pde_at, 4, 0)) return false;
    const u64 pte_at = ((entries_[0].value & 0xfffff000) + (((linear_ >> 12) & 0x3ff) << 2)) & context_.a20_mask;
    if (!step(pte_at, 4, 0)) return false;
    frame_ = entries_[1].value & 0xfffff000;
    return true;
  }

  bool pae() {
    const u64 pdpte = context_.pdpte[linear_ >> 30];
    if (!(pdpte & kP)) return false;
    const u64 address = mask(context_.max_phys_bits) & ~u64{0xfff};
    const u64 reserved = ~mask(context_.max_phys_bits) & ~(nx_enabled() ? kNx : 0);
    const u64 pde_at = ((pdpte & address) + (((linear_ >> 21) & 0x1ff) << 3)) & context_.a20_mask;
    const u64 peek = memory_.read(pde_at, 8);
    if (peek & kPs) {
      if (!step(pde_at, 8, reserved | (mask(8) << 13))) return false;
      page_mask_ = mask(21);
      frame_ = peek & address & ~mask(21);
      return true;
    }
    if (!step(pde_at, 8, reserved)) return false;
    const u64 pte_at = ((entries_[0].value & address) + (((linear_ >> 12) & 0x1ff) << 3)) & context_.a20_mask;
    if (!step(pte_at, 8, reserved)) return false;
    frame_ = entries_[1].value & address;
    return true;
  }

  bool may_write() const { return (rights_ & kRw) || (!user_ && !(context_.cr0 & kCr0Wp)); }

  bool allowed() const {
    if (user_ && !(rights_ & kUs)) return false;
    if (access_ == Access::kWrite && !may_write()) return false;
    return !(access_ == Access::kExecute && nx_);
  }

  void set_accessed_dirty() {
    for (unsigned i = 0; i < depth_; ++i) {
      const bool last = i + 1 == depth_;
      const u64 want = entries_[i].value | kA | (last && access_ == Access::kWrite ? kD : 0);
      if (want != entries_[i].value) memory_.write(entries_[i].at, entry_size_, want);
      entries_[i].value = want;
    }
  }

  WalkResult fault(u32 extra = 0) const {
    WalkResult result;
    result.error_code = error_ | extra;
    if (access_ == Access::kWrite) result.error_code |= kPfWrite;
    if (user_) result.error_code |= kPfUser;
    if (access_ == Access::kExecute && nx_enabled()) result.error_code |= kPfFetch;
    return result;
  }

  const PagingContext& context_;
  AddressSpace& memory_;
  const u32 linear_;
  const Access access_;
  const bool user_;

  Entry entries_[2];
  unsigned depth_ = 0;
  unsigned entry_size_ = 4;
  u64 rights_ = ~u64{0};
  bool nx_ = false;
  u64 frame_ = 0;
  u64 page_mask_ = 0xfff;
  u32 error_ = 0;
};

}  // namespace

WalkResult walk(const PagingContext& context, AddressSpace& memory, u32 linear, Access access, bool user, bool probe) {
  if (!(context.cr0 & kCr0Pg)) {
    WalkResult result;
    result.ok = result.writable = true;
    result.phys = linear;
    return result;
  }
  return Walk(context, memory, linear, access, user).run(probe);
}

}  // namespace xlat
