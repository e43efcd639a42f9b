// Transcendental instructions against the host: special operands, the stack, and results to one unit in the last place.
#include <catch2/catch.hpp>

#if defined(__x86_64__)

#include "tests/support/x87_oracle.h"

using namespace xlat;
using namespace xlat::test;

TEST_CASE("transcendental instructions treat special operands as the host does") {
  const std::vector<std::vector<u8>> code = {{0xd9, 0xf0}, {0xd9, 0xf1}, {0xd9, 0xf2}, {0xd9, 0xf3},
                                             {0xd9, 0xf9}, {0xd9, 0xfb}, {0xd9, 0xfe}, {0xd9, 0xff}};
  const HostX87 host(code);
  FloatGuest<Interp> guest(code);
  FloatSource source(99);
  unsigned wrong = 0;
  for (std::size_t n = 0; n < code.size(); ++n) {
    unsigned here = 0;
    for (unsigned k = 0; k < 20000; ++k) {
      const FloatMachine before = source.machine(k & 1);
      const i32 exponent = (before.fpu.regs[before.fpu.top()].sign_exp & 0x7fff) - 0x3fff;
      // Outside these ranges the manual leaves the result open.
      const bool undefined = (code[n][1] == 0xf0 && exponent >= 0 && exponent < 0x4000) ||
                             (code[n][1] == 0xf9 && exponent >= -2 && exponent < 0x4000);
      if (undefined) continue;
      FloatMachine expected = before, got = before;
      host.run(n, expected);
      guest.run(n, got);
      bool ok = ((expected.fpu.status ^ got.fpu.status) & 0xfdff) == 0;
      for (unsigned r = 0; r < 8; ++r) {
        ok = ok && is_empty(expected.fpu, r) == is_empty(got.fpu, r) &&
             distance(expected.fpu.regs[r], got.fpu.regs[r]) <= 1;
      }
      if (!ok && here++ < 6) {
        fmt::print(stderr, "{:02x}\n  in   {}\n  host {}\n  xlat {}\n", fmt::join(code[n], " "), text(before),
                   text(expected), text(got));
      }
    }
    if (here) fmt::print(stderr, "{:02x}: {} differ\n", fmt::join(code[n], " "), here);
    wrong += here;
  }
  CHECK(wrong == 0);
}

#endif
