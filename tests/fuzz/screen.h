// A small machine with a screen and a VNC server, for targets that are its viewers.
#pragma once

#include <csignal>

#include "frontend/display/vnc_server.h"
#include "frontend/input/keymap.h"
#include "tests/fuzz/connection.h"

namespace xlat::fuzz {

struct Screen {
  // Without settings the server listens nowhere.
  explicit Screen(const std::optional<VncSettings>& settings) {
    signal(SIGPIPE, SIG_IGN);  // as the program does
    MachineConfig config;
    config.ram_bytes = u64{1} << 20;
    config.time.deterministic = true;
    auto machine_made = Machine::create(config);
    if (!machine_made) found(machine_made.error().message);
    machine = std::move(*machine_made);
    feed = std::make_unique<ScreenFeed>(*machine);
    auto vnc_made = make_vnc_server(
        {.machine = *machine, .feed = *feed, .keymap = Keymap::us(), .name = "fuzz", .type = [](auto) {}}, settings);
    if (!vnc_made) found(vnc_made.error().message);
    vnc = std::move(*vnc_made);
  }
  // Waits until nobody looks any more. What viewers have typed is taken by the machine, which else would keep it.
  void settle() {
    for (int tries = 0; tries < 15000 && vnc->has_viewers(); ++tries) usleep(1000);
    if (vnc->has_viewers()) found("a viewer that does not end");
    machine->post([this] { machine->quit(); });
    machine->run_until(machine->pc().clock.count() + 1000);
  }

  std::unique_ptr<Machine> machine;
  std::unique_ptr<ScreenFeed> feed;
  std::unique_ptr<VncServer> vnc;
};

}  // namespace xlat::fuzz
