// Multiboot 1: header, ELF32 and address-field loading, modules, and the information structure.
#include "firmware/multiboot.h"

#include <algorithm>
#include <cstring>
#include <optional>

#include "base/bits.h"
#include "firmware/low_memory.h"
#include "firmware/rom.h"

namespace xlat {

namespace {

constexpr u32 kHeaderMagic = 0x1badb002, kBootMagic = 0x2badb002;
constexpr u32 kSearchBytes = 8192;
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

struct Loaded {
  u32 entry;
  u64 end;  // first address above the kernel, bss included
};

// Copies file bytes [from, from + file_bytes) to `to` and clears up to memory_bytes.
Status load_segment(std::span<const u8> kernel, u64 from, u64 file_bytes, u64 to, u64 memory_bytes, std::span<u8> ram) {
  if (from > kernel.size() || file_bytes > kernel.size() - from) {
    return error("the kernel is truncated: a segment ends at byte {}, the file has {}", from + file_bytes,
                 kernel.size());
  }
  if (to > ram.size() || memory_bytes > ram.size() - to) {
    return error("the kernel wants memory up to {:#x} and the machine has {:#x}; give it more with -m",
                 to + memory_bytes, ram.size());
  }
  const auto at = ram.begin() + static_cast<std::ptrdiff_t>(to);
  std::copy_n(kernel.begin() + static_cast<std::ptrdiff_t>(from), file_bytes, at);
  std::fill_n(at + static_cast<std::ptrdiff_t>(file_bytes), memory_bytes - file_bytes, u8{0});
  return {};
}

Result<Loaded> load_by_address_fields(std::span<const u8> kernel, u32 header, std::span<u8> ram) {
  if (kernel.size() < header + 32) return error("the kernel is truncated inside its Multiboot header");
  const u64 header_addr = load_le<u32>(&kernel[header + 12]), load_addr = load_le<u32>(&kernel[header + 16]);
  const u64 load_end = load_le<u32>(&kernel[header + 20]), bss_end = load_le<u32>(&kernel[header + 24]);
  if (load_addr > header_addr || header_addr - load_addr > header) {
    return error("the kernel's Multiboot header is malformed: load address {:#x}, header address {:#x}", load_addr,
                 header_addr);
  }
  const u64 from = header - (header_addr - load_addr);
  if (load_end != 0 && load_end < load_addr) return error("the kernel's Multiboot header ends before it begins");
  const u64 file_bytes = load_end ? load_end - load_addr : kernel.size() - from;
  const u64 memory_bytes = bss_end > load_addr ? std::max(file_bytes, bss_end - load_addr) : file_bytes;
  if (Status s = load_segment(kernel, from, file_bytes, load_addr, memory_bytes, ram); !s) return s.error();
  return Loaded{load_le<u32>(&kernel[header + 28]), load_addr + memory_bytes};
}

Result<Loaded> load_elf(std::span<const u8> kernel, std::span<u8> ram) {
  if (kernel.size() < 52 || std::memcmp(kernel.data(),
                                        "\x7f"
                                        "ELF",
                                        4) != 0) {
    return error("the Multiboot kernel is no ELF file and its header has no address fields");
  }
  if (kernel[4] != 1 || kernel[5] != 1 || load_le<u16>(&kernel[18]) != 3) {
    return error("the Multiboot kernel is an ELF file, but not for 32-bit x86");
  }
  const u32 entry = load_le<u32>(&kernel[24]);
  const u64 table = load_le<u32>(&kernel[28]);
  const u64 entry_bytes = load_le<u16>(&kernel[42]), count = load_le<u16>(&kernel[44]);
  if (count == 0 || entry_bytes < 32) return error("the Multiboot kernel has no ELF program headers");
  if (table > kernel.size() || count * entry_bytes > kernel.size() - table) {
    return error("the kernel is truncated: its ELF program headers lie at {}, the file has {} bytes", table,
                 kernel.size());
  }
  Loaded loaded{entry, 0};
  bool any = false;
  for (u64 i = 0; i < count; ++i) {
    const u8* p = &kernel[table + i * entry_bytes];
    if (load_le<u32>(p) != 1) continue;  // PT_LOAD
    const u64 offset = load_le<u32>(p + 4), vaddr = load_le<u32>(p + 8), paddr = load_le<u32>(p + 12);
    const u64 file_bytes = load_le<u32>(p + 16), memory_bytes = load_le<u32>(p + 20);
    if (memory_bytes < file_bytes) return error("the kernel's ELF segment {} is larger in the file than in memory", i);
    if (memory_bytes == 0) continue;
    if (Status s = load_segment(kernel, offset, file_bytes, paddr, memory_bytes, ram); !s) return s.error();
    loaded.end = std::max(loaded.end, paddr + memory_bytes);
    // The entry point may be given as a virtual address.
    if (entry >= vaddr && entry - vaddr < memory_bytes) loaded.entry = static_cast<u32>(entry - vaddr + paddr);
    any = true;
  }
  if (!any) return error("the Multiboot kernel has no ELF segment to load");
  return loaded;
}

// Hands out memory above the kernel.
class Arena {
 public:
  Arena(std::span<u8> ram, u64 at) : ram_(ram), at_(at) {}
  // Address of `bytes` fresh bytes, or nothing.
  std::optional<u32> take(u64 bytes, u64 align) {
    const u64 start = align_up(at_, align);
    if (start > ram_.size() || bytes > ram_.size() - start) return std::nullopt;
    at_ = start + bytes;
    return static_cast<u32>(start);
  }
  std::optional<u32> put(std::span<const u8> bytes, u64 align) {
    const auto at = take(bytes.size(), align);
    if (at) std::copy(bytes.begin(), bytes.end(), ram_.begin() + *at);
    return at;
  }
  std::optional<u32> text(std::string_view s) {
    std::vector<u8> bytes(s.begin(), s.end());
    bytes.push_back(0);
    return put(bytes, 1);
  }

 private:
  std::span<u8> ram_;
  u64 at_;
};

}  // namespace

bool looks_like_multiboot(std::span<const u8> kernel) { return find_header(kernel).has_value(); }

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

Result<BootEntry> load_multiboot(const MultibootBoot& boot, std::span<u8> ram) {
  const std::optional<u32> header = find_header(boot.kernel);
  if (!header) return error("the kernel has no Multiboot header in its first {} bytes", kSearchBytes);
  const u32 flags = load_le<u32>(&boot.kernel[*header + 4]);
  if (const u32 unknown = flags & 0xffff & ~(kAlignModules | kMemoryInfo | kVideoMode)) {
    return error("the Multiboot kernel requires features {:#x}, which Multiboot 1 does not define", unknown);
  }
  if (ram.size() < 0x100000) return error("{} bytes of RAM are too few for a Multiboot kernel", ram.size());
  const auto loaded =
      (flags & kAddressFields) ? load_by_address_fields(boot.kernel, *header, ram) : load_elf(boot.kernel, ram);
  if (!loaded) return loaded.error();

  // Modules, then our structures, follow the kernel, above 1 MiB.
  Arena arena(ram, std::max<u64>(loaded.value().end, 0x100000));
  const auto no_room = [&](const char* what) {
    return error("no room for {} above the kernel in {} bytes of RAM; give the machine more with -m", what, ram.size());
  };
  struct Placed {
    u32 start, end, text;
  };
  std::vector<Placed> placed;
  for (const MultibootModule& m : boot.modules) {
    const auto at = arena.put(m.bytes, 4096);
    if (!at) return no_room("a module");
    placed.push_back({*at, *at + static_cast<u32>(m.bytes.size()), 0});
  }
  arena.take(0, 4096);
  for (std::size_t i = 0; i < placed.size(); ++i) {
    const auto text = arena.text(boot.modules[i].command_line);
    if (!text) return no_room("a module's command line");
    placed[i].text = *text;
  }
  const auto command_line = arena.text(boot.command_line);
  const auto loader_name = arena.text("xlat");
  const auto modules = arena.take(16 * placed.size(), 4);
  const auto map = arena.take(24 * boot.memory_map.size(), 4);
  const auto info = arena.take(116, 4);
  const auto gdt = arena.take(kBootGdtBytes, 8);  // above everything, as the kernel may lie at 1000h
  const auto stack = arena.take(4096, 16);
  if (!command_line || !loader_name || !modules || !map || !info || !gdt || !stack)
    return no_room("the boot information");

  for (std::size_t i = 0; i < placed.size(); ++i) {
    u8* m = &ram[*modules + 16 * i];
    store_le(m, placed[i].start);
    store_le(m + 4, placed[i].end);
    store_le(m + 8, placed[i].text);
    store_le<u32>(m + 12, 0);
  }
  for (std::size_t i = 0; i < boot.memory_map.size(); ++i) {
    u8* m = &ram[*map + 24 * i];
    store_le<u32>(m, 20);
    store_le<u64>(m + 4, boot.memory_map[i].address);
    store_le<u64>(m + 12, boot.memory_map[i].bytes);
    store_le<u32>(m + 20, static_cast<u32>(boot.memory_map[i].type));
  }
  u8* mbi = &ram[*info];
  std::fill_n(mbi, 116, u8{0});
  // Memory, boot device, command line, modules, memory map, loader name.
  store_le<u32>(mbi, 1 << 0 | 1 << 1 | 1 << 2 | 1 << 3 | 1 << 6 | 1 << 9);
  store_le<u32>(mbi + 4, kBootEbda / 1024);
  store_le<u32>(mbi + 8, static_cast<u32>((ram.size() - 0x100000) / 1024));
  store_le<u32>(mbi + 12, boot.boot_device);
  store_le<u32>(mbi + 16, *command_line);
  store_le<u32>(mbi + 20, static_cast<u32>(placed.size()));
  store_le<u32>(mbi + 24, *modules);
  store_le<u32>(mbi + 44, static_cast<u32>(24 * boot.memory_map.size()));
  store_le<u32>(mbi + 48, *map);
  store_le<u32>(mbi + 64, *loader_name);

  BootEntry entry;
  place_boot_gdt(ram, *gdt, entry);
  entry.eip = loaded.value().entry;
  entry.eax = kBootMagic;
  entry.ebx = *info;
  entry.esp = *stack + 4096;
  return entry;
}

}  // namespace xlat
