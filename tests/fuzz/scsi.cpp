// A 53C895A with a disk and a CD-ROM drive: the input's first bytes are registers, then come accesses, pieces of
// scripts, tables and commands in memory, and time.
#include <algorithm>

#include "devices/scsi/lsi53c895a.h"
#include "devices/scsi/scsi_cdrom.h"
#include "devices/scsi/scsi_disk.h"
#include "mmu/guest_ram.h"
#include "tests/fuzz/fuzz.h"

using namespace xlat;

namespace {

constexpr u32 kIo = 0xc000, kMmio = 0xe000'0000, kRam = 0xe000'2000, kMemory = 1 << 16, kScript = 0x1000;

struct Rig {
  Clock clock;
  PortBus ports;
  AddressSpace memory;
  std::unique_ptr<GuestRam> ram = std::move(GuestRam::create(kMemory)).value();
  PciBus pci{ports, memory};
  ScsiDisk disk{clock, "d", make_memory_image(1 << 20), false, {.product = "DISK"}};
  ScsiCdrom cdrom{clock, "c", make_memory_image(1 << 20, ImageAccess::kReadOnly), {.product = "CD"}};
  Lsi53c895a chip{memory, clock};

  Rig() {
    memory.map_ram(0, kMemory, ram->data());
    chip.bus().plug(0, 0, disk);
    chip.bus().plug(3, 0, cdrom);
    pci.add(3, 0, chip);
  }
  void begin() {
    std::fill(ram->bytes().begin(), ram->bytes().end(), u8{0});
    disk.reset();
    cdrom.reset();
    chip.reset();
    chip.config_write(kPciBar0, 4, kIo);
    chip.config_write(kPciBar0 + 4, 4, kMmio);
    chip.config_write(kPciBar0 + 8, 4, kRam);
    chip.config_write(kPciCommand, 2, 7);
  }
};

}  // namespace

int LLVMFuzzerTestOneInput(const u8* data, std::size_t size) {
  fuzz::Input input(data, size);
  static Rig rig;
  rig.begin();
  if (input.byte() & 1) {  // answers reselection
    rig.ports.write(kIo + 0x04, 1, 0x47);
    rig.ports.write(kIo + 0x4a, 1, 0x80);
  }
  u32 at = kScript;
  while (!input.empty()) {
    const u8 what = input.byte();
    switch (what % 8) {
      case 0: rig.ports.write(static_cast<u16>(kIo + input.byte()), 1u << (what >> 4) % 3, input.word()); break;
      case 1: rig.ports.read(static_cast<u16>(kIo + input.byte()), 1u << (what >> 4) % 3); break;
      case 2:
      case 3:
        rig.memory.write(at, 4, input.word());
        rig.memory.write(at + 4, 4, input.word() & (what & 0x10 ? ~0u : kMemory - 1));
        at += 8;
        break;
      case 4: at = input.word() & (kMemory - 1); break;
      case 5: rig.memory.write(kRam + (input.word() & 0x1fff), 4, input.word()); break;
      case 6: {
        // Not for ever: a script without an end has an event for each piece of it.
        const u64 end = rig.clock.now() + (input.word() & 0xf'ffff);
        for (unsigned n = 0; n < 64 && rig.clock.next_deadline() <= end; ++n) {
          rig.clock.skip_to(rig.clock.next_deadline());
          rig.clock.run_due();
        }
        break;
      }
      case 7: rig.ports.write(kIo + 0x2c, 4, kScript + (input.byte() & ~7u)); break;
    }
  }
  return 0;
}
