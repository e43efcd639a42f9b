// The firmware boots the device that has the least bootindex, whatever controller it is at.
#include <catch2/catch.hpp>

#include "machine/machine.h"
#include "tests/frontend/temp_dir.h"

using namespace xlat;

namespace {

// A disk whose boot sector ends the run with a number: out F4h.
std::string bootable(TempDir& dir, u8 number) {
  std::vector<u8> image = disk_image(1 << 20);
  const u8 code[] = {0xb0, number, 0xe6, 0xf4, 0xf4};
  std::copy(std::begin(code), std::end(code), image.begin());
  return dir.write("disk" + std::to_string(number), image);
}

}  // namespace

TEST_CASE("the firmware boots the device with the least bootindex", "[machine]") {
  TempDir dir;
  struct Place {
    const char* type;
    std::vector<std::pair<std::string, std::string>> properties;
  };
  const Place places[] = {{"ide-hd", {{"bus", "ide.0"}, {"unit", "0"}}},
                          {"ide-hd", {{"bus", "ide.0"}, {"unit", "1"}}},
                          {"ide-hd", {{"bus", "ahci.3"}}},
                          {"scsi-hd", {{"scsi-id", "0"}}},
                          {"scsi-hd", {{"scsi-id", "6"}, {"removable", "on"}}},
                          {"usb-storage", {{"port", "2"}}}};
  for (unsigned first = 0; first < std::size(places); ++first) {
    MachineConfig config;
    config.ram_bytes = 16 << 20;
    config.time.deterministic = true;
    config.remove("VGA");
    config.add_debug_exit(0xf4, 4);
    config.devices.push_back({.type = "ahci", .properties = {}, .id = "ahci"});
    config.devices.push_back({.type = "lsi53c895a"});
    config.devices.push_back({.type = "piix3-usb-uhci", .properties = {{"addr", "01.2"}}});
    for (unsigned n = 0; n < std::size(places); ++n) {
      const std::string id = "d" + std::to_string(n);
      config.drives.push_back({.path = bootable(dir, static_cast<u8>(n)), .snapshot = true, .format = "raw", .id = id});
      DeviceConfig device{.type = places[n].type, .properties = places[n].properties};
      device.properties.emplace_back("drive", id);
      if (n == first) device.properties.emplace_back("bootindex", "2");
      if (n == (first + 1) % std::size(places)) device.properties.emplace_back("bootindex", "5");
      config.devices.push_back(std::move(device));
    }
    auto machine = Machine::create(config);
    if (!machine) FAIL(machine.error().message);
    INFO(places[first].type << " " << first);
    CHECK((*machine)->run_until(20'000'000'000) == Machine::Exit::kDebugExit);
    CHECK((*machine)->exit_status() == (first << 1 | 1));
  }
}
