// Damaged snapshots: the input is a list of changes to a good one, three bytes of place from its end and one of value.
// What is taken runs for a while.
#include "machine/machine.h"
#include "tests/fuzz/fuzz.h"

using namespace xlat;

namespace {

std::unique_ptr<Machine> make_machine() {
  MachineConfig config;
  config.ram_bytes = MachineConfig::kMinRam;
  config.time.deterministic = true;
  config.engine = EngineKind::kInterp;
  config.no_reboot = true;
  config.add_serial(0, [](u8) {});
  config.add_parallel([](u8) {});
  config.devices.push_back({.type = "lsi53c895a"});
  config.devices.push_back({.type = "scsi-cd"});
  auto made = Machine::create(config);
  if (!made) fuzz::found(made.error().message);
  (*made)->run_until(3'000'000);
  return std::move(*made);
}

}  // namespace

int LLVMFuzzerTestOneInput(const u8* data, std::size_t size) {
  static const std::unique_ptr<Machine> machine = make_machine();
  static const std::vector<u8> good = [] {
    Archive ar = Archive::saver();
    machine->serialize(ar);
    return ar.bytes();
  }();
  std::vector<u8> bytes = good;
  fuzz::Input input(data, size);
  const u8 cut = input.byte();
  while (!input.empty()) {
    const u32 change = input.word();
    bytes[bytes.size() - 1 - (change & 0xffffff) % bytes.size()] = static_cast<u8>(change >> 24);
  }
  if (cut & 1) bytes.resize(bytes.size() - std::min<std::size_t>(bytes.size(), std::size_t{cut} * cut));
  Archive ar = Archive::loader(std::move(bytes));
  machine->serialize(ar);
  if (!ar.ok()) {
    if (ar.error().empty()) fuzz::found("a refusal without a word");
    return 0;
  }
  Timer end(machine->pc().clock, [] { machine->quit(); });  // a guest that halts would wait for ever
  end.schedule(10'000'000);
  machine->run_until(machine->pc().clock.count() + 2000);
  return 0;
}
