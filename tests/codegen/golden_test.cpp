// The host code of short guest sequences against files under review. XLAT_UPDATE_CODEGEN=1 rewrites the files.
#include <asmjit/x86.h>
#include <capstone/capstone.h>
#include <fmt/format.h>

#include <catch2/catch.hpp>
#include <cstdlib>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <iostream>
#include <map>
#include <set>
#include <span>
#include <sstream>
#include <string>
#include <vector>

#include "cpu/disasm.h"
#include "jit/lift/lifter.h"
#include "jit/x64/codegen.h"
#include "jit/x64/string_stubs.h"
#include "mmu/tlb.h"
#include "sequences.h"

using namespace xlat;
using namespace xlat::jit::x64;
using namespace xlat::test;

namespace {

constexpr u32 kContextNumber = 1;
// Where the code would lie; only distances matter, and names stand for what they lead to.
constexpr u64 kBase = 0x10000000, kColdEnd = kBase + 0x100000, kRoutines = kBase - 0x10000;

const u8* fake(u64 address) { return reinterpret_cast<const u8*>(address); }

void replace_all(std::string& text, const std::string& from, const std::string& to) {
  for (std::size_t at = 0; (at = text.find(from, at)) != std::string::npos; at += to.size()) {
    text.replace(at, from.size(), to);
  }
}

// Turns one sequence into the text of its file.
class Translator {
 public:
  Translator() {
    // One routine after the other, told apart by their addresses.
    u64 at = kRoutines;
    for (const auto& [name, field] : routines()) {
      stubs_.*field = fake(at);
      names_[at] = name;
      at += 0x100;
    }
    for (const u8*& copy : stubs_.indirect_copy) {
      copy = fake(at);
      names_[at] = "indirect";
      at += 0x100;
    }
    static constexpr const char* kHelpers[] = {
#define ROUTINE(number, name) #name,
#include "jit/x64/helper_routines.inc"
#undef ROUTINE
    };
    for (unsigned n = 0; n < kHelperRoutines; ++n, at += 0x100) {
      stubs_.helpers[n] = fake(at);
      names_[at] = kHelpers[n];
    }
    for (unsigned n = 0; n < kStringRoutines; ++n, at += 0x100) {
      static constexpr const char* kWhat[] = {"movs", "stos", "cmps", "scas"};
      const StringRoutine routine = StringRoutine::of(n);
      stubs_.strings[n] = fake(at);
      names_[at] =
          fmt::format("{}_{}{}", routine.while_equal ? "rep" : "repne", kWhat[routine.what], "bwd"[routine.bytes_log2]);
    }
  }

  std::string text(const Sequence& sequence) {
    BareCpu machine;
    set_up(machine, sequence);
    const std::vector<u8> guest = from_hex(sequence.bytes);
    const Block* block = machine.interp.blocks().find(static_cast<u32>(machine.cpu.s.ip));
    REQUIRE(block);
    REQUIRE(block->bytes == guest.size());  // a sequence is one block
    const jit::IrBlock ir = jit::Lifter::lift(block->insns);

    const StateLayout layout(machine.cpu);
    Translation translation;
    translation.block = block;
    translation.ip = static_cast<u32>(machine.cpu.s.ip);
    translation.context = kContextNumber;
    Codegen codegen(layout, stubs_);
    const bool as_loop = std::string_view(sequence.name).starts_with("own_loop");
    const auto host =
        codegen.generate(*block, ir, translation, context_of(machine.cpu.s), fake(kBase), fake(kColdEnd), as_loop);

    std::string text = fmt::format("{}\n\nguest:\n", sequence.name);
    text += disassemble(guest, translation.ip, block->mode.cs32 ? 32 : 16);
    if (!host) return text + "\nnot translated\n";
    if (host->interpreted != 0) {
      text += fmt::format("\nleft to the interpreter: {} of {}\n", host->interpreted, block->insns.size());
    }
    return text + "\nhost:\n" + host_text(*host, layout, translation);
  }

 private:
  using Field = const u8* Stubs::*;
  static const std::vector<std::pair<const char*, Field>>& routines() {
    static const std::vector<std::pair<const char*, Field>> kRoutineFields = {
        {"enter", &Stubs::enter},       {"interpret", &Stubs::interpret},
        {"leave_at", &Stubs::leave_at}, {"leave_by_exit", &Stubs::leave_by_exit},
        {"indirect", &Stubs::indirect}, {"learn", &Stubs::learn},
        {"load_fpu", &Stubs::load_fpu},
    };
    return kRoutineFields;
  }

  // As the engine finds it.
  static Context context_of(const CpuState& s) {
    Context c;
    c.mode = s.mode();
    for (const SegReg n : {kEs, kCs, kSs, kDs, kFs, kGs}) {
      const Segment& seg = s.seg[n];
      if (seg.base == 0 && seg.lo == 0 && seg.hi_read == 0xffffffff && seg.hi_write == 0xffffffff) {
        c.flat |= static_cast<u8>(1u << n);
      }
    }
    c.cs_base = s.seg[kCs].base;
    c.cs_limit = s.seg[kCs].limit;
    return c;
  }

  static std::map<i64, std::string> field_names(const StateLayout& layout) {
    std::map<i64, std::string> names;
    for (unsigned n = 0; n < 8; ++n)
      names[layout.gpr + i64{n} * static_cast<i64>(sizeof(CpuState::gpr[0]))] = kGprNames[n];
    names[layout.ip] = "ip";
    names[layout.packed_flags] = "packed_flags";
    names[layout.system_flags] = "system_flags";
    names[layout.cpl] = "cpl";
    names[layout.pending] = "pending";
    names[layout.fpu_ip] = "fpu_ip";
    names[layout.fpu_dp] = "fpu_dp";
    names[layout.fpu_opcode] = "fpu_opcode";
    for (unsigned n = 0; n < 6; ++n) {
      const std::string seg = kSegNames[n];
      names[layout.seg_base[n]] = seg + ".base";
      names[layout.seg_lo[n]] = seg + ".lo";
      names[layout.seg_hi_read[n]] = seg + ".hi_read";
      names[layout.seg_hi_write[n]] = seg + ".hi_write";
      names[layout.selector[n]] = seg + ".selector";
    }
    return names;
  }

  // Both parts of the code, with labels numbered in order.
  std::string host_text(const HostCode& host, const StateLayout& layout, const Translation& translation) {
    const std::map<i64, std::string> fields = field_names(layout);
    const u64 cold = kColdEnd - host.cold.size();
    std::map<u64, std::string> immediates;  // by address
    for (const HostCode::ExitPlace& exit : host.exits) {
      immediates[cold + exit.exit_slot] = fmt::format("<exit {:x}>", exit.ip);
      if (exit.miss) immediates[cold + exit.miss_slot] = "<site>";
      if (exit.guard) immediates[kBase + exit.guard] = "<tlb entry>";
    }

    csh handle = 0;
    REQUIRE(cs_open(CS_ARCH_X86, CS_MODE_64, &handle) == CS_ERR_OK);
    cs_option(handle, CS_OPT_DETAIL, CS_OPT_ON);
    const auto decode = [handle](std::span<const u8> code, u64 at) -> std::span<cs_insn> {
      cs_insn* insns = nullptr;
      const std::size_t count = cs_disasm(handle, code.data(), code.size(), at, 0, &insns);
      return {insns, count};
    };
    const std::span<cs_insn> parts[] = {decode(host.hot, kBase), decode(host.cold, cold)};

    std::map<u64, std::string> labels;
    for (const auto part : parts) {
      for (const cs_insn& insn : part) {
        const u64 to = branch_target(insn);
        if ((to >= kBase && to <= kBase + host.hot.size()) || (to >= cold && to <= kColdEnd)) labels[to] = "";
      }
    }
    unsigned number = 0;
    for (auto& [address, name] : labels) name = fmt::format("L{}", ++number);

    std::string text;
    std::size_t covered = 0;
    for (const std::span<cs_insn>& part : parts) {
      if (&part != parts) text += "cold:\n";
      for (const cs_insn& insn : part) {
        covered += insn.size;
        if (const auto label = labels.find(insn.address); label != labels.end()) text += label->second + ":\n";
        std::string operands = insn.op_str;
        if (const u64 to = branch_target(insn)) {
          const auto label = labels.find(to);
          const auto routine = names_.find(to);
          operands = label != labels.end()     ? label->second
                     : routine != names_.end() ? routine->second
                                               : std::string("<routine>");
        }
        name_state(insn, fields, operands);
        name_immediate(insn, immediates, translation, operands);
        text += fmt::format("  {}{}{}\n", insn.mnemonic, operands.empty() ? "" : " ", operands);
      }
      cs_free(part.data(), part.size());
    }
    cs_close(&handle);
    const std::size_t bytes = host.hot.size() + host.cold.size();
    if (covered != bytes) text += fmt::format("  {} bytes that are no code\n", bytes - covered);
    return text;
  }

  static u64 branch_target(const cs_insn& insn) {
    const cs_x86& x86 = insn.detail->x86;
    if (x86.op_count != 1 || x86.operands[0].type != X86_OP_IMM) return 0;
    for (unsigned n = 0; n < insn.detail->groups_count; ++n) {
      if (insn.detail->groups[n] == CS_GRP_JUMP || insn.detail->groups[n] == CS_GRP_CALL) {
        return static_cast<u64>(x86.operands[0].imm);
      }
    }
    return 0;
  }

  // Names the fields of CpuState, and the write table behind the read table.
  static void name_state(const cs_insn& insn, const std::map<i64, std::string>& fields, std::string& operands) {
    const cs_x86& x86 = insn.detail->x86;
    for (unsigned n = 0; n < x86.op_count; ++n) {
      const cs_x86_op& op = x86.operands[n];
      if (op.type != X86_OP_MEM) continue;
      const std::size_t open = operands.find('['), close = operands.find(']');
      if (open == std::string::npos || close == std::string::npos) continue;
      if (op.mem.base == X86_REG_R15 && op.mem.index == X86_REG_INVALID) {
        operands.replace(open, close - open, "[state." + field(op.mem.disp, fields));
      } else if (op.mem.base == X86_REG_R12) {
        constexpr u64 kTable = Tlb::kTableBytes;
        replace_all(operands, fmt::format(" + 0x{:x}]", kTable), " + write_table]");
      }
    }
  }

  static std::string field(i64 offset, const std::map<i64, std::string>& fields) {
    auto at = fields.upper_bound(offset);
    if (at != fields.begin() && offset - std::prev(at)->first < 8) {
      --at;
      return offset == at->first ? at->second : fmt::format("{}+{}", at->second, offset - at->first);
    }
    return fmt::format("{:#x}", offset);
  }

  static void name_immediate(const cs_insn& insn, const std::map<u64, std::string>& immediates,
                             const Translation& translation, std::string& operands) {
    if (insn.size < 9) return;
    // A 64-bit immediate is the last thing in an instruction.
    u64 value = 0;
    std::memcpy(&value, insn.bytes + insn.size - 8, sizeof value);
    const std::size_t comma = operands.find(", ");
    if (std::strcmp(insn.mnemonic, "movabs") != 0 || comma == std::string::npos) return;
    const auto known = immediates.find(insn.address + insn.size - 8);
    if (known != immediates.end()) {
      operands.replace(comma + 2, std::string::npos, known->second);
    } else if (value == reinterpret_cast<u64>(&translation)) {
      operands.replace(comma + 2, std::string::npos, "<translation>");
    } else if (value >= u64{1} << 32 && value < u64{1} << 47) {
      operands.replace(comma + 2, std::string::npos, "<address>");
    }
  }

  Stubs stubs_;
  std::map<u64, std::string> names_;
};

std::filesystem::path golden(const std::string& name) { return std::filesystem::path(XLAT_GOLDEN) / (name + ".txt"); }

}  // namespace

TEST_CASE("host code is what was reviewed", "[codegen]") {
  if (!asmjit::CpuInfo::host().features().x86().hasBMI2()) {
    WARN("skipped: the reviewed code is for hosts with BMI2, and this one has none");
    return;
  }
  const char* const update = std::getenv("XLAT_UPDATE_CODEGEN");
  const bool rewrite = update && *update && std::strcmp(update, "0") != 0;
  Translator translator;
  std::set<std::string> names;
  for (const Sequence& sequence : kSequences) {
    INFO(sequence.name);
    CHECK(names.insert(sequence.name).second);
    const std::string now = translator.text(sequence);
    const std::filesystem::path path = golden(sequence.name);
    if (rewrite) {
      std::ofstream(path, std::ios::binary) << now;
      continue;
    }
    std::ostringstream reviewed;
    reviewed << std::ifstream(path, std::ios::binary).rdbuf();
    if (reviewed.str() == now) continue;
    UNSCOPED_INFO("if the change is meant: XLAT_UPDATE_CODEGEN=1 tests_codegen, and review the diff of "
                  << path.string());
    CHECK(reviewed.str() == now);
  }
  for (const auto& file : std::filesystem::directory_iterator(XLAT_GOLDEN)) {
    INFO(file.path().string());
    const bool wanted = names.count(file.path().stem().string()) != 0;
    if (rewrite && !wanted) {
      std::filesystem::remove(file.path());
      continue;
    }
    CHECK(wanted);  // each file has its sequence
  }
}

TEST_CASE("host code does not depend on where things are", "[codegen]") {
  // Pointers of two runs differ; their texts may not.
  for (const Sequence& sequence : kSequences) {
    INFO(sequence.name);
    CHECK(Translator().text(sequence) == Translator().text(sequence));
  }
}
