// Flat 32-bit code under paging at privilege 0, with handlers that halt, for tests that compare engines.
#pragma once

#include "bare_cpu.h"

namespace xlat::test {

constexpr u8 byte_of(u32 value, unsigned n) { return static_cast<u8>(value >> (8 * n)); }
// A number as code has it.
#define BYTES32(x) \
  xlat::test::byte_of(x, 0), xlat::test::byte_of(x, 1), xlat::test::byte_of(x, 2), xlat::test::byte_of(x, 3)

// Where the handler of an exception is; it has 32 bytes.
constexpr u32 handler_of(u32 vector) { return 0x7000 + 32 * vector; }

template <class EngineType>
struct PagedMachine : BareMachine<EngineType> {
  static constexpr u32 kGdt = 0x5000, kIdt = 0x6000;

  // The first 4 MiB are mapped to themselves by `directory` and `table`; paging is off until paging_on().
  PagedMachine(u32 ip, u32 esp, u32 directory, u32 table) {
    this->flat32(ip, esp);
    map_identity(directory, table);
    this->put32(kGdt + 8, 0x0000ffff);
    this->put32(kGdt + 12, 0x00cf9b00);
    for (u32 vector = 0; vector < 32; ++vector) {
      this->put32(kIdt + 8 * vector, 8 << 16 | handler_of(vector));
      this->put32(kIdt + 8 * vector + 4, 0x8e00);
      this->put(handler_of(vector), {0xf4});
    }
    CpuState& s = this->cpu.s;
    s.gdtr = {kGdt, 0xff};
    s.idtr = {kIdt, 0x7ff};
    s.cr3 = directory;
    for (unsigned n = 0; n < 8; ++n) {
      if (n != kEsp) s.gpr[n] = 0;
    }
  }

  void map_identity(u32 directory, u32 table) {
    for (u32 page = 0; page < 1024; ++page) this->put32(table + 4 * page, page << 12 | 3);
    this->put32(directory, table | 3);
  }
  void paging_on() { this->cpu.write_cr0(this->cpu.s.cr0 | kCr0Pg | kCr0Wp); }
};

}  // namespace xlat::test
