// PCI local bus: functions with a configuration space, their BARs, and configuration mechanism 1.
#pragma once

#include <array>
#include <optional>
#include <vector>

#include "base/irq_line.h"
#include "devices/device.h"
#include "mmu/address_space.h"
#include "mmu/port_bus.h"

namespace xlat {

class PciBus;

// Offsets of the type 0 header (PCI Local Bus Specification 2.1, chapter 6).
enum PciRegister : u8 {
  kPciVendorId = 0x00,
  kPciDeviceId = 0x02,
  kPciCommand = 0x04,
  kPciStatus = 0x06,
  kPciRevisionId = 0x08,
  kPciProgIf = 0x09,
  kPciSubclass = 0x0a,
  kPciClass = 0x0b,
  kPciCacheLineSize = 0x0c,
  kPciLatencyTimer = 0x0d,
  kPciHeaderType = 0x0e,
  kPciBar0 = 0x10,
  kPciSubsystemVendorId = 0x2c,
  kPciSubsystemId = 0x2e,
  kPciRomAddress = 0x30,
  kPciCapabilities = 0x34,
  kPciInterruptLine = 0x3c,
  kPciInterruptPin = 0x3d,
};

enum PciCommandBits : u16 {
  kPciCommandIo = 1 << 0,
  kPciCommandMemory = 1 << 1,
  kPciCommandMaster = 1 << 2,
  kPciCommandIntxDisable = 1 << 10,
};

// What a function is; the IDs that QEMU's PC uses where guests look for them.
struct PciIdentity {
  u16 vendor = 0xffff;
  u16 device = 0xffff;
  u8 revision = 0;
  u32 class_code = 0;  // base class << 16 | subclass << 8 | programming interface
  u16 subsystem_vendor = 0;
  u16 subsystem = 0;
  u8 interrupt_pin = 0;  // 1..4 for INTA#..INTD#, 0 for none
};

// A function's configuration space. A chip derives from it, describes its registers in its constructor, calls
// reset_config() and serialize_config() from its own reset and serialize, and reacts in the hooks.
class PciFunction {
 public:
  static constexpr unsigned kRomBar = 6;
  static constexpr unsigned kBars = 7;

  explicit PciFunction(const PciIdentity& identity);
  virtual ~PciFunction();
  PciFunction(const PciFunction&) = delete;
  PciFunction& operator=(const PciFunction&) = delete;

  // Configuration access as the bus makes it: `width` 1, 2 or 4, offset + width <= 256.
  u32 config_read(unsigned offset, unsigned width);
  void config_write(unsigned offset, unsigned width, u32 value);

  // Register contents without side effects.
  u8 config8(unsigned offset) const { return config_[offset]; }
  u16 config16(unsigned offset) const;
  u32 config32(unsigned offset) const;

  u16 command() const { return config16(kPciCommand); }
  bool bus_master() const { return command() & kPciCommandMaster; }
  // Where BAR `n` answers now, or nothing when it is disabled or not set.
  std::optional<u32> bar_address(unsigned n) const;

  // Bytes BAR `n` decodes, 0 if there is no such BAR.
  u32 bar_size(unsigned n) const { return n < kBars && bars_[n].kind != BarKind::kNone ? bars_[n].size : 0; }

  // Level of this function's interrupt pin.
  void set_intx(bool level);
  bool intx_level() const { return intx_; }
  // What the pin shows on the bus: nothing when COMMAND disables it.
  bool intx_asserted() const { return intx_ && !(command() & kPciCommandIntxDisable) && !msi_enabled(); }
  bool has_interrupt_pin() const { return config_[kPciInterruptPin] != 0; }

 protected:
  // Constructor-time description. A register's reset value, and which of its bits software can write.
  void define8(unsigned offset, u8 value, u8 writable = 0);
  void define16(unsigned offset, u16 value, u16 writable = 0);
  void define32(unsigned offset, u32 value, u32 writable = 0);
  // Bits that a written one clears.
  void write_one_clears(unsigned offset, u8 bits) { clear_[offset] = bits; }

  // Puts a capability in front of those that the list has (PCI Local Bus Specification 2.2, 6.7); what is behind its
  // two first bytes is defined as other registers are.
  void add_capability(unsigned offset, u8 id);
  // Message signalled interrupts, 14 bytes from `offset` on (Specification 3.0, 6.8.1): one message, 64-bit addresses.
  // While software has enabled them a message is sent when set_intx() raises the level, and none is on the pin.
  void add_msi(unsigned offset);
  bool msi_enabled() const { return msi_ != 0 && (config_[msi_ + 2u] & 1); }
  // Something more to tell while the level is up: another message.
  void send_message() const;

  // BARs: `size` is a power of two, for memory at least 4096. The handler sees offsets from the BAR's start.
  void add_io_bar(unsigned n, u32 size, IoHandler& handler, u8 widths = kWidth1);
  void add_memory_bar(unsigned n, u32 size, IoHandler& handler, u8 widths = kWidthsAll, bool prefetchable = false);
  // Host bytes that answer directly, `size` of them, as a linear frame buffer; they must outlive the function.
  // `dirty` has a flag a page for stores, or is null.
  void add_ram_bar(unsigned n, u32 size, u8* host, u8* dirty = nullptr);
  // A memory BAR whose first `bytes` of the range are host memory while direct, and the handler's when not; at first
  // they are direct.
  void add_aperture_bar(unsigned n, u32 size, IoHandler& handler, u8* host, u32 bytes, u8* dirty = nullptr);
  void set_direct(unsigned n, bool on);
  bool direct(unsigned n) const { return bars_[n].direct_bytes != 0; }
  // Expansion ROM; the bytes are padded to a power of two with ones.
  void add_rom_bar(std::vector<u8> bytes);

  // AddressSpace::watch_stores for a page of such a BAR.
  void watch_stores(const u8* host_page) const;

  // Changes a register from the chip's side, read-only bits included.
  void poke8(unsigned offset, u8 value) { config_[offset] = value; }
  void poke16(unsigned offset, u16 value);
  void poke32(unsigned offset, u32 value);

  void reset_config();
  void serialize_config(Archive& ar);

  // Registers [offset, offset + width) have been written (or loaded, or reset: then the whole space).
  virtual void config_changed(unsigned offset, unsigned width);
  // Lets a chip compute a register when it is read; `value` is what is stored.
  virtual u32 config_value(unsigned offset, unsigned width, u32 value);
  // BAR `n` moved, appeared or went.
  virtual void bar_changed(unsigned n, std::optional<u32> address);

 private:
  friend class PciBus;

  // Stands in for the chip's handler on the port bus, so that unmapping it takes away only this BAR.
  struct Window : IoHandler {
    IoHandler* target = nullptr;
    u32 read(u64 offset, unsigned width) override { return target->read(offset, width); }
    void write(u64 offset, unsigned width, u32 value) override { target->write(offset, width, value); }
  };
  enum class BarKind : u8 { kNone, kIo, kMemory, kRam, kRom };
  struct Bar {
    BarKind kind = BarKind::kNone;
    u32 size = 0;
    u8 widths = 0;
    u8* host = nullptr;
    u8* dirty = nullptr;
    u32 host_bytes = 0, direct_bytes = 0;  // of an aperture: there, and direct now
    Window window;
    std::optional<u32> mapped;  // where the bus has it now
  };
  static unsigned bar_offset(unsigned n) { return n == kRomBar ? unsigned{kPciRomAddress} : kPciBar0 + 4 * n; }
  Bar& new_bar(unsigned n, BarKind kind, u32 size, u32 low_bits);
  void bars_may_have_moved();

  std::array<u8, 256> config_{};
  std::array<u8, 256> reset_{};
  std::array<u8, 256> writable_{};
  std::array<u8, 256> clear_{};
  std::array<Bar, kBars> bars_;
  std::vector<u8> rom_;
  PciBus* bus_ = nullptr;
  bool intx_ = false;
  u8 msi_ = 0;  // where its capability is
};

// Bus 0 and the bridge's CONFADD/CONFDATA ports. Memory BARs answer only where nothing else does (RAM, ROM and fixed
// devices decode first, as behind an i440FX); BARs that overlap are served by the lower device number.
class PciBus : public Device, public IoHandler {
 public:
  static constexpr u16 kConfigAddress = 0xcf8;
  static constexpr u16 kConfigData = 0xcfc;

  PciBus(PortBus& ports, AddressSpace& memory);
  ~PciBus() override;

  // Puts a function at `device` 0..31, `function` 0..7; it must outlive the bus or be removed by its destructor.
  void add(unsigned device, unsigned function, PciFunction& f);
  void remove(PciFunction& f);
  // The function there, or null.
  PciFunction* at(unsigned device, unsigned function) const;

  // PIRQA#..PIRQD# (0..3) of the interrupt router. INTx# of slot s is wired to (s - 1 + x) & 3, x counting from 0.
  void connect_pirq(unsigned n, IrqLine line) { pirq_[n] = line; }
  // Byte accesses to 0xCF9 go to the ISA bridge's reset control register; other widths there are the bus's own.
  void connect_reset_control(IoHandler& handler) { reset_control_ = &handler; }

  std::string_view name() const override { return "pci"; }
  void reset() override { address_ = 0; }
  void serialize(Archive& ar) override;

  // Ports 0xCF8..0xCFF as offsets 0..7.
  u32 read(u64 offset, unsigned width) override;
  void write(u64 offset, unsigned width, u32 value) override;

 private:
  friend class PciFunction;
  PciFunction* addressed() const;
  // As remove(), but drives no line: when the machine is taken apart their ends may be gone.
  void detach(PciFunction& f);
  void remap(PciFunction& changed);
  void map_memory(PciFunction::Bar& bar);
  void unmap_memory(PciFunction::Bar& bar);
  void update_pirqs();

  PortBus& ports_;
  AddressSpace& memory_;
  std::array<PciFunction*, 256> functions_{};
  std::array<IrqLine, 4> pirq_;
  IoHandler* reset_control_ = nullptr;
  u32 address_ = 0;
};

}  // namespace xlat
