// VGA, as the command line asks for it.
#include <bit>

#include "devices/display/edid.h"
#include "devices/display/vga.h"
#include "devices/registry.h"

namespace xlat {

namespace {

constexpr Property kProperties[] = {
    number("vgamem_mb", "16", "MiB of video memory, rounded up to a power of two", 1, 256),
    on_off("edid", "on", "whether the monitor says what it can do"),
    number("xres", "1280", "width of the mode it prefers", 160, 4080),
    number("yres", "800", "and the height", 160, 4080),
    text("romfile", "vgabios-stdvga.bin", "file of the VGA BIOS; romfile= for none"),
};

Result<std::unique_ptr<Device>> make(Board& board, const Properties& values) {
  auto rom = board.rom(values.text("romfile"));
  if (!rom) return rom.error();
  const u32 megabytes = std::bit_ceil(static_cast<u32>(values.number("vgamem_mb")));
  std::vector<u8> edid;
  if (values.on("edid")) {
    edid = make_edid(static_cast<unsigned>(values.number("xres")), static_cast<unsigned>(values.number("yres")),
                     "xlat Monitor");
  }
  auto vga = std::make_unique<Vga>(board.clock(), std::move(*rom), megabytes << 20, std::move(edid));
  vga->map_ports(board.ports());
  board.set_vga_window(vga->legacy_window());
  return std::unique_ptr<Device>(std::move(vga));
}

}  // namespace

extern const DeviceType kVgaType = {
    "VGA",       "PCI", DeviceType::Category::kDisplay, "the graphics adapter of -vga std: VGA with Bochs VBE",
    kProperties, make};

}  // namespace xlat
