// A processor with RAM and nothing else, for tests that run a few instructions.
#pragma once

#include <initializer_list>
#include <span>

#include "cpu/interp/interp.h"
#ifdef XLAT_TEST_JIT
#include "hot_jit.h"
#endif

namespace xlat::test {

// `EngineType` is Interp or a class derived from it.
template <class EngineType>
class BareMachine {
 public:
  explicit BareMachine(u32 ram_bytes = 4 << 20, const char* model = "max")
      : ram(ram_bytes), cpu(find_cpu_model(model).value(), memory, ports, clock, log), interp(cpu) {
    memory.map_ram(0, ram_bytes, ram.data());
  }

  // Flat 32-bit protected mode at privilege 0, no descriptor tables, interrupts off.
  void flat32(u32 ip, u32 esp) {
    cpu.reset();
    cpu.s.cr0 |= kCr0Pe;
    for (unsigned n = 0; n < kSegRegs; ++n) {
      const bool code = n == kCs;
      cpu.s.seg[n].load(static_cast<u16>(code ? 8 : 16), {0x0000ffff, code ? 0x00cf9b00u : 0x00cf9300u});
    }
    cpu.s.ip = ip;
    cpu.s.gpr[kEsp] = esp;
    cpu.update_tables();
  }
  // Real mode with every segment at `segment`.
  void real16(u16 segment, u16 ip, u16 sp) {
    cpu.reset();
    for (Segment& s : cpu.s.seg) s.load_real(segment);
    cpu.s.ip = ip;
    cpu.s.gpr[kEsp] = sp;
  }

  void put(u32 address, std::initializer_list<u8> bytes) {
    memory.write_block(address, std::span(bytes.begin(), bytes.size()));
  }
  void put(u32 address, std::span<const u8> bytes) { memory.write_block(address, bytes); }
  void put32(u32 address, u32 value) { memory.write(address, 4, value); }
  u32 get32(u32 address) { return static_cast<u32>(memory.read(address, 4)); }

  // The processor's whole state, as a snapshot has it.
  std::vector<u8> state() {
    Archive ar = Archive::saver();
    cpu.serialize(ar);
    return ar.bytes();
  }

  // Runs `n` instructions (fewer if the processor halts).
  Interp::Stop run(u64 n) { return interp.run(clock.count() + n); }

  AddressSpace memory;
  PortBus ports;
  Clock clock;
  Log log;
  std::vector<u8> ram;
  Cpu cpu;
  EngineType interp;
};

// The processor's tests are built twice: tests_cpu runs them on the interpreter, tests_cpu_jit on the JIT with every
// block translated the first time it runs.
#ifdef XLAT_TEST_JIT
using TestedEngine = HotJit;
#else
using TestedEngine = Interp;
#endif
using BareCpu = BareMachine<TestedEngine>;

}  // namespace xlat::test
