// info pic, irq, dma, chardev, qtree and pci.
#include "frontend/monitor/commands.h"
#include "frontend/sound/host_sink.h"

namespace xlat {

namespace {

struct ClassName {
  u16 code;
  const char* name;
};
constexpr ClassName kClasses[] = {
    {0x0100, "SCSI controller"},
    {0x0101, "IDE controller"},
    {0x0200, "Ethernet controller"},
    {0x0300, "VGA controller"},
    {0x0401, "Audio controller"},
    {0x0600, "Host bridge"},
    {0x0601, "ISA bridge"},
    {0x0604, "PCI bridge"},
    {0x0680, "Bridge"},
    {0x0c03, "USB controller"},
    {0x0c05, "SMBus"},
};

std::string bar_line(const PciFunction& f, unsigned n) {
  const u32 size = f.bar_size(n);
  if (size == 0) return {};
  const bool rom = n == PciFunction::kRomBar;
  const u32 value = f.config32(rom ? unsigned{kPciRomAddress} : kPciBar0 + 4 * n);
  if (!rom && (value & 1)) {
    const u32 base = value & ~u32{3};
    return fmt::format("      BAR{}: I/O at 0x{:04x} [0x{:04x}].\n", n, base, base + size - 1);
  }
  const u32 base = rom ? value & ~u32{0x7ff} : value & ~u32{15};
  return fmt::format("      BAR{}: 32 bit{} memory at 0x{:08x} [0x{:08x}].\n", n,
                     !rom && (value & 8) ? " prefetchable" : "", base, base + (size - 1));
}

}  // namespace

std::string info_pic(MonitorContext& context, std::string_view) { return context.machine.pc().pic.dump(); }

std::string info_irq(MonitorContext& context, std::string_view) {
  std::string out = "IRQ statistics for isa-i8259:\n";
  for (unsigned n = 0; n < 16; ++n) {
    if (const u64 count = context.machine.pc().pic.count(n)) out += fmt::format("{:2}: {}\n", n, count);
  }
  return out;
}

std::string info_jit(MonitorContext& context, std::string_view) { return context.machine.pc().interp.statistics(); }

std::string info_dma(MonitorContext& context, std::string_view) { return context.machine.pc().dma.dump(); }

std::string info_audio(MonitorContext& context, std::string_view) {
  const AudioBackends& audio = context.machine.pc().audio;
  std::string out;
  for (const AudioOutput& output : audio.outputs()) {
    const auto* sink = dynamic_cast<const HostSink*>(output.sink.get());
    out += fmt::format("{}: {}\n", output.id, sink ? sink->status() : "none");
    if (const AudioMixer* mixer = audio.find(output.id)) out += mixer->dump();
  }
  return out;
}

std::string info_chardev(MonitorContext& context, std::string_view) {
  std::string out;
  for (const std::string& line : context.channels) out += line + "\n";
  return out;
}

std::string info_qtree(MonitorContext& context, std::string_view) { return context.machine.pc().tree().describe(); }

std::string info_pci(MonitorContext& context, std::string_view) {
  std::string out;
  for (unsigned slot = 0; slot < 32; ++slot) {
    for (unsigned function = 0; function < 8; ++function) {
      const PciFunction* f = context.machine.pc().pci.at(slot, function);
      if (!f) continue;
      const u16 code = f->config16(kPciSubclass);
      std::string name = fmt::format("Class {:04x}", code);
      for (const ClassName& known : kClasses) {
        if (known.code == code) name = known.name;
      }
      out += fmt::format("  Bus  0, device {:3}, function {}:\n", slot, function);
      out +=
          fmt::format("    {}: PCI device {:04x}:{:04x}\n", name, f->config16(kPciVendorId), f->config16(kPciDeviceId));
      if (f->config16(kPciSubsystemVendorId) != 0) {
        out += fmt::format("      PCI subsystem {:04x}:{:04x}\n", f->config16(kPciSubsystemVendorId),
                           f->config16(kPciSubsystemId));
      }
      if (f->has_interrupt_pin()) {
        out += fmt::format("      IRQ {}, pin {}\n", f->config8(kPciInterruptLine),
                           static_cast<char>('A' - 1 + f->config8(kPciInterruptPin)));
      }
      for (unsigned n = 0; n < PciFunction::kBars; ++n) out += bar_line(*f, n);
      out += "      id \"\"\n";
    }
  }
  return out;
}

}  // namespace xlat
