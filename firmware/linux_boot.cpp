// The Linux boot protocol, versions 2.00 to 2.15.
#include "firmware/linux_boot.h"

#include <algorithm>

#include "base/bits.h"
#include "firmware/low_memory.h"

namespace xlat {

namespace {

// Fields of the setup header, offsets in the file and in the zero page.
enum Header : u32 {
  kSetupSects = 0x1f1,
  kVidMode = 0x1fa,
  kBootFlag = 0x1fe,
  kJumpLength = 0x201,
  kMagic = 0x202,
  kVersion = 0x206,
  kTypeOfLoader = 0x210,
  kLoadflags = 0x211,
  kCode32Start = 0x214,
  kRamdiskImage = 0x218,
  kRamdiskSize = 0x21c,
  kHeapEndPtr = 0x224,
  kCmdLinePtr = 0x228,
  kInitrdAddrMax = 0x22c,
  kCmdlineSize = 0x238,
  kSetupData = 0x250,
  kInitSize = 0x260,
};
// Fields of the zero page outside the header.
enum ZeroPage : u32 { kAcpiRsdpAddr = 0x070, kAltMemK = 0x1e0, kE820Entries = 0x1e8, kE820Table = 0x2d0 };

constexpr u32 kHighLoad = 0x100000;
constexpr u8 kLoadedHigh = 0x01, kCanUseHeap = 0x80;
constexpr u32 kMaxE820 = 128;

}  // namespace

bool looks_like_linux(std::span<const u8> kernel) {
  return kernel.size() >= kMagic + 4 && load_le<u16>(&kernel[kBootFlag]) == 0xaa55 &&
         load_le<u32>(&kernel[kMagic]) == 0x53726448;  // "HdrS"
}

Result<BootEntry> load_linux(const LinuxBoot& boot, std::span<u8> ram) {
  const std::span<const u8> kernel = boot.kernel;
  if (!looks_like_linux(kernel) || kernel.size() < kHeapEndPtr + 4) {
    return error("the kernel is not a Linux bzImage: no boot protocol header");
  }
  const unsigned version = load_le<u16>(&kernel[kVersion]);
  if (version < 0x200) return error("the kernel's boot protocol {:#x} is older than 2.00", version);
  if (!(kernel[kLoadflags] & kLoadedHigh)) return error("the kernel is a zImage; build a bzImage");
  const u32 header_end = kMagic + kernel[kJumpLength];
  // A field the header is too short for, or the version too old, has its default.
  const auto field = [&](unsigned since, u32 at, u32 otherwise) {
    return version >= since && header_end >= at + 4 && kernel.size() >= at + 4 ? load_le<u32>(&kernel[at]) : otherwise;
  };

  const u32 setup_sects = kernel[kSetupSects] ? kernel[kSetupSects] : 4;
  const u64 setup_bytes = (u64{setup_sects} + 1) * 512;
  if (kernel.size() <= setup_bytes) {
    return error("the kernel is truncated: {} bytes, of which the setup code alone takes {}", kernel.size(),
                 setup_bytes);
  }
  const std::span<const u8> code = kernel.subspan(setup_bytes);
  // syssize, in 16-byte units, counts what must follow the setup code.
  const u64 announced = u64{load_le<u32>(&kernel[0x1f4])} * 16;
  if (version >= 0x204 && announced > align_up(code.size(), 16)) {
    return error("the kernel is truncated: {} bytes of code, its header announces {}", code.size(), announced);
  }
  const u64 kernel_end = kHighLoad + std::max<u64>(code.size(), field(0x20a, kInitSize, 0));
  if (kernel_end > ram.size()) {
    return error("the kernel needs {} bytes of memory and the machine has {}; give it more with -m", kernel_end,
                 ram.size());
  }

  const u32 cmdline_max = std::min<u32>(field(0x206, kCmdlineSize, 255), kBootEbda - kBootCommandLine - 1);
  if (boot.command_line.size() > cmdline_max) {
    return error("the kernel command line has {} characters; this kernel takes {}", boot.command_line.size(),
                 cmdline_max);
  }

  u64 initrd_at = 0;
  if (!boot.initrd.empty()) {
    const u64 highest = u64{field(0x203, kInitrdAddrMax, 0x37ffffff)} + 1;
    const u64 top = std::min<u64>(highest, ram.size());
    if (boot.initrd.size() > top || align_down(top - boot.initrd.size(), 4096) < kernel_end) {
      return error(
          "the initrd ({} bytes) does not fit between the kernel's end ({:#x}) and {:#x}; give the machine "
          "more memory with -m",
          boot.initrd.size(), kernel_end, top);
    }
    initrd_at = align_down(top - boot.initrd.size(), 4096);
  }
  if (boot.memory_map.size() > kMaxE820) return error("the memory map has more than {} entries", kMaxE820);

  // The zero page: cleared, the header copied, the rest filled in.
  const std::span<u8> zero = ram.subspan(kBootParams, 4096);
  std::fill(zero.begin(), zero.end(), u8{0});
  const u32 copy_end = std::min<u32>({header_end, static_cast<u32>(kernel.size()), kE820Table});
  if (copy_end > kSetupSects) std::copy(&kernel[kSetupSects], &kernel[0] + copy_end, &zero[kSetupSects]);
  zero[0x06] = 3;                      // screen_info: mode 3,
  zero[0x07] = 80;                     // 80 columns
  store_le<u16>(&zero[0x0a], 0x0003);  // 256 KiB of EGA memory
  zero[0x0e] = 25;
  zero[0x0f] = 1;                  // a VGA
  store_le<u16>(&zero[0x10], 16);  // points a character
  const u64 extended_kib = (ram.size() - kHighLoad) / 1024;
  store_le<u16>(&zero[0x02], static_cast<u16>(std::min<u64>(extended_kib, 0xffff)));
  store_le<u32>(&zero[kAltMemK], static_cast<u32>(extended_kib));
  zero[kE820Entries] = static_cast<u8>(boot.memory_map.size());
  for (std::size_t i = 0; i < boot.memory_map.size(); ++i) {
    const E820Entry& e = boot.memory_map[i];
    u8* to = &zero[kE820Table + 20 * i];
    store_le<u64>(to, e.address);
    store_le<u64>(to + 8, e.bytes);
    store_le<u32>(to + 16, static_cast<u32>(e.type));
  }
  store_le<u16>(&zero[kVidMode], 0xffff);
  zero[kTypeOfLoader] = 0xff;
  if (version >= 0x201) {
    zero[kLoadflags] |= kCanUseHeap;
    store_le<u16>(&zero[kHeapEndPtr], 0xfe00);
  }
  store_le<u32>(&zero[kRamdiskImage], static_cast<u32>(initrd_at));
  store_le<u32>(&zero[kRamdiskSize], static_cast<u32>(boot.initrd.size()));
  if (version >= 0x202) {
    store_le<u32>(&zero[kCmdLinePtr], kBootCommandLine);
  } else {
    store_le<u16>(&zero[0x20], 0xa33f);
    store_le<u16>(&zero[0x22], static_cast<u16>(kBootCommandLine - kBootParams));
  }
  if (version >= 0x209) store_le<u64>(&zero[kSetupData], 0);
  if (version >= 0x20e) store_le<u64>(&zero[kAcpiRsdpAddr], boot.rsdp_address);

  std::copy(boot.command_line.begin(), boot.command_line.end(), &ram[kBootCommandLine]);
  ram[kBootCommandLine + boot.command_line.size()] = 0;
  std::copy(code.begin(), code.end(), &ram[kHighLoad]);
  std::copy(boot.initrd.begin(), boot.initrd.end(), ram.begin() + static_cast<std::ptrdiff_t>(initrd_at));

  BootEntry entry;
  place_boot_gdt(ram, kBootGdt, entry);
  // code32_start is where the default loader jumps; a hook there is the boot loader's, and none is ours.
  entry.eip = kHighLoad;
  entry.esi = kBootParams;
  entry.esp = kBootParams;
  store_le<u32>(&zero[kCode32Start], kHighLoad);
  return entry;
}

}  // namespace xlat
