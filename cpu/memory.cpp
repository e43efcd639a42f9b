// The slow path of guest memory access: page walk, TLB fill, devices, watched code, alignment, breakpoints.
#include "cpu/cpu.h"

namespace xlat {

namespace {

// Whether [address, address + bytes) meets what DRn watches. SDM vol. 3, 17.2.5.
bool meets_breakpoint(const CpuState& s, unsigned n, u32 address, unsigned bytes) {
  static constexpr u8 kLength[4] = {1, 2, 8, 4};
  const u32 length = kLength[(s.dr[7] >> (18 + 4 * n)) & 3];
  const u32 start = s.dr[n] & ~(length - 1);
  return u64{address} + bytes > start && address < u64{start} + length;
}

}  // namespace

PagingContext Cpu::paging() const {
  PagingContext context;
  context.cr0 = s.cr0;
  context.cr3 = s.cr3;
  context.cr4 = s.cr4;
  context.efer = s.efer;
  context.pdpte = s.pdpte;
  context.max_phys_bits = model_.max_phys_bits();
  context.a20_mask = a20_mask_;
  context.pse36 = model_.has(kCpuidPse36);
  return context;
}

bool Cpu::translate(u32 linear, Access access, bool user, WalkResult& result) {
  if (faulted_) return false;
  if (!(s.cr0 & kCr0Pg)) {
    result.ok = true;
    result.phys = linear & a20_mask_;
    return true;
  }
  result = walk(paging(), memory_, linear, access, user);
  if (!result.ok) {
    raise(kPF, result.error_code);
    s.cr2 = linear;
    tlb_.flush_page(linear);  // SDM vol. 3, 4.10.4.1: a page fault drops what is cached for its page
    return false;
  }
  result.phys &= a20_mask_;
  return true;
}

bool Cpu::translate_code(u32 linear, u64& phys) {
  WalkResult result;
  if (!translate(linear, Access::kExecute, user(), result)) return false;
  phys = result.phys;
  if (u8* page = memory_.page(phys).read) fill_tlb(Tlb::table_for(user(), false), linear, page, result);
  return true;
}

bool Cpu::peek_physical(u32 linear, u64& phys) {
  const WalkResult r = walk(paging(), memory_, linear, Access::kRead, false, true);
  if (r.ok) phys = r.phys & a20_mask_;
  return r.ok;
}

// Alignment is checked for CPL 3 data accesses with CR0.AM and EFLAGS.AC. SDM vol. 3, 6.15, #AC.
bool Cpu::check_alignment(u32 linear, unsigned bytes, bool user) {
  if (!user || !(linear & (bytes - 1))) return true;
  if (!(s.cr0 & kCr0Am) || !(s.flags.image() & kAc)) return true;
  raise(kAC, 0);
  return false;
}

// Data breakpoints are traps: they are noted now and taken at the next boundary. SDM vol. 3, 17.2.4.
void Cpu::check_data_breakpoints(u32 linear, unsigned bytes, bool write) {
  if (debug_points_) [[unlikely]]
    debug_points_->accessed(linear, bytes, write);
  if (!(s.dr[7] & 0xff)) return;
  u32 hits = 0;
  bool enabled = false;
  for (unsigned n = 0; n < 4; ++n) {
    const unsigned type = (s.dr[7] >> (16 + 4 * n)) & 3;
    if (type != 1 && type != 3) continue;
    if (type == 1 && !write) continue;
    if (!meets_breakpoint(s, n, linear, bytes)) continue;
    hits |= 1u << n;
    if (s.dr[7] & (3u << (2 * n))) enabled = true;
  }
  if (!enabled) return;
  s.debug_trap |= hits;
  leave_block();
}

u64 Cpu::load_page(u32 linear, unsigned bytes, const WalkResult& at, bool user) {
  const u64 phys = at.phys;
  const PageOwner& owner = memory_.page(phys);
  if (owner.read) {
    u8* page = owner.read;
    // Engines take an entry that leads to code for the right to execute it.
    if (at.executable || !memory_.code_watch().page_has_code(phys)) {
      fill_tlb(Tlb::table_for(user, false), linear, page, at);
    }
    return load_le_n(page + (phys & 0xfff), bytes);
  }
  publish_count();
  if (!owner.io) note_nothing_there("read", phys, bytes);
  return memory_.read(phys, bytes);
}

void Cpu::note_nothing_there(const char* what, u64 phys, unsigned bytes) {
  log_.line(LogItem::kGuestErrors, "Invalid {} at addr {:#x}, size {}, at {:04x}:{:08x}: nothing is there", what, phys,
            bytes, s.seg[kCs].selector, s.ip);
}

void Cpu::store_page(u32 linear, unsigned bytes, const WalkResult& to, u64 value, bool user, bool cacheable) {
  const u64 phys = to.phys;
  const PageOwner& owner = memory_.page(phys);
  if (owner.write) {
    if (owner.dirty) *owner.dirty = 1;
    if (cacheable && !memory_.code_watch().page_has_code(phys)) {
      fill_tlb(Tlb::table_for(user, true), linear, owner.write, to);
    }
    memory_.code_watch().before_store(phys, bytes);
    store_le_n(owner.write + (phys & 0xfff), bytes, value);
    return;
  }
  publish_count();
  if (!owner.io) note_nothing_there(owner.read ? "write to ROM" : "write", phys, bytes);
  memory_.write(phys, bytes, value);
}

u64 Cpu::load_slow(u32 linear, unsigned bytes, bool user) {
  if (faulted_ || !check_alignment(linear, bytes, user)) return 0;
  WalkResult at;
  if (!translate(linear, Access::kRead, user, at)) return 0;
  const u64 phys = at.phys;
  const unsigned first = 4096 - (linear & 0xfff);
  if (bytes <= first) {
    check_data_breakpoints(linear, bytes, false);
    return load_page(linear, bytes, at, user);
  }
  u64 phys2 = 0;
  if (!translate(linear + first, Access::kRead, user, phys2)) return 0;
  check_data_breakpoints(linear, bytes, false);
  publish_count();
  u64 value = 0;
  for (unsigned i = 0; i < bytes; ++i) {
    value |= memory_.read(i < first ? phys + i : phys2 + (i - first), 1) << (8 * i);
  }
  return value;
}

void Cpu::store_slow(u32 linear, unsigned bytes, u64 value, bool user) {
  if (faulted_ || !check_alignment(linear, bytes, user)) return;
  WalkResult to;
  if (!translate(linear, Access::kWrite, user, to)) return;
  const unsigned first = 4096 - (linear & 0xfff);
  if (bytes <= first) {
    check_data_breakpoints(linear, bytes, true);
    return store_page(linear, bytes, to, value, user, true);
  }
  WalkResult then;
  if (!translate(linear + first, Access::kWrite, user, then)) return;
  check_data_breakpoints(linear, bytes, true);
  for (unsigned i = 0; i < bytes; ++i) {
    WalkResult& byte = i < first ? to : then;
    store_page(linear + i, 1, byte, (value >> (8 * i)) & 0xff, user, false);
    ++byte.phys;
  }
}

void Cpu::probe_store(u32 linear, unsigned bytes, bool user) {
  if (faulted_ || !check_alignment(linear, bytes, user)) return;
  u64 phys = 0;
  if (!translate(linear, Access::kWrite, user, phys)) return;
  const unsigned first = 4096 - (linear & 0xfff);
  if (bytes > first) translate(linear + first, Access::kWrite, user, phys);
}

u64 Cpu::load_seg(unsigned seg, u32 offset, unsigned bytes) {
  return load_slow(linear_for_read(seg, offset, bytes), bytes, user());
}

void Cpu::store_seg(unsigned seg, u32 offset, unsigned bytes, u64 value) {
  store_slow(linear_for_write(seg, offset, bytes), bytes, value, user());
}

void Cpu::update_tables() {
  const bool check_all = (user() && (s.cr0 & kCr0Am) && (s.flags.image() & kAc)) || (s.dr[7] & 0xff) != 0;
  read_table_ = check_all ? no_table_ : tlb_.addends(Tlb::table_for(user(), false));
  write_table_ = check_all ? no_table_ : tlb_.addends(Tlb::table_for(user(), true));
  system_table_ = (s.dr[7] & 0xff) != 0 ? no_table_ : tlb_.addends(Tlb::kSupervisorRead);
}

void Cpu::flush_tlb() { tlb_.flush(); }

void Cpu::invalidate_page(u32 linear) { tlb_.flush_page(linear); }

void Cpu::mapping_changed() { flush_tlb(); }

void Cpu::stores_watched(const u8* host_page) { tlb_.drop_writes_to(host_page); }

void Cpu::page_watched(u64 phys_page) {
  if (const u8* host = memory_.page(phys_page << 12).write) tlb_.drop_writes_to(host);
}

void Cpu::set_a20(bool on) {
  const u64 m = on ? ~u64{0} : ~(u64{1} << 20);
  if (m == a20_mask_) return;
  a20_mask_ = m;
  flush_tlb();
  leave_block();
}

// ---- Ports ----

// Where the I/O map begins in the TSS; one of 32 bits has it.
u32 Cpu::io_map() {
  if (!s.tr.usable() || !s.tr.tss32() || s.tr.limit < 103) raise(kGP, 0);
  return faulted_ ? 0 : static_cast<u32>(load_system(s.tr.base + 102, 2));
}

// SDM vol. 1, 19.5.2: the bitmap in the TSS decides when CPL > IOPL, and always in virtual-8086 mode.
bool Cpu::io_allowed(u16 port, unsigned bytes) {
  if (!s.protected_mode() || (!s.vm86() && s.cpl <= s.iopl())) return true;
  const u32 map = io_map();
  // The bitmap is read two bytes at a time: both must lie within the limit.
  const u32 at = map + port / 8;
  if (!faulted_ && at + 1 > s.tr.limit) raise(kGP, 0);
  const u64 two_bytes = load_system(s.tr.base + at, 2);
  if (faulted_) return false;
  if ((two_bytes >> (port & 7)) & mask(bytes)) {
    raise(kGP, 0);
    return false;
  }
  return true;
}

void Cpu::check_io_breakpoints(u16 port, unsigned bytes) {
  if (!(s.dr[7] & 0xff) || !(s.cr4 & kCr4De)) return;
  for (unsigned n = 0; n < 4; ++n) {
    if (((s.dr[7] >> (16 + 4 * n)) & 3) != 2 || !(s.dr[7] & (3u << (2 * n)))) continue;
    if (!meets_breakpoint(s, n, port, bytes)) continue;
    s.debug_trap |= 1u << n;
    leave_block();
  }
}

u32 Cpu::in(u16 port, unsigned bytes) {
  if (faulted_ || !io_allowed(port, bytes)) return 0;
  publish_count();
  check_io_breakpoints(port, bytes);
  return ports_.read(port, bytes);
}

void Cpu::out(u16 port, unsigned bytes, u32 value) {
  if (faulted_ || !io_allowed(port, bytes)) return;
  publish_count();
  check_io_breakpoints(port, bytes);
  ports_.write(port, bytes, value);
}

}  // namespace xlat
