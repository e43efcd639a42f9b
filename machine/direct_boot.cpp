// -kernel: what firmware would have done, then the kernel's first instruction.
#include "firmware/e820.h"
#include "firmware/linux_boot.h"
#include "firmware/low_memory.h"
#include "firmware/multiboot.h"
#include "firmware/pc_setup.h"
#include "machine/pc.h"

namespace xlat {

namespace {

constexpr u64 kMaxKernelBytes = u64{512} << 20;

void enter(CpuState& s, const BootEntry& entry) {
  s.cr0 = kCr0Pe | kCr0Et;
  s.gdtr = {entry.gdt_base, entry.gdt_limit};
  for (unsigned n = 0; n < kSegRegs; ++n) {
    const bool code = n == kCs;
    s.seg[n].load(code ? entry.code_selector : entry.data_selector, {0x0000ffff, code ? 0x00cf9b00u : 0x00cf9300u});
  }
  s.gpr[kEax] = entry.eax;
  s.gpr[kEbx] = entry.ebx;
  s.gpr[kEcx] = s.gpr[kEdx] = s.gpr[kEdi] = s.gpr[kEbp] = 0;
  s.gpr[kEsi] = entry.esi;
  s.gpr[kEsp] = entry.esp;
  s.ip = entry.eip;
}

}  // namespace

Status Pc::boot_kernel() {
  auto kernel = read_whole_file(config_.kernel, "kernel", kMaxKernelBytes);
  if (!kernel) return kernel.error();

  set_up_chipset(ports, ram->size());
  if (vga_) vga_->enter_text_mode();
  const std::span<u8> bytes = ram->bytes();
  BdaConfig bda;
  bda.serial_ports = serial_ports();
  bda.floppies = static_cast<u8>((fdc.drive(0) != nullptr) + (fdc.drive(1) != nullptr));
  for (const auto& drive : config_.ide) bda.disks = static_cast<u8>(bda.disks + (drive && !drive->cdrom));
  if (Status s = place_bios_data(bytes, bda); !s) return s;
  if (Status s = place_tables(bytes, acpi_tables(), smbios_tables()); !s) return s;

  if (!looks_like_linux(*kernel) && looks_like_multiboot(*kernel)) {
    MultibootBoot boot;
    boot.kernel = *kernel;
    const std::string line = config_.append.empty() ? config_.kernel : config_.kernel + " " + config_.append;
    boot.command_line = line;
    boot.memory_map = e820_for_direct_boot(ram->size());
    if (!config_.initrd.empty()) {
      auto modules = load_multiboot_modules(config_.initrd);
      if (!modules) return modules.error();
      boot.modules = std::move(*modules);
    }
    auto entry = load_multiboot(boot, bytes);
    if (!entry) return error("kernel '{}': {}", config_.kernel, entry.error().message);
    enter(cpu.s, *entry);
  } else {
    std::vector<u8> initrd;
    if (!config_.initrd.empty()) {
      auto read = read_whole_file(config_.initrd, "initrd", ram->size());
      if (!read) return read.error();
      initrd = std::move(*read);
    }
    LinuxBoot boot;
    boot.kernel = *kernel;
    boot.initrd = initrd;
    boot.command_line = config_.append;
    boot.memory_map = e820_for_direct_boot(ram->size());
    boot.rsdp_address = kBootRsdp;
    auto entry = load_linux(boot, bytes);
    if (!entry) return error("kernel '{}': {}", config_.kernel, entry.error().message);
    enter(cpu.s, *entry);
  }
  interp.blocks().clear();  // memory was filled behind its back
  cpu.flush_tlb();
  cpu.update_tables();
  return {};
}

}  // namespace xlat
