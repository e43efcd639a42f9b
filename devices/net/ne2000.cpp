// The two cards with a DP8390: Novell's NE2000 on ISA, and Realtek's RTL8029 on PCI.
#include <algorithm>

#include "base/bits.h"
#include "devices/isa/port_range.h"
#include "devices/net/card.h"
#include "devices/net/dp8390.h"
#include "devices/pci/pci.h"

namespace xlat {

namespace {

// iPXE's ROM for this card is one for many, and leaves its identifiers at zero, by which the firmware would not take
// it: they are filled in, and the checksum's byte (that of the entry's padding, PCI Firmware 3.0, 5.1.2) follows.
std::vector<u8> naming_card(std::vector<u8> rom, u16 vendor, u16 device) {
  if (rom.size() < 0x40) return rom;
  const std::size_t data = load_le<u16>(&rom[0x18]);
  constexpr std::string_view kSignature = "PCIR";
  if (data + 8 > rom.size() || !std::equal(kSignature.begin(), kSignature.end(), &rom[data])) return rom;
  if (load_le<u32>(&rom[data + 4]) != 0) return rom;
  store_le(&rom[data + 4], vendor);
  store_le(&rom[data + 6], device);
  for (std::size_t n = 4; n < 8; ++n) rom[6] = static_cast<u8>(rom[6] - rom[data + n]);
  return rom;
}

class Ne2000Isa final : public Device {
 public:
  Ne2000Isa(PortBus& ports, u16 base, IrqLine irq, NetPort& port, const MacAddress& mac)
      : core_(Dp8390::Kind::kNe2000, port, mac, [irq](bool level) { irq.set(level); }),
        low_(core_, base),
        range_(ports, base, 0x20, low_, kWidthsAll) {}

  std::string_view name() const override { return "ne2k_isa"; }
  void reset() override { core_.reset(); }
  void serialize(Archive& ar) override {
    ar.section("ne2k_isa", 1);
    core_.serialize(ar);
  }

 private:
  // From port numbers to offsets.
  struct Offsets : IoHandler {
    Offsets(Dp8390& c, u16 b) : core(c), base(b) {}
    u32 read(u64 port, unsigned width) override { return core.read(port - base, width); }
    void write(u64 port, unsigned width, u32 value) override { core.write(port - base, width, value); }
    Dp8390& core;
    u16 base;
  };
  Dp8390 core_;
  Offsets low_;
  PortRange range_;
};

class Ne2000Pci final : public Device, public PciFunction {
 public:
  explicit Ne2000Pci(PciNic parts)
      : PciFunction({.vendor = 0x10ec,
                     .device = 0x8029,
                     .revision = 0,
                     .class_code = 0x020000,
                     .subsystem_vendor = 0x1af4,
                     .subsystem = 0x1100,
                     .interrupt_pin = 1}),
        core_(Dp8390::Kind::kRtl8029, parts.port, parts.mac, [this](bool level) { set_intx(level); }) {
    add_io_bar(0, 0x100, core_, kWidthsAll);
    if (!parts.rom.empty()) add_rom_bar(naming_card(std::move(parts.rom), 0x10ec, 0x8029));
    reset();
  }

  std::string_view name() const override { return "ne2k_pci"; }
  void reset() override {
    reset_config();
    core_.reset();
  }
  void serialize(Archive& ar) override {
    ar.section("ne2k_pci", 1);
    serialize_config(ar);
    core_.serialize(ar);
  }

 private:
  Dp8390 core_;
};

constexpr Property kIsaProperties[] = {
    number("iobase", "0x300", "first of its 32 ports", 0x200, 0x3e0),
    number("irq", "9", "interrupt line", 2, 15),
    kNetdev,
    kMac,
    kBootIndex,
};
constexpr auto kPciProperties = pci_nic_properties("efi-ne2k_pci.rom");

Result<std::unique_ptr<Device>> make_isa(Board& board, const Properties& values) {
  const u16 base = static_cast<u16>(values.number("iobase"));
  if (board.ports().taken(base, 0x20)) return error("iobase={:#x}: another device is at these ports", base);
  auto port = board.network(values.text("netdev"));
  if (!port) return port.error();
  auto mac = board.mac_address(values.text("mac"));
  if (!mac) return mac.error();
  return std::unique_ptr<Device>(std::make_unique<Ne2000Isa>(
      board.ports(), base, board.isa_irq(static_cast<unsigned>(values.number("irq"))), **port, *mac));
}

}  // namespace

extern const DeviceType kNe2000IsaType = {"ne2k_isa",      "ISA",          DeviceType::Category::kNetwork,
                                          "Novell NE2000", kIsaProperties, make_isa};
extern const DeviceType kNe2000PciType = {"ne2k_pci",
                                          "PCI",
                                          DeviceType::Category::kNetwork,
                                          "Realtek RTL8029, an NE2000 on PCI",
                                          kPciProperties,
                                          make_pci_nic<Ne2000Pci>};

}  // namespace xlat
