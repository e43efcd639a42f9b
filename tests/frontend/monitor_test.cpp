// The monitor's commands against a machine with a kernel of five instructions.
#include "frontend/monitor/monitor.h"

#include <catch2/catch.hpp>

#include "tests/frontend/temp_dir.h"
#include "tests/support/reach_kernel.h"

namespace xlat {

namespace {

struct Bench {
  explicit Bench(bool vga = false) {
    MachineConfig config;
    config.ram_bytes = u64{4} << 20;
    if (!vga) config.remove("VGA");
    config.kernel = dir.write("kernel", multiboot_kernel(kHaltCode));
    config.time.deterministic = true;
    config.add_ide(2, DriveConfig{.path = {}, .cdrom = true});
    config.add_floppy(0, DriveConfig{});
    auto made = Machine::create(config);
    if (!made) FAIL(made.error().message);
    machine = std::move(*made);
    monitor = std::make_unique<Monitor>(
        *machine, "bench", [this](std::string_view text) { output += text; },
        [this] {
          quit = true;
          machine->quit();
        });
    if (!test::reach_kernel(*machine, 0x100020)) FAIL("the kernel was not started");
    machine->run_until(machine->pc().clock.count() + 3);
  }
  std::string run(const std::string& line) { return monitor->execute(line); }

  TempDir dir;
  std::unique_ptr<Machine> machine;
  std::unique_ptr<Monitor> monitor;
  std::string output;
  bool quit = false;
};

bool has(const std::string& text, const std::string& part) {
  INFO(text);
  CHECK(text.find(part) != std::string::npos);
  return text.find(part) != std::string::npos;
}

std::string file_bytes(const std::string& path) {
  std::ifstream in(path, std::ios::binary);
  return {std::istreambuf_iterator<char>(in), {}};
}

}  // namespace

TEST_CASE("info registers", "[monitor]") {
  Bench b;
  const std::string text = b.run("info registers");
  has(text, "EAX=12345678 EBX=");
  has(text, "EIP=0010002b EFL=00000002 [-------] CPL=0 II=0 A20=1 SMM=0 HLT=1");
  has(text, "CS =0008 00000000 ffffffff 00cf9b00 DPL=0 CS32 [-RA]\n");
  has(text, "DS =0010 00000000 ffffffff 00cf9300 DPL=0 DS   [-WA]\n");
  has(text, "CR0=00000011 CR2=00000000 CR3=00000000 CR4=00000000\n");
  has(text, "FCW=0040");
}

TEST_CASE("memory dumps", "[monitor]") {
  Bench b;
  CHECK(b.run("xp /1xw 0x200000") == "0000000000200000: 0x12345678\n");
  CHECK(b.run("x/2xb 0x200000") == "00200000: 0x78 0x56\n");
  CHECK(b.run("x/2xh 0x1fffff+1") == "00200000: 0x5678 0x1234\n");
  CHECK(b.run("x/1dw 0x200000") == "00200000:  305419896\n");
  CHECK(b.run("x/1ub 2*0x100000") == "00200000: 120\n");
  CHECK(b.run("x/2c 0x200000") == "00200000: 'x' 'V'\n");
  CHECK(b.run("x/1xg 0x200000") == "00200000: 0x0000000012345678\n");
  has(b.run("x/2i 0x100020"), "mov eax, 0x12345678\n0x00100025:  ");
  has(b.run("x/1i $eip"), "jmp 0x10002a");
  has(b.run("x/9xb 0"), "\n00000008: ");
  CHECK(b.run("p $eax + 1") == "0x12345679\n");
  CHECK(b.run("p/d -(3-5)*4") == "8\n");
  has(b.run("x/1xw 0xe0000000"), "0xffffffff");
  has(b.run("x"), "invalid char");
  has(b.run("x/1xq 0"), "invalid char in format: 'q'");
  has(b.run("x/1xw $foo"), "unknown register");
  has(b.run("p 1/0"), "division by zero");
  has(b.run("x/99999999999xw 0"), "invalid count");
  has(b.run("p 1 2"), "extraneous");
  has(b.run("p " + std::string(5000, '(')), "too deep");
}

TEST_CASE("pmemsave writes physical memory", "[monitor]") {
  Bench b;
  const std::string path = b.dir / "memory with blank";
  CHECK(b.run("pmemsave 0x200000 6 \"" + path + "\"") == "");
  CHECK(file_bytes(path) == std::string("\x78\x56\x34\x12\0\0", 6));
  has(b.run("pmemsave 0xffffffff 2 \"" + path + "\""), "Error: ");
  has(b.run("pmemsave 0 1 /nonexistent/x"), "Could not open '/nonexistent/x'");
  has(b.run("pmemsave 0 1"), "expected");
}

TEST_CASE("paging", "[monitor]") {
  Bench b;
  CHECK(b.run("info mem") == "PG disabled\n");
  CHECK(b.run("info tlb") == "PG disabled\n");
  // A directory at 300000h: the first 4 MiB as one large page, then two small pages by a table at 301000h.
  AddressSpace& memory = b.machine->pc().memory;
  Cpu& cpu = b.machine->pc().cpu;
  memory.write(0x300000, 4, 0x000000e3);
  memory.write(0x300004, 4, 0x00301067);
  memory.write(0x301000, 4, 0x00200067);
  memory.write(0x301004, 4, 0x00201005);
  cpu.s.cr3 = 0x300000;
  cpu.s.cr4 |= kCr4Pse;
  cpu.s.cr0 |= kCr0Pg;
  CHECK(b.run("info mem") ==
        "0000000000000000-0000000000400000 0000000000400000 -rw\n"
        "0000000000400000-0000000000401000 0000000000001000 urw\n"
        "0000000000401000-0000000000402000 0000000000001000 ur-\n");
  CHECK(b.run("info tlb") ==
        "0000000000000000: 0000000000000000 --PDA---W\n"
        "0000000000400000: 0000000000200000 ---DA--UW\n"
        "0000000000401000: 0000000000201000 -------U-\n");
  CHECK(b.run("x/1xw 0x400000") == "00400000: 0x12345678\n");
  CHECK(b.run("x/1xw 0x800000") == "00800000: Cannot access memory\n");
}

TEST_CASE("run state, keys and power", "[monitor]") {
  Bench b;
  CHECK(b.run("info status") == "VM status: running\n");
  b.run("stop");
  CHECK(b.run("info status") == "VM status: paused\n");
  b.run("cont");
  CHECK_FALSE(b.machine->paused());
  std::vector<StampedInput> record;
  b.machine->gate().record_to(&record);
  CHECK(b.run("sendkey ctrl-alt-delete 50") == "");
  CHECK(b.run("sendkey a") == "");
  CHECK(b.run("sendkey nokey") == "invalid parameter: nokey\n");
  has(b.run("sendkey a never"), "not a time");
  // By QEMU's numbers: set 1, with bit 7 for E0; many at once, without waiting for each other.
  CHECK(b.run("sendkey 0x1e-0x1d-0x9d-0xc8") == "");
  CHECK(b.run("sendkey 0x0") == "invalid parameter: 0x0\n");
  CHECK(b.run("sendkey 0x100") == "invalid parameter: 0x100\n");
  CHECK(b.run("sendkey 0x") == "invalid parameter: 0x\n");
  for (int n = 0; n < 4; ++n) CHECK(b.run("sendkey b") == "");
  // Virtual time passes while the machine is halted; quit ends the run once the keys are through.
  Timer end(b.machine->pc().clock, [&] { b.machine->quit(); });
  end.schedule(b.machine->pc().clock.now() + 1'000'000'000);
  b.machine->run();
  std::string keys;
  for (const StampedInput& in : record) {
    if (const auto* key = std::get_if<KeyInput>(&in.input))
      keys += fmt::format("{}{} ", key->down ? '+' : '-', key_name(key->key));
  }
  CHECK(keys ==
        "+ctrl +alt +delete -delete -alt -ctrl +a -a +a +ctrl +ctrl_r +up -up -ctrl_r -ctrl -a "
        "+b -b +b -b +b -b +b -b ");
  for (int n = 0; n < 100'000 && b.run("sendkey ret").empty(); ++n) {}
  has(b.run("sendkey ret"), "busy");
  b.run("quit");
  CHECK(b.quit);
}

TEST_CASE("devices and screen", "[monitor]") {
  Bench b(true);
  has(b.run("info pci"), "Host bridge: PCI device 8086:1237");
  has(b.run("info pci"), "VGA controller: PCI device 1234:1111");
  has(b.run("info pic"), "pic0: irr=");
  CHECK(b.run("screendump " + (b.dir / "a.ppm")) == "");
  has(file_bytes(b.dir / "a.ppm").substr(0, 20), "P6\n720 400\n255\n");
  CHECK(b.run("screendump " + (b.dir / "a.png")) == "");
  CHECK(file_bytes(b.dir / "a.png").substr(1, 3) == "PNG");
  CHECK(b.run("screendump -f png " + (b.dir / "b")) == "");
  CHECK(file_bytes(b.dir / "b").substr(1, 3) == "PNG");
  has(b.run("screendump /nonexistent/a.ppm"), "Error: cannot write '/nonexistent/a.ppm'");
  has(Bench(false).run("screendump /tmp/never"), "no graphics adapter");
}

TEST_CASE("media are changed and ejected", "[monitor]") {
  Bench b;
  CHECK(b.run("info block") ==
        "ide1-cd0: [not inserted]\n    Removable device: not locked, tray closed\n\n"
        "floppy0: [not inserted]\n    Removable device: not locked, tray closed\n");
  std::vector<u8> disk = disk_image(1440 * 1024);
  const std::string floppy = b.dir.write("a disk", disk), cd = b.dir.write("cd.iso", iso_image(32, 32 * 2048));
  CHECK(b.run("change floppy0 \"" + floppy + "\"") == "");
  has(b.run("info block"), "floppy0: " + floppy + " (raw)\n    Size:             1474560 bytes\n");
  const FloppyDrive& drive = *b.machine->pc().fdc.drive(0);
  REQUIRE(drive.image());
  CHECK(drive.disk_changed());
  CHECK_FALSE(drive.write_protected());
  // The same file again, this time protected.
  CHECK(b.run("change floppy0 \"" + floppy + "\" raw read-only") == "");
  CHECK(drive.write_protected());
  CHECK(b.run("change ide1-cd0 " + cd) == "");
  REQUIRE(b.machine->pc().cdrom(2)->image());
  has(b.run("info block"), "ide1-cd0: " + cd + " (raw, read-only)");
  CHECK(b.run("eject floppy0") == "");
  CHECK_FALSE(drive.image());
  CHECK(b.run("eject -f ide1-cd0") == "");
  CHECK_FALSE(b.machine->pc().cdrom(2)->image());

  CHECK(b.run("eject floppy1") == "Error: Device 'floppy1' not found; removable media are in: ide1-cd0, floppy0\n");
  has(b.run("eject"), "expected");
  has(b.run("change floppy0"), "expected");
  has(b.run("change floppy0 \"" + floppy + "\" qcow2"), "not in qcow2 format");
  has(b.run("change floppy0 x nothing"), "no image format 'nothing'");
  has(b.run("change floppy0 x raw never"), "give retain");
  has(b.run("change floppy0 " + (b.dir / "none")), "No such file");
  // Odd ones get a warning, other formats are refused unless they are said to be raw.
  has(b.run("change floppy0 " + b.dir.write("odd", std::vector<u8>(777))), "warning: floppy image");
  has(b.run("change ide1-cd0 " + b.dir.write("cut.iso", iso_image(1000, 32 * 2048))), "truncated");
  std::copy_n("QED\0", 4, disk.begin());
  const std::string other = b.dir.write("other", disk);
  for (const char* name : {"floppy0", "ide1-cd0"}) {
    has(b.run(fmt::format("change {} {}", name, other)), "a QED image");
    CHECK(b.run(fmt::format("change {} {} raw", name, other)) == "");
    CHECK(b.run(fmt::format("eject {}", name)) == "");
  }
}

TEST_CASE("ports, mouse, saved virtual memory", "[monitor]") {
  Bench b;
  CHECK(b.run("i/b 0x3f4") == "portb[0x03f4] = 0x00\n");
  CHECK(b.run("o/b 0x3f2 0x0c") == "");
  CHECK(b.run("i /b 0x3f2") == "portb[0x03f2] = 0x0c\n");
  CHECK(b.run("i /h 0xcfc+2") == fmt::format("portw[0x0cfe] = 0x{:04x}\n", b.machine->pc().ports.read(0xcfe, 2)));
  CHECK(b.run("o /w 0xcf8 0x80000000") == "");
  CHECK(b.run("i 0xcfc") == "portl[0x0cfc] = 0x12378086\n");
  has(b.run("i /g 0"), "sizes b, h and w");
  has(b.run("i 0x10000"), "ports are 0 to 0xffff");
  has(b.run("i"), "\n");
  has(b.run("o 0x80"), "\n");
  has(b.run("o 0x80 1 2"), "extraneous");

  std::vector<StampedInput> record;
  b.machine->gate().record_to(&record);
  CHECK(b.run("mouse_button 4") == "");
  CHECK(b.run("mouse_move 5 -6 1") == "");
  CHECK(b.run("mouse_button 2") == "");
  has(b.run("mouse_move 1"), "expected");
  has(b.run("mouse_move 1 x"), "'x' is not a number");
  has(b.run("mouse_move 1 40000"), "not a number");
  has(b.run("mouse_button 8"), "give the sum");
  CHECK(b.run("info mice") == "* Mouse #2: QEMU PS/2 Mouse\n");
  CHECK(b.run("mouse_set 2") == "");
  CHECK(b.run("mouse_set 1") == "Input device #1 is not a mouse\n");
  CHECK(b.run("mouse_set 3") == "Mouse at index '3' not found\n");
  has(b.run("mouse_set x"), "info mice");
  has(b.run("info keyboard"), "scan code set 2");
  b.machine->run_until(b.machine->pc().clock.count());
  b.machine->quit();
  b.machine->run();
  std::vector<MouseInput> mouse;
  for (const StampedInput& in : record) {
    if (const auto* m = std::get_if<MouseInput>(&in.input)) mouse.push_back(*m);
  }
  REQUIRE(mouse.size() == 3);
  // 4 is the middle button, whatever QEMU's help says; the wheel turns by one, away from the user.
  CHECK((mouse[0].buttons == 4 && mouse[1].buttons == 4 && mouse[2].buttons == 2));
  CHECK((mouse[1].dx == 5 && mouse[1].dy == -6 && mouse[1].dz == -1));

  const std::string path = b.dir / "memory";
  CHECK(b.run("memsave 0x200000 4 " + path) == "");
  CHECK(file_bytes(path) == "\x78\x56\x34\x12");
  has(b.run("memsave 0x200000 4"), "memsave: addr size file expected");
  has(b.run("memsave 0xffffffff 4 " + path), "Error: ");
  // With paging on, what is not mapped cannot be saved.
  b.machine->pc().cpu.s.cr3 = 0x300000;
  b.machine->pc().cpu.s.cr0 |= kCr0Pg;
  has(b.run("memsave 0x200000 4 " + path), "nothing is mapped");
}

TEST_CASE("what listens where", "[monitor]") {
  Bench b(true);
  has(b.run("info irq"), "IRQ statistics");
  has(b.run("info dma"), "dma2: page=00 addr=0000/0000 count=0000/0000 verify demand masked\n");
  b.monitor->set_channels({"serial0: filename=stdio"});
  CHECK(b.run("info chardev") == "serial0: filename=stdio\n");
  const std::string map = b.run("info mtree");
  has(map, "  0000000000000000-000000000009ffff (ram): pc.ram\n");
  has(map, "  00000000000a0000-00000000000bffff (i/o): vga\n");
  has(map, "-00000000ffffffff (rom): firmware\n");
  has(map, "  00000000000003f2-00000000000003f5 (i/o): i82077\n");
  has(map, "  0000000000000020-0000000000000021 (i/o): i8259\n");
  for (const char* item : {"block", "chardev", "dma", "irq", "mtree"})
    has(b.run("info"), fmt::format("info {} -- ", item));
  for (const char* command : {"change", "eject", "memsave", "mouse_move", "mouse_button"}) {
    has(b.run("help"), fmt::format("{} ", command));
  }
}

TEST_CASE("lines, prompts, help", "[monitor]") {
  Bench b;
  const auto type = [&](std::string_view keys) {
    b.output.clear();
    b.monitor->feed({reinterpret_cast<const u8*>(keys.data()), keys.size()});
    return b.output;
  };
  b.monitor->greet();
  CHECK(b.output == "xlat 0.1.0 monitor - type 'help' for more information\r\n(xlat) ");
  CHECK(type("info nane\x7f\x7fme\r\n") == "info nane\b \b\b \bme\r\nbench\r\n(xlat) ");
  CHECK(type("foo\n") == "foo\r\nunknown command: 'foo'\r\n(xlat) ");
  CHECK(type("\n") == "\r\n(xlat) ");
  has(type("inf\tst\t\r"), "info status \r\nVM status: running\r\n");
  has(type("system_p\x05owerdown\x15help sendk\t\r"), "help sendkey \r\nsendkey keys");
  has(type("sendkey ctrl-alt-dele\t\x15"), "alt-delete ");
  CHECK(type("\x1b[A\x15").starts_with("help sendkey "));
  CHECK(type("junk\x15quit\r").ends_with("quit\r\n"));
  has(b.run("help"), "sendkey keys [hold_ms] -- ");
  CHECK(b.run("help stop") == "stop|s -- stop the machine\n");
  has(b.run("info"), "info registers");
  has(b.run("info nothing"), "unknown command: 'info nothing'");
  has(b.run("stop now"), "extraneous");
}

}  // namespace xlat
