// How fast the interpreter is: millions of guest instructions a second on small loops. Prints, does not judge.
#include <fmt/format.h>

#include <chrono>

#include "tests/support/bare_cpu.h"

using namespace xlat;

namespace {

void measure(const char* name, std::initializer_list<u8> code) {
  test::BareCpu m(16 << 20);
  m.flat32(0x1000, 0x80000);
  m.put(0x1000, code);
  m.cpu.s.gpr[kEbx] = 0x100000;
  m.cpu.s.gpr[kEcx] = 0x40000000;
  m.run(1'000'000);
  constexpr u64 kInstructions = 100'000'000;
  const auto start = std::chrono::steady_clock::now();
  m.run(kInstructions);
  const double seconds = std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
  fmt::print("{:<24}{:8.1f} M instructions/s\n", name, kInstructions / seconds / 1e6);
}

}  // namespace

int main() {
  // add eax,ecx / imul edx,eax,7 / xor eax,edx / dec ecx / jnz
  measure("integer loop", {0x01, 0xc8, 0x6b, 0xd0, 0x07, 0x31, 0xd0, 0x49, 0x75, 0xf6});
  // mov eax,[ebx] / add eax,ecx / mov [ebx+4],eax / add dword [ebx],3 / dec ecx / jnz
  measure("loads and stores", {0x8b, 0x03, 0x01, 0xc8, 0x89, 0x43, 0x04, 0x83, 0x03, 0x03, 0x49, 0x75, 0xf3});
  // call +2 / jmp -7 (loop) / ret
  measure("call and return", {0xe8, 0x02, 0x00, 0x00, 0x00, 0xeb, 0xf9, 0xc3});
  // push ebx / mov edi,ebx / mov ecx,4096 / rep stosb / pop ebx / jmp
  measure("rep stosb", {0x53, 0x89, 0xdf, 0xb9, 0x00, 0x10, 0x00, 0x00, 0xf3, 0xaa, 0x5b, 0xeb, 0xf3});
  return 0;
}
