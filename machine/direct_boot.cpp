// -kernel: an option ROM starts the kernel when the firmware has set the machine up.
#include <algorithm>

#include "firmware/boot_plan.h"
#include "firmware/linux_boot.h"
#include "firmware/multiboot.h"
#include "machine/pc.h"

namespace xlat {

namespace {

constexpr u64 kMaxKernelBytes = u64{512} << 20;
// What the firmware keeps at the top of memory for its tables and data.
constexpr u64 kFirmwareKeeps = 128 << 10;

// ACPI's root pointer, which lies at a multiple of 16 in the F segment. ACPI 6.0, 5.2.5.
std::span<const u8> find_rsdp(std::span<const u8> ram) {
  for (std::size_t at = 0xe0000; at + 36 <= std::min<std::size_t>(ram.size(), 0x100000); at += 16) {
    constexpr std::string_view kSignature = "RSD PTR ";
    if (!std::equal(kSignature.begin(), kSignature.end(), ram.begin() + static_cast<std::ptrdiff_t>(at))) continue;
    return ram.subspan(at, ram[at + 15] >= 2 ? 36 : 20);
  }
  return {};
}

}  // namespace

// What -kernel, -initrd and -append name, as long as the machine lives.
struct Pc::KernelFiles {
  enum class Kind : u8 { kLinux, kMultiboot, kMultiboot2 } kind = Kind::kLinux;
  std::vector<u8> kernel, initrd;
  std::vector<MultibootModule> modules;
  std::string command_line;

  Result<BootPlan> plan(std::span<const E820Entry> map, std::span<const u8> rsdp) const {
    const MultibootBoot boot{kernel, modules, command_line, rsdp};
    switch (kind) {
      case Kind::kMultiboot: return plan_multiboot(boot, map);
      case Kind::kMultiboot2: return plan_multiboot2(boot, map);
      default: return plan_linux({kernel, initrd, command_line}, map);
    }
  }
};

Status Pc::load_kernel_files() {
  auto files = std::make_shared<KernelFiles>();
  auto kernel = read_whole_file(config_.kernel, "kernel", kMaxKernelBytes);
  if (!kernel) return kernel.error();
  files->kernel = std::move(*kernel);
  if (looks_like_linux(files->kernel)) {
    files->command_line = config_.append;
    if (!config_.initrd.empty()) {
      auto initrd = read_whole_file(config_.initrd, "initrd", ram->size());
      if (!initrd) return initrd.error();
      files->initrd = std::move(*initrd);
    }
  } else if (looks_like_multiboot(files->kernel) || looks_like_multiboot2(files->kernel)) {
    files->kind = looks_like_multiboot(files->kernel) ? KernelFiles::Kind::kMultiboot : KernelFiles::Kind::kMultiboot2;
    files->command_line = config_.append.empty() ? config_.kernel : config_.kernel + " " + config_.append;
    auto modules = load_multiboot_modules(config_.initrd);
    if (!modules) return modules.error();
    files->modules = std::move(*modules);
  } else {
    return error("kernel '{}': neither a Linux kernel nor one with a Multiboot header", config_.kernel);
  }
  kernel_files_ = std::move(files);
  return {};
}

Status Pc::add_kernel() {
  if (Status s = load_kernel_files(); !s) return s;
  // What does not fit is told now; where things lie in the end is known when the firmware says what memory there is.
  const std::vector<E820Entry> expected = {
      {0, 0x9fc00, E820Type::kRam},
      {0x100000, ram->size() - std::min(ram->size(), 0x100000 + kFirmwareKeeps), E820Type::kRam}};
  auto plan = kernel_files_->plan(expected, {});
  if (!plan) return error("kernel '{}': {}", config_.kernel, plan.error().message);
  offer(*plan);
  fw_cfg.add_item(kBootMapKey, std::vector<u8>(kBootBufferBytes), [this] {
    const std::vector<E820Entry> map = parse_boot_map(*fw_cfg.item(kBootMapKey));
    if (map.empty()) return;  // not told yet: a snapshot of that time was loaded
    auto now = kernel_files_->plan(map, find_rsdp(ram->bytes()));
    if (!now) config_.warn(fmt::format("kernel '{}': {}", config_.kernel, now.error().message));
    now ? offer(*now) : fw_cfg.add_item(kBootListKey, boot_list(nullptr));
  });
  return fw_cfg.add_file(kBootRomFile, boot_rom());
}

// Puts a plan into fw_cfg. Firmware that starts kernels by itself looks for these keys as well.
void Pc::offer(BootPlan& plan) {
  fw_cfg.add_item(kBootListKey, boot_list(&plan));
  for (std::size_t n = 0; n < plan.parts.size(); ++n) {
    BootPart& part = plan.parts[n];
    const auto told = [&](FwCfgKey address, FwCfgKey bytes) {
      fw_cfg.add_u32(address, part.address);
      fw_cfg.add_u32(bytes, part.bytes);
    };
    switch (part.key) {
      case kFwCfgSetupData: told(kFwCfgSetupAddr, kFwCfgSetupSize); break;
      case kFwCfgCmdlineData: told(kFwCfgCmdlineAddr, kFwCfgCmdlineSize); break;
      case kFwCfgKernelData: told(kFwCfgKernelAddr, kFwCfgKernelSize); break;
      case kFwCfgInitrdData: told(kFwCfgInitrdAddr, kFwCfgInitrdSize); break;
      default: part.key = static_cast<u16>(kBootPartKey + n);
    }
    fw_cfg.add_item(part.key, std::move(part.data));
  }
}

}  // namespace xlat
