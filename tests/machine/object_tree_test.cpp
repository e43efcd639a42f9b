// The PC's tree of devices, and what is plugged into it by name.
#include <catch2/catch.hpp>

#include "machine/machine.h"

using namespace xlat;

namespace {

std::string refused(MachineConfig config) {
  auto machine = Machine::create(config);
  return machine ? std::string() : machine.error().message;
}

}  // namespace

TEST_CASE("the tree shows the PC as QEMU does", "[machine]") {
  MachineConfig config;
  config.add_ide(2, DriveConfig{.path = {}, .cdrom = true});
  config.add_floppy(0, DriveConfig{});
  config.devices.push_back({.type = "isa-debug-exit", .properties = {{"iobase", "0xf4"}}, .id = "exit"});
  auto machine = Machine::create(config);
  REQUIRE(machine.ok());
  const std::string text = (*machine)->pc().tree().describe();
  const auto has = [&text](const std::string& line) { return text.find(line) != std::string::npos; };
  CHECK(text.starts_with("bus: main-system-bus\n  type System\n  dev: i440FX-pcihost, id \"\"\n    bus: pci.0\n"));
  CHECK(has("        bus: isa.0\n"));
  CHECK(has("dev: isa-debug-exit, id \"exit\"\n            iobase = 244 (0xf4)\n            iosize = 2 (0x2)\n"));
  CHECK(has(
      "        bus: ide.1\n          type IDE\n          dev: ide-cd, id \"\"\n            drive = \"ide1-cd0\"\n"));
  CHECK(has("bus: floppy-bus.0\n              type floppy-bus\n              dev: floppy, id \"\"\n"));
  CHECK(has("      dev: VGA, id \"\"\n        vgamem_mb = 16 (0x10)\n"));
}

TEST_CASE("the tree says which places devices have taken", "[machine]") {
  MachineConfig config;
  config.devices.push_back({.type = "lsi53c895a"});
  config.devices.push_back({.type = "scsi-cd"});
  config.devices.push_back({.type = "scsi-cd"});
  auto machine = Machine::create(config);
  REQUIRE(machine.ok());
  std::string text = (*machine)->pc().tree().describe();
  std::erase(text, ' ');
  CHECK(text.find("scsi-id=0(0x0)\nlun=0(0x0)\n") != std::string::npos);
  CHECK(text.find("scsi-id=1(0x1)\nlun=0(0x0)\n") != std::string::npos);
}

TEST_CASE("devices by name: values, global values, places", "[machine]") {
  MachineConfig config;
  config.remove("VGA");
  config.globals = {{"isa-debug-exit", "iosize", "4"}};
  config.devices.push_back({.type = "VGA", .properties = {{"addr", "05.0"}}, .id = "screen"});
  config.add_debug_exit(0xf4, 1);
  config.devices.push_back({.type = "isa-debug-exit"});
  auto machine = Machine::create(config);
  REQUIRE(machine.ok());
  Pc& pc = (*machine)->pc();
  CHECK(dynamic_cast<Vga*>(pc.pci.at(5, 0)) == pc.vga());
  CHECK(pc.ports.taken(0xf4, 1));
  CHECK_FALSE(pc.ports.taken(0xf5, 1));
  CHECK(pc.ports.taken(0x504, 1));  // the global value is for those that are not given another
  CHECK_FALSE(pc.ports.taken(0x505, 1));

  const auto with = [&config](DeviceConfig device) {
    MachineConfig more = config;
    device.named = true;
    more.devices.push_back(std::move(device));
    return refused(more);
  };
  CHECK(with({.type = "VGA", .properties = {{"addr", "5"}}}) ==
        "-device VGA: addr=5: there is another device in this slot");
  CHECK(with({.type = "VGA", .properties = {{"addr", "20"}}}).find("0 to 1f.7") != std::string::npos);
  CHECK(with({.type = "VGA", .id = "screen"}) == "-device VGA: id=screen is there already");
  CHECK(with({.type = "VGA", .properties = {{"bus", "isa.0"}}}).find("a bus of type PCI") != std::string::npos);
  CHECK(with({.type = "VGA", .properties = {{"bus", "pci.7"}}}).find("there is no such bus") != std::string::npos);
  CHECK(with({.type = "isa-serial", .properties = {{"chardev", "x"}}}) ==
        "-device isa-serial: chardev=x: there is no -chardev with this id");
  CHECK(with({.type = "ide-hd", .properties = {{"drive", "x"}}}) ==
        "-device ide-hd: drive=x: there is no -drive if=none or -blockdev with this id");
  CHECK(with({.type = "VGA", .properties = {{"romfile", "/nonexistent"}}}).find("/nonexistent") != std::string::npos);
}

TEST_CASE("serial ports go to the first place that is free", "[machine]") {
  MachineConfig config;
  config.add_serial(1, nullptr);
  for (const char* id : {"a", "b", "c"}) {
    config.channels.push_back({id, nullptr});
    config.devices.push_back({.type = "isa-serial", .properties = {{"chardev", id}}});
  }
  auto machine = Machine::create(config);
  REQUIRE(machine.ok());
  for (unsigned n = 0; n < 4; ++n) CHECK((*machine)->pc().uart(n));
  config.channels.push_back({"d", nullptr});
  config.devices.push_back({.type = "isa-serial", .properties = {{"chardev", "d"}}, .named = true});
  CHECK(refused(config) == "-device isa-serial: the machine has four serial ports, all are taken");
}
