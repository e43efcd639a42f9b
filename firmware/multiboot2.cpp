// Multiboot 2 (specification 2.0): header tags, information tags.
#include <algorithm>

#include "base/bits.h"
#include "firmware/multiboot.h"

namespace xlat {

namespace {

constexpr u32 kHeaderMagic = 0xe85250d6, kBootMagic = 0x36d76289;
constexpr u32 kSearchBytes = 32768;
constexpr u16 kOptional = 1;

enum HeaderTag : u16 {
  kEnd,
  kInformationRequest,
  kAddress,
  kEntryAddress,
  kConsoleFlags,
  kFramebuffer,
  kModuleAlignment,
  kEfiBootServices,
  kEntryEfi32,
  kEntryEfi64,
  kRelocatable,
};
enum InfoTag : u32 {
  kCommandLine = 1,
  kLoaderName = 2,
  kModule = 3,
  kBasicMemory = 4,
  kBootDevice = 5,
  kMemoryMap = 6,
  kFramebufferInfo = 8,
  kElfSections = 9,
  kAcpiOld = 14,
  kAcpiNew = 15,
};
bool gives(u32 tag) {
  return (tag >= kCommandLine && tag <= kMemoryMap) || tag == kFramebufferInfo || tag == kElfSections ||
         tag == kAcpiOld || tag == kAcpiNew;
}

std::optional<u32> find_header(std::span<const u8> kernel) {
  const std::size_t end = std::min<std::size_t>(kernel.size(), kSearchBytes);
  for (u32 at = 0; at + 16 <= end; at += 8) {
    if (load_le<u32>(&kernel[at]) != kHeaderMagic) continue;
    u32 sum = 0;
    for (u32 n = 0; n < 4; ++n) sum += load_le<u32>(&kernel[at + 4 * n]);
    if (sum == 0) return at;
  }
  return std::nullopt;
}

struct Header {
  u32 at = 0;
  std::optional<MultibootAddresses> addresses;
  std::optional<u32> entry;
};

// 3.1.1: what is not known and not optional must stop us.
Result<Header> read_header(std::span<const u8> kernel) {
  const auto at = find_header(kernel);
  if (!at) return error("the kernel has no Multiboot 2 header in its first {} bytes", kSearchBytes);
  Header header{*at, std::nullopt, std::nullopt};
  const u32 architecture = load_le<u32>(&kernel[*at + 4]), length = load_le<u32>(&kernel[*at + 8]);
  if (architecture != 0) return error("the Multiboot 2 kernel is for architecture {}, not for x86", architecture);
  if (length < 16 || length > kernel.size() - *at) return error("the kernel's Multiboot 2 header is truncated");
  for (u64 tag = *at + 16, end = *at + u64{length}; tag + 8 <= end;) {
    const u16 type = load_le<u16>(&kernel[tag]), flags = load_le<u16>(&kernel[tag + 2]);
    const u32 size = load_le<u32>(&kernel[tag + 4]);
    if (size < 8 || size > end - tag) return error("the kernel's Multiboot 2 header has a tag of {} bytes", size);
    const auto word = [&](u32 n) { return load_le<u32>(&kernel[tag + 8 + 4 * n]); };
    if (type == kEnd) break;
    if (type == kInformationRequest) {
      for (u32 n = 0; n < (size - 8) / 4; ++n) {
        if (!gives(word(n)) && !(flags & kOptional)) {
          return error("the Multiboot 2 kernel requires information of type {}, which this machine has not", word(n));
        }
      }
    } else if (type == kAddress && size >= 24) {
      // A load address of all ones: from the begin of the file.
      const u32 load = word(1) == 0xffffffff ? word(0) - *at : word(1);
      header.addresses = MultibootAddresses{word(0), load, word(2), word(3)};
    } else if (type == kEntryAddress && size >= 12) {
      header.entry = word(0);
    } else if ((type < kConsoleFlags || type > kRelocatable) && !(flags & kOptional)) {
      return error("the Multiboot 2 kernel requires feature {}, which is not known", type);
    }
    tag += align_up(size, 8);
  }
  return header;
}

// The information: 3.4.
class Info {
 public:
  Info() : bytes_(8) {}

  void tag(u32 type, std::span<const u8> data) {
    const std::size_t at = bytes_.size();
    bytes_.resize(at + align_up(8 + data.size(), 8));
    store_le<u32>(&bytes_[at], type);
    store_le<u32>(&bytes_[at + 4], static_cast<u32>(8 + data.size()));
    std::copy(data.begin(), data.end(), &bytes_[at] + 8);
  }
  void tag(u32 type, std::initializer_list<u32> words, std::string_view text, bool with_text = true) {
    std::vector<u8> data(4 * words.size());
    u8* to = data.data();
    for (const u32 word : words) store_le(to, word), to += 4;
    data.insert(data.end(), text.begin(), text.end());
    if (with_text) data.push_back(0);
    tag(type, data);
  }
  std::vector<u8> finish() && {
    tag(0, {});
    store_le<u32>(&bytes_[0], static_cast<u32>(bytes_.size()));
    return std::move(bytes_);
  }

 private:
  std::vector<u8> bytes_;
};

// The section headers; what is not loaded with the kernel (symbols, strings) gets memory too, as its address says then.
void tell_sections(std::span<const u8> kernel, BootArena& arena, Info& info) {
  if (!looks_like_elf(kernel) || kernel.size() < 64) return;
  const bool is64 = kernel[4] == 2;
  const auto word = [&](const u8* at) { return is64 ? load_le<u64>(at) : load_le<u32>(at); };
  const u64 table = word(&kernel[is64 ? 40 : 32]);
  const u16 bytes = load_le<u16>(&kernel[is64 ? 58 : 46]), count = load_le<u16>(&kernel[is64 ? 60 : 48]);
  const u16 names = load_le<u16>(&kernel[is64 ? 62 : 50]);
  constexpr u16 kMostSections = 256;
  if (count == 0 || count > kMostSections || bytes < (is64 ? 64 : 40)) return;
  if (table > kernel.size() || u64{count} * bytes > kernel.size() - table) return;
  std::vector<u8> data(12);
  store_le<u32>(&data[0], count);
  store_le<u32>(&data[4], bytes);
  store_le<u32>(&data[8], names);
  const auto first = kernel.begin() + static_cast<std::ptrdiff_t>(table);
  data.insert(data.end(), first, first + count * bytes);
  for (u16 n = 0; n < count; ++n) {
    u8* s = &data[12 + std::size_t{n} * bytes];
    const u32 type = load_le<u32>(s + 4);
    u8* const address = s + (is64 ? 16 : 12);
    const u64 offset = word(s + (is64 ? 24 : 16)), size = word(s + (is64 ? 32 : 20));
    constexpr u32 kNull = 0, kNobits = 8;
    if (type == kNull || type == kNobits || word(address) != 0 || size == 0) continue;
    if (offset > kernel.size() || size > kernel.size() - offset) return;
    const auto from = kernel.begin() + static_cast<std::ptrdiff_t>(offset);
    const auto at = arena.put({from, from + static_cast<std::ptrdiff_t>(size)}, 16);
    if (!at) return;
    store_le<u32>(address, *at);
  }
  info.tag(kElfSections, data);
}

}  // namespace

bool looks_like_multiboot2(std::span<const u8> kernel) { return find_header(kernel).has_value(); }

Result<BootPlan> plan_multiboot2(const MultibootBoot& boot, std::span<const E820Entry> map) {
  const FreeMemory memory(map);
  const auto header = read_header(boot.kernel);
  if (!header) return header.error();
  const Header& h = header.value();
  if (h.addresses && !h.entry) return error("the Multiboot 2 kernel has addresses but no entry address");
  auto image =
      h.addresses ? load_by_addresses(boot.kernel, h.at, *h.addresses, memory) : load_elf(boot.kernel, true, memory);
  if (!image) return image.error();
  if (h.entry) image.value().entry = *h.entry;

  BootArena arena = BootArena::behind(image.value(), memory);
  const auto modules = arena.put_modules(boot.modules);
  if (!modules) return modules.error();
  if (Status s = arena.put_aside(image.value(), memory); !s) return s.error();
  Info info;
  info.tag(kCommandLine, {}, boot.command_line);
  info.tag(kLoaderName, {}, "xlat");
  for (std::size_t n = 0; n < boot.modules.size(); ++n) {
    const BootArena::Placed& m = modules.value()[n];
    info.tag(kModule, {m.start, m.end}, boot.modules[n].command_line);
  }
  info.tag(kBasicMemory, {static_cast<u32>(memory.low_end() / 1024), upper_memory_kib(memory)}, {}, false);
  info.tag(kBootDevice, {0x80, 0xffffffff, 0xffffffff}, {}, false);
  std::vector<u8> entries(8 + 24 * map.size());
  store_le<u32>(&entries[0], 24);  // entry size; version 0
  for (std::size_t i = 0; i < map.size(); ++i) {
    u8* m = &entries[8 + 24 * i];
    store_le<u64>(m, map[i].address);
    store_le<u64>(m + 8, map[i].bytes);
    store_le<u32>(m + 16, static_cast<u32>(map[i].type));
  }
  info.tag(kMemoryMap, entries);
  // The screen as the BIOS leaves it: EGA text, 80 by 25.
  info.tag(kFramebufferInfo, {0xb8000, 0, 160, 80, 25, 0x00000210}, {}, false);
  tell_sections(boot.kernel, arena, info);
  if (boot.rsdp.size() >= 20) info.tag(kAcpiOld, boot.rsdp.first(20));
  if (boot.rsdp.size() >= 36) info.tag(kAcpiNew, boot.rsdp.first(36));

  const auto at = arena.put(std::move(info).finish(), 8);
  if (!at) return arena.no_room("the boot information");
  return arena.plan(std::move(image.value()), kBootMagic, *at);
}

}  // namespace xlat
