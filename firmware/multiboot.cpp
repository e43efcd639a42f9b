// Multiboot 1: header, loading by ELF or by the header's addresses, modules, and the information structure.
#include "firmware/multiboot.h"

#include <algorithm>

#include "base/bits.h"
#include "firmware/rom.h"

namespace xlat {

namespace {

constexpr u32 kHeaderMagic = 0x1badb002, kBootMagic = 0x2badb002;
constexpr u32 kSearchBytes = 8192;
constexpr u64 kMiB = 1 << 20;
// Where the information lies, as QEMU has it.
constexpr u32 kInfoAddress = 0x9000;
// Header flags. The low half are requirements: what we do not know there must stop us.
constexpr u32 kAlignModules = 1 << 0, kMemoryInfo = 1 << 1, kVideoMode = 1 << 2, kAddressFields = 1 << 16;

std::optional<u32> find_header(std::span<const u8> kernel) {
  const std::size_t end = std::min<std::size_t>(kernel.size(), kSearchBytes);
  for (u32 at = 0; at + 12 <= end; at += 4) {
    if (load_le<u32>(&kernel[at]) != kHeaderMagic) continue;
    if (load_le<u32>(&kernel[at]) + load_le<u32>(&kernel[at + 4]) + load_le<u32>(&kernel[at + 8]) == 0) return at;
  }
  return std::nullopt;
}

Result<LoadedImage> load_by_address_fields(std::span<const u8> kernel, u32 header, const FreeMemory& memory) {
  if (kernel.size() < header + 32) return error("the kernel is truncated inside its Multiboot header");
  const auto field = [&](u32 offset) { return load_le<u32>(&kernel[header + offset]); };
  auto image = load_by_addresses(kernel, header, {field(12), field(16), field(20), field(24)}, memory);
  if (image) image.value().entry = field(28);
  return image;
}

// Whether [from, from + bytes) is RAM that the kernel is not loaded to.
bool is_beside(const LoadedImage& image, const FreeMemory& memory, u64 from, u64 bytes) {
  return memory.has(from, bytes) && std::none_of(image.parts.begin(), image.parts.end(), [&](const BootPart& part) {
           return part.address < from + bytes && from < u64{part.address} + part.bytes;
         });
}

}  // namespace

Result<LoadedImage> load_by_addresses(std::span<const u8> kernel, u32 at, const MultibootAddresses& a,
                                      const FreeMemory& memory) {
  if (a.load > a.header || a.header - a.load > at) {
    return error("the kernel's Multiboot header is malformed: load address {:#x}, header address {:#x}", a.load,
                 a.header);
  }
  if (a.load_end != 0 && a.load_end < a.load) return error("the kernel's Multiboot header ends before it begins");
  const u64 from = at - (a.header - a.load);
  const u64 file_bytes = a.load_end ? a.load_end - a.load : kernel.size() - from;
  const u64 memory_bytes = a.bss_end > a.load ? std::max(file_bytes, a.bss_end - a.load) : file_bytes;
  LoadedImage image;
  if (Status s = add_segment(image, kernel, from, file_bytes, a.load, memory_bytes, memory); !s) return s.error();
  return image;
}

bool looks_like_multiboot(std::span<const u8> kernel) { return find_header(kernel).has_value(); }

BootArena::BootArena(const FreeMemory& memory, u64 at) : at_(at), end_(memory.end_of(at_)) {}

BootArena BootArena::behind(const LoadedImage& image, const FreeMemory& memory) {
  return {memory, std::max(image.end, kMiB)};
}

std::optional<u32> BootArena::take(u64 bytes, u64 align) {
  const u64 start = align_up(at_, align);
  if (start > end_ || bytes > end_ - start || parts.size() >= kMostBootParts) return std::nullopt;
  at_ = start + bytes;
  return static_cast<u32>(start);
}

std::optional<u32> BootArena::put(std::vector<u8> bytes, u64 align) {
  const auto at = take(bytes.size(), align);
  if (at && !bytes.empty()) parts.push_back({*at, static_cast<u32>(bytes.size()), std::move(bytes), 0});
  return at;
}

std::optional<u32> BootArena::text(std::string_view s) {
  std::vector<u8> bytes(s.begin(), s.end());
  bytes.push_back(0);
  return put(std::move(bytes), 1);
}

Result<std::vector<BootArena::Placed>> BootArena::put_modules(std::span<const MultibootModule> modules) {
  std::vector<Placed> placed;
  for (const MultibootModule& m : modules) {
    const auto at = put(m.bytes, 4096);
    if (!at) return no_room("a module");
    placed.push_back({*at, *at + static_cast<u32>(m.bytes.size())});
  }
  take(0, 4096);
  return placed;
}

Error BootArena::no_room(const char* what) const {
  return error("no room for {} above the kernel, below {:#x}; give the machine more memory with -m", what, end_);
}

Status BootArena::put_aside(LoadedImage& image, const FreeMemory& memory) {
  const u64 from = memory.low_end() - std::min<u64>(memory.low_end(), kBootScratchBytes);
  std::vector<u8> bytes(memory.low_end() - from);
  u64 first = memory.low_end();
  for (BootPart& part : image.parts) {
    if (part.address >= memory.low_end() || u64{part.address} + part.bytes <= from) continue;
    const u64 kept = from > part.address ? from - part.address : 0;  // of the part, before the ROM's data
    const u64 begin = part.address + kept;
    first = std::min(first, begin);
    std::fill_n(bytes.begin() + static_cast<std::ptrdiff_t>(begin - from), part.bytes - kept, u8{0});
    if (part.data.size() > kept) {
      std::copy(part.data.begin() + static_cast<std::ptrdiff_t>(kept), part.data.end(),
                bytes.begin() + static_cast<std::ptrdiff_t>(begin - from));
      part.data.resize(kept);
    }
    part.bytes = static_cast<u32>(kept);
  }
  if (first == memory.low_end()) return {};
  std::erase_if(image.parts, [](const BootPart& part) { return part.bytes == 0; });
  bytes.erase(bytes.begin(), bytes.begin() + static_cast<std::ptrdiff_t>(first - from));
  aside_.copy_to = static_cast<u32>(first);
  aside_.copy_bytes = static_cast<u32>(bytes.size());
  const auto at = put(std::move(bytes), 16);
  if (!at) return no_room("a part of the kernel");
  aside_.copy_from = *at;
  return {};
}

Result<BootPlan> BootArena::plan(LoadedImage image, u32 magic, u32 info) {
  const auto stack = take(4096, 16);
  if (!stack) return no_room("a stack");
  BootPlan plan;
  plan.parts = std::move(image.parts);
  std::move(parts.begin(), parts.end(), std::back_inserter(plan.parts));
  if (plan.parts.size() > kMostBootParts) {
    return error("the kernel and its modules have more than {} parts", kMostBootParts);
  }
  plan.entry = aside_;
  plan.entry.eip = image.entry;
  plan.entry.eax = magic;
  plan.entry.ebx = info;
  plan.entry.esp = *stack + 4096;
  return plan;
}

u32 upper_memory_kib(const FreeMemory& memory) { return static_cast<u32>((memory.end_of(kMiB) - kMiB) / 1024); }

Result<std::vector<MultibootModule>> load_multiboot_modules(std::string_view option) {
  std::vector<MultibootModule> modules;
  if (option.empty()) return modules;
  std::string item;
  for (std::size_t i = 0; i <= option.size(); ++i) {
    if (i < option.size() && option[i] != ',') {
      item += option[i];
      continue;
    }
    if (i + 1 < option.size() && option[i + 1] == ',') {
      item += ',';
      ++i;
      continue;
    }
    const std::string path = item.substr(0, item.find(' '));
    if (path.empty()) return error("-initrd '{}': a module without a file name", option);
    auto bytes = read_whole_file(path, "module", u64{1} << 32);
    if (!bytes) return bytes.error();
    modules.push_back({std::move(*bytes), item});
    item.clear();
  }
  return modules;
}

Result<BootPlan> plan_multiboot(const MultibootBoot& boot, std::span<const E820Entry> map) {
  const FreeMemory memory(map);
  const std::optional<u32> header = find_header(boot.kernel);
  if (!header) return error("the kernel has no Multiboot header in its first {} bytes", kSearchBytes);
  const u32 flags = load_le<u32>(&boot.kernel[*header + 4]);
  if (const u32 unknown = flags & 0xffff & ~(kAlignModules | kMemoryInfo | kVideoMode)) {
    return error("the Multiboot kernel requires features {:#x}, which Multiboot 1 does not define", unknown);
  }
  auto image = (flags & kAddressFields) ? load_by_address_fields(boot.kernel, *header, memory)
                                        : load_elf(boot.kernel, false, memory);
  if (!image) return image.error();

  // Modules follow the kernel, above 1 MiB. Of the information kernels expect that it does not: many take the memory
  // behind their end for their own before they have read it all.
  BootArena behind = BootArena::behind(image.value(), memory);
  const auto modules = behind.put_modules(boot.modules);
  if (!modules) return modules.error();
  if (Status s = behind.put_aside(image.value(), memory); !s) return s.error();
  u64 info_bytes = 4096 + boot.command_line.size() + 24 * map.size();
  for (const MultibootModule& module : boot.modules) info_bytes += 17 + module.command_line.size();
  std::optional<BootArena> low;
  if (is_beside(image.value(), memory, kInfoAddress, info_bytes)) low.emplace(memory, kInfoAddress);
  BootArena& arena = low ? *low : behind;
  std::vector<u8> rows(16 * boot.modules.size()), entries(24 * map.size());
  for (std::size_t i = 0; i < boot.modules.size(); ++i) {
    const auto text = arena.text(boot.modules[i].command_line);
    if (!text) return arena.no_room("a module's command line");
    store_le(&rows[16 * i], modules.value()[i].start);
    store_le(&rows[16 * i + 4], modules.value()[i].end);
    store_le(&rows[16 * i + 8], *text);
  }
  for (std::size_t i = 0; i < map.size(); ++i) {
    u8* m = &entries[24 * i];
    store_le<u32>(m, 20);
    store_le<u64>(m + 4, map[i].address);
    store_le<u64>(m + 12, map[i].bytes);
    store_le<u32>(m + 20, static_cast<u32>(map[i].type));
  }
  const auto command_line = arena.text(boot.command_line);
  const auto loader_name = arena.text("xlat");
  const auto rows_at = arena.put(std::move(rows), 4);
  const auto entries_at = arena.put(std::move(entries), 4);
  if (!command_line || !loader_name || !rows_at || !entries_at) return arena.no_room("the boot information");

  std::vector<u8> mbi(116);
  // Memory, boot device, command line, modules, memory map, loader name.
  store_le<u32>(&mbi[0], 1 << 0 | 1 << 1 | 1 << 2 | 1 << 3 | 1 << 6 | 1 << 9);
  store_le<u32>(&mbi[4], static_cast<u32>(memory.low_end() / 1024));
  store_le<u32>(&mbi[8], upper_memory_kib(memory));
  store_le<u32>(&mbi[12], 0x8000ffff);  // first hard disk, no partition
  store_le<u32>(&mbi[16], *command_line);
  store_le<u32>(&mbi[20], static_cast<u32>(boot.modules.size()));
  store_le<u32>(&mbi[24], *rows_at);
  store_le<u32>(&mbi[44], static_cast<u32>(24 * map.size()));
  store_le<u32>(&mbi[48], *entries_at);
  store_le<u32>(&mbi[64], *loader_name);
  const auto info = arena.put(std::move(mbi), 4);
  if (!info) return arena.no_room("the boot information");
  if (low) std::move(low->parts.begin(), low->parts.end(), std::back_inserter(behind.parts));
  return behind.plan(std::move(image.value()), kBootMagic, *info);
}

}  // namespace xlat
