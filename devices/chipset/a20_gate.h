// The gate on the processor's address line 20, which the keyboard controller and port 92h both move.
#pragma once

#include <functional>

#include "devices/device.h"

namespace xlat {

// The line follows who moved it last. Data sheets of chipsets say that the two are ORed; but firmware that opens it by
// port 92h leaves both open, and systems that close it by either one expect that it closes, as it does under QEMU.
class A20Gate final : public Device {
 public:
  // Told each level, and the level after a reset or a load.
  explicit A20Gate(std::function<void(bool)> line) : line_(std::move(line)) {}

  void set(bool open) {
    open_ = open;
    line_(open);
  }
  bool open() const { return open_; }

  std::string_view name() const override { return "a20"; }
  void reset() override { set(true); }
  void serialize(Archive& ar) override {
    ar.section("a20", 1);
    ar(open_);
    if (ar.loading()) line_(open_);
  }

 private:
  std::function<void(bool)> line_;
  bool open_ = true;
};

}  // namespace xlat
