// The PC: which chips it has and how they are wired.
#pragma once

#include <memory>
#include <set>

#include "base/clock.h"
#include "base/log.h"
#include "devices/audio/audio_backends.h"
#include "devices/audio/pc_speaker.h"
#include "devices/chipset/a20_gate.h"
#include "devices/chipset/coprocessor_error.h"
#include "devices/chipset/dma8237.h"
#include "devices/chipset/fw_cfg.h"
#include "devices/chipset/i440fx.h"
#include "devices/chipset/irq_mixer.h"
#include "devices/chipset/mc146818.h"
#include "devices/chipset/pic8259.h"
#include "devices/chipset/piix3.h"
#include "devices/chipset/piix4_pm.h"
#include "devices/chipset/pit8254.h"
#include "devices/chipset/port61.h"
#include "devices/chipset/port92.h"
#include "devices/display/vga.h"
#include "devices/floppy/fdc82077.h"
#include "devices/ide/atapi.h"
#include "devices/ide/ide_channel.h"
#include "devices/ide/piix3_ide.h"
#include "devices/input/input_hub.h"
#include "devices/input/kbc8042.h"
#include "devices/input/vmport.h"
#include "devices/isa/uart16550.h"
#include "firmware/acpi.h"
#include "firmware/boot_plan.h"
#include "firmware/smbios.h"
#include "jit/engine.h"
#include "machine/config.h"
#include "machine/object_tree.h"
#include "mmu/guest_ram.h"

namespace xlat {

// What the guest asks of the machine around it.
struct PcRequests {
  bool reset = false;
  bool power_off = false;
  bool shutdown = false;           // triple fault
  bool suspend = false;            // ACPI S3
  std::optional<u32> exit_status;  // isa-debug-exit
  bool operator==(const PcRequests&) const = default;
  void serialize(Archive& ar);
  bool any() const { return reset || power_off || shutdown || suspend || exit_status.has_value(); }
};

// A drive with what is in it, for the monitor.
struct BlockDevice {
  std::string name;             // as QEMU calls it: floppy0, ide0-hd0, ide1-cd0
  BlockImage* image = nullptr;  // null: empty
  bool removable = false, snapshot = false;
  bool locked = false, tray_open = false;
};

// How a medium is put in.
struct MediumOptions {
  std::optional<bool> read_only;  // the drive's setting stays without it
  bool force = false;             // even if the guest has locked the door of the CD-ROM drive
  std::string format = {};        // as the user said; empty: it is found out
};

class Pc {
 public:
  // Opens images and firmware; every failure names the file and what is wrong with it.
  static Result<std::unique_ptr<Pc>> create(const MachineConfig& config, Log& log);

  // All chips to their power-on state.
  void reset();

  // ACPI S3: the processor stands still and RAM and clock live on, until the clock's alarm, a key, a mouse button, the
  // power button or the monitor wakes it; then the chips are reset and the firmware goes on where the system wants.
  void suspend();
  bool suspended() const { return suspended_; }
  enum class Wake : u8 { kClock, kOther };
  void wake(Wake why);

  // The whole PC but what is in its drives and where its output goes. A loader must be of the same kind; after a failed
  // load the PC is in no useful state, but in one that reset() can do something with.
  void serialize(Archive& ar);
  // The same in parts, for saved states: all but memory, in the order they are loaded, each with its name. After the
  // last one, and memory, comes loaded().
  struct StatePart {
    std::string name;
    std::function<void(Archive&)> serialize;
  };
  std::vector<StatePart> state_parts();
  void loaded();
  // After that, if all went well: what the disks were asked for goes on.
  void resume_disks();
  // What of the configuration a saved state goes with, as option and value.
  std::vector<std::pair<std::string, std::string>> state_config() const;
  std::span<u8> bios() { return bios_.bytes(); }

  // Every chip, in a fixed order.
  std::vector<Device*> devices() { return tree_.devices(); }
  const ObjectTree& tree() const { return tree_; }
  // The first device of this class, or null.
  template <typename T>
  T* find() {
    for (Device* device : devices()) {
      if (T* found = dynamic_cast<T*>(device)) return found;
    }
    return nullptr;
  }
  // In the order of MachineConfig::channels.
  const std::vector<std::unique_ptr<CharChannel>>& channels() { return channels_; }

  // Network cards' ports: first those of MachineConfig::networks, then those of cards that are plugged into nothing.
  const std::vector<std::unique_ptr<NetPort>>& networks() { return networks_; }

  // The AT's chips by number: serial port or IDE drive.
  Uart16550* uart(unsigned n);
  AtapiCdrom* cdrom(unsigned ide_index);
  AtaDisk* disk(unsigned ide_index);

  // The media of all drives, in the order they were made; a place is empty when a drive has gone.
  const std::vector<Disk*>& disks() const { return disk_host_.disks; }
  // Told from a disk's own thread that one of its requests is done; it is over when Disk::deliver() is called.
  void on_disk_done(std::function<void(u16 disk, u64 request)> told) { disk_host_.told = std::move(told); }
  // Waits until no disk is at work.
  void settle_disks();
  // The same, and what was written is safe on the host's disk.
  void make_disks_safe();
  // Another machine has the disks from now on: what they were asked for and has failed is not tried again here.
  void leave_disks();

  // Drives and media, machine/media.cpp. Names are those of block_devices().
  std::vector<BlockDevice> block_devices();
  // Opens `path` and puts it in in place of what is there.
  Status change_medium(std::string_view name, const std::string& path, MediumOptions options);
  Status eject_medium(std::string_view name, bool force);
  // Writes what a drive's image has itself into the one it is based on, and empties it.
  Status commit_drive(std::string_view name);
  // What the user must know if a drive has asked for the machine to stand still, once.
  std::optional<std::string> take_io_stop() { return std::exchange(io_stop_, std::nullopt); }

 private:
  Pc(const MachineConfig& config, Log& log, std::unique_ptr<GuestRam> ram, FirmwareRom bios,
     const jit::EngineMaker& make_engine);
  void wire();
  void plant_tree();
  void map_vga_window(bool smram);

  // Optional devices: machine/plug.cpp.
  class Plugs;
  Status plug(const DeviceConfig& config);
  std::string card_name(std::string_view type) const;
  Status give_slot(PciFunction& function, const std::string& address);
  // The firmware's list of boot devices: machine/boot_order.cpp.
  Status take_boot_index(const std::string& text);
  Status add_boot_order();
  Result<std::unique_ptr<BlockImage>> open_image(const DriveConfig& drive);
  IoErrorAction judge_io(IoErrorPolicy policy, const Error& failed);
  struct PluggedDrive {
    std::string name;
    DriveConfig config;
    MediumDrive* drive;
  };
  // The removable drive called `name`.
  Result<PluggedDrive*> removable(std::string_view name);
  Status describe_to_firmware();
  Status add_boot_files();
  u64 ram_bytes() const { return config_.ram_bytes & ~u64{4095}; }
  AcpiTables acpi_tables();
  SmbiosTables smbios_tables() const;
  // -kernel: machine/direct_boot.cpp.
  struct KernelFiles;
  Status load_kernel_files();
  Status add_kernel();
  void offer(BootPlan& plan);

  // machine/media.cpp.
  struct Disks final : DiskHost {
    u16 add(Disk& disk) override;
    void remove(u16 place) override { disks[place] = nullptr; }
    bool by_time() const override { return timed; }
    void finished(u16 place, u64 number) override {
      if (told) told(place, number);
    }
    void lost(const std::string& what) override { warn(what); }
    std::vector<Disk*> disks;
    std::function<void(u16, u64)> told;
    bool timed = false;
    std::function<void(const std::string&)> warn;
  };

  MachineConfig config_;
  Disks disk_host_;

 public:
  Clock clock;
  AddressSpace memory;
  PortBus ports;
  PcRequests requests;
  std::unique_ptr<GuestRam> ram;

  Cpu cpu;
  const std::unique_ptr<Interp> engine;
  Interp& interp;

  PciBus pci;
  Pic8259 pic;
  IrqMixer isa_irqs;
  Pit8254 pit;
  Mc146818 rtc;
  Port61 port61;
  AudioBackends audio;
  PcSpeaker speaker;
  Dma8237 dma;
  Fdc82077 fdc;
  InputHub input;
  Kbc8042 kbc;
  Port92 port92;
  A20Gate a20;
  CoprocessorError coprocessor_error;
  ShadowMap shadow;
  I440fx host_bridge;
  Piix3 isa_bridge;
  Piix4Pm pm;
  FwCfg fw_cfg;
  IdeChannel ide_primary, ide_secondary;
  Piix3Ide ide;

 private:
  bool suspended_ = false;
  std::optional<std::string> io_stop_;
  std::optional<int> io_told_;  // the host's error the user was told of last
  FirmwareRom bios_;
  std::shared_ptr<const KernelFiles> kernel_files_;
  bool powered_on_ = false, boot_once_over_ = false;
  std::vector<std::unique_ptr<CharChannel>> channels_;
  std::vector<std::unique_ptr<NetPort>> networks_;
  std::vector<PluggedDrive> drives_;
  std::set<u64> boot_indices_;  // those that are taken
  IoHandler* vga_window_ = nullptr;
  VgaCore* vga_ = nullptr;
  std::unique_ptr<VmPortRegisters> caller_registers_;
  std::shared_ptr<Plugs> plugs_;
  ObjectTree tree_;  // last: what sits on the buses goes before they do

 public:
  // The first display adapter; null without one. It is asked for at each frame.
  DisplayAdapter* display() { return vga_; }
  VgaCore* vga() { return vga_; }
};

}  // namespace xlat
