// One processor: its state, its view of memory and ports, and the operations too rare or too complex to be written as
// instruction semantics (far transfers, interrupts, task switches, system registers).
#pragma once

#include <functional>

#include "base/clock.h"
#include "base/irq_line.h"
#include "base/log.h"
#include "cpu/debug_points.h"
#include "cpu/fault.h"
#include "cpu/model.h"
#include "cpu/state.h"
#include "mmu/address_space.h"
#include "mmu/page_walk.h"
#include "mmu/port_bus.h"
#include "mmu/tlb.h"

namespace xlat {

// What an engine gives the processor it drives.
class Engine {
 public:
  virtual ~Engine() = default;
  // Brings Clock::count up to the instruction being executed, before a device or RDTSC looks at it.
  virtual void publish_count() = 0;
  // Leaves translated or cached code after the instruction being executed.
  virtual void leave_block() = 0;
  // What was made of the code at this address, to run it faster, is not used any more: a breakpoint lies there.
  virtual void forget_translations(u32 linear) { (void)linear; }
};

// The wires and services around a processor.
struct CpuPins {
  std::function<u8()> interrupt_acknowledge = [] { return u8{0xff}; };
  std::function<void()> shutdown = [] {};        // triple fault
  std::function<void(bool)> ferr = [](bool) {};  // FERR#
};

class Cpu : public IrqSink, private MappingListener, private CodeListener {
 public:
  enum Pin : unsigned { kPinIntr, kPinNmi, kPinIgnne };

  Cpu(const CpuModel& model, AddressSpace& memory, PortBus& ports, Clock& clock, Log& log);

  CpuState s;
  CpuPins pins;

  const CpuModel& model() const { return model_; }
  Clock& clock() { return clock_; }
  Log& log() { return log_; }
  AddressSpace& memory() { return memory_; }
  PortBus& ports() { return ports_; }

  void reset();
  void serialize(Archive& ar);
  void set_irq(unsigned pin, bool level) override;
  // While on, no interrupt is taken, maskable or not: for single steps of a debugger.
  void hold_interrupts(bool on) { hold_interrupts_ = on; }
  // What a debugger stops at; null: nothing.
  void set_debug_points(DebugPoints* points) {
    debug_points_ = points;
    flush_tlb();
  }
  DebugPoints* debug_points() { return debug_points_; }
  bool debug_hit() const { return debug_points_ && debug_points_->hit(); }
  void set_a20(bool on);
  bool a20() const { return a20_mask_ == ~u64{0}; }
  void attach(Engine* engine) { engine_ = engine; }
  Engine* engine() { return engine_; }

  // ---- Faults: the first one raised sticks; until it is delivered every access does nothing and reads zero. ----
  bool faulted() const { return faulted_; }
  const Fault& fault() const { return fault_; }
  void raise(u8 vector, u32 code = 0);
  // Error code from a selector, with the EXT bit as the event being delivered asks for.
  void raise_selector(u8 vector, u16 selector) { raise(vector, (selector & 0xfffcu) | ext_); }
  // The instruction does not run now: the processor stands still before it until an interrupt comes.
  void freeze() { raise(kFreeze); }
  bool ignne() const { return ignne_; }
  void clear_fault() { faulted_ = false; }
  // The fault came after a task switch was made: it is the new task's, and EIP is that task's already.
  bool fault_in_new_task() const { return faulted_ && task_switched_; }

  // ---- Linear memory ----
  // `bytes` is 1, 2, 4 or 8. User rights are those of CPL 3.
  template <unsigned kBytes>
  u64 load(u32 linear) {
    if ((linear & 0xfff) <= 4096 - kBytes) {
      if (const std::uintptr_t addend = read_table_[linear >> 12]) {
        return load_le_fixed<kBytes>(reinterpret_cast<const void*>(addend + linear));
      }
    }
    return load_slow(linear, kBytes, user());
  }
  template <unsigned kBytes>
  void store(u32 linear, u64 value) {
    if ((linear & 0xfff) <= 4096 - kBytes) {
      if (const std::uintptr_t addend = write_table_[linear >> 12]) {
        store_le_fixed<kBytes>(reinterpret_cast<void*>(addend + linear), value);
        return;
      }
    }
    store_slow(linear, kBytes, value, user());
  }
  // Host address of a whole writable operand, or null where the slow path must be taken.
  u8* writable_host(u32 linear, unsigned bytes) {
    if ((linear & 0xfff) > 4096 - bytes) return nullptr;
    const std::uintptr_t addend = write_table_[linear >> 12];
    return addend ? reinterpret_cast<u8*>(addend + linear) : nullptr;
  }
  // The same for reading one byte.
  const u8* readable_host(u32 linear) {
    const std::uintptr_t addend = read_table_[linear >> 12];
    return addend ? reinterpret_cast<const u8*>(addend + linear) : nullptr;
  }
  u64 load_slow(u32 linear, unsigned bytes, bool user);
  void store_slow(u32 linear, unsigned bytes, u64 value, bool user);
  // Raises the fault a store of `bytes` would raise, and stores nothing.
  void probe_store(u32 linear, unsigned bytes, bool user);

  // Accesses to descriptor tables, TSS and inner stacks: supervisor rights whatever CPL is.
  u64 load_system(u32 linear, unsigned bytes) {
    const std::uintptr_t addend = system_table_[linear >> 12];
    if (addend == 0 || (linear & 0xfff) + bytes > 4096) return load_slow(linear, bytes, false);
    return load_le_n(reinterpret_cast<const void*>(addend + linear), bytes);
  }
  void store_system(u32 linear, unsigned bytes, u64 value) {
    const std::uintptr_t addend = system_table_[Tlb::kEntries + (linear >> 12)];
    if (addend == 0 || (linear & 0xfff) + bytes > 4096) return store_slow(linear, bytes, value, false);
    store_le_n(reinterpret_cast<void*>(addend + linear), bytes, value);
  }

  // Linear to physical for an access; raises #PF and returns false if there is none.
  bool translate(u32 linear, Access access, bool user, WalkResult& result);
  bool translate(u32 linear, Access access, bool user, u64& phys) {
    WalkResult result;
    const bool ok = translate(linear, access, user, result);
    phys = result.phys;
    return ok;
  }
  // The same to fetch code, which puts the page into the read table if it is RAM or ROM.
  bool translate_code(u32 linear, u64& phys);
  // The same for a debugger or monitor: no fault, no accessed bit; false if nothing is mapped.
  bool peek_physical(u32 linear, u64& phys);

  // ---- Segmented memory ----
  // Linear address of a data access, after limit and type checks (#GP or #SS on violation; returns 0 then).
  u32 linear_for_read(unsigned seg, u32 offset, unsigned bytes) {
    const Segment& sr = s.seg[seg];
    if (!sr.readable(offset, bytes)) [[unlikely]]
      segment_fault(seg);
    return sr.base + offset;
  }
  u32 linear_for_write(unsigned seg, u32 offset, unsigned bytes) {
    const Segment& sr = s.seg[seg];
    if (!sr.writable(offset, bytes)) [[unlikely]]
      segment_fault(seg);
    return sr.base + offset;
  }
  void segment_fault(unsigned seg) { raise(seg == kSs ? kSS : kGP, 0); }
  u64 load_seg(unsigned seg, u32 offset, unsigned bytes);
  void store_seg(unsigned seg, u32 offset, unsigned bytes, u64 value);

  // ---- Ports: permission by IOPL and the TSS bitmap, then the bus. ----
  void check_io(u16 port, unsigned bytes) { (void)(faulted_ || io_allowed(port, bytes)); }
  u32 in(u16 port, unsigned bytes);
  void out(u16 port, unsigned bytes, u32 value);

  // ---- Segments and far transfers: cpu/segments.cpp, cpu/far.cpp ----
  bool descriptor(u16 selector, Descriptor& d, u32& linear);
  void load_segment(SegReg n, u16 selector);
  // The same for ES, DS, FS and GS where it is simple: no fault, no memory but what the TLB has, and Segment::flat
  // stays as it is. False where it is not, and then nothing has changed.
  bool load_segment_fast(SegReg n, u16 selector);
  // Whether VERR and VERW may see a descriptor that lies where the TLB leads; it is not the null selector's.
  bool visible_fast(u16 selector, Descriptor& d) const {
    return (selector & 0xfffc) != 0 && descriptor_fast(selector, d) && descriptor_visible(selector, d);
  }
  bool descriptor_visible(u16 selector, const Descriptor& d) const {
    return d.conforming() || (d.dpl() >= s.cpl && d.dpl() >= (selector & 3u));
  }
  void load_ldt(u16 selector);
  void load_tr(u16 selector);
  void far_jump(u16 selector, u32 offset, unsigned bytes);
  void far_call(u16 selector, u32 offset, unsigned bytes);
  void far_return(unsigned bytes, u16 release);
  void interrupt_return(unsigned bytes);
  void sysenter();
  void sysexit();

  // ---- Interrupts and exceptions: cpu/interrupts.cpp ----
  enum class Event : u8 { kExternal, kException, kSoftware /* INT n, INT3, INTO */, kIcebp };
  // One delivery; may leave a fault.
  void interrupt(u8 vector, Event event, bool with_code = false, u32 code = 0);
  // INT n with its privilege checks.
  void software_interrupt(u8 vector, bool is_int_n);
  // Delivers the pending fault, with double and triple faults. s.ip must be the faulting instruction's.
  void deliver_fault();

  // What the engine has to do at an instruction boundary when attention() is set.
  enum class Boundary : u8 { kRun, kStep /* one instruction, then after_step */, kIdle };
  bool attention() const {
    return pending_ != 0 || s.halted || s.shadow != Shadow::kNone || s.debug_trap != 0 ||
           (s.flags.image() & (kTf | kRf)) != 0 || (s.dr[7] & 0xff) != 0;
  }
  // Takes traps and interrupts; counts in `events` each one delivered.
  Boundary boundary(u64& events);
  // Whether each iteration of a repeated instruction is a step of its own.
  bool steps_iterations() const { return (s.flags.image() & kTf) || (s.dr[7] & 0xff); }
  void before_step();
  void after_step(bool completed, bool more_iterations);

  // ---- Task switches: cpu/task.cpp ----
  enum class TaskVia : u8 { kJump, kCall, kIret };
  // `code_pushed`: the error code that goes on the new task's stack, for exceptions through a task gate.
  // `rf`: kRf if the old task's saved EFLAGS has it set.
  void switch_task(u16 selector, TaskVia via, u32 rf = 0, bool has_code = false, u32 code = 0);

  // ---- System registers: cpu/system.cpp ----
  void write_cr0(u32 value);
  void write_cr3(u32 value);
  void write_cr4(u32 value);
  u32 read_dr(unsigned n);
  void write_dr(unsigned n, u32 value);
  u64 read_msr(u32 index);
  void write_msr(u32 index, u64 value);
  u64 tsc();
  bool may_read_tsc() const { return !s.protected_mode() || !(s.cr4 & kCr4Tsd) || s.cpl == 0; }
  void flush_tlb();
  // CR3 was loaded: pages that are not global go.
  void switch_address_space() { tlb_.flush_local(); }
  void invalidate_page(u32 linear);
  // #GP if virtual-8086 code under VME may not load these flags.
  bool check_flags(u32 value);
  // Flags by POPF and IRET: only what CPL and IOPL allow. `bytes` is 2 or 4.
  void write_flags(u32 value, unsigned bytes);

  bool user() const { return s.cpl == 3; }
  PagingContext paging() const;
  // After CPL, CR0.AM, EFLAGS.AC or breakpoints changed: chooses the TLB tables.
  void update_tables();
  void set_cpl(u8 cpl) {
    s.cpl = cpl;
    update_tables();
  }
  Tlb& tlb() { return tlb_; }
  // The read table in use; the write table lies Tlb::kTableBytes behind it.
  const std::uintptr_t* read_table() const { return read_table_; }
  void publish_count() {
    if (engine_) engine_->publish_count();
  }
  void leave_block() {
    if (engine_) engine_->leave_block();
  }
  // An instruction may have let in what waited outside: interrupts, traps.
  void leave_block_if_attention() {
    if (attention()) leave_block();
  }
  // Not zero: an interrupt waits, perhaps for IF.
  const u32& pending() const { return pending_; }

  // The engine's decoded code on a page changed; set by the engine.
  std::function<void(u64 phys, unsigned bytes)> on_code_written = [](u64, unsigned) {};

 private:
  void mapping_changed() override;
  void stores_watched(const u8* host_page) override;
  void page_watched(u64 phys_page) override;
  void code_written(u64 phys, unsigned bytes) override { on_code_written(phys, bytes); }

  void fill_tlb(Tlb::Table table, u32 linear, u8* page, const WalkResult& at) {
    // A debugger has to see the accesses.
    if (debug_points_ && debug_points_->watches_page(linear, table & 1)) return;
    tlb_.fill(table, linear, page, at.global, at.page_bytes);
  }
  void note_nothing_there(const char* what, u64 phys, unsigned bytes);
  u64 load_page(u32 linear, unsigned bytes, const WalkResult& at, bool user);
  void store_page(u32 linear, unsigned bytes, const WalkResult& at, u64 value, bool user, bool cacheable);
  bool check_alignment(u32 linear, unsigned bytes, bool user);
  void check_data_breakpoints(u32 linear, unsigned bytes, bool write);
  void check_io_breakpoints(u16 port, unsigned bytes);
  bool io_allowed(u16 port, unsigned bytes);
  bool load_pdptes(u32 cr3);
  // A descriptor that lies where the TLB leads.
  bool descriptor_fast(u16 selector, Descriptor& d) const;
  // What loading a data segment register but SS raises; 0: nothing.
  u8 data_segment_fault(const Descriptor& d, unsigned rpl) const;

  // Far transfer pieces.
  void jump_to_code(u16 selector, const Descriptor& d, u32 linear, u32 offset, u8 cpl);
  void call_code(u16 selector, const Descriptor& d, u32 linear, u32 offset, unsigned bytes);
  bool find_target(u16 selector, Descriptor& d, u32& linear);
  bool check_code_target(u16 selector, const Descriptor& d);
  bool check_return_target(u16 cs, Descriptor& d, u32& linear);
  void call_gate(u16 selector, const Descriptor& gate, bool is_call);
  void return_outer(u16 cs, u32 ip, const Descriptor& cs_desc, u32 cs_linear, unsigned bytes, u16 release, u32 eflags,
                    bool is_iret);
  void load_rf(u32 eflags, unsigned bytes);
  bool inner_stack(unsigned cpl, u16& ss, u32& esp);
  bool load_inner_ss(u16 selector, unsigned cpl, u8 vector, Segment& out, u32& linear);
  void invalidate_outer_segments();
  void set_accessed(u32 linear, const Descriptor& d);
  u32 io_map();
  bool redirected(u8 vector);
  void interrupt_redirected(u8 vector);
  void interrupt_real(u8 vector);
  void enter_16bit_handler(u32 entry, u32 flags, u32 cleared);
  u32 pushed_rf(u8 vector, Event event) const;
  void interrupt_protected(u8 vector, Event event, bool with_code, u32 code);
  void interrupt_gate(u8 vector, const Descriptor& gate, Event event, bool with_code, u32 code);

  const CpuModel model_;
  AddressSpace& memory_;
  PortBus& ports_;
  Clock& clock_;
  Log& log_;
  Engine* engine_ = nullptr;
  Tlb tlb_;
  const std::uintptr_t* read_table_ = nullptr;
  const std::uintptr_t* write_table_ = nullptr;
  const std::uintptr_t* system_table_ = nullptr;  // for reads with supervisor rights, that for writes behind it
  std::uintptr_t* no_table_ =
      nullptr;  // a pair of tables without entries, for when every access must take the slow path
  u64 a20_mask_ = ~u64{0};

  bool faulted_ = false;
  Fault fault_;
  bool task_switched_ = false;
  u32 ext_ = 0;

  // Events waiting for an instruction boundary.
  enum Pending : u32 { kPendingIntr = 1, kPendingNmi = 2 };
  u32 pending_ = 0;
  bool hold_interrupts_ = false;
  DebugPoints* debug_points_ = nullptr;
  bool nmi_level_ = false;
  bool ignne_ = false;
  bool step_tf_ = false, step_rf_ = false, flow_changed_ = false;
  bool switched_task_ = false;  // by the instruction itself, not by an interrupt
  bool rf_loaded_ = false;      // by IRET: stays for the next instruction
};

}  // namespace xlat
