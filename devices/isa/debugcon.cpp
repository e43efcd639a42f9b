// isa-debugcon, as the command line asks for it.
#include "devices/isa/debugcon.h"

#include "devices/registry.h"

namespace xlat {

namespace {

constexpr Property kProperties[] = {
    back_end("chardev", Property::Kind::kChannel, "where the bytes go"),
    number("iobase", "0xe9", "the port", 0, 0xffff),
    number("readback", "0xe9", "what reads give", 0, 0xff),
};

Result<std::unique_ptr<Device>> make(Board& board, const Properties& values) {
  if (!values.given("chardev")) return error("chardev= is missing: the id of a -chardev");
  auto channel = board.channel(values.text("chardev"));
  if (!channel) return channel.error();
  return std::unique_ptr<Device>(std::make_unique<DebugCon>(
      board.ports(), static_cast<u16>(values.number("iobase")), [line = *channel](u8 value) { line->write(value); },
      static_cast<u8>(values.number("readback"))));
}

}  // namespace

extern const DeviceType kIsaDebugconType = {
    "isa-debugcon", "ISA", DeviceType::Category::kMisc, "a debug console at one port", kProperties, make};

}  // namespace xlat
