// Runs hardware-captured cases: xlat_conformance DIR [--engine interp|jit] [--list FILE] [--sample N] [--verbose].
// On the JIT each block of a case is translated the first time it runs.
// tools/conformance.sh builds and calls it; the format is MOO (moo.h).
#include <fnmatch.h>

#include <algorithm>
#include <atomic>
#include <filesystem>
#include <fstream>
#include <map>
#include <mutex>
#include <nlohmann/json.hpp>
#include <set>
#include <thread>

#include "cpu/interp/interp.h"
#include "moo.h"
#include "tests/support/hot_jit.h"

namespace fs = std::filesystem;
using namespace xlat;
using namespace xlat::conformance;

namespace {

using EngineMaker = std::function<std::unique_ptr<Interp>(Cpu&)>;

// Ports of the capture set-up: every IN reads ones.
class Bench {
 public:
  static constexpr u32 kRamBytes = 16 << 20;

  explicit Bench(const EngineMaker& make)
      : ram_(kRamBytes), cpu_(find_cpu_model("max").value(), memory_, ports_, clock_, log_), engine_(make(cpu_)) {
    memory_.map_ram(0, kRamBytes, ram_.data());
  }

  // Runs a case; the text says what differs, empty if nothing does. With `ss_as_gp`, vector 12 leads where 13 does.
  std::string run(const Case& c, u16 flags_mask, bool ss_as_gp = false) {
    load(c);
    if (ss_as_gp) memory_.write(4 * 12, 4, memory_.read(4 * 13, 4));
    engine_->run(clock_.count() + 300'000);
    std::string wrong = compare(c, flags_mask);
    // A case that went astray may have written anywhere.
    if (!wrong.empty()) {
      std::fill(ram_.begin(), ram_.end(), u8{0});
      engine_->blocks().clear();
    }
    for (const Side* side : {&c.initial, &c.final}) {
      for (const Ram& r : side->ram) memory_.write(r.address & (kRamBytes - 1), 1, 0);
    }
    return wrong;
  }

 private:
  void load(const Case& c) {
    cpu_.reset();
    for (const Ram& r : c.initial.ram) memory_.write(r.address & (kRamBytes - 1), 1, r.value);
    const auto reg = [&](Reg16 r) { return c.initial.regs[r].value_or(0); };
    CpuState& s = cpu_.s;
    static constexpr std::pair<Gpr, Reg16> kGprs[] = {{kEax, kAx}, {kEbx, kBx}, {kEcx, kCx}, {kEdx, kDx},
                                                      {kEsp, kSp}, {kEbp, kBp}, {kEsi, kSi}, {kEdi, kDi}};
    for (const auto& [gpr, r] : kGprs) s.gpr[gpr] = reg(r);
    static constexpr std::pair<SegReg, Reg16> kSegs[] = {{xlat::kCs, conformance::kCs},
                                                         {xlat::kSs, conformance::kSs},
                                                         {xlat::kDs, conformance::kDs},
                                                         {xlat::kEs, conformance::kEs}};
    for (const auto& [seg, r] : kSegs) s.seg[seg].load_real(reg(r));
    s.ip = reg(kIp);
    s.flags.set((reg(kFlags) & 0x0fff) | kFlagsFixed1);
    s.idtr.limit = 0x3ff;
  }

  std::string compare(const Case& c, u16 flags_mask) {
    const CpuState& s = cpu_.s;
    std::string wrong;
    if (!s.halted) wrong += fmt::format(" did not halt, cs:ip {:04x}:{:04x};", s.seg[xlat::kCs].selector, s.ip);
    static constexpr const char* kNames[] = {"ax", "bx", "cx", "dx", "cs", "ss", "ds",
                                             "es", "sp", "bp", "si", "di", "ip", "flags"};
    const u32 got[] = {s.reg32(kEax),
                       s.reg32(kEbx),
                       s.reg32(kEcx),
                       s.reg32(kEdx),
                       s.seg[xlat::kCs].selector,
                       s.seg[xlat::kSs].selector,
                       s.seg[xlat::kDs].selector,
                       s.seg[xlat::kEs].selector,
                       s.reg32(kEsp),
                       s.reg32(kEbp),
                       s.reg32(kEsi),
                       s.reg32(kEdi),
                       static_cast<u32>(s.ip),
                       s.flags.get()};
    for (unsigned r = 0; r < kRegs; ++r) {
      u16 m = 0xffff;
      if (r == kFlags) m = flags_mask & 0x0fff;
      const u16 want = c.final.regs[r].value_or(c.initial.regs[r].value_or(0));
      if ((want ^ got[r]) & m) wrong += fmt::format(" {} is {:04x}, not {:04x};", kNames[r], got[r] & 0xffff, want);
    }
    // Where FLAGS were pushed; EXCP has it rounded down to a word.
    const u16 ss = c.initial.regs[conformance::kSs].value_or(0), sp = c.final.regs[kSp].value_or(0);
    const u32 pushed_flags = (u32{ss} << 4) + ((sp + 4u) & 0xffff);
    std::map<u32, u8> expected;
    for (const Ram& r : c.initial.ram) expected[r.address] = r.value;
    for (const Ram& r : c.final.ram) expected[r.address] = r.value;
    for (const auto& [address, value] : expected) {
      u8 m = 0xff;
      if (c.exception && address == pushed_flags) m = static_cast<u8>(flags_mask);
      if (c.exception && address == pushed_flags + 1) m = static_cast<u8>(flags_mask >> 8) & 0x0f;
      const u8 is = ram_[address & (kRamBytes - 1)];
      if ((is ^ value) & m) wrong += fmt::format(" [{:06x}] is {:02x}, not {:02x};", address, is, value);
    }
    return wrong;
  }

  AddressSpace memory_;
  PortBus ports_;
  Clock clock_;
  Log log_;
  std::vector<u8> ram_;
  Cpu cpu_;
  const std::unique_ptr<Interp> engine_;
};

// flags-mask of an opcode from metadata.json; all ones where nothing is undefined.
u16 flags_mask(const nlohmann::json& metadata, const std::string& file) {
  const auto dot = file.find('.');
  const auto& opcodes = metadata.at("opcodes");
  const auto opcode = opcodes.find(file.substr(0, dot));
  if (opcode == opcodes.end()) return 0xffff;
  const nlohmann::json* entry = &*opcode;
  if (entry->contains("reg") && file.compare(dot, 4, ".MOO") != 0)
    entry = &entry->at("reg").at(file.substr(dot + 1, 1));
  return static_cast<u16>(entry->value("flags-mask", 0xffff));
}

// The reviewed list: "FILE | CASE | reason" lines. FILE and CASE are globs; CASE is matched with "#index name", then
// " !vector" for a case that ends in an exception, " len N", and " ss" if it passes with vector 12 taken for 13.
struct Listed {
  std::string file, name;
};

std::vector<Listed> read_list(const std::string& path) {
  std::vector<Listed> listed;
  std::ifstream in(path);
  std::string line;
  while (std::getline(in, line)) {
    const auto first = line.find(" | "), second = line.find(" | ", first + 3);
    if (line.empty() || line[0] == '#' || second == std::string::npos) continue;
    listed.push_back({line.substr(0, first), line.substr(first + 3, second - first - 3)});
  }
  return listed;
}

bool is_listed(const std::vector<Listed>& list, const std::string& file, const Case& c, bool passes_with_ss) {
  std::string name = fmt::format("#{} {}", c.index, c.name);
  if (c.exception) name += fmt::format(" !{}", *c.exception);
  name += fmt::format(" len {}", c.bytes.size());
  if (passes_with_ss) name += " ss";
  return std::any_of(list.begin(), list.end(), [&](const Listed& l) {
    return fnmatch(l.file.c_str(), file.c_str(), 0) == 0 && fnmatch(l.name.c_str(), name.c_str(), 0) == 0;
  });
}

struct Options {
  std::string directory, list;
  std::size_t sample = 0;
  bool verbose = false;
  EngineMaker engine = [](Cpu& cpu) { return std::make_unique<Interp>(cpu); };
};

struct Totals {
  std::mutex mutex;
  u64 passed = 0, failed = 0, listed = 0;
};

void run_file(const fs::path& path, const Options& options, const nlohmann::json& metadata,
              const std::set<std::string>& revoked, const std::vector<Listed>& list, Bench& bench, Totals& totals) {
  const std::string file = path.filename().string();
  const std::string name = file.substr(0, file.find(".MOO"));
  auto cases = read_moo(path.string());
  std::string report;
  u64 passed = 0, failed = 0, known = 0;
  if (!cases) {
    failed = 1;
    report = cases.error().message;
  } else {
    const u16 m = flags_mask(metadata, file);
    std::size_t n = 0;
    const std::size_t every = options.sample ? std::max<std::size_t>(1, cases->size() / options.sample) : 1;
    for (const Case& c : *cases) {
      if (n++ % every != 0 || revoked.count(c.hash)) continue;
      const std::string wrong = bench.run(c, m);
      if (wrong.empty()) {
        ++passed;
      } else if (is_listed(list, name, c, c.exception == kGP && bench.run(c, m, true).empty())) {
        ++known;
      } else {
        ++failed;
        if (options.verbose || report.empty())
          report += fmt::format("  {} #{} '{}':{}\n", name, c.index, c.name, wrong);
      }
    }
  }
  const std::lock_guard lock(totals.mutex);
  totals.passed += passed;
  totals.failed += failed;
  totals.listed += known;
  if (failed) fmt::print("{}: {} of {} failed, first:\n{}", name, failed, passed + failed + known, report);
}

}  // namespace

int main(int argc, char** argv) {
  Options options;
  for (int i = 1; i < argc; ++i) {
    const std::string arg = argv[i];
    if (arg == "--list" && i + 1 < argc)
      options.list = argv[++i];
    else if (arg == "--sample" && i + 1 < argc)
      options.sample = std::stoul(argv[++i]);
    else if (arg == "--verbose")
      options.verbose = true;
    else if (arg == "--engine" && i + 1 < argc) {
      const std::string name = argv[++i];
#ifdef XLAT_JIT_X64
      if (name == "jit") {
        options.engine = [](Cpu& cpu) { return std::make_unique<test::HotJit>(cpu); };
        continue;
      }
#endif
      if (name != "interp") {
        fmt::print(stderr, "xlat: --engine '{}': there is no such engine here\n", name);
        return 1;
      }
    } else
      options.directory = arg;
  }
  std::vector<fs::path> files;
  std::error_code ec;
  for (const auto& entry : fs::directory_iterator(options.directory, ec)) {
    if (entry.path().extension() == ".gz") files.push_back(entry.path());
  }
  if (ec || files.empty()) {
    fmt::print(stderr, "xlat: no .MOO.gz files in '{}'\n", options.directory);
    return 1;
  }
  std::sort(files.begin(), files.end());
  nlohmann::json metadata = {{"opcodes", nlohmann::json::object()}};
  if (std::ifstream in(fs::path(options.directory) / "metadata.json"); in) metadata = nlohmann::json::parse(in);
  const auto list = read_list(options.list);
  std::set<std::string> revoked;
  for (const char* where : {"revocation_list.txt", "../revocation_list.txt"}) {
    std::ifstream in(fs::path(options.directory) / where);
    std::string line;
    while (std::getline(in, line)) {
      if (!line.empty() && line[0] != '#') revoked.insert(line);
    }
  }
  Totals totals;
  std::atomic<std::size_t> next = 0;
  const auto work = [&] {
    Bench bench(options.engine);
    for (std::size_t n; (n = next++) < files.size();)
      run_file(files[n], options, metadata, revoked, list, bench, totals);
  };
  std::vector<std::thread> threads;
  for (unsigned n = 0; n < std::max(1u, std::thread::hardware_concurrency()); ++n) threads.emplace_back(work);
  for (std::thread& t : threads) t.join();
  if (totals.listed) fmt::print("{} differ as listed in {}\n", totals.listed, options.list);
  fmt::print("{} passed, {} failed\n", totals.passed, totals.failed);
  return totals.failed ? 1 : 0;
}
