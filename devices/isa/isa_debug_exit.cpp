// isa-debug-exit, as the command line asks for it.
#include "devices/isa/isa_debug_exit.h"

#include "devices/registry.h"

namespace xlat {

namespace {

constexpr Property kProperties[] = {
    number("iobase", "0x501", "the first port", 0, 0xffff),
    number("iosize", "2", "how many there are", 1, 64),
};

Result<std::unique_ptr<Device>> make(Board& board, const Properties& values) {
  const u64 base = values.number("iobase"), size = values.number("iosize");
  if (base + size > 0x10000) return error("its ports end above 0xffff");
  return std::unique_ptr<Device>(std::make_unique<IsaDebugExit>(board.ports(), static_cast<u16>(base),
                                                                static_cast<unsigned>(size),
                                                                [&board](u32 status) { board.exit(status); }));
}

}  // namespace

extern const DeviceType kIsaDebugExitType = {
    "isa-debug-exit", "ISA", DeviceType::Category::kMisc, "a write of N ends the run with status N * 2 + 1",
    kProperties,      make};

}  // namespace xlat
