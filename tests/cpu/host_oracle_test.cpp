// Random programs on the host CPU and on every engine: registers, defined flags, memory, x87 state and faults must
// agree. A program that differs shrinks itself. XLAT_SEQUENCES sets how many are run, XLAT_SEED where to start.
#include <algorithm>
#include <catch2/catch.hpp>
#include <map>

#include "jit/eval.h"
#include "oracle.h"
#include "tests/support/hot_jit.h"
#include "tests/support/settings.h"

using namespace xlat;
using namespace xlat::test;

namespace {

constexpr unsigned kUnits = 16;

template <class EngineType>
void compare_with_host(u32 sequences) {
  Native host;
  if (!host.available()) {
    WARN("this host cannot run 32-bit code natively; skipped");
    return;
  }
  Oracle<EngineType> oracle(host);
  const Judge judge = std::ref(oracle);
  u32 agreed = 0;
  const u32 first = test_setting("XLAT_SEED", 1), most = test_setting("XLAT_DIFFERENCES", 1);
  u32 found = 0;
  for (u32 seed = first; seed < first + sequences; ++seed) {
    const Program program = make_random_program(seed, kUnits);
    const Verdict verdict = oracle(program);
    if (verdict.valid && verdict.difference.empty()) {
      ++agreed;
      continue;
    }
    if (!verdict.valid) {
      FAIL_CHECK("seed " << seed << " makes no program: " << verdict.difference << describe(program));
    } else {
      const Program least = shrink(program, judge);
      FAIL_CHECK("seed " << seed << ":\n" << oracle(least).difference << describe(least));
    }
    if (++found >= most) break;
  }
  CHECK(agreed == sequences);
  if constexpr (requires { oracle.engine().counters(); }) CHECK(oracle.engine().counters().entries > sequences);
}

}  // namespace

TEST_CASE("random programs run as on the host CPU: interpreter", "[oracle]") {
  compare_with_host<Interp>(test_setting("XLAT_SEQUENCES", 4000));
}

TEST_CASE("random programs run as on the host CPU: IR evaluator", "[oracle]") {
  compare_with_host<jit::EvalEngine>(test_setting("XLAT_SEQUENCES", 4000));
}

#ifdef XLAT_JIT_X64
TEST_CASE("random programs run as on the host CPU: JIT", "[oracle]") {
  compare_with_host<HotJit>(test_setting("XLAT_SEQUENCES", 4000));
}
#endif

TEST_CASE("a program that differs shrinks to the instruction that does") {
  Native host;
  if (!host.available()) return;
  // A guest whose ADC r, r/m forgets the carry.
  unsigned found = 0;
  for (u32 seed = 1; seed < 20000 && found < 3; ++seed) {
    const Program program = make_random_program(seed, kUnits);
    const auto uses_it = [](const std::vector<u8>& insn) { return insn.size() > 1 && insn[0] == 0x13; };
    const auto defect = [&](std::vector<u8>& code) {
      // Found again by its place: programs keep their instructions apart.
      for (std::size_t n = 0; n + 1 < code.size(); ++n) {
        if (code[n] == 0x90 && code[n + 1] == 0x13) code[n + 1] = 0x03;
      }
    };
    Program marked = program;
    bool any = false;
    for (Unit& u : marked.units) {
      if (u.jumps) continue;
      for (auto& insn : u.insns) {
        if (!uses_it(insn)) continue;
        insn.insert(insn.begin(), 0x90);  // NOP and ADC count as one instruction
        any = true;
      }
    }
    if (!any) continue;
    Oracle<Interp> oracle(host, defect);
    if (!oracle(marked).differs()) continue;
    ++found;
    const Judge judge = std::ref(oracle);
    const Program least = shrink(marked, judge);
    INFO(describe(least));
    CHECK(oracle(least).differs());
    CHECK(least.units.size() <= 3);  // the ADC, what sets CF if the start does not, what loads its address
    CHECK(describe(least).find("adc") != std::string::npos);
    CHECK(std::count_if(least.data.begin(), least.data.end(), [](u8 b) { return b != 0; }) <= 4);
  }
  CHECK(found == 3);
}

TEST_CASE("random programs use every instruction in every form, and mostly reach their end") {
  Native host;
  if (!host.available()) return;
  std::map<std::string, unsigned> uses, small, prefixed;
  unsigned traps = 0, programs = 3000;
  for (u32 seed = 1; seed <= programs; ++seed) {
    const Program program = make_random_program(seed, kUnits);
    CHECK(program.units.size() >= kUnits);
    UserState state = program.start;
    std::copy(program.data.begin(), program.data.end(), host.data().begin());
    host.run(program.code(), state);
    traps += state.trap != UserState::kNoTrap;
    for (const Unit& u : program.units) {
      for (const auto& insn : u.insns) {
        const std::string name = name_of(insn);
        ++uses[name];
        static constexpr u8 kPrefixes[] = {0x26, 0x2e, 0x36, 0x3e, 0x64, 0x65, 0x66, 0x67, 0xf0, 0xf2, 0xf3};
        unsigned n = 0;
        bool is_small = false;
        while (std::find(std::begin(kPrefixes), std::end(kPrefixes), insn[n]) != std::end(kPrefixes)) {
          is_small |= insn[n++] == 0x67;
        }
        small[name] += is_small;
        prefixed[name] += n > 1;
      }
    }
  }
  CAPTURE(traps);
  CHECK(traps < programs / 4);
  CHECK(traps > programs / 50);
  for (const char* name :
       {"add",  "adc",  "sbb",     "cmp",      "xadd",       "cmpxchg", "inc", "neg", "mul",    "imul2", "idiv",
        "mov",  "xchg", "movzx_b", "bts",      "btc",        "bsf",     "rcl", "sar", "push",   "pop",   "xlat",
        "movs", "cmps", "scas",    "load_far", "mov_to_seg", "fadd",    "fst", "fld", "fnsave", "frstor"}) {
    INFO(name);
    CHECK(uses[name] >= 5);
    CHECK(small[name] >= 1);
    CHECK(prefixed[name] >= 1);
  }
  for (const char* name :
       {"daa",  "aaa",       "aam",   "cmpxchg8b", "shld",  "shrd",  "enter", "leave",    "pusha",   "popa",  "pushf",
        "popf", "call_near", "ret",   "loop",      "loope", "jcxz",  "jcc",   "push_seg", "pop_seg", "lar",   "lsl",
        "verr", "arpl",      "fcomi", "fcmov",     "fprem", "fsqrt", "fbstp", "fbld",     "fldenv",  "paddb", "emms"}) {
    INFO(name);
    CHECK(uses[name] >= 1);
  }
}
