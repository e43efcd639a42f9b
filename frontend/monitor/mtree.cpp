// info mtree: the memory map and the I/O ports as they are at this moment.
#include "devices/isa/port_range.h"
#include "frontend/monitor/commands.h"

namespace xlat {

namespace {

// The PCI function and BAR that decode `address`, or nothing.
std::string bar_name(Pc& pc, u64 address, bool io) {
  for (unsigned slot = 0; slot < 32; ++slot) {
    for (unsigned function = 0; function < 8; ++function) {
      const PciFunction* f = pc.pci.at(slot, function);
      if (!f) continue;
      for (unsigned n = 0; n < PciFunction::kBars; ++n) {
        const u32 size = f->bar_size(n);
        const bool rom = n == PciFunction::kRomBar;
        const u32 value = f->config32(rom ? unsigned{kPciRomAddress} : kPciBar0 + 4 * n);
        if (size == 0 || (rom ? !(value & 1) || io : bool(value & 1) != io)) continue;
        const u32 base = value & ~(io ? u32{3} : rom ? u32{0x7ff} : u32{15});
        if (address >= base && address - base < size) return fmt::format("pci {:02x}.{} BAR{}", slot, function, n);
      }
    }
  }
  return {};
}

std::string handler_name(Pc& pc, const IoHandler* handler, u64 address, bool io) {
  if (const auto* range = dynamic_cast<const PortRange*>(handler)) handler = &range->chip();
  if (const auto* device = dynamic_cast<const Device*>(handler)) return std::string(device->name());
  if (std::string bar = bar_name(pc, address, io); !bar.empty()) return bar;
  if (handler == &pc.ide_primary.control()) return "ide0 control";
  if (handler == &pc.ide_secondary.control()) return "ide1 control";
  const bool vga = io ? address >= 0x3b0 && address < 0x3e0 : address >= 0xa0000 && address < 0xc0000;
  if (pc.vga() && vga) return "vga";
  return "device";
}

// What a page is, without what changes from one page to the next of the same run.
struct Kind {
  const char* type;
  std::string name;
  const u8* host = nullptr;  // of the page's reads, to see whether runs go on
  bool operator==(const Kind& other) const { return type == other.type && name == other.name; }
};

Kind kind_of(Pc& pc, u64 phys) {
  const PageOwner& page = pc.memory.page(phys);
  if (!page.read && !page.write) {
    return page.io ? Kind{"i/o", handler_name(pc, page.io, phys, false)} : Kind{nullptr, {}};
  }
  const u8* host = page.read ? page.read : page.write;
  const bool main_memory = host >= pc.ram->data() && host < pc.ram->data() + pc.ram->size();
  std::string name = main_memory ? "pc.ram" : bar_name(pc, phys, false);
  if (name.empty()) name = "firmware";
  const char* type = page.read == page.write ? "ram" : page.read && page.write ? "ram over rom" : "rom";
  if (!page.read) type = "write-only ram";
  return {type, std::move(name), host};
}

}  // namespace

std::string info_mtree(MonitorContext& context, std::string_view) {
  Pc& pc = context.machine.pc();
  std::string out = "address-space: memory\n";
  Kind run{nullptr, {}};
  u64 start = 0;
  const auto end_run = [&](u64 end) {
    if (run.type) out += fmt::format("  {:016x}-{:016x} ({}): {}\n", start, end - 1, run.type, run.name);
  };
  for (u64 phys = 0; phys < AddressSpace::kSize; phys += 4096) {
    // Most of the address space has no owner.
    const PageOwner& page = pc.memory.page(phys);
    const bool nobody = !page.read && !page.write && !page.io;
    if (nobody && !run.type) continue;
    const u64 offset = phys - start;
    // Main memory goes on without asking again for each page.
    if (run.type && run.host && page.read == page.write && page.read == run.host + offset) continue;
    Kind next = nobody ? Kind{nullptr, {}} : kind_of(pc, phys);
    if (next == run) continue;
    end_run(phys);
    run = std::move(next);
    start = phys;
  }
  end_run(AddressSpace::kSize);

  out += "\naddress-space: I/O\n";
  for (const PortBus::Run& r : pc.ports.runs()) {
    out += fmt::format("  {:016x}-{:016x} (i/o): {}\n", r.first, r.last, handler_name(pc, r.handler, r.first, true));
  }
  return out;
}

}  // namespace xlat
