// The IR: what the lifter makes of any bytes is sound, and the verifier sees what is not.
#include <catch2/catch.hpp>
#include <random>
#include <set>

#include "cpu/decoder.h"
#include "jit/ir/verify.h"
#include "jit/lift/lifter.h"

using namespace xlat;
using namespace xlat::jit;

namespace {

std::string wrong(const IrBlock& ir) {
  const Status status = verify(ir);
  return status ? "" : status.error().message;
}

// `code` as the only instruction of a block.
std::string wrong(std::vector<Inst> code) {
  IrBlock ir{std::move(code), {}};
  ir.starts = {0, static_cast<u32>(ir.code.size())};
  return wrong(ir);
}

bool says(const std::string& message, const char* what) { return message.find(what) != std::string::npos; }

}  // namespace

TEST_CASE("What is lifted is sound", "[ir]") {
  const Decoder decoder(attr::kFeatures);
  std::mt19937 random(1);
  std::set<Sem> faulty;
  std::vector<bool> seen(std::size(kEncodingNames));
  IrBlock ir;
  for (unsigned n = 0; n < 400'000; ++n) {
    u8 bytes[kMaxInsnBytes];
    for (u8& b : bytes) b = static_cast<u8>(random());
    if (n % 3 == 0) bytes[0] = 0x0f;
    if (n % 3 == 1) bytes[0] = static_cast<u8>(0xd8 | (bytes[0] & 7));
    Insn insn;
    if (!decoder.decode(bytes, CodeMode::from_key(n & 15), insn)) continue;
    seen[insn.encoding] = true;
    ir = Lifter::lift({&insn, 1}, std::move(ir));
    const std::string message = wrong(ir);
    if (message.empty() || !faulty.insert(insn.sem).second) continue;
    UNSCOPED_INFO(kEncodingNames[insn.encoding] << ": " << message << "\n" << ir.dump());
  }
  CHECK(faulty.empty());
  for (u16 n = 0; n < kEncodingTooLong; ++n) {
    INFO(kEncodingNames[n]);
    CHECK(seen[n]);
  }
}

TEST_CASE("The verifier sees what is wrong", "[ir]") {
  const Inst reg{Op::kGetReg, 32, 1}, one{Op::kConst, 64, 0, 0, 0, 0, 1};
  CHECK(wrong({reg, one, {Op::kAdd, 32, 0, 0, 1}, {Op::kSetReg, 32, 2, 2}}).empty());

  CHECK(says(wrong({reg, {Op::kAdd, 32, 0, 0, 1}}), "comes later"));
  CHECK(says(wrong({reg, {Op::kSetReg, 32, 2, 0}, {Op::kNot, 32, 0, 1}}), "has no value"));
  CHECK(says(wrong({reg, reg, {Op::kCall, 64, 0, 0, 1, 0, static_cast<u64>(Helper::cli)}, {Op::kNot, 64, 0, 2}}),
             "has no value"));
  CHECK(says(wrong({{Op::kGetReg, 64, 1}, reg, {Op::kAdd, 32, 0, 0, 1}}), "wider"));
  CHECK(says(wrong({{Op::kGetReg, 64, 1}, {Op::kLoad, 32, kDs, 0}}), "wider"));
  CHECK(says(wrong({{Op::kGetReg, 24, 1}}), "no such register"));
  CHECK(says(wrong({{Op::kGetReg, 32, 8}}), "no such register"));
  CHECK(says(wrong({{Op::kCondition, 1, 16}}), "no such condition"));
  CHECK(says(wrong({{Op::kGetFlag, 1, 0, 0, 0, 0, kCf | kZf}}), "one flag"));
  CHECK(says(wrong({reg, reg, {Op::kCall, 64, 0, 0, 1, 0, std::size(kHelpers)}}), "no such helper"));
  CHECK(says(wrong({reg, {Op::kWhen, 0, 0, 0, 0, 0, 3}}), "outside"));

  // What is computed under a condition is not there without it.
  CHECK(says(wrong({reg, {Op::kWhen, 0, 0, 0, 0, 0, 3}, {Op::kNot, 32, 0, 0}, {Op::kSetReg, 32, 2, 2}}),
             "may not have been computed"));
  CHECK(wrong({reg, {Op::kWhen, 0, 0, 0, 0, 0, 4}, {Op::kNot, 32, 0, 0}, {Op::kSetReg, 32, 2, 2}}).empty());

  // Faults come first, unless an access was looked at before.
  const Inst load{Op::kLoad, 32, kDs, 0}, set{Op::kSetReg, 32, 2, 0}, store{Op::kStore, 32, kDs, 0, 0};
  CHECK(wrong({reg, load, set}).empty());
  CHECK(says(wrong({reg, set, load}), "changed already"));
  CHECK(says(wrong({reg, {Op::kFlags, 32, 1, 0, 0, 0}, store}), "changed already"));
  CHECK(wrong({reg, {Op::kProbe, 32, kDs, 0}, set, store}).empty());
  CHECK(says(wrong({reg, {Op::kProbe, 16, kDs, 0}, set, store}), "changed already"));

  IrBlock two{{reg, {Op::kNot, 32, 0, 0}}, {0, 1, 2}};
  CHECK(says(wrong(two), "another instruction's"));
  two.starts = {0, 1};
  CHECK(says(wrong(two), "do not cover"));
}
