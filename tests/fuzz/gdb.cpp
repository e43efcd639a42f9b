// A debugger's bytes. A first byte of 1: as they are; else each line is a packet, which gets a frame. The monitor's
// commands are left out, as they write files.
#include "frontend/gdb/stub.h"
#include "tests/fuzz/fuzz.h"

using namespace xlat;

namespace {

std::unique_ptr<Machine> make_machine() {
  MachineConfig config;
  config.ram_bytes = u64{1} << 20;
  config.remove("VGA");
  config.time.deterministic = true;
  auto made = Machine::create(config);
  if (!made) fuzz::found(made.error().message);
  return std::move(*made);
}

// Ends the run after so many rounds of the machine's loop, whatever it waits for in them.
void end_after(Machine& machine, unsigned rounds) {
  machine.post([&machine, rounds] { rounds == 0 ? machine.quit() : end_after(machine, rounds - 1); });
}

}  // namespace

int LLVMFuzzerTestOneInput(const u8* data, std::size_t size) {
  // One machine for all inputs: each leaves it another state for the next, and a new one would take most of the time.
  static const std::unique_ptr<Machine> machine = make_machine();
  bool quit = false;
  GdbStub stub({.machine = *machine,
                .monitor = [](std::string_view line) { return std::string(line); },
                .send = [](std::string_view) {},
                .quit = [&] { quit = true; }});
  stub.connected();
  const auto feed = [&](std::string_view text) {
    stub.feed(std::span(reinterpret_cast<const u8*>(text.data()), text.size()));
    // What it has started runs for a while, and ends even if the machine waits for something.
    if (machine->paused()) return;
    end_after(*machine, 20);
    machine->run_until(machine->pc().clock.count() + 100);
    if (!machine->paused()) stub.feed(std::span<const u8>(reinterpret_cast<const u8*>("\x03"), 1));
  };
  fuzz::Input input(data, size);
  if (input.byte() == 1) {
    feed(input.text());
  } else {
    std::string_view rest = input.text();
    while (!rest.empty()) {
      const std::string_view line = rest.substr(0, rest.find('\n'));
      rest.remove_prefix(std::min(rest.size(), line.size() + 1));
      u8 sum = 0;
      for (const char c : line) sum = static_cast<u8>(sum + static_cast<u8>(c));
      feed(fmt::format("${}#{:02x}", line, sum));
    }
  }
  stub.disconnected();
  machine->stop();
  return 0;
}
