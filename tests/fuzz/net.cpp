// Network cards, and the framing of -netdev socket. The first byte chooses; then come accesses to a card's registers,
// writes to memory where its descriptors are, frames, time, or the bytes of a stream.
#include "devices/registry.h"
#include "frontend/net/frame_stream.h"
#include "machine/machine.h"
#include "tests/fuzz/fuzz.h"

using namespace xlat;

namespace {

constexpr std::string_view kCards[] = {"e1000", "rtl8139", "pcnet", "ne2k_pci", "ne2k_isa"};

std::unique_ptr<Machine> make_machine(std::string_view card) {
  MachineConfig config;
  config.ram_bytes = MachineConfig::kMinRam;
  config.time.deterministic = true;
  config.engine = EngineKind::kInterp;
  config.networks.push_back({"net", [](std::span<const u8>) {}});
  config.devices = {{.type = std::string(card), .properties = {{"netdev", "net"}}}};
  if (card != "ne2k_isa") config.devices[0].properties.emplace_back("romfile", "");
  auto made = Machine::create(config);
  if (!made) fuzz::found(made.error().message);
  Pc& pc = (*made)->pc();
  if (PciFunction* function = pc.pci.at(2, 0)) {
    for (unsigned bar = 0; bar < 2; ++bar) {
      function->config_write(kPciBar0 + 4 * bar, 4, 0xe000'c000);
      function->config_write(kPciBar0 + 4 * bar, 4, function->config32(kPciBar0 + 4 * bar) & 1 ? 0xc000 : 0xe000'0000);
    }
    function->config_write(kPciCommand, 2, 7);
  }
  return std::move(*made);
}

void feed_stream(std::span<const u8> bytes) {
  FrameStream stream;
  std::size_t taken = 0;
  while (!bytes.empty()) {
    const auto piece = bytes.first(std::min<std::size_t>(bytes.size(), 1 + bytes[0]));
    if (!stream.feed(piece, [&](std::span<const u8> frame) { taken += frame.size(); })) return;
    bytes = bytes.subspan(piece.size());
  }
}

}  // namespace

int LLVMFuzzerTestOneInput(const u8* data, std::size_t size) {
  fuzz::Input input(data, size);
  const unsigned which = input.byte() % (std::size(kCards) + 1);
  if (which == std::size(kCards)) {
    feed_stream(input.rest());
    return 0;
  }
  static std::unique_ptr<Machine> machines[std::size(kCards)];
  if (!machines[which]) machines[which] = make_machine(kCards[which]);
  Pc& pc = machines[which]->pc();
  const u16 ports = kCards[which] == "ne2k_isa" ? 0x300 : 0xc000;
  for (Device* device : pc.devices()) {
    if (!dynamic_cast<PciFunction*>(device)) device->reset();
  }
  NetPort& port = *pc.networks()[0];
  while (!input.empty()) {
    const u8 what = input.byte();
    const unsigned width = 1u << (what >> 4) % 3;
    switch (what % 8) {
      case 0: pc.ports.write(static_cast<u16>(ports + input.byte()), width, input.word()); break;
      case 1: pc.ports.read(static_cast<u16>(ports + input.byte()), width); break;
      case 2: pc.memory.write(0xe000'0000 + (input.word() & 0x7fff), width, input.word()); break;
      case 3: pc.memory.read(0xe000'0000 + (input.word() & 0x7fff), width); break;
      case 4: {
        const u32 at = input.word() & 0x3fff;
        for (unsigned n = 0; n < 16; ++n) pc.memory.write(at + n, 1, input.byte());
        break;
      }
      case 5: {
        auto frame = std::make_shared<NetFrame>(kMacHeader + (input.word() & 0x7ff));
        for (std::size_t n = 0; n < 40 && n < frame->size(); ++n) (*frame)[n] = input.byte();
        port.enter(std::move(frame));
        break;
      }
      case 6: {
        pc.clock.skip_to(pc.clock.now() + (input.word() & 0xf'ffff));
        pc.clock.run_due();
        break;
      }
      case 7: port.set_link(input.byte() & 1); break;
    }
  }
  return 0;
}
