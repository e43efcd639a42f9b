// What the rows of network cards have in common.
#pragma once

#include "devices/net/nic.h"
#include "devices/registry.h"

namespace xlat {

inline constexpr Property kNetdev = back_end("netdev", Property::Kind::kNetwork, "the -netdev it is plugged into");
inline constexpr Property kMac =
    text("mac", "", "its address, as 52:54:00:12:34:56; the next free one of those if not given");

// What a card on PCI is made with.
struct PciNic {
  AddressSpace& memory;
  Clock& clock;
  NetPort& port;
  MacAddress mac;
  std::vector<u8> rom;  // empty: none
};

inline Result<PciNic> pci_nic(Board& board, const Properties& values) {
  auto port = board.network(values.text("netdev"));
  if (!port) return port.error();
  auto mac = board.mac_address(values.text("mac"));
  if (!mac) return mac.error();
  std::vector<u8> rom;
  if (values.number("rombar") != 0) {
    auto read = board.rom(values.text("romfile"));
    // The usual one is a package of its own, and a card works without.
    if (!read && values.given("romfile")) return error("romfile: {}", read.error().message);
    if (read) rom = std::move(*read);
  }
  return PciNic{board.memory(), board.clock(), **port, *mac, std::move(rom)};
}

template <class Card>
Result<std::unique_ptr<Device>> make_pci_nic(Board& board, const Properties& values) {
  auto parts = pci_nic(board, values);
  if (!parts) return parts.error();
  return std::unique_ptr<Device>(std::make_unique<Card>(std::move(*parts)));
}

// Its properties; `rom` is the file of the firmware's folders that boots from it.
constexpr auto pci_nic_properties(std::string_view rom) {
  return std::array{kNetdev, kMac, kBootIndex,
                    text("romfile", rom, "option ROM that boots from the network; empty for none"),
                    number("rombar", "1", "1: the firmware sees the option ROM", 0, 1)};
}

}  // namespace xlat
