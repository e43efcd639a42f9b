// All networks of a machine: back ends, hubs and what is plugged where.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "frontend/net/frame_dump.h"
#include "frontend/net/hub.h"
#include "frontend/net/net_backend.h"
#include "machine/machine.h"

namespace xlat {

class Networks {
 public:
  Networks(std::vector<NetSpec> specs, std::vector<NetDumpSpec> dumps)
      : specs_(std::move(specs)), dump_specs_(std::move(dumps)) {}
  ~Networks() { stop(); }

  // Takes what the back ends need of the host, and gives the machine's networks their outputs.
  Status open(MachineConfig& config);
  // Frames go both ways from now on.
  Status start(Machine& machine);
  void stop();

  // ---- On the machine's thread, for the monitor ----
  std::string info() const;
  std::string user_info() const;
  // The user network with this id, or the first one for an empty id; null if there is none.
  UserNetControl* user(std::string_view id) const;
  // HMP's set_link; what is printed.
  std::string set_link(std::string_view name, bool up);

 private:
  struct Netdev {
    NetSpec spec;
    std::unique_ptr<NetBackend> backend;
    std::vector<FrameDump*> dumps;
    HubPort* plugged = nullptr;       // into this port; null: a card has it
    std::optional<unsigned> network;  // place in MachineConfig::networks
  };
  Netdev* find(std::string_view id);
  Hub& hub(unsigned number);
  void from_card(Netdev& netdev, std::span<const u8> frame);
  NetHandlers handlers(Netdev& netdev);
  std::string line(const Netdev& netdev) const;
  std::string card_line(const NetPort& port) const;

  static constexpr i64 kWelcome = 192;  // frames that may wait for a card while more are read

  std::vector<NetSpec> specs_;
  std::vector<NetDumpSpec> dump_specs_;
  std::vector<std::unique_ptr<Hub>> hubs_;
  std::vector<std::unique_ptr<FrameDump>> dumps_;
  std::vector<std::unique_ptr<Netdev>> netdevs_;
  Machine* machine_ = nullptr;
};

}  // namespace xlat
