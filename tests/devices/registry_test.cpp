// Rows of the registry, and what can be set of a device.
#include "devices/registry.h"

#include <catch2/catch.hpp>
#include <set>

using namespace xlat;

TEST_CASE("every row of the registry is whole", "[registry]") {
  std::set<std::string_view> names;
  for (const DeviceType* type : device_types()) {
    INFO(type->name);
    CHECK(names.insert(type->name).second);
    CHECK(find_device_type(type->name) == type);
    CHECK_FALSE(type->help.empty());
    REQUIRE(type->make);
    const Properties values = properties_of(*type);
    for (const Property& p : values.known()) {
      INFO(p.name);
      CHECK_FALSE(p.help.empty());
      // Its standard value is one that could be given.
      Properties scratch = values;
      if (!p.standard.empty()) CHECK(scratch.set("", p.name, std::string(p.standard)).ok());
    }
  }
  CHECK(find_device_type("vga") == find_device_type("VGA"));
  CHECK_FALSE(find_device_type("isa-nothing"));
}

TEST_CASE("values of properties are looked at when they are set", "[registry]") {
  static constexpr Property kKnown[] = {number("irq", "5", "line", 3, 15), on_off("fast", "on", "speed"),
                                        text("file", "a", "name"),
                                        back_end("chardev", Property::Kind::kChannel, "channel")};
  Properties values(kKnown);
  CHECK(values.number("irq") == 5);
  CHECK(values.on("fast"));
  CHECK_FALSE(values.given("irq"));
  CHECK(values.set("-device x", "irq", "0xb").ok());
  CHECK(values.number("irq") == 11);
  CHECK(values.set("-device x", "irq", "16").error().message == "-device x: irq=16: give 3 to 15");
  CHECK(values.number("irq") == 11);  // as it was
  CHECK(values.set("-device x", "fast", "of").error().message == "-device x: fast=of: give on or off");
  CHECK(values.set("-device x", "fast", "off").ok());
  CHECK_FALSE(values.on("fast"));
  CHECK(values.set("-device x", "file", "").ok());
  CHECK(values.text("file").empty());
  CHECK(values.set("-device x", "chardev", "").error().message == "-device x: chardev=: give an id");
  CHECK(values.set("-device x", "iq", "1").error().message == "-device x: no property 'iq'; the nearest is irq");
}
