// Files as kernels and as symbol files, in machines with any memory map. The first bytes choose which.
#include "firmware/linux_boot.h"
#include "firmware/multiboot.h"
#include "frontend/monitor/elf_symbols.h"
#include "tests/fuzz/fuzz.h"

using namespace xlat;

namespace {

// Everything a plan puts into memory lies in free memory.
void check(const Result<BootPlan>& plan, std::span<const E820Entry> map) {
  if (!plan) return fuzz::one_line(plan.error().message);
  const FreeMemory memory(map);
  const BootPlan& p = const_cast<Result<BootPlan>&>(plan).value();
  for (const BootPart& part : p.parts) {
    if (part.bytes < part.data.size()) fuzz::found("a part larger than its place");
    if (part.bytes > 0 && !memory.has(part.address, part.bytes)) fuzz::found("a part outside of memory");
  }
  if (p.parts.size() <= kMostBootParts && boot_list(&p).size() != kBootBufferBytes) fuzz::found("the list's length");
}

}  // namespace

int LLVMFuzzerTestOneInput(const u8* data, std::size_t size) {
  fuzz::Input input(data, size);
  const u8 which = input.byte();
  std::vector<E820Entry> map = {{0, 0x9fc00, E820Type::kRam}, {0x100000, u64{1} << 24, E820Type::kRam}};
  if (which & 0x80) map[1].bytes = input.word();
  if (which & 0x40) map.push_back({input.word(), input.word(), static_cast<E820Type>(input.byte())});
  const std::span<const u8> kernel = input.rest();
  static constexpr u8 kModule[5000] = {};
  const MultibootModule modules[] = {{std::vector<u8>(kModule, kModule + which % 5000), "module argument"}};
  switch (which % 4) {
    case 0:
      if (looks_like_linux(kernel)) check(plan_linux({kernel, std::span(kModule), "console=ttyS0 vga=ask"}, map), map);
      break;
    case 1:
      if (looks_like_multiboot(kernel)) check(plan_multiboot({kernel, modules, "kernel", {}}, map), map);
      break;
    case 2:
      if (looks_like_multiboot2(kernel))
        check(plan_multiboot2({kernel, modules, "kernel", std::span(kModule, 36)}, map), map);
      break;
    case 3: {
      const fuzz::File file(kernel);
      const auto symbols = read_elf_symbols(file.path(), which & 0x20 ? std::optional<u32>(0x100000) : std::nullopt);
      if (!symbols) fuzz::one_line(symbols.error().message);
      break;
    }
  }
  return 0;
}
