// What translating costs: microseconds a block by stage, and bytes, on the text of 32-bit programs. Prints, does not
// judge.
//
//   bench_translate FILE...    ELF files, for example the benchmarks' compiler and interpreter
#include <elf.h>
#include <fmt/format.h>

#include <chrono>
#include <cstring>
#include <fstream>
#include <iterator>

#include "jit/address_groups.h"
#include "jit/analysis.h"
#include "jit/lift/lifter.h"
#include "jit/x64/codegen.h"
#include "jit/x64/reencoder.h"
#include "jit/x64/stubs.h"
#include "tests/support/bare_cpu.h"

using namespace xlat;
using namespace xlat::jit;

namespace {

constexpr u32 kTextAt = 0x100000, kMostText = 48 << 20;
constexpr std::size_t kMostBlocks = 60'000;
constexpr int kRounds = 5;  // the best counts

// The bytes of .text, at most kMostText; empty if this is no ELF file for the i386.
std::vector<u8> text_of(const char* path) {
  std::ifstream file(path, std::ios::binary);
  const std::vector<char> bytes((std::istreambuf_iterator<char>(file)), {});
  Elf32_Ehdr header;
  if (bytes.size() < sizeof header) return {};
  std::memcpy(&header, bytes.data(), sizeof header);
  if (std::memcmp(header.e_ident, ELFMAG, SELFMAG) != 0 || header.e_machine != EM_386) return {};
  const auto section = [&](std::size_t n) {
    Elf32_Shdr s{};
    const std::size_t at = header.e_shoff + n * sizeof s;
    if (at + sizeof s <= bytes.size()) std::memcpy(&s, bytes.data() + at, sizeof s);
    return s;
  };
  const Elf32_Shdr names = section(header.e_shstrndx);
  for (std::size_t n = 0; n < header.e_shnum; ++n) {
    const Elf32_Shdr s = section(n);
    const std::size_t name = names.sh_offset + s.sh_name, end = std::size_t{s.sh_offset} + s.sh_size;
    if (name + 6 > bytes.size() || std::strcmp(bytes.data() + name, ".text") != 0 || end > bytes.size()) continue;
    return {bytes.begin() + s.sh_offset,
            bytes.begin() + static_cast<std::ptrdiff_t>(std::min<std::size_t>(end, s.sh_offset + kMostText))};
  }
  return {};
}

// The best time of kRounds, in microseconds a block; `before` is not timed.
double best(std::size_t blocks, auto&& before, auto&& stage) {
  double least = 1e9;
  for (int round = 0; round < kRounds; ++round) {
    before();
    const auto start = std::chrono::steady_clock::now();
    stage();
    least =
        std::min(least, std::chrono::duration<double, std::micro>(std::chrono::steady_clock::now() - start).count());
  }
  return least / static_cast<double>(blocks);
}

void measure(const char* path) {
  const std::vector<u8> text = text_of(path);
  if (text.empty()) {
    fmt::print(stderr, "xlat: '{}' is no ELF file for the i386 with a .text\n", path);
    return;
  }
  test::BareMachine<Interp> m(64 << 20);
  m.flat32(kTextAt, 0x80000);
  m.put(kTextAt, text);
  BlockCache& cache = m.interp.blocks();

  // Pages all over the text, each swept from block to block.
  std::vector<u32> starts;
  const u32 pages = static_cast<u32>(text.size() / 4096), step = std::max<u32>(1, pages / (kMostBlocks / 250));
  std::vector<const Block*> blocks;
  const auto block_at = [&](u32 ip) {
    m.cpu.s.ip = ip;
    return cache.find(ip);
  };
  for (u32 page = 0; page < pages && starts.size() < kMostBlocks; page += step) {
    for (u32 at = page * 4096; at < (page + 1) * 4096 && starts.size() < kMostBlocks;) {
      const Block* const block = block_at(kTextAt + at);
      if (!block) break;
      starts.push_back(kTextAt + at);
      at += block->bytes;
    }
  }
  const std::size_t count = starts.size();
  const double decode = best(
      count, [&] { cache.clear(); },
      [&] {
        for (const u32 ip : starts) block_at(ip);
      });
  std::size_t insns = 0;
  for (const u32 ip : starts) {
    blocks.push_back(block_at(ip));
    insns += blocks.back()->insns.size();
  }

  std::vector<IrBlock> ir(count);
  const auto nothing = [] {};
  const double lift = best(count, nothing, [&] {
    for (std::size_t n = 0; n < count; ++n) ir[n] = Lifter::lift(blocks[n]->insns, std::move(ir[n]));
  });
  Analysis analysis;
  const double analysing = best(count, nothing, [&] {
    for (const IrBlock& i : ir) analysis = analyse(i, std::move(analysis));
  });
  AddressGroups groups;
  const std::vector<bool> none(64, false);
  const double grouping = best(count, nothing, [&] {
    for (const IrBlock& i : ir) groups = find_address_groups(i, none, none, 0x3f, std::move(groups));
  });

  auto made = CodeCache::make(32 << 20);
  if (!made) {
    fmt::print(stderr, "xlat: {}\n", made.error().message);
    return;
  }
  CodeCache& code_cache = *made;
  const x64::StateLayout layout(m.cpu);
  std::vector<x64::JumpEntry> jumps(std::size_t{1} << x64::kJumpEntriesLog2);
  // None of it runs.
  const x64::InterpretFn interpret = [](x64::Frame*, x64::Translation*, u64, i64) { return x64::Interpreted{}; };
  const x64::HelperFn helper = [](x64::Frame*, u32, u32, u32) -> u64 { return 0; };
  const x64::Stubs stubs = x64::make_stubs(code_cache, layout, jumps.data(), interpret, interpret,
                                           {helper, helper, helper, helper, helper, helper});
  x64::Codegen codegen(layout, stubs);
  x64::Context context;
  context.mode = m.cpu.s.mode();
  context.flat = 0x3f;
  context.cs_limit = ~u32{0};
  std::size_t hot = 0, cold = 0, translated = 0;
  const double generate = best(
      count, [&] { hot = cold = translated = 0; },
      [&] {
        for (std::size_t n = 0; n < count; ++n) {
          x64::Translation t;
          t.block = blocks[n];
          t.ip = starts[n];
          t.entry2 = 1;
          const x64::HostCode* host =
              codegen.generate(*blocks[n], ir[n], t, context, code_cache.next(), code_cache.cold_end(), false);
          if (!host) continue;
          ++translated;
          hot += host->hot.size();
          cold += host->cold.size();
        }
      });
  // The translator of first resort, on the blocks that it takes.
  x64::FlagRecipes recipes;
  x64::Reencoder reencoder(layout, stubs, recipes);
  std::size_t own_hot = 0, own_cold = 0, taken = 0, taken_insns = 0;
  const double reencode = best(
      count,
      [&] {
        own_hot = own_cold = taken = taken_insns = 0;
        recipes.clear();
      },
      [&] {
        for (std::size_t n = 0; n < count; ++n) {
          x64::Translation t;
          t.block = blocks[n];
          t.ip = starts[n];
          const x64::HostCode* host =
              reencoder.translate(*blocks[n], t, context, code_cache.next(), code_cache.cold_end());
          if (!host) continue;
          ++taken;
          taken_insns += blocks[n]->insns.size();
          own_hot += host->hot.size();
          own_cold += host->cold.size();
        }
      });
  const double code = generate - analysing - grouping;
  const auto per = [](std::size_t sum, std::size_t all) { return static_cast<double>(sum) / static_cast<double>(all); };
  const std::string name = std::string(path).substr(std::string(path).rfind('/') + 1);
  fmt::print(
      "| {} | {} | {:.1f} | {:.2f} | {:.2f} | {:.0f} | {:.0f} | {:.0f} | {:.2f} | {:.2f} | {:.2f} | {:.2f} | {:.0f} | "
      "{:.0f} |\n",
      name, count, per(insns, count), decode, reencode, 100 * per(taken, count), per(own_hot, taken),
      per(own_cold, taken), lift, analysing, grouping, code, per(hot, translated), per(cold, translated));
}

}  // namespace

int main(int count, char** paths) {
  fmt::print(
      "| text | blocks | instructions a block | decode, insert µs | re-encode µs | blocks so % | hot bytes | cold "
      "bytes "
      "| by the IR: lift µs | analyse | groups | code | hot bytes | cold bytes |\n"
      "|---|---|---|---|---|---|---|---|---|---|---|---|---|---|\n");
  for (int n = 1; n < count; ++n) measure(paths[n]);
  return 0;
}
