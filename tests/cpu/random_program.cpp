// Random programs: instructions, and units of several that call, loop and jump.
#include "random_instruction.h"

namespace xlat::test {

namespace {

class Generator : public RandomInstruction {
 public:
  explicit Generator(u32 seed) : RandomInstruction(seed) {
    const auto table = encodings();
    for (u16 n = 0; n < table.size(); ++n) {
      const Encoding& e = table[n];
      if (e.attributes & (attr::Branch | attr::FFxsr)) continue;
      (e.attributes & attr::FFpu ? floats_ : e.attributes & attr::FMmx ? mmx_ : integers_).push_back(n);
    }
  }

  Program make(unsigned units) {
    make_start();
    const std::size_t wanted = units;
    define_flags();
    // Bounded: what is drawn may turn out to be of no use.
    for (unsigned tries = 0; units_.size() < wanted && tries < 40 * wanted; ++tries) one();
    program_.units = std::move(units_);
    return std::move(program_);
  }

 private:
  void one() {
    if ((*known_[kEsp] & 0xffff) - (esp_start_ & 0xffff) + 0x180 > 0x300) {
      known_[kEsp] = esp_start_;
      return add({{mov(kEsp, esp_start_)}, {}});
    }
    switch (below(32)) {
      case 0:
      case 1: return string();
      case 2: return frame();
      case 3: return skip();
      case 4: return call();
      case 5: return loop();
      case 6: return load_segment();
      case 7: return flags_by_stack();
      case 8: return pointer();
      default: break;
    }
    const std::vector<u16>& from = one_in(4) ? floats_ : one_in(16) ? mmx_ : integers_;
    if (auto unit = instruction(from[below(static_cast<u32>(from.size()))], true)) add(std::move(*unit));
  }

  // A pointer left in a register for later instructions.
  void pointer() {
    static constexpr u8 kRegs[] = {kEbx, kEbp, kEsi, kEdi};
    const u8 r = kRegs[below(4)];
    known_[r] = (one_in(2) ? 0 : kData) + below(0x700);
    add({{mov(r, *known_[r])}, {}});
  }

  // ---- Units of several instructions ----
  void load_segment() {
    static constexpr u8 kPush[][2] = {{0x06, 0}, {0x0e, 0}, {0x16, 0}, {0x1e, 0}, {0x0f, 0xa0}, {0x0f, 0xa8}};
    static constexpr u8 kPop[][3] = {{kEs, 0x07, 0}, {kDs, 0x1f, 0}, {kFs, 0x0f, 0xa1}, {kGs, 0x0f, 0xa9}};
    Unit unit;
    const bool small = one_in(3);
    u32& esp = *known_[kEsp];
    if (one_in(2)) {
      const auto& p = kPush[below(6)];
      esp = moved(esp, small ? 0u - 2 : 0u - 4);
      Bytes b;
      if (small) b.push_back(0x66);
      b.push_back(p[0]);
      if (p[0] == 0x0f) b.push_back(p[1]);
      unit.insns.push_back(b);
      // Processors differ in what they write above the selector.
      if (!small) unit.insns.push_back(store16(base_[kSs] + (stack16_ ? esp & 0xffff : esp) + 2, 0));
    } else {
      const auto& p = kPop[below(4)];
      const u16 selector = one_in(2) ? Native::kFlatSel : Native::kBasedSel;
      Bytes push = bytes32({0x68}, selector | (random() & 0xffff0000)), pop;
      if (small) {
        push = {0x66, 0x68, static_cast<u8>(selector), 0};
        pop.push_back(0x66);
      }
      pop.push_back(p[1]);
      if (p[1] == 0x0f) pop.push_back(p[2]);
      unit.insns = {push, pop};
      base_[p[0]] = base_of(selector);
    }
    add(std::move(unit));
  }

  void flags_by_stack() {
    const u32 flags = (random() & (kArithFlags | kDf)) | kFlagsFixed1;
    if (one_in(2)) {
      add({{bytes32({0x68}, flags), {0x9d}}, {kArithFlags, 0, 0}});
    } else {
      add({{{0x66, 0x68, static_cast<u8>(flags), static_cast<u8>(flags >> 8)}, {0x66, 0x9d}}, {kArithFlags, 0, 0}});
    }
  }

  // ENTER of any level, or LEAVE.
  void frame() {
    Unit unit;
    const u32 at = kData + 0x1800 - base_[kSs] + below(0x100) + (stack16_ ? random() & 0xffff0000 : 0);
    unit.insns.push_back(mov(kEbp, at));
    Bytes b;
    if (one_in(3)) b.push_back(0x66);
    if (one_in(2)) {
      const u32 bytes = below(0x80);
      const u8 level = static_cast<u8>(one_in(2) ? 0 : random());
      b.insert(b.end(), {0xc8, static_cast<u8>(bytes), 0, level});
    } else {
      b.push_back(0xc9);
    }
    unit.insns.push_back(b);
    // ESP is seen once before it is put back.
    unit.insns.push_back({0x89, 0xe0});  // mov eax, esp
    unit.insns.push_back(mov(kEsp, *known_[kEsp]));
    known_[kEbp].reset();
    known_[kEax].reset();
    add(std::move(unit));
  }

  void string() {
    static constexpr u8 kOps[] = {0xa4, 0xa5, 0xa6, 0xa7, 0xaa, 0xab, 0xac, 0xad, 0xae, 0xaf};
    const u8 op = kOps[below(std::size(kOps))];
    const bool compares = op == 0xa6 || op == 0xa7 || op >= 0xae;
    Unit unit;
    Bytes prefixes;
    const bool repeated = !one_in(3), small = base_[kEs] == kData && one_in(4);
    static constexpr u8 kSegs[] = {0x26, 0x3e, 0x65};
    static constexpr u8 kRegs[] = {kEs, kDs, kGs};
    u32 source = base_[kDs];
    if (one_in(4)) {
      const u32 n = below(3);
      prefixes.push_back(kSegs[n]);
      source = base_[kRegs[n]];
    }
    if (small && source != kData) return;
    if (repeated) prefixes.push_back(one_in(2) ? 0xf3 : 0xf2);
    if (one_in(4)) prefixes.push_back(0x66);
    if (small) prefixes.push_back(0x67);
    std::shuffle(prefixes.begin(), prefixes.end(), rng_);
    prefixes.push_back(op);
    const u32 from = kData + 0x9c0 + below(0x100), to = one_in(3) ? from + below(9) - 4 : kData + 0x9c0 + below(0x100);
    const u32 high = small ? random() & 0xffff0000 : 0;
    const u32 count = one_in(6) ? 0 : below(40);
    unit.insns = {mov(kEsi, (from - source) | high),
                  mov(kEdi, (to - base_[kEs]) | high),
                  mov(kEcx, count | (small ? random() & 0xffff0000 : 0)),
                  {static_cast<u8>(one_in(2) ? 0xfd : 0xfc)}};
    if (compares) unit.insns.push_back(bytes32({0x3d}, random()));  // with a count of zero the flags stay
    unit.insns.push_back(prefixes);
    if (compares) unit.effect.sets = kArithFlags;
    for (const u8 r : {kEcx, kEsi, kEdi, kEax}) known_[r].reset();
    add(std::move(unit));
  }

  static std::size_t size_of(const std::vector<Bytes>& insns) {
    std::size_t n = 0;
    for (const Bytes& b : insns) n += b.size();
    return n;
  }
  // An instruction that leaves ESP where it is, made for a place that may be run any number of times.
  std::optional<Unit> inner(u32 keep) {
    const auto bases = base_;
    const auto known = known_;
    const std::vector<u16>& from = one_in(4) ? floats_ : integers_;
    auto unit = instruction(from[below(static_cast<u32>(from.size()))], false, keep | 1u << kEsp);
    if (unit && (bases != base_ || size_of(unit->insns) > 100)) {
      base_ = bases;
      known_ = known;
      return {};
    }
    return unit;
  }

  // A conditional jump over an instruction.
  void skip() {
    const auto before = known_;
    auto unit = inner(0);
    if (!unit) return;
    const std::size_t n = size_of(unit->insns);
    const u8 cc = static_cast<u8>(below(16));
    Bytes jump{static_cast<u8>(0x70 | cc), static_cast<u8>(n)};
    if (one_in(3)) jump = bytes32({0x0f, static_cast<u8>(0x80 | cc)}, static_cast<u32>(n));
    // The registers it loads are loaded or not.
    for (unsigned r = 0; r < 8; ++r) {
      if (known_[r] != before[r]) known_[r].reset();
    }
    known_[kEsp] = before[kEsp];
    unit->insns.insert(unit->insns.begin(), jump);
    unit->effect.uses |= kArithFlags & ~kAf;
    unit->effect.sets = 0;
    unit->jumps = true;
    add(std::move(*unit));
  }

  // CALL of a subroutine that comes next in the code, by displacement or through a register; RET or RET n.
  void call() {
    auto unit = inner(0);
    if (!unit) return;
    const u32 n = static_cast<u32>(size_of(unit->insns));
    const bool release = one_in(2);
    std::vector<Bytes> insns;
    if (release) insns.push_back({0x6a, static_cast<u8>(random())});
    const u32 ret_bytes = release ? 3 : 1;
    if (one_in(2)) {
      insns.push_back(bytes32({0xe8}, 2));                      // call +2
      insns.push_back({0xeb, static_cast<u8>(n + ret_bytes)});  // jmp over it
    } else {
      // call $+5; pop ecx; add ecx, 10; call ecx; jmp over it
      insns.push_back(bytes32({0xe8}, 0));
      insns.push_back({0x59});
      insns.push_back({0x8d, 0x49, 8});  // lea ecx, [ecx + 8]: pop, lea, call, jmp are 1 + 3 + 2 + 2 bytes
      insns.push_back({0xff, 0xd1});
      insns.push_back({0xeb, static_cast<u8>(n + ret_bytes)});
    }
    insns.insert(insns.end(), unit->insns.begin(), unit->insns.end());
    insns.push_back(release ? Bytes{0xc2, 0x04, 0x00} : Bytes{0xc3});
    unit->insns = std::move(insns);
    unit->jumps = true;
    known_[kEcx].reset();
    add(std::move(*unit));
  }

  // LOOP, LOOPE, LOOPNE around an instruction, or JECXZ over it.
  void loop() {
    const auto before = known_;
    // Addresses are loaded inside the loop, as its instruction may change what they were made from.
    for (unsigned r = 0; r < 8; ++r) {
      if (r != kEsp) known_[r].reset();
    }
    auto unit = inner(1u << kEcx);
    if (!unit || (unit->effect.uses & (unit->effect.undefines | kX87Codes))) {
      known_ = before;
      return;
    }
    const u32 n = static_cast<u32>(size_of(unit->insns));
    const unsigned kind = below(4);
    if (kind < 2 && (unit->effect.undefines & kZf)) {
      known_ = before;
      return;
    }
    const bool small = one_in(4);
    std::vector<Bytes> insns{mov(kEcx, (kind == 3 ? below(2) : 1 + below(6)) | (small ? random() & 0xffff0000 : 0))};
    Bytes branch;
    if (small) branch.push_back(0x67);
    branch.push_back(static_cast<u8>(0xe0 + kind));
    branch.push_back(static_cast<u8>(kind == 3 ? n : 0 - n - branch.size() - 1));
    if (kind == 3) insns.push_back(branch);
    insns.insert(insns.end(), unit->insns.begin(), unit->insns.end());
    if (kind != 3) insns.push_back(branch);
    unit->insns = std::move(insns);
    if (kind == 3) unit->effect.sets = 0;
    if (kind < 2) unit->effect.uses |= kZf;
    unit->jumps = true;
    for (unsigned r = 0; r < 8; ++r) {
      if (known_[r] != before[r]) known_[r].reset();
    }
    known_[kEsp] = before[kEsp];
    known_[kEcx].reset();
    add(std::move(*unit));
  }

  std::vector<u16> integers_, floats_, mmx_;
};

}  // namespace

std::vector<u8> Program::code() const {
  std::vector<u8> out;
  for (const Unit& u : units) {
    for (const auto& insn : u.insns) out.insert(out.end(), insn.begin(), insn.end());
  }
  return out;
}

std::optional<u32> Program::defined_flags() const {
  u32 undefined = 0;
  for (const Unit& u : units) {
    if (u.effect.uses & undefined) return std::nullopt;
    undefined = (undefined & ~u.effect.sets) | u.effect.undefines;
  }
  return (kArithFlags | kDf | kX87Codes) & ~undefined;
}

Program make_random_program(u32 seed, unsigned units) { return Generator(seed).make(units); }

std::string name_of(const std::vector<u8>& insn) {
  Insn i;
  if (!oracle_decoder().decode(insn, kOracleMode, i) || i.encoding >= encodings().size()) return {};
  return encodings()[i.encoding].name;
}

}  // namespace xlat::test
