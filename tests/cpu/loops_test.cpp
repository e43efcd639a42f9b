// Blocks that jump to themselves, which the JIT makes loops of their own: flags that wait over a round and pages that
// accesses found before must be right where a round faults, leaves its page, writes the loop itself or ends a slice.
#include <catch2/catch.hpp>

#include "tests/support/compared_engine.h"
#include "tests/support/hot_jit.h"
#include "tests/support/paged_machine.h"
#include "tests/support/side_by_side.h"

using namespace xlat;
using test::ComparedEngine;
using test::PagedMachine;

namespace {

constexpr u32 kDirectory = 0x1000, kTable = 0x2000, kCode = 0x8000, kStack = 0x9000;
// The page behind kData's is not there at first, the one behind that may not be written; kNoMemory leads beyond the
// RAM.
constexpr u32 kData = 0x20000, kMissing = kData + 0x1000, kReadOnly = kData + 0x2000, kNoMemory = 0x40000;

template <class EngineType>
struct Scene : PagedMachine<EngineType> {
  explicit Scene(std::initializer_list<u8> loop)
      : PagedMachine<EngineType>(kCode, kStack + 0x1000, kDirectory, kTable) {
    this->put32(kTable + 4 * (kMissing >> 12), 0);
    this->put32(kTable + 4 * (kReadOnly >> 12), kReadOnly | 1);
    this->put32(kTable + 4 * (kNoMemory >> 12), 0x00800003);
    // #PF: both pages get their due, and what CR3 is loaded with is what it was.
    this->put(test::handler_of(kPF), {0xc7, 0x05, 0x84, 0x20, 0, 0, 0x03, 0x10, 2, 0,       // mov dword [2084],21003
                                      0xc7, 0x05, 0x88, 0x20, 0, 0, 0x03, 0x20, 2, 0});     // mov dword [2088],22003
    this->put(test::handler_of(kPF) + 20, {0x50, 0x0f, 0x20, 0xd8, 0x0f, 0x22, 0xd8, 0x58,  // push/mov eax,cr3/.../pop
                                           0x83, 0xc4, 0x04, 0xcf});                        // add esp,4 / iret
    std::vector<u8> code(loop);
    code.push_back(0xf4);
    this->put(kCode, code);
    for (u32 at = kData; at < kData + 0x4000; at += 4) this->put32(at, at * 0x9e3779b1);
    this->paging_on();
  }
};

// `set_up` gives the registers their values. Runs on both engines by slices until they halt.
void both(std::initializer_list<u8> loop, auto set_up) {
  for (const u64 slice : {u64{1'000'000}, u64{13}, u64{1}}) {
    Scene<Interp> a(loop);
    Scene<ComparedEngine> b(loop);
    set_up(a.cpu.s.gpr);
    set_up(b.cpu.s.gpr);
    test::run_side_by_side(a, b, slice);
  }
}

}  // namespace

TEST_CASE("a copying loop runs through a page that is missing and one that may not be written") {
  // mov al,[esi] / mov [edi],al / inc esi / inc edi / dec ecx / jnz
  both({0x8a, 0x06, 0x88, 0x07, 0x46, 0x47, 0x49, 0x75, 0xf7}, [](auto& gpr) {
    gpr[kEsi] = kData + 0x3000;
    gpr[kEdi] = kData + 0xff0;
    gpr[kEcx] = 0xfff;
  });
  both({0x8a, 0x06, 0x88, 0x07, 0x46, 0x47, 0x49, 0x75, 0xf7}, [](auto& gpr) {
    gpr[kEsi] = kData + 0xfc0;
    gpr[kEdi] = kReadOnly + 3;
    gpr[kEcx] = 0x90;
  });
}

TEST_CASE("a fault in a later round pushes the flags of the round before") {
  // mov eax,[esi+ecx*4] / add ebx,eax / inc ecx / cmp ecx,edx / jb
  both({0x8b, 0x04, 0x8e, 0x01, 0xc3, 0x41, 0x39, 0xd1, 0x72, 0xf6}, [](auto& gpr) {
    gpr[kEsi] = kData + 0xfc0;
    gpr[kEdx] = 40;
  });
  // mov eax,[esi] / add esi,4 / shr edx,1 / jnz: flags of a shift
  both({0x8b, 0x06, 0x83, 0xc6, 0x04, 0xd1, 0xea, 0x75, 0xf7}, [](auto& gpr) {
    gpr[kEsi] = kData + 0xfc0;
    gpr[kEdx] = 0x90000001;
  });
  // mov eax,[esi] / cmp [esi-4],eax / lea esi,[esi+4] / lea ecx,[ecx-1] / jne: a comparison with memory
  both({0x8b, 0x06, 0x39, 0x46, 0xfc, 0x8d, 0x76, 0x04, 0x8d, 0x49, 0xff, 0x75, 0xf3},
       [](auto& gpr) { gpr[kEsi] = kData + 0xf04; });
}

TEST_CASE("operands in a loop cross pages, are read and written, and lie where no memory is") {
  // add [edi],eax / add eax,[esi] / add edi,3 / add esi,5 / dec ecx / jnz
  both({0x01, 0x07, 0x03, 0x06, 0x83, 0xc7, 0x03, 0x83, 0xc6, 0x05, 0x49, 0x75, 0xf3}, [](auto& gpr) {
    gpr[kEsi] = kData + 0xf00;
    gpr[kEdi] = kData + 0x1f81;
    gpr[kEcx] = 200;
    gpr[kEax] = 0x12345678;
  });
  // mov ax,[esi] / add ebx,eax / mov [esi+1],bx / add esi,1 / dec ecx / jnz
  both({0x66, 0x8b, 0x06, 0x01, 0xc3, 0x66, 0x89, 0x5e, 0x01, 0x83, 0xc6, 0x01, 0x49, 0x75, 0xf1}, [](auto& gpr) {
    gpr[kEsi] = kNoMemory - 0x20;
    gpr[kEcx] = 0x40;
  });
}

TEST_CASE("a loop writes itself") {
  // add al,[edi] / mov [edi],al / add edi,1 / dec ecx / jnz, from below its own code
  both({0x02, 0x07, 0x88, 0x07, 0x83, 0xc7, 0x01, 0x49, 0x75, 0xf6}, [](auto& gpr) {
    gpr[kEdi] = kCode - 20;
    gpr[kEcx] = 25;
  });
  // mov [edi],dl / mov al,1 / add ebx,eax / inc dl / dec ecx / jnz: the constant
  both({0x88, 0x17, 0xb0, 0x01, 0x01, 0xc3, 0xfe, 0xc2, 0x49, 0x75, 0xf5}, [](auto& gpr) {
    gpr[kEdi] = kCode + 3;
    gpr[kEcx] = 50;
  });
}

TEST_CASE("LOOP and loops without memory") {
  both({0xe2, 0xfe}, [](auto& gpr) { gpr[kEcx] = 1000; });
  // imul eax,ebx / add eax,ecx / dec ecx / jnz
  both({0x0f, 0xaf, 0xc3, 0x01, 0xc8, 0x49, 0x75, 0xf8}, [](auto& gpr) {
    gpr[kEbx] = 12345;
    gpr[kEcx] = 1000;
  });
  // adc eax,ebx / dec ecx / jnz: carry over rounds
  both({0x11, 0xd8, 0x49, 0x75, 0xfb}, [](auto& gpr) {
    gpr[kEbx] = 0xf0000001;
    gpr[kEcx] = 1000;
  });
  // adc eax,ebx / lea ecx,[ecx-1] / jecxz +2 / jmp: likewise, but two blocks
  both({0x11, 0xd8, 0x8d, 0x49, 0xff, 0xe3, 0x02, 0xeb, 0xf7}, [](auto& gpr) {
    gpr[kEbx] = 0xf0000001;
    gpr[kEcx] = 1000;
  });
}

#ifdef XLAT_JIT_X64
TEST_CASE("a block becomes a loop where slices are found to end in it") {
  class Sampling : public test::HotJit {
   public:
    explicit Sampling(Cpu& cpu) : HotJit(cpu, 4 << 20, 2) {}
  };
  Scene<Sampling> m({0x0f, 0xaf, 0xc3, 0x01, 0xc8, 0x49, 0x75, 0xf8});  // as above
  m.cpu.s.gpr[kEcx] = 1000;
  m.run(1000);
  CHECK(m.interp.counters().loops == 0);
  for (unsigned n = 0; n < 4; ++n) m.run(100);
  CHECK(m.interp.counters().loops == 1);
  m.run(10'000);
  CHECK(m.cpu.s.halted);
  CHECK(m.clock.count() == 4001);
}
#endif
