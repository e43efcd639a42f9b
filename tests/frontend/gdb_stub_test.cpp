// What a debugger asks and gets.
#include <random>

#include "tests/frontend/gdb_bench.h"
#include "tests/support/settings.h"

namespace xlat {

namespace {
constexpr unsigned kEaxReg = 0, kEcxReg = 1, kEspReg = 4, kEipReg = 8, kCsReg = 10, kCr0Reg = 19;

bool contains(const std::string& text, std::string_view part) { return text.find(part) != std::string::npos; }
}  // namespace

TEST_CASE("a debugger's first questions", "[gdb]") {
  GdbBench b;
  const std::string features = b.ask("qSupported:multiprocess+;swbreak+;hwbreak+;xmlRegisters=i386");
  for (const char* feature : {"PacketSize=4000", "QStartNoAckMode+", "qXfer:features:read+", "qXfer:threads:read+",
                              "qXfer:memory-map:read+", "vContSupported+", "swbreak+", "hwbreak+"}) {
    INFO(feature);
    CHECK(contains(features, feature));
  }
  CHECK(b.ask("vMustReplyEmpty").empty());
  CHECK(b.ask("?") == "T05thread:1;");
  CHECK(b.ask("Hg0") == "OK");
  CHECK(b.ask("Hc-1") == "OK");
  CHECK(b.ask("Hgp1.1") == "OK");
  CHECK(b.ask("Hg2") == "E22");
  CHECK(b.ask("T1") == "OK");
  CHECK(b.ask("T5") == "E22");
  CHECK(b.ask("qC") == "QC1");
  CHECK(b.ask("qfThreadInfo") == "m1");
  CHECK(b.ask("qsThreadInfo") == "l");
  CHECK(b.ask("qAttached") == "1");
  CHECK(b.ask("vCont?") == "vCont;c;C;s;S;t;r");
  CHECK(contains(b.ask("qXfer:threads:read::0,1000"), "<thread id=\"1\""));
  CHECK(contains(b.ask("qXfer:memory-map:read::0,1000"), "length=\"0x100000000\""));
  CHECK(b.ask("qqemu.sstepbits") == "ENABLE=1,NOIRQ=2,NOTIMER=4");
  CHECK(b.ask("qqemu.sstep") == "0x7");
  CHECK(b.ask("Qqemu.sstep=0x5") == "OK");
  CHECK(b.ask("qqemu.sstep") == "0x5");
  CHECK(b.ask("Qqemu.sstep=9") == "E22");
  CHECK(b.ask("qqemu.PhyMemMode") == "0");
  CHECK(b.ask("vFlashErase:0,1000").empty());
  CHECK(b.ask("QStartNoAckMode") == "OK");
}

TEST_CASE("the description of registers in pieces", "[gdb]") {
  GdbBench b;
  std::string text;
  for (;;) {
    const std::string piece = b.ask(fmt::format("qXfer:features:read:target.xml:{:x},100", text.size()));
    REQUIRE((piece[0] == 'm' || piece[0] == 'l'));
    text += piece.substr(1);
    if (piece[0] == 'l') break;
  }
  CHECK(text == GdbRegisters::description(32));
  CHECK(contains(text, "<architecture>i386</architecture>"));
  CHECK(contains(GdbRegisters::description(16), "<architecture>i8086</architecture>"));
  CHECK(b.ask("qXfer:features:read:other.xml:0,100") == "E00");
  CHECK(b.ask("qXfer:features:read:target.xml:ffffff,100") == "E22");
  // All registers together are as long as the description says.
  std::size_t bytes = 0;
  for (unsigned n = 0; n < GdbRegisters::end(); ++n) bytes += GdbRegisters::bytes(n);
  CHECK(b.ask("g").size() == 2 * bytes);
}

TEST_CASE("registers", "[gdb]") {
  GdbBench b;
  CHECK(b.reg(kEipReg) == 0x100020);
  CHECK(b.ask("P0=44332211") == "OK");
  CHECK(b.reg(kEaxReg) == 0x11223344);
  CHECK(b.ask("p7f") == "E22");
  CHECK(b.ask("P0=4433") == "E22");
  CHECK(b.ask("P0") == "E22");
  // All of them: what is the same stays, the rest is set.
  std::string all = b.ask("g");
  all.replace(8, 8, "78563412");
  CHECK(b.ask("G" + all) == "OK");
  CHECK(b.reg(kEcxReg) == 0x12345678);
  CHECK(b.ask("G" + all.substr(0, 16)) == "OK");
  CHECK(b.ask("G123") == "E22");
  // PG without PE is refused, and changes nothing.
  CHECK(b.ask("P13=00000080") == "E22");
  CHECK((b.reg(kCr0Reg) & 1) == 1);
  // A selector beyond the table.
  CHECK(b.ask("Pc=f8ff0000") == "E22");
  CHECK(b.ask("Pa=f8ff0000") == "E22");
  CHECK(b.reg(kCsReg) == 8);
  // ST(0) and the status word go through the processor's rules: nothing of this may reach the host's unit unmasked.
  CHECK(b.ask("P19=000000000000008000c0") == "OK");
  CHECK(b.ask("p19") == "000000000000008000c0");
  CHECK(b.ask("P22=ffff0000") == "OK");
  CHECK(b.ask("P21=00000000") == "OK");
  CHECK(b.ask("vCont;s:1") == "T05thread:1;");
}

TEST_CASE("EIP and ESP are linear, the raw ones are there as well", "[gdb]") {
  GdbBench b;
  b.on_machine([&] {
    CpuState& s = b.machine().pc().cpu.s;
    s.seg[kCs].base = 0x10000;
    s.seg[kSs].base = 0x20000;
    s.gpr[kEsp] = 0x300;
    s.ip = 0xf0020;
  });
  CHECK(b.reg(kEipReg) == 0x100020);
  CHECK(b.reg(68) == 0xf0020);
  CHECK(b.reg(kEspReg) == 0x20300);
  CHECK(b.ask("P4=04030200") == "OK");
  CHECK(b.reg(69) == 0x304);
  CHECK(b.ask("P8=25001000") == "OK");
  CHECK(b.reg(68) == 0xf0025);
  CHECK(b.reg(70) == 32);
}

TEST_CASE("memory", "[gdb]") {
  GdbBench b;
  CHECK(b.ask("m100020,5") == "b801000000");
  CHECK(b.ask("M200004,4:0badcafe") == "OK");
  CHECK(b.ask("m200004,4") == "0badcafe");
  CHECK(b.ask("X200008,3:ab\x01") == "OK");
  CHECK(b.ask("m200008,3") == "616201");
  CHECK(b.ask("X200008,0:") == "OK");
  CHECK(b.ask("M200004,4:00") == "E22");
  CHECK(b.ask("m200004") == "E22");
  CHECK(b.ask("Mfffffff0,1:00") == "E14");  // ROM
  CHECK(b.ask("qSearch:memory:200000;100;ab") == "1,200008");
  CHECK(b.ask("qSearch:memory:200009;10;ab") == "0");
  CHECK(b.ask("qSearch:memory:1ff800;1000;ab") == "1,200008");  // over a page's end
  CHECK(b.ask("qSearch:memory:200000;ffffffffff;ab") == "E22");
  CHECK(b.ask("qSearch:memory:200000;10;") == "E22");
  CHECK(b.ask("qSearch:memory:e0000000;10;x") == "E14");
  CHECK(b.ask("M3ffffe,2:7a7a") == "OK");  // the last page of RAM, then nothing, then ROM
  CHECK(b.ask("qSearch:memory:3ffffe;10;zz") == "1,3ffffe");
  CHECK(b.ask("qSearch:memory:3ff000;fffff000;nowhere to be found") == "E22");
  CHECK(b.ask("qSearch:memory:3ff000;ffc01000;nowhere to be found") == "0");
  CHECK(b.ask("Qqemu.PhyMemMode:1") == "OK");
  CHECK(b.ask("qqemu.PhyMemMode") == "1");
  CHECK(b.ask("m200004,4") == "0badcafe");
}

TEST_CASE("linear addresses go through the page tables, physical ones do not", "[gdb]") {
  GdbBench b;
  b.on_machine([&] {
    Pc& pc = b.machine().pc();
    // Linear 0 to 4 MiB at itself, but page 300000h at 200000h, and page 301000h nowhere.
    pc.memory.write(0x110000, 4, 0x111003);
    for (u32 n = 0; n < 1024; ++n) pc.memory.write(0x111000 + 4 * n, 4, n << 12 | 3);
    pc.memory.write(0x111000 + 4 * 0x300, 4, 0x200003);
    pc.memory.write(0x111000 + 4 * 0x301, 4, 0);
    pc.cpu.write_cr3(0x110000);
    pc.cpu.write_cr0(pc.cpu.s.cr0 | kCr0Pg);
    pc.memory.write(0x200ffc, 4, 0x44332211);
    pc.memory.write(0x300ffc, 4, 0x88776655);
  });
  CHECK(b.ask("m300ffc,8") == "11223344");  // as far as it is mapped
  CHECK(b.ask("m301000,8") == "E14");
  CHECK(b.ask("M300ffc,8:0000000000000000") == "E14");
  CHECK(b.ask("Qqemu.PhyMemMode:1") == "OK");
  CHECK(b.ask("m300ffc,4") == "55667788");
}

TEST_CASE("breakpoints, steps and ranges", "[gdb]") {
  GdbBench b;
  b.ask("qSupported:swbreak+;hwbreak+");
  CHECK(b.ask("Z0,10002b,1") == "OK");
  CHECK(b.ask("Z1,100038,1") == "OK");
  for (u32 eax = 2; eax <= 6; ++eax) {
    CHECK(b.ask("c") == "T05swbreak:;thread:1;");
    CHECK(b.reg(kEaxReg) == eax);
    CHECK(b.reg(kEipReg) == 0x10002b);
  }
  CHECK(b.ask("z0,10002b,1") == "OK");
  CHECK(b.ask("z0,10002b,1") == "E02");
  CHECK(b.ask("vCont;c:1") == "T05hwbreak:;thread:1;");
  CHECK(b.reg(kEipReg) == 0x100038);
  // Back to the start, and through it in steps.
  CHECK(b.ask("s100020") == "T05thread:1;");
  CHECK(b.reg(kEipReg) == 0x100025);
  CHECK(b.ask("vCont;s:p1.1") == "T05thread:1;");
  CHECK(b.reg(kEipReg) == 0x10002a);
  CHECK(b.ask("vCont;r10002a,100033:1") == "T05thread:1;");
  CHECK(b.reg(kEipReg) == 0x100033);
  CHECK(b.reg(kEcxReg) == 0);
  // A breakpoint ends a range.
  CHECK(b.ask("Z0,100030,1") == "OK");
  CHECK(b.ask("P8=20001000") == "OK");
  CHECK(b.ask("vCont;r100020,100040") == "T05swbreak:;thread:1;");
  CHECK(b.reg(kEipReg) == 0x100030);
  // One at the place that is jumped to counts.
  CHECK(b.ask("Z0,10002a,1") == "OK");
  CHECK(b.ask("c10002a") == "T05swbreak:;thread:1;");
  CHECK(b.reg(kEipReg) == 0x10002a);
}

TEST_CASE("watchpoints", "[gdb]") {
  GdbBench b;
  CHECK(b.ask("Z2,200002,2") == "OK");
  CHECK(b.ask("c") == "T05watch:200002;thread:1;");
  CHECK(b.reg(kEipReg) == 0x100030);
  CHECK(b.ask("?") == "T05watch:200002;thread:1;");
  CHECK(b.ask("z2,200002,2") == "OK");
  CHECK(b.ask("Z3,200004,1") == "OK");
  CHECK(b.ask("Z4,300000,1000") == "OK");
  CHECK(b.ask("c") == "T05rwatch:200004;thread:1;");
  CHECK(b.reg(kEipReg) == 0x100038);
  CHECK(b.ask("Z4,200000,10000") == "OK");
  CHECK(b.ask("c10002b") == "T05awatch:200000;thread:1;");
  CHECK(b.ask("Z2,200000,0") == "E22");
  CHECK(b.ask("Z2,fffffff0,11") == "E22");
  CHECK(b.ask("Z5,0,1").empty());
}

TEST_CASE("Ctrl-C, the monitor, detaching", "[gdb]") {
  GdbBench b;
  CHECK(b.monitor("info status") == "VM status: paused\n");
  b.feed(GdbBench::frame("c"));
  b.feed("\x03");
  CHECK(b.next() == "T02thread:1;");
  CHECK(b.monitor("info status") == "VM status: paused\n");
  b.feed(GdbBench::frame("c"));
  b.on_machine([&] { b.machine().stop(); });  // the monitor's stop is told as well
  CHECK(b.next() == "T02thread:1;");
  CHECK(contains(b.monitor("info registers"), "EIP=001000"));
  CHECK(contains(b.monitor("nonsense"), "unknown command"));
  CHECK(b.monitor("help").size() > 1000);
  CHECK(b.ask("vCont;t") == "T02thread:1;");
  CHECK(b.ask("Z0,100038,1") == "OK");
  CHECK(b.ask("D") == "OK");
  bool paused = true;
  b.on_machine([&] { paused = b.machine().paused(); });
  CHECK_FALSE(paused);
  b.on_machine([&] { b.stub().disconnected(); });
  b.on_machine([&] { b.stub().connected(); });
  CHECK(b.ask("?") == "T05thread:1;");
  CHECK(b.ask("vAttach;1") == "T05thread:1;");
  CHECK(b.ask("vAttach;2") == "E22");
}

TEST_CASE("a step holds interrupts off, and lets them in if asked to", "[gdb]") {
  // sti; nop; nop; jmp $-2
  GdbBench b({0xfb, 0x90, 0x90, 0xeb, 0xfc});
  b.on_machine([&] {
    Pc& pc = b.machine().pc();
    // Every vector's gate leads to 10:102000, a jump to itself.
    for (u32 n = 0; n < 256; ++n) {
      pc.memory.write(0x300000 + 8 * n, 4, 0x00102000);
      pc.memory.write(0x300004 + 8 * n, 4, 0x00108e00);
    }
    pc.memory.write(0x102000, 2, 0xfeeb);
    pc.cpu.s.idtr = {0x300000, 0x7ff};
    pc.cpu.s.gdtr = {0x301000, 0xff};
    pc.memory.write(0x301010, 4, 0x0000ffff);
    pc.memory.write(0x301014, 4, 0x00cf9b00);
    pc.cpu.set_irq(Cpu::kPinIntr, true);
  });
  for (const u32 ip : {0x100021u, 0x100022u, 0x100023u, 0x100021u, 0x100022u}) {
    CHECK(b.ask("s") == "T05thread:1;");
    CHECK(b.reg(kEipReg) == ip);
  }
  CHECK(b.ask("Qqemu.sstep=1") == "OK");
  CHECK(b.ask("s") == "T05thread:1;");
  CHECK(b.reg(kEipReg) == 0x102000);
}

TEST_CASE("a halted processor and a step: only its interrupt ends that", "[gdb]") {
  GdbBench b(kHaltCode);
  for (int n = 0; n < 3; ++n) CHECK(b.ask("s") == "T05thread:1;");
  CHECK(b.reg(kEipReg) == 0x10002b);
  b.feed(GdbBench::frame("s"));
  b.feed("\x03");
  CHECK(b.next() == "T02thread:1;");
}

TEST_CASE("lockstep with a debugger finds no difference", "[gdb]") {
  GdbBench b(kLoopCode, EngineKind::kLockstep);
  b.ask("qSupported:swbreak+;hwbreak+");
  CHECK(b.ask("Z0,10002b,1") == "OK");
  CHECK(b.ask("c") == "T05swbreak:;thread:1;");
  CHECK(b.ask("P0=00010000") == "OK");
  CHECK(b.ask("M200004,4:01020304") == "OK");
  CHECK(b.ask("s") == "T05thread:1;");
  CHECK(b.ask("z0,10002b,1") == "OK");
  CHECK(b.ask("Z2,200000,4") == "OK");
  CHECK(b.ask("c") == "T05watch:200000;thread:1;");
  CHECK(b.ask("D") == "OK");
  CHECK(b.end() == Machine::Exit::kPowerOff);
  CHECK(b.machine().difference().empty());
}

TEST_CASE("R resets the machine and holds it there", "[gdb]") {
  GdbBench b;
  b.feed(GdbBench::frame("R00"));
  u32 eip = 0;
  for (int n = 0; n < 100 && eip != 0xfffffff0; ++n) eip = b.reg(kEipReg);
  CHECK(eip == 0xfffffff0);
  CHECK(b.monitor("info status") == "VM status: paused (debug)\n");
}

TEST_CASE("the end is told", "[gdb]") {
  GdbBench b;
  b.feed(GdbBench::frame("c"));
  b.on_machine([&] { b.stub().exited(0x21); });
  CHECK(b.next() == "W21");
  b.feed(GdbBench::frame("k"));
  b.on_machine([] {});
  CHECK(b.quit());
}

TEST_CASE("malformed packets are answered and harm nothing", "[gdb]") {
  GdbBench b;
  for (const char* text : {"m",
                           "m,",
                           "m0",
                           "mx,4",
                           "m0,4x",
                           "m10000000000000000,1",
                           "M0,4",
                           "M0,4:zz",
                           "X0,4:abc",
                           "p",
                           "pffffffff",
                           "P=",
                           "Px=1",
                           "Pffff=00000000",
                           "G",
                           "Gzz",
                           "Z",
                           "Z0",
                           "Z0,",
                           "Z0,0",
                           "Z0,100000000,1",
                           "Z2,0,ffffffffff",
                           "z9,0,0",
                           "vCont",
                           "vCont;",
                           "vCont;x",
                           "vCont;s:2",
                           "vCont;r1",
                           "vCont;r1,2,3",
                           "vCont;Czz",
                           "H",
                           "Hx",
                           "Hgp",
                           "T",
                           "Tx",
                           "c100000000",
                           "sxyz",
                           "Cx",
                           "S5;zz",
                           "qRcmd,1",
                           "qRcmd,zz",
                           "qXfer:",
                           "qXfer:features:read",
                           "qXfer:features:read:target.xml:0",
                           "qXfer:features:write:a:0,1",
                           "qSearch:memory:",
                           "qSearch:memory:0;0;",
                           "Qqemu.sstep",
                           "Qqemu.PhyMemMode",
                           "Qqemu.PhyMemMode:x",
                           "vAttach;",
                           "vAttach;x",
                           "vKill;x",
                           "",
                           "\xff"}) {
    INFO(text);
    const std::string reply = b.ask(text);
    CHECK((reply.empty() || reply[0] == 'E' || reply == "0x7" || reply.size() > 500));
  }
  CHECK(b.reg(kEipReg) == 0x100020);
}

// Packets put together from pieces of good ones. XLAT_FUZZ_PACKETS says how many.
TEST_CASE("random packets", "[gdb]") {
  static constexpr std::string_view kPieces[] = {"g",
                                                 "G",
                                                 "p",
                                                 "P",
                                                 "m",
                                                 "M",
                                                 "X",
                                                 "Z0",
                                                 "Z1",
                                                 "Z2",
                                                 "Z3",
                                                 "Z4",
                                                 "z0",
                                                 "z2",
                                                 "z4",
                                                 "c",
                                                 "s",
                                                 "C05",
                                                 "S05",
                                                 "vCont",
                                                 ";c",
                                                 ";s",
                                                 ";r",
                                                 ":1",
                                                 ":p1.-1",
                                                 "D",
                                                 "?",
                                                 "H",
                                                 "T",
                                                 "q",
                                                 "Q",
                                                 "qSupported:",
                                                 "swbreak+;",
                                                 "qXfer:features:read:",
                                                 "target.xml:",
                                                 "qXfer:threads:read:",
                                                 "qRcmd,",
                                                 "qSearch:memory:",
                                                 "qqemu.sstep",
                                                 "Qqemu.PhyMemMode:",
                                                 "=",
                                                 ",",
                                                 ":",
                                                 ";",
                                                 "0",
                                                 "1",
                                                 "4",
                                                 "8",
                                                 "10",
                                                 "13",
                                                 "19",
                                                 "21",
                                                 "22",
                                                 "ff",
                                                 "100",
                                                 "1000",
                                                 "100020",
                                                 "10002b",
                                                 "200000",
                                                 "fffffff0",
                                                 "ffffffff",
                                                 "7fffffffffffffff",
                                                 "00000000",
                                                 "ffffffff",
                                                 "a",
                                                 "b",
                                                 "3f",
                                                 "\x03",
                                                 "*",
                                                 "}",
                                                 "$"};
  std::minstd_rand random(test_setting("XLAT_FUZZ_SEED", 20'240'711));
  const auto pick = [&](std::size_t n) { return static_cast<std::size_t>(random()) % n; };
  GdbBench b;
  const u32 rounds = test_setting("XLAT_FUZZ_PACKETS", 20'000);
  for (u32 n = 0; n < rounds; ++n) {
    std::string text;
    for (std::size_t k = pick(8) + 1; k > 0; --k) {
      text +=
          pick(12) == 0 ? std::string(1, static_cast<char>(random())) : std::string(kPieces[pick(std::size(kPieces))]);
    }
    // Broken frames, and bytes outside of them.
    std::string frame = pick(20) == 0 ? "$" + text : GdbBench::frame(text);
    if (pick(30) == 0) frame += std::string(pick(5), static_cast<char>(random()));
    if (pick(4) == 0) frame += "\x03";
    b.feed(frame);
    if (n % 64 == 0) b.on_machine([] {});
    if (n % 512 == 0) {
      b.on_machine([&] {
        b.stub().disconnected();
        b.stub().connected();
      });
    }
  }
  b.feed("#00\x03");
  bool alive = false;
  b.on_machine([&] { alive = true; });
  CHECK(alive);
}

}  // namespace xlat
