// Lockstep: no difference where there is none, with input from outside; a report where there is one.
#include <catch2/catch.hpp>
#include <filesystem>
#include <fstream>

#include "cpu/state_text.h"
#include "jit/engine.h"
#include "machine/machine.h"

using namespace xlat;

namespace {

MachineConfig lockstep_config() {
  MachineConfig config;
  config.ram_bytes = 32 << 20;
  config.time.deterministic = true;
  config.engine = EngineKind::kLockstep;
  return config;
}

std::unique_ptr<Machine> make(const MachineConfig& config) {
  auto machine = Machine::create(config);
  if (!machine) FAIL(machine.error().message);
  return std::move(*machine);
}

bool jit_missing() {
  if (jit::jit_available()) return false;
  WARN("this host has no JIT; skipped");
  return true;
}

// All four parts of a report, in their order.
void check_parts(const std::string& report) {
  INFO(report);
  std::size_t at = 0;
  for (const char* part : {"lockstep:", "DIFFERING:", "GUEST CODE:", "IR:", "HOST CODE:", "STATES:"}) {
    const auto found = report.find(part, at);
    CHECK(found != std::string::npos);
    if (found != std::string::npos) at = found;
  }
}

}  // namespace

TEST_CASE("the firmware boots in lockstep without a difference, keys pressed") {
  if (jit_missing()) return;
  const auto boot = [](EngineKind engine, std::optional<u64> window) {
    MachineConfig config = lockstep_config();
    config.engine = engine;
    config.lockstep.window = window;
    config.lockstep.memory_every = 3'000'000;
    config.add_floppy(0, DriveConfig{});
    std::string printed;
    config.add_debugcon(0x402, [&](u8 value) { printed += static_cast<char>(value); });
    const auto machine = make(config);
    CHECK(machine->run_until(4'000'000) == Machine::Exit::kCount);
    machine->gate().post(KeyInput{*key_by_name("esc"), true});
    machine->gate().post(KeyInput{*key_by_name("esc"), false});
    CHECK(machine->run_until(9'000'000) == Machine::Exit::kCount);
    machine->gate().post(ResetInput{});
    CHECK(machine->run_until(11'000'000) == Machine::Exit::kCount);
    CHECK(machine->difference() == "");
    return printed;
  };
  // What leaves the machine leaves it once.
  const std::string alone = boot(EngineKind::kInterp, 0);
  CHECK(alone.size() > 1000);
  CHECK(boot(EngineKind::kLockstep, std::nullopt) == alone);
  CHECK(boot(EngineKind::kLockstep, 0) == alone);
  CHECK(boot(EngineKind::kLockstep, 1000) == alone);
}

TEST_CASE("a wrong translation is found and reported") {
  if (jit_missing()) return;
  for (const u64 window : {0, 500}) {
    MachineConfig config = lockstep_config();
    config.lockstep.window = window;
    config.lockstep.inject = 20;
    const auto machine = make(config);
    CHECK(machine->run_until(10'000'000) == Machine::Exit::kDifference);
    check_parts(machine->difference());
    const std::string report = machine->difference();
    CHECK(report.find("DIFFERING: eax") != std::string::npos);
    CHECK(report.find("not eax") != std::string::npos);
    CHECK(report.find("* eax") != std::string::npos);
    // It stays where it is.
    CHECK(machine->run_until(10'000'000) == Machine::Exit::kDifference);
    CHECK(machine->difference() == report);
  }
}

TEST_CASE("memory that differs is found, and what the machine is asked") {
  if (jit_missing()) return;
  MachineConfig config = lockstep_config();
  config.lockstep.memory_every = 10'000;
  auto machine = make(config);
  CHECK(machine->run_until(1'000'000) == Machine::Exit::kCount);
  machine->pc().ram->bytes()[0x1234567] ^= 0x10;
  CHECK(machine->run_until(2'000'000) == Machine::Exit::kDifference);
  CHECK(machine->difference().find("memory 01234567: jit 10, interp 00") != std::string::npos);
  CHECK(machine->difference().find("DIFFERING: nothing") != std::string::npos);

  machine = make(config);
  CHECK(machine->run_until(1'000'000) == Machine::Exit::kCount);
  machine->pc().requests.power_off = true;
  CHECK(machine->run_until(2'000'000) == Machine::Exit::kDifference);
  CHECK(machine->difference().find("power off") != std::string::npos);
}

TEST_CASE("only the first machine writes to disks, and the second one sees its own writes") {
  if (jit_missing()) return;
  namespace fs = std::filesystem;
  // A boot sector that writes itself, with a counter, to sector 1, reads it back and compares; three times.
  const u8 code[] = {
      0xfa,                          // cli
      0xb9, 0x03, 0x00,              // mov cx,3
      0x51,                          // push cx           ; again:
      0x2e, 0xfe, 0x06, 0xf0, 0x7d,  // inc byte cs:[7df0]
      0x31, 0xc0, 0x8e, 0xc0,        // xor ax,ax / mov es,ax
      0xb8, 0x01, 0x03,              // mov ax,0301h      ; write
      0xbb, 0x00, 0x7c,              // mov bx,7c00h
      0xb9, 0x02, 0x00,              // mov cx,2
      0xba, 0x80, 0x00,              // mov dx,80h
      0xcd, 0x13,                    // int 13h
      0xb8, 0x01, 0x02,              // mov ax,0201h      ; read
      0xbb, 0x00, 0x80,              // mov bx,8000h
      0xb9, 0x02, 0x00,              // mov cx,2
      0xba, 0x80, 0x00,              // mov dx,80h
      0xcd, 0x13,                    // int 13h
      0x26, 0xa0, 0xf0, 0x81,        // mov al,es:[81f0]
      0x59,                          // pop cx
      0xe2, 0xd3,                    // loop again
      0xba, 0x01, 0x05, 0xee,        // mov dx,501h / out dx,al
      0xeb, 0xfe,                    // jmp $
  };
  std::vector<u8> disk(1 << 20);
  std::copy(std::begin(code), std::end(code), disk.begin());
  disk[510] = 0x55;
  disk[511] = 0xaa;
  char name[] = "/tmp/xlat-lockstep-XXXXXX";
  const int fd = mkstemp(name);
  REQUIRE(fd >= 0);
  CHECK(write(fd, disk.data(), disk.size()) == static_cast<ssize_t>(disk.size()));
  MachineConfig config = lockstep_config();
  config.add_ide(0, DriveConfig{.path = name});
  config.add_debug_exit(0x501, 1);
  {
    const auto machine = make(config);
    CHECK(machine->run_until(100'000'000) == Machine::Exit::kDebugExit);
    CHECK(machine->exit_status() == 3 * 2 + 1);
    CHECK(machine->difference() == "");
  }
  CHECK(pread(fd, disk.data(), disk.size(), 0) == static_cast<ssize_t>(disk.size()));
  CHECK(disk[0x1f0] == 0);
  CHECK(disk[512 + 0x1f0] == 3);
  close(fd);
  fs::remove(name);
}

TEST_CASE("bytes from a serial port enter both machines") {
  if (jit_missing()) return;
  MachineConfig config = lockstep_config();
  // COM1 polled: echoes what comes until a 'q'. A Multiboot kernel at 1 MiB.
  const u8 code[] = {
      0x66, 0xba, 0xfb, 0x03,        // mov dx,3fbh
      0xb0, 0x03, 0xee,              // mov al,3 / out dx,al: 8 bits
      0x66, 0xba, 0x78, 0x03,        // mov dx,378h
      0xb0, 0x4c, 0xee,              // mov al,'L' / out dx,al
      0x66, 0xba, 0x7a, 0x03,        // mov dx,37ah
      0xb0, 0x0d, 0xee,              // mov al,0dh / out dx,al: STROBE#
      0x66, 0xba, 0xfd, 0x03, 0xec,  // again: mov dx,3fdh / in al,dx
      0xa8, 0x01, 0x74, 0xf7,        // test al,1 / jz again
      0x66, 0xba, 0xf8, 0x03, 0xec,  // mov dx,3f8h / in al,dx
      0xee, 0x3c, 0x71, 0x75, 0xed,  // out dx,al / cmp al,'q' / jne again
      0x66, 0xba, 0x01, 0x05, 0xee,  // mov dx,501h / out dx,al
  };
  char name[] = "/tmp/xlat-lockstep-XXXXXX";
  const int fd = mkstemp(name);
  REQUIRE(fd >= 0);
  const u32 flags = 1 << 16, start = 0x100000, end = start + 32 + sizeof code;
  const u32 header[] = {0x1badb002u, flags, 0u - 0x1badb002u - flags, start, start, end, 0, start + 32};
  CHECK(write(fd, header, sizeof header) == sizeof header);
  CHECK(write(fd, code, sizeof code) == sizeof code);
  close(fd);
  config.kernel = name;
  std::string echoed;
  config.add_serial(0, [&](u8 value) { echoed += static_cast<char>(value); });
  std::string printed;
  config.add_parallel([&](u8 value) { printed += static_cast<char>(value); });
  config.add_debug_exit(0x501, 1);
  const auto machine = make(config);
  CHECK(machine->run_until(10'000'000) == Machine::Exit::kCount);  // the firmware has started it by then
  // More than the FIFO takes, so that some bytes wait in the machine.
  const std::string text = "all work and no play makes a machine a dull machine, q";
  machine->enter_bytes(0, {reinterpret_cast<const u8*>(text.data()), text.size()});
  CHECK(machine->run_until(11'000'000) == Machine::Exit::kDebugExit);
  CHECK(machine->difference() == "");
  CHECK(echoed == text);
  CHECK(printed == "L");
  CHECK(machine->backlog(0) == 0);
  std::filesystem::remove(name);
}

TEST_CASE("the fields of a state have names, and one that changes shows") {
  CpuState a;
  a.reset(0x686);
  CpuState b = a;
  CHECK(state_fields(a) == state_fields(b));
  const auto differing = [&] {
    std::string names;
    const auto x = state_fields(a), y = state_fields(b);
    REQUIRE(x.size() == y.size());
    for (std::size_t n = 0; n < x.size(); ++n) {
      if (!(x[n] == y[n])) names += x[n].name + ";";
    }
    CHECK((a == b) == names.empty());
    b = a;
    return names;
  };
  b.gpr[kEsi] = 5;
  CHECK(differing() == "esi;");
  b.flags.set(kFlagsFixed1 | kZf);
  CHECK(differing() == "eflags;");
  b.flags.record(FlagKind::kAdd, 32, 1, 1, 2);  // no flag
  CHECK(differing() == "");
  b.seg[kFs].limit = 7;
  CHECK(differing() == "fs;");
  b.seg[kGs].hi_write = 7;
  CHECK(differing() == "gs range;");
  b.fpu.regs[3].mantissa = 1;
  CHECK(differing() == "fpr3;");
  b.fpu.ds = 1;
  CHECK(differing() == "fdp;");
  b.cr3 = 0x1000;
  CHECK(differing() == "cr3;");
  b.dr[7] = 1;
  CHECK(differing() == "dr7;");
  b.mtrr_variable[15] = 1;
  CHECK(differing() == "mtrr var 15;");
  b.sysenter_eip = 1;
  CHECK(differing() == "sysenter_eip;");
  b.shadow = Shadow::kSti;
  CHECK(differing() == "shadow;");
  b.tr.base = 1;
  CHECK(differing() == "tr;");
  b.idtr.limit = 1;
  CHECK(differing() == "idtr;");
}
