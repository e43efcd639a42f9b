// The monitor's comforts for people who debug kernels: pagewalk, symbols, info linux.
#include <catch2/catch.hpp>
#include <random>

#include "frontend/monitor/elf_symbols.h"
#include "frontend/monitor/guest_linux.h"
#include "frontend/monitor/monitor.h"
#include "tests/frontend/temp_dir.h"
#include "tests/support/reach_kernel.h"

namespace xlat {

namespace {

struct Bench {
  Bench() {
    MachineConfig config;
    config.ram_bytes = u64{4} << 20;
    config.remove("VGA");
    config.kernel = dir.write("kernel", multiboot_kernel(kHaltCode));
    config.time.deterministic = true;
    auto made = Machine::create(config);
    if (!made) FAIL(made.error().message);
    machine = std::move(*made);
    monitor = std::make_unique<Monitor>(
        *machine, "", [](std::string_view) {}, [] {});
    if (!test::reach_kernel(*machine, 0x100020)) FAIL("the kernel was not started");
    machine->run_until(machine->pc().clock.count() + 3);
  }
  std::string run(const std::string& line) { return monitor->execute(line); }
  void put(u32 phys, u32 value) { machine->pc().memory.write(phys, 4, value); }
  void put(u32 phys, std::string_view text) {
    machine->pc().memory.write_block(phys, std::span(reinterpret_cast<const u8*>(text.data()), text.size()));
  }

  TempDir dir;
  std::unique_ptr<Machine> machine;
  std::unique_ptr<Monitor> monitor;
};

void has(const std::string& text, const std::string& part) {
  INFO(text);
  CHECK(text.find(part) != std::string::npos);
}

// An ELF file with a segment at 1000h and the functions start (10h bytes at 1000h) and label (no size, at 1080h).
std::vector<u8> elf_file() {
  std::vector<u8> f(0x100);
  const auto word = [&](std::size_t at, u32 value) { store_le_n(&f[at], 4, value); };
  const std::string ident("\177ELF\1\1\1", 7);
  std::copy(ident.begin(), ident.end(), f.begin());
  word(16, 3u << 16 | 2);  // executable, i386
  word(28, 0x34);          // program headers
  word(32, 0x54);          // section headers
  word(44, 1);
  word(46, 40);
  word(48, 3);
  word(0x34, 1);  // PT_LOAD
  word(0x34 + 8, 0x1000);
  word(0x54 + 40 + 4, 2);  // .symtab, names in section 2
  word(0x54 + 40 + 16, 0xcc);
  word(0x54 + 40 + 20, 32);
  word(0x54 + 40 + 24, 2);
  word(0x54 + 80 + 4, 3);  // .strtab
  word(0x54 + 80 + 16, 0xec);
  word(0x54 + 80 + 20, 13);
  const auto symbol = [&](std::size_t at, u32 name, u32 value, u32 size, u32 info) {
    word(at, name);
    word(at + 4, value);
    word(at + 8, size);
    word(at + 12, 1u << 16 | info);
  };
  symbol(0xcc, 1, 0x1000, 0x10, 0x12);
  symbol(0xdc, 7, 0x1080, 0, 0x10);
  const std::string names("\0start\0label\0", 13);
  std::copy(names.begin(), names.end(), f.begin() + 0xec);
  return f;
}

}  // namespace

TEST_CASE("pagewalk shows each level's entry", "[monitor]") {
  Bench b;
  CHECK(b.run("pagewalk 0x1234") == "paging is off (CR0.PG = 0): 00001234 is physical\n");
  has(b.run("pagewalk x"), "invalid char");
  Cpu& cpu = b.machine->pc().cpu;
  SECTION("32-bit paging") {
    b.put(0x300000, 0x301067);
    b.put(0x300004, 0x400083);
    b.put(0x301000 + 4 * 5, 0x200005);
    cpu.write_cr4(kCr4Pse);
    cpu.write_cr3(0x300000);
    cpu.write_cr0(cpu.s.cr0 | kCr0Pg);
    std::string text = b.run("pagewalk 0x5123");
    has(text, "PDE[0] at 000300000  00301067  RW U A\n");
    has(text, "PTE[5] at 000301014  00200005  RO U\n");
    has(text, "physical 000200123; supervisor: read, write, execute; user: read, execute\n");
    has(b.run("pagewalk 0x6000"), "not present\nnot mapped\n");
    text = b.run("pagewalk 0x400010");
    has(text, "RW S, a page of 4 MiB\n");
    has(text, "physical 000400010; supervisor: read, write, execute; user: nothing\n");
  }
  SECTION("PAE") {
    b.put(0x300000, 0x301001);
    b.put(0x301000, 0x302027);
    b.put(0x302000 + 8 * 7, 0x200163);
    b.put(0x302004 + 8 * 7, 0x80000000);
    cpu.write_msr(0xc0000080, kEferNxe);
    cpu.write_cr4(kCr4Pae | kCr4Pge);
    cpu.write_cr3(0x300000);
    cpu.write_cr0(cpu.s.cr0 | kCr0Pg);
    const std::string text = b.run("pagewalk 0x7000");
    has(text, "PDPTE[0]          0000000000301001");
    has(text, "PTE[7] at 000302038  8000000000200163  RW S A D G NX\n");
    has(text, "supervisor: read, write; user: nothing\n");
    has(b.run("pagewalk 0x40000000"), "not mapped\n");
  }
}

TEST_CASE("symbols name addresses in info registers and in the log", "[monitor]") {
  Bench b;
  const std::string file = b.dir.write("a.elf", elf_file());
  CHECK(b.run("symbols") == "symbols: FILE [BASE] expected\n");
  has(b.run("symbols /nonexistent"), "cannot open '/nonexistent'");
  CHECK(b.run("symbols " + file + " 0x100020") == "2 symbols\n");
  has(b.run("info registers"), "HLT=1 <start+0xb>\n");
  const Log& log = b.machine->log();
  CHECK(log.symbol(0x100020) == " <start>");
  CHECK(log.symbol(0x100030).empty());  // behind its end
  CHECK(log.symbol(0x1000a1) == " <label+0x1>");
  CHECK(b.run("symbols " + file) == "2 symbols\n");
  CHECK(log.symbol(0x100020).empty());
  CHECK(log.symbol(0x1001) == " <start+0x1>");
  CHECK(b.run("symbols none").empty());
  CHECK(log.symbol(0x1001).empty());
}

TEST_CASE("damaged ELF files are refused or give less", "[monitor]") {
  TempDir dir;
  const std::vector<u8> whole = elf_file();
  for (std::size_t size = 0; size < whole.size(); size += 3) {
    (void)read_elf_symbols(dir.write("cut", {whole.begin(), whole.begin() + static_cast<std::ptrdiff_t>(size)}), 0);
  }
  std::minstd_rand random(4711);
  for (unsigned round = 0; round < 2000; ++round) {
    std::vector<u8> damaged = whole;
    for (unsigned n = 0; n < 4; ++n) damaged[6 + random() % (damaged.size() - 6)] = static_cast<u8>(random());
    (void)read_elf_symbols(dir.write("damaged", damaged), 0x1000);
  }
  CHECK_FALSE(read_elf_symbols(dir.write("none", {1, 2, 3}), std::nullopt));
}

TEST_CASE("info linux reads what a kernel says about itself", "[monitor]") {
  Bench b;
  has(b.run("info linux"), "no Linux in memory");
  b.put(0x240000, std::string_view("Linux version %s (format)\n\0", 27));
  b.put(0x250000, std::string_view("Linux version 6.1.0 (me@here) #1 SMP\n\0", 38));
  std::string text = b.run("info linux");
  has(text, "Linux version 6.1.0 (me@here) #1 SMP\nbanner at physical 00250000\n");
  has(text, "its log cannot be read: the kernel has no VMCOREINFO");

  // A ring of four descriptors; records 1 and 2 are there, 2 runs over the end of the text.
  const std::string info =
      "OSRELEASE=6.1.0\nPAGESIZE=4096\nSYMBOL(init_uts_ns)=c0260000\nOFFSET(uts_namespace.name)=4\n"
      "SYMBOL(_stext)=c2600000\nSYMBOL(prb)=c0261000\n"
      "OFFSET(printk_ringbuffer.desc_ring)=0\nOFFSET(printk_ringbuffer.text_data_ring)=24\n"
      "OFFSET(prb_desc_ring.count_bits)=0\nOFFSET(prb_desc_ring.descs)=4\nOFFSET(prb_desc_ring.infos)=8\n"
      "OFFSET(prb_desc_ring.head_id)=12\nOFFSET(prb_desc_ring.tail_id)=16\n"
      "SIZE(prb_desc)=12\nOFFSET(prb_desc.state_var)=0\nOFFSET(prb_desc.text_blk_lpos)=4\n"
      "OFFSET(prb_data_blk_lpos.begin)=0\nOFFSET(prb_data_blk_lpos.next)=4\n"
      "OFFSET(prb_data_ring.size_bits)=0\nOFFSET(prb_data_ring.data)=4\n"
      "SIZE(printk_info)=16\nOFFSET(printk_info.ts_nsec)=0\nOFFSET(printk_info.text_len)=8\n"
      "OFFSET(atomic_long_t.counter)=0\n";
  b.put(0x270000, info + std::string(1, '\0'));
  b.put(0x260004, std::string_view("Linux\0", 6));
  b.put(0x261000, 0xc0262000);
  for (const auto& [at, value] : std::initializer_list<std::pair<u32, u32>>{{0x262000, 2},
                                                                            {0x262004, 0xc0263000},
                                                                            {0x262008, 0xc0264000},
                                                                            {0x26200c, 2},
                                                                            {0x262010, 1},
                                                                            {0x262018, 6},
                                                                            {0x26201c, 0xc0265000},
                                                                            {0x26300c, 0x80000001},
                                                                            {0x263010, 64 + 16},
                                                                            {0x263014, 64 + 32},
                                                                            {0x263018, 0x40000002},
                                                                            {0x26301c, 64 + 32},
                                                                            {0x263020, 128 + 12},
                                                                            {0x264010, 1'500'000'000},
                                                                            {0x264018, 5},
                                                                            {0x264020, 2'000'001'000},
                                                                            {0x264028, 7}}) {
    b.put(at, value);
  }
  b.put(0x265014, "hello");
  b.put(0x265004, "a\nworld");
  text = b.run("info linux");
  has(text, "linear c0250000\ntext at linear c2600000, physical 02600000; linked to c1000000");
  has(text, "moved by 0x1600000\n");
  has(text, "its log:\n[    1.500000] hello\n[    2.000001] a\n[    2.000001] world\n");

  // Whatever stands there, it ends.
  std::minstd_rand random(99);
  for (unsigned round = 0; round < 3000; ++round) {
    const u32 places[] = {0x261000, 0x262000, 0x262000, 0x263000, 0x264000, 0x270000};
    const u32 at = places[random() % std::size(places)] + static_cast<u32>(random() % 64);
    b.machine->pc().memory.write(at, 1, random());
    (void)find_linux(b.machine->pc());
  }
}

}  // namespace xlat
