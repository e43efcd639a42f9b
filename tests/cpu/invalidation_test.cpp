// What each operation drops of the cached translations, line by line of SDM vol. 3, 4.10.4.1, and what it leaves
// cached.
#include <catch2/catch.hpp>

#include "tests/support/protected_cpu.h"

using namespace xlat;
using test::BareCpu;
using test::ProtectedCpu;

namespace {

constexpr u32 kTables = 0x10000, kDirectory = kTables, kTable = kTables + 0x1000, kPdpt = kTables + 0x2000;
constexpr u32 kMiB = 1 << 20;
// Three places for what is mapped at kMapped: each is marked in all of its pages.
constexpr u32 kMapped = 32 * kMiB, kA = 8 * kMiB, kB = 12 * kMiB, kC = 16 * kMiB;
constexpr u64 kPresent = 3, kLarge = 0x83, kAccessed = 0x20, kDirty = 0x40, kGlobal = 0x100;

// Paging in one of three forms. entry() is the last one on the way to kMapped, which the tests change behind the
// processor's back.
class Paged : public BareCpu {
 public:
  enum class Form { k4K, k4M, k2M };

  explicit Paged(Form form, u32 cr4 = kCr4Pge) : BareCpu(24 * kMiB), form_(form) {
    flat32(0x8000, 0x9000);
    if (form == Form::k2M) {
      for (u32 n = 0; n < 4; ++n) entry64(kPdpt + 8 * n, (kDirectory + 0x4000 + 0x1000 * n) | 1);
      for (u32 n = 0; n < 512; ++n) entry64(kDirectory + 0x4000 + 8 * n, u64{n} << 21 | kLarge);
    } else {
      for (u32 n = 0; n < 1024; ++n) put32(kDirectory + 4 * n, n << 22 | kLarge);
    }
    if (form == Form::k4K) put32(kDirectory + 4 * (kMapped >> 22), kTable | kPresent);
    for (const u32 at : {kA, kB, kC}) {
      for (u32 page = 0; page < 4 * kMiB; page += 4096) put32(at + page, at | page >> 12);
    }
    map(kA);
    cpu.s.cr3 = form == Form::k2M ? kPdpt : kDirectory;
    cpu.write_cr4(kCr4Pse | cr4 | (form == Form::k2M ? kCr4Pae : 0));
    cpu.write_cr0((cpu.s.cr0 & ~(kCr0Cd | kCr0Nw)) | kCr0Pg | kCr0Wp);
    REQUIRE(!cpu.faulted());
  }

  u32 pages() const { return form_ == Form::k4K ? 1 : form_ == Form::k4M ? 1024 : 512; }
  u32 entry_at() const {
    switch (form_) {
      case Form::k4K: return kTable;
      case Form::k4M: return kDirectory + 4 * (kMapped >> 22);
      default: return kDirectory + 0x4000 + 8 * (kMapped >> 21);
    }
  }
  u32 entry() { return get32(entry_at()); }
  // Changes the tables and tells nobody. The write goes round the processor.
  void map(u32 to, u64 bits = kPresent) {
    put32(entry_at(), to == 0 ? 0 : to | static_cast<u32>(bits) | (form_ == Form::k4K ? 0 : 0x80));
  }
  u32 load(u32 page = 0) { return static_cast<u32>(cpu.load<4>(kMapped + 4096 * page)); }
  void store(u32 page, u32 value) { cpu.store<4>(kMapped + 4096 * page, value); }
  // The first, a middle and the last 4 KiB of the page.
  std::vector<u32> some_pages() const {
    if (pages() == 1) return {0};
    return {0, 5, pages() / 2, pages() - 1};
  }
  void touch_all() {
    for (const u32 page : some_pages()) {
      load(page);
      store(page, load(page));
    }
  }
  bool all_lead_to(u32 place) {
    bool all = true;
    for (const u32 page : some_pages()) all = all && load(page) == (place | page);
    return all;
  }

 private:
  void entry64(u32 at, u64 value) {
    put32(at, static_cast<u32>(value));
    put32(at + 4, static_cast<u32>(value >> 32));
  }
  const Form form_;
};

constexpr Paged::Form kForms[] = {Paged::Form::k4K, Paged::Form::k4M, Paged::Form::k2M};

}  // namespace

TEST_CASE("INVLPG drops all of the page that any of its addresses names, be it 4 KiB, 2 MiB or 4 MiB") {
  for (const auto form : kForms) {
    const u32 pages = Paged(form).pages();
    for (const u32 named : {0u, pages / 3, pages - 1}) {
      Paged m(form);
      m.touch_all();
      m.map(kB);
      CHECK(m.all_lead_to(kA));  // still cached, as on a processor that has room
      m.cpu.invalidate_page(kMapped + 4096 * named + 0x123);
      CHECK(m.all_lead_to(kB));
    }
  }
}

TEST_CASE("INVLPG drops a global page, and a large one that has replaced small ones") {
  for (const auto form : kForms) {
    Paged m(form);
    m.map(kA, kPresent | kGlobal);
    m.touch_all();
    m.map(kB, kPresent | kGlobal);
    m.cpu.invalidate_page(kMapped + 4096 * (m.pages() - 1));
    CHECK(m.all_lead_to(kB));
  }
  Paged m(Paged::Form::k4K);
  m.load(0);
  const u32 pde = kDirectory + 4 * (kMapped >> 22);
  m.put32(pde, kB | kLarge);
  m.cpu.invalidate_page(kMapped);
  CHECK(m.load(0) == kB);
  CHECK(m.load(700) == (kB | 700));
  m.put32(pde, kC | kLarge);
  m.cpu.invalidate_page(kMapped + 4096 * 3);
  CHECK(m.load(0) == kC);
  CHECK(m.load(700) == (kC | 700));
}

TEST_CASE("After INVLPG rights are looked up again for every part of the page, and A and D set again") {
  for (const auto form : kForms) {
    Paged m(form);
    m.touch_all();
    CHECK((m.entry() & (kAccessed | kDirty)) == (kAccessed | kDirty));
    m.map(kA);
    m.cpu.invalidate_page(kMapped);
    m.load(m.pages() - 1);
    CHECK((m.entry() & (kAccessed | kDirty)) == kAccessed);
    m.store(m.pages() - 1, 1);
    CHECK((m.entry() & (kAccessed | kDirty)) == (kAccessed | kDirty));
    m.map(kA, 1);  // read-only
    m.cpu.invalidate_page(kMapped + 4096 * (m.pages() / 2));
    m.store(m.pages() - 1, 2);
    CHECK(m.cpu.faulted());
    CHECK(m.cpu.fault().vector == kPF);
    CHECK(m.cpu.fault().code == (kPfPresent | kPfWrite));
    m.cpu.clear_fault();
    m.map(0);
    m.cpu.invalidate_page(kMapped + 4096 * (m.pages() / 2));
    m.load(m.pages() - 1);
    CHECK(m.cpu.faulted());
  }
}

TEST_CASE("Code in a large page is fetched anew after INVLPG of another part of it") {
  for (const auto form : {Paged::Form::k4M, Paged::Form::k2M}) {
    Paged m(form);
    // Three calls of the function; then INVLPG and the entry's change; three more.
    const u32 function = kMapped + 0x7000;
    m.put(kA + 0x7000, {0x40, 0xc3});              // inc eax / ret
    m.put(kB + 0x7000, {0x83, 0xc0, 0x10, 0xc3});  // add eax,10 / ret
    m.put(0x8000, {0xb9, 3,    0,    0,    0,      // mov ecx,3
                   0xff, 0xd3, 0x49, 0x75, 0xfb,   // again: call ebx / dec ecx / jnz again
                   0x89, 0x16,                     // mov [esi],edx
                   0x0f, 0x01, 0x3f,               // invlpg [edi]
                   0xb9, 3,    0,    0,    0,      // mov ecx,3
                   0xff, 0xd3, 0x49, 0x75, 0xfb,   // again: call ebx / dec ecx / jnz again
                   0xf4});
    CpuState& s = m.cpu.s;
    s.gpr[kEax] = 0;
    s.gpr[kEbx] = function;
    s.gpr[kEdx] = kB | kLarge;
    s.gpr[kEsi] = m.entry_at();
    s.gpr[kEdi] = kMapped + 4096 * (m.pages() - 1);
    m.run(100);
    CHECK(s.halted);
    CHECK(s.reg32(kEax) == 0x33);
  }
}

TEST_CASE("MOV to CR3 drops all but global pages; CR4.PGE that changes drops these too") {
  for (const auto form : kForms) {
    for (const bool global : {false, true}) {
      const u64 bits = kPresent | (global ? kGlobal : 0);
      Paged m(form);
      m.map(kA, bits);
      m.touch_all();
      m.map(kB, bits);
      m.cpu.write_cr3(m.cpu.s.cr3);
      CHECK(m.all_lead_to(global ? kA : kB));
      m.map(kC, bits);
      m.cpu.write_cr4(m.cpu.s.cr4 ^ kCr4Pge);
      CHECK(m.all_lead_to(kC));
      m.map(kA, bits);
      m.cpu.write_cr4(m.cpu.s.cr4 ^ kCr4Pge);
      CHECK(m.all_lead_to(kA));
    }
  }
}

TEST_CASE("CR4.PAE and CR0.PG that change drop everything, global or not") {
  for (const auto form : kForms) {
    Paged m(form);
    m.map(kA, kPresent | kGlobal);
    m.touch_all();
    m.map(kB, kPresent | kGlobal);
    m.cpu.write_cr0(m.cpu.s.cr0 & ~u32{kCr0Pg});
    m.cpu.write_cr0(m.cpu.s.cr0 | kCr0Pg);
    CHECK(m.all_lead_to(kB));
  }
  Paged m(Paged::Form::k4M);
  m.map(kA, kPresent | kGlobal);
  m.touch_all();
  m.map(kB, kPresent | kGlobal);
  // Under PAE the directory is read as page directory pointers; none is present.
  m.put32(kDirectory, 0);
  m.put32(kDirectory + 8, 0);
  m.put32(kDirectory + 16, 0);
  m.put32(kDirectory + 24, 0);
  m.cpu.write_cr4(m.cpu.s.cr4 | kCr4Pae);
  m.load();
  CHECK(m.cpu.faulted());
}

TEST_CASE(
    "Without PAE a change of CR0.CD, CR0.NW or CR4.TSD drops nothing that must be kept, and CR0.WP takes effect") {
  Paged m(Paged::Form::k4M);
  m.map(kA, 1);
  m.load();
  m.store(0, 1);
  CHECK(m.cpu.faulted());
  m.cpu.clear_fault();
  m.cpu.write_cr0(m.cpu.s.cr0 & ~u32{kCr0Wp});
  m.store(0, kA);
  CHECK(!m.cpu.faulted());
  m.cpu.write_cr0(m.cpu.s.cr0 | kCr0Wp);
  m.store(0, 1);
  CHECK(m.cpu.faulted());
}

TEST_CASE("A page fault drops what is cached for its page") {
  for (const auto form : kForms) {
    Paged m(form);
    m.map(kA, 1);
    m.load();
    m.map(kB, 1);
    CHECK(m.load() == kA);
    m.store(0, 1);
    CHECK(m.cpu.faulted());
    m.cpu.clear_fault();
    CHECK(m.load() == kB);
  }
}

TEST_CASE("A store that has to look its page up replaces what loads had cached") {
  for (const auto form : kForms) {
    Paged m(form);
    m.load();
    m.map(kB);
    m.store(0, 0x1234);
    CHECK(m.load() == 0x1234);
    CHECK(m.get32(kA) == kA);
  }
}

TEST_CASE("The four PDPTEs are loaded by MOV to CR3 and by changes of CR0.CD, NW, PG and CR4.PAE, PGE, PSE only") {
  const auto changed = [](auto&& change, bool loads) {
    Paged m(Paged::Form::k2M);
    m.load();
    m.put32(kPdpt, (kDirectory + 0x5000) | 1);  // kMapped leads to 1 GiB now, where nothing is
    m.put32(kDirectory + 0x5000 + 8 * (kMapped >> 21), kB | kLarge);
    m.put32(kDirectory + 0x5000, kLarge);  // what the test itself lies in
    m.put32(kDirectory + 0x5000 + 8 * (kTables >> 21), kLarge);
    change(m.cpu);
    REQUIRE(!m.cpu.faulted());
    m.cpu.invalidate_page(kMapped);
    CHECK(m.load() == (loads ? kB : kA));
  };
  changed([](Cpu&) {}, false);
  changed([](Cpu& c) { c.write_cr3(c.s.cr3); }, true);
  changed([](Cpu& c) { c.write_cr0(c.s.cr0 ^ kCr0Cd); }, true);
  changed([](Cpu& c) { c.write_cr0(c.s.cr0 | kCr0Cd), c.write_cr0(c.s.cr0 | kCr0Nw); }, true);
  changed([](Cpu& c) { c.write_cr0(c.s.cr0 ^ (kCr0Ts | kCr0Mp | kCr0Am)); }, false);
  changed([](Cpu& c) { c.write_cr0(c.s.cr0 ^ kCr0Wp); }, false);
  changed([](Cpu& c) { c.write_cr4(c.s.cr4 ^ kCr4Pge); }, true);
  changed([](Cpu& c) { c.write_cr4(c.s.cr4 ^ kCr4Pse); }, true);
  changed([](Cpu& c) { c.write_cr4(c.s.cr4 ^ (kCr4Tsd | kCr4De)); }, false);
}

TEST_CASE("PDPTEs with reserved bits are a #GP of the MOV that would load them, which then changes nothing") {
  const auto refused = [](auto&& change) {
    Paged m(Paged::Form::k2M);
    m.put32(kPdpt + 8, (kDirectory + 0x5000) | 1 | 0x1e0);
    const u32 cr0 = m.cpu.s.cr0, cr3 = m.cpu.s.cr3, cr4 = m.cpu.s.cr4;
    change(m.cpu);
    CHECK(m.cpu.faulted());
    CHECK(m.cpu.fault().vector == kGP);
    m.cpu.clear_fault();
    CHECK(m.cpu.s.cr0 == cr0);
    CHECK(m.cpu.s.cr3 == cr3);
    CHECK(m.cpu.s.cr4 == cr4);
    CHECK(m.load() == kA);
  };
  refused([](Cpu& c) { c.write_cr0(c.s.cr0 ^ kCr0Cd); });
  refused([](Cpu& c) { c.write_cr3(c.s.cr3); });
  refused([](Cpu& c) { c.write_cr4(c.s.cr4 ^ kCr4Pge); });
}

TEST_CASE("A task switch that loads CR3 drops all but global pages") {
  for (const bool global : {false, true}) {
    ProtectedCpu m;
    constexpr u32 kTss2 = 0x7000, kPage = 0x20000;
    m.paging(7);
    m.cpu.write_cr4(m.cpu.s.cr4 | kCr4Pge);
    const u32 bits = 7 | (global ? static_cast<u32>(kGlobal) : 0);
    m.page(kPage, kPage | bits);
    m.put32(kPage, 1);
    m.put32(kPage + 0x1000, 2);
    CHECK(m.cpu.load<4>(kPage) == 1);
    m.segment(ProtectedCpu::kFree, kTss2, 0x67, 0x89, 0);
    m.put32(kTss2 + 0x1c, 0x102000);  // another directory, the same table
    m.put32(0x102000, 0x101000 | 7);
    m.put32(kTss2 + 0x20, ProtectedCpu::kCode);
    m.put32(kTss2 + 0x24, 2);
    m.put32(kTss2 + 0x38, ProtectedCpu::kStack0);
    for (u32 n = 0; n < 6; ++n) m.put32(kTss2 + 0x48 + 4 * n, n == kCs ? ProtectedCpu::kCode0 : ProtectedCpu::kData0);
    m.put32(0x101000 + 4 * (kPage >> 12), (kPage + 0x1000) | bits);
    m.cpu.switch_task(ProtectedCpu::kFree, Cpu::TaskVia::kJump);
    REQUIRE(!m.cpu.faulted());
    CHECK(m.cpu.load<4>(kPage) == (global ? 1 : 2));
  }
}

TEST_CASE("EFER.NXE that changes takes effect on pages that are cached") {
  Paged m(Paged::Form::k2M);
  m.put(kA, {0x40, 0xf4});  // inc eax / hlt
  m.cpu.s.ip = kMapped;
  m.cpu.s.gpr[kEax] = 0;
  m.run(2);
  CHECK(m.cpu.s.reg32(kEax) == 1);
  m.cpu.write_msr(0xc0000080, kEferNxe);
  m.put32(m.entry_at() + 4, 0x80000000);
  m.cpu.invalidate_page(kMapped + 0x5000);
  u64 phys = 0;
  CHECK(!m.cpu.translate_code(kMapped, phys));
  CHECK(m.cpu.fault().code == (kPfPresent | kPfFetch));
}
