// What a device can be connected to when it is made by its name.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "base/clock.h"
#include "base/irq_line.h"
#include "devices/block/disk.h"
#include "devices/block/medium_drive.h"
#include "devices/char_channel.h"
#include "devices/net/nic.h"
#include "mmu/address_space.h"
#include "mmu/port_bus.h"

namespace xlat {

class Dma8237;
class Fdc82077;
class IdeSocket;
class ScsiBus;
class AudioMixer;
class InputHub;
class UsbBus;
class UsbPort;

// The image of a drive, on its way to the device that is to have it.
struct BlockBackend {
  std::string name;                   // as the monitor calls it
  std::unique_ptr<BlockImage> image;  // null: the drive is empty
  std::string serial;                 // empty: the usual
  DiskSetup setup = {};
};

// What an image is in.
enum class Medium : u8 { kHardDisk, kDisc, kFloppy };

class Board {
 public:
  virtual ~Board() = default;
  virtual Clock& clock() = 0;
  virtual AddressSpace& memory() = 0;
  virtual PortBus& ports() = 0;
  virtual Dma8237& dma() = 0;
  virtual IrqLine isa_irq(unsigned n) = 0;
  // Whether message signalled interrupts reach a processor. Systems that find them offered where none is complain.
  virtual bool takes_messages() const = 0;

  // The back end with this id, which is this device's alone from now on. Errors name the id and what is wrong.
  virtual Result<CharChannel*> channel(const std::string& id) = 0;
  // With an empty id: an empty drive, called `name`.
  virtual Result<BlockBackend> drive(const std::string& id, const std::string& name, Medium medium) = 0;
  // The monitor's commands find the drive by its back end's name from now on.
  virtual void add_drive(const std::string& name, MediumDrive& drive) = 0;

  // The -audiodev with this id, or the first one for an empty id; null if nothing is heard there.
  virtual Result<AudioMixer*> audio(const std::string& id) = 0;

  // A port for a network card, plugged into the back end with this id; into none for an empty one.
  virtual Result<NetPort*> network(const std::string& id) = 0;
  // An Ethernet address from its text, or for an empty one the next that no card has.
  virtual Result<MacAddress> mac_address(const std::string& text) = 0;

  // Buses for drives, each with its name ("ide.0"), in the order in which drives without a bus take their places. A
  // controller offers its own while it is made; they are named after it then.
  struct IdeBus {
    std::string name;
    IdeSocket* socket;
  };
  virtual std::vector<IdeBus> ide_buses() = 0;
  virtual void offer_bus(IdeSocket& socket) = 0;
  struct NamedScsiBus {
    std::string name;
    ScsiBus* bus;
  };
  virtual std::vector<NamedScsiBus> scsi_buses() = 0;
  virtual void offer_scsi_bus(ScsiBus& bus) = 0;
  virtual Fdc82077& floppy_controller() = 0;

  // Ports of the USB: that with this path ("1", "2.3"), or for an empty one the first that is free.
  virtual void add_usb_bus(UsbBus& bus) = 0;
  virtual UsbBus& usb_bus() = 0;
  virtual Result<UsbPort*> usb_port(const std::string& path) = 0;
  virtual InputHub& input() = 0;

  // A ROM file of the firmware's folders, by its name or by a path; nothing for an empty name.
  virtual Result<std::vector<u8>> rom(const std::string& file) = 0;
  // What answers at A0000h-BFFFFh.
  virtual void set_vga_window(IoHandler& window) = 0;

  // The device being made was plugged into this one of several buses of its kind (empty: there is one), at this place
  // of it, as the firmware's paths have it.
  virtual void sit_on(const std::string& bus, const std::string& place) = 0;
  // A property of the device being made that the user left open has this value.
  virtual void choose(std::string_view property, const std::string& value) = 0;

  // Ends the run with this status.
  virtual void exit(u32 status) = 0;
};

}  // namespace xlat
