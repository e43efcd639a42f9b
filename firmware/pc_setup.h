// What a BIOS does to the chipset before it boots an operating system, for machines started without one.
#pragma once

#include "mmu/port_bus.h"

namespace xlat {

// Through ports only: opens the shadow RAM at C0000h-FFFFFh, assigns BARs and interrupt lines to the functions on PCI
// bus 0, routes PIRQs to IRQs 10 and 11 (level-triggered), enables the PIIX4's ports at 600h and 700h and the IDE
// channels, and brings interrupt controllers, timer, DMA and clock into the state a BIOS leaves. `ram_bytes` decides
// where the PCI memory window begins. The VGA is not touched: see Vga::enter_text_mode. Machines without PCI keep the
// rest.
void set_up_chipset(PortBus& ports, u64 ram_bytes);

}  // namespace xlat
