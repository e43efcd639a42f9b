// The Linux boot protocol, versions 2.00 to 2.15.
#include "firmware/linux_boot.h"

#include <algorithm>
#include <charconv>
#include <optional>

#include "base/bits.h"
#include "devices/chipset/fw_cfg.h"

namespace xlat {

namespace {

// Fields of the setup header: offsets in the file.
enum Header : u32 {
  kSetupSects = 0x1f1,
  kSyssize = 0x1f4,
  kVidMode = 0x1fa,
  kBootFlag = 0x1fe,
  kJumpLength = 0x201,
  kMagic = 0x202,
  kVersion = 0x206,
  kTypeOfLoader = 0x210,
  kLoadflags = 0x211,
  kRamdiskImage = 0x218,
  kRamdiskSize = 0x21c,
  kHeapEndPtr = 0x224,
  kCmdLinePtr = 0x228,
  kInitrdAddrMax = 0x22c,
  kCmdlineSize = 0x238,
  kInitSize = 0x260,
};
constexpr u8 kLoadedHigh = 0x01, kCanUseHeap = 0x80;
constexpr u8 kLoaderQemu = 0xb0;  // the id that is given to loaders of this kind

// Where the real-mode part lies, its command line, and the kernel proper.
struct Layout {
  u32 setup, command_line, command_line_end, code;
};
constexpr Layout kHigh{0x10000, 0x20000, 0x90000, 0x100000};     // bzImage
constexpr Layout kOldHigh{0x90000, 0x99000, 0x9a000, 0x100000};  // its command line is told as an offset
constexpr Layout kLow{0x90000, 0x99000, 0x9a000, 0x10000};       // zImage

// What "vga=" on the command line says, as boot loaders read it.
std::optional<u16> video_mode(std::string_view line) {
  for (std::size_t at = line.find("vga="); at != line.npos; at = line.find("vga=", at + 1)) {
    if (at != 0 && line[at - 1] != ' ') continue;
    std::string_view value = line.substr(at + 4);
    value = value.substr(0, value.find(' '));
    if (value == "normal") return u16{0xffff};
    if (value == "ext") return u16{0xfffe};
    if (value == "ask") return u16{0xfffd};
    int base = 10;
    if (value.starts_with("0x") || value.starts_with("0X")) {
      base = 16;
      value.remove_prefix(2);
    }
    u16 mode = 0;
    const auto [end, problem] = std::from_chars(value.data(), value.data() + value.size(), mode, base);
    if (problem == std::errc() && end == value.data() + value.size()) return mode;
  }
  return std::nullopt;
}

}  // namespace

bool looks_like_linux(std::span<const u8> kernel) {
  return kernel.size() >= kMagic + 4 && load_le<u16>(&kernel[kBootFlag]) == 0xaa55 &&
         load_le<u32>(&kernel[kMagic]) == 0x53726448;  // "HdrS"
}

Result<BootPlan> plan_linux(const LinuxBoot& boot, std::span<const E820Entry> map) {
  const std::span<const u8> kernel = boot.kernel;
  const FreeMemory memory(map);
  if (!looks_like_linux(kernel) || kernel.size() < kHeapEndPtr + 4) {
    return error("the kernel is not a Linux kernel: no boot protocol header");
  }
  const unsigned version = load_le<u16>(&kernel[kVersion]);
  if (version < 0x200) return error("the kernel's boot protocol {:#x} is older than 2.00", version);
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
  const u64 announced = u64{load_le<u32>(&kernel[kSyssize])} * 16;
  if (version >= 0x204 && announced > align_up(code.size(), 16)) {
    return error("the kernel is truncated: {} bytes of code, its header announces {}", code.size(), announced);
  }
  const Layout& at = !(kernel[kLoadflags] & kLoadedHigh) ? kLow : version < 0x202 ? kOldHigh : kHigh;
  const u64 code_bytes = std::max<u64>(code.size(), field(0x20a, kInitSize, 0));
  const u64 code_end = at.code + code_bytes;
  if (!memory.has(at.code, code_bytes) || (&at == &kLow && code_end > kLow.setup)) {
    return error(
        "the kernel needs memory up to {:#x}, and what it may use ends at {:#x}; give the machine more with -m",
        code_end, memory.end_of(at.code));
  }
  if (!memory.has(at.setup, at.command_line_end - at.setup)) {
    return error("the kernel's setup code needs memory up to {:#x}, and what it may use ends at {:#x}",
                 at.command_line_end, memory.low_end());
  }
  if (setup_bytes > at.command_line - at.setup) return error("the kernel's setup code has {} bytes", setup_bytes);

  const u32 longest = std::min<u32>(field(0x206, kCmdlineSize, 255), at.command_line_end - at.command_line - 1);
  if (boot.command_line.size() > longest) {
    return error("the kernel command line has {} characters; this kernel takes {}", boot.command_line.size(), longest);
  }

  u64 initrd_at = 0;
  if (!boot.initrd.empty()) {
    const u64 highest = u64{field(0x203, kInitrdAddrMax, 0x37ffffff)} + 1;
    const u64 lowest = std::max<u64>(code_end, kHigh.code);
    const u64 top = std::min(highest, memory.end_of(kHigh.code));
    if (boot.initrd.size() > top || align_down(top - boot.initrd.size(), 4096) < lowest) {
      return error(
          "the initrd ({} bytes) does not fit between the kernel's end ({:#x}) and {:#x}; give the machine "
          "more memory with -m",
          boot.initrd.size(), lowest, top);
    }
    initrd_at = align_down(top - boot.initrd.size(), 4096);
  }

  std::vector<u8> setup(kernel.begin(), kernel.begin() + static_cast<std::ptrdiff_t>(setup_bytes));
  setup[kTypeOfLoader] = kLoaderQemu;
  if (const auto mode = video_mode(boot.command_line)) store_le<u16>(&setup[kVidMode], *mode);
  if (version >= 0x201) {
    setup[kLoadflags] |= kCanUseHeap;
    store_le<u16>(&setup[kHeapEndPtr], static_cast<u16>(at.command_line - at.setup - 0x200));
  }
  store_le<u32>(&setup[kRamdiskImage], static_cast<u32>(initrd_at));
  store_le<u32>(&setup[kRamdiskSize], static_cast<u32>(boot.initrd.size()));
  if (version >= 0x202) {
    store_le<u32>(&setup[kCmdLinePtr], at.command_line);
  } else {
    store_le<u16>(&setup[0x20], 0xa33f);
    store_le<u16>(&setup[0x22], static_cast<u16>(at.command_line - at.setup));
  }
  std::vector<u8> line(boot.command_line.begin(), boot.command_line.end());
  line.push_back(0);

  BootPlan plan;
  const auto part = [&plan](u64 address, std::vector<u8> data, u16 key) {
    plan.parts.push_back({static_cast<u32>(address), static_cast<u32>(data.size()), std::move(data), key});
  };
  part(at.setup, std::move(setup), kFwCfgSetupData);
  part(at.command_line, std::move(line), kFwCfgCmdlineData);
  part(at.code, {code.begin(), code.end()}, kFwCfgKernelData);
  if (!boot.initrd.empty()) part(initrd_at, {boot.initrd.begin(), boot.initrd.end()}, kFwCfgInitrdData);
  plan.entry.protected_mode = false;
  plan.entry.ds = static_cast<u16>(at.setup >> 4);
  plan.entry.cs = static_cast<u16>(plan.entry.ds + 0x20);
  plan.entry.esp = at.command_line - at.setup - 16;
  return plan;
}

}  // namespace xlat
