// VMware's backdoor in a whole PC: IN and OUT see and change the processor's registers, in every engine alike.
#include <catch2/catch.hpp>
#include <filesystem>
#include <fstream>

#include "jit/engine.h"
#include "machine/machine.h"
#include "tests/support/reach_kernel.h"

using namespace xlat;

namespace {

// A Multiboot kernel that asks for version and status some hundred times, changes EBX and ECX on the way, and halts.
constexpr u32 kEntry = 0x100020;
constexpr u8 kCode[] = {
    0xbf, 0x00, 0x01, 0x00, 0x00,  // mov edi, 100h
    0xb8, 0x68, 0x58, 0x4d, 0x56,  // again: mov eax, magic
    0x31, 0xdb,                    // xor ebx, ebx
    0xb9, 0x0a, 0x00, 0x00, 0x00,  // mov ecx, 10
    0xba, 0x58, 0x56, 0x00, 0x00,  // mov edx, 5658h
    0xed,                          // in eax, dx
    0x01, 0xde,                    // add esi, ebx
    0x01, 0xce,                    // add esi, ecx
    0x01, 0xc6,                    // add esi, eax
    0xb8, 0x68, 0x58, 0x4d, 0x56,  // mov eax, magic
    0xb9, 0x28, 0x00, 0x00, 0x00,  // mov ecx, 40
    0xef,                          // out dx, eax
    0x01, 0xc5,                    // add ebp, eax
    0x4f,                          // dec edi
    0x75, 0xd8,                    // jnz again
    0xf4,                          // hlt
};

std::string write_kernel() {
  const std::string path = std::filesystem::temp_directory_path() / ("xlat-vmport-" + std::to_string(getpid()));
  std::ofstream out(path, std::ios::binary);
  const u32 flags = 1 << 16, start = 0x100000, bytes = 32 + sizeof kCode;
  for (const u32 word : {0x1badb002u, flags, 0u - 0x1badb002u - flags, start, start, start + bytes, 0u, kEntry}) {
    out.write(reinterpret_cast<const char*>(&word), 4);
  }
  out.write(reinterpret_cast<const char*>(kCode), sizeof kCode);
  return path;
}

// ESI and EBP at the end.
std::pair<u32, u32> run(const std::string& kernel, EngineKind engine, bool vmport) {
  MachineConfig config;
  config.ram_bytes = 16 << 20;
  config.time.deterministic = true;
  config.engine = engine;
  config.kernel = kernel;
  config.vmport = vmport;
  auto machine = Machine::create(config);
  if (!machine) FAIL(machine.error().message);
  Machine& m = **machine;
  REQUIRE(test::reach_kernel(m, kEntry));
  m.pc().cpu.s.gpr[kEsi] = m.pc().cpu.s.gpr[kEbp] = 0;
  for (Pc* pc : m.pcs()) pc->cpu.s.gpr[kEsi] = pc->cpu.s.gpr[kEbp] = 0;
  m.run_until(m.pc().clock.count() + 1 + 0x100 * 14);  // not to the HLT, from which nothing would wake it
  CHECK(m.difference() == "");
  CHECK(m.pc().cpu.s.gpr[kEdi] == 0);
  return {m.pc().cpu.s.reg32(kEsi), m.pc().cpu.s.reg32(kEbp)};
}

}  // namespace

TEST_CASE("IN and OUT of the backdoor, in every engine", "[input]") {
  const std::string kernel = write_kernel();
  const std::pair<u32, u32> right = {0x100u * (0x564d5868u + 2 + 6), 0x100u * 0xffff0000u};
  CHECK(run(kernel, EngineKind::kInterp, true) == right);
  if (jit::jit_available()) {
    CHECK(run(kernel, EngineKind::kJit, true) == right);
    CHECK(run(kernel, EngineKind::kLockstep, true) == right);
  }
  // Without it nobody answers, and nothing but EAX changes.
  CHECK(run(kernel, EngineKind::kInterp, false) == std::pair<u32, u32>{0x100u * (10u - 1u), 0x100u * 0x564d5868u});
  std::filesystem::remove(kernel);
}
