// QEMU's firmware configuration device, by which SeaBIOS learns about the machine and gets tables and kernels.
#pragma once

#include <functional>
#include <map>
#include <string>
#include <vector>

#include "base/result.h"
#include "devices/device.h"
#include "devices/isa/port_range.h"
#include "mmu/address_space.h"

namespace xlat {

// Keys with a fixed number (docs/specs/fw_cfg and SeaBIOS' list).
enum FwCfgKey : u16 {
  kFwCfgSignature = 0x00,
  kFwCfgId = 0x01,
  kFwCfgUuid = 0x02,
  kFwCfgRamSize = 0x03,
  kFwCfgNoGraphic = 0x04,
  kFwCfgNbCpus = 0x05,
  kFwCfgMachineId = 0x06,
  kFwCfgKernelAddr = 0x07,
  kFwCfgKernelSize = 0x08,
  kFwCfgKernelCmdline = 0x09,
  kFwCfgInitrdAddr = 0x0a,
  kFwCfgInitrdSize = 0x0b,
  kFwCfgBootDevice = 0x0c,
  kFwCfgNuma = 0x0d,
  kFwCfgBootMenu = 0x0e,
  kFwCfgMaxCpus = 0x0f,
  kFwCfgKernelEntry = 0x10,
  kFwCfgKernelData = 0x11,
  kFwCfgInitrdData = 0x12,
  kFwCfgCmdlineAddr = 0x13,
  kFwCfgCmdlineSize = 0x14,
  kFwCfgCmdlineData = 0x15,
  kFwCfgSetupAddr = 0x16,
  kFwCfgSetupSize = 0x17,
  kFwCfgSetupData = 0x18,
  kFwCfgFileDir = 0x19,
  kFwCfgFileFirst = 0x20,
  kFwCfgAcpiTables = 0x8000,
  kFwCfgSmbiosEntries = 0x8001,
  kFwCfgIrq0Override = 0x8002,
  kFwCfgE820Table = 0x8003,
  kFwCfgHpet = 0x8004,
};

// Ports 0x510 (selector), 0x511 (data), 0x514-0x51B (DMA address, big-endian).
class FwCfg : public Device, public IoHandler {
 public:
  static constexpr unsigned kMaxName = 55;
  static constexpr unsigned kMaxFiles = 256;

  FwCfg(PortBus& ports, AddressSpace& memory);

  // The bytes behind a key; replaces what was there. With `written` a guest may overwrite them by DMA, and it is
  // called.
  void add_item(u16 key, std::vector<u8> bytes, std::function<void()> written = {});
  void add_u16(u16 key, u16 value);
  void add_u32(u16 key, u32 value);
  void add_u64(u16 key, u64 value);
  // A named file in the directory; one with the same name is replaced and keeps its key. A guest may overwrite a
  // writable one by DMA and `written` is called.
  Status add_file(const std::string& file, std::vector<u8> bytes, bool writable = false,
                  std::function<void()> written = {});
  // Bytes of an item or file, or null.
  const std::vector<u8>* item(u16 key) const;
  const std::vector<u8>* file(const std::string& file) const;

  std::string_view name() const override { return "fw_cfg"; }
  void reset() override;
  void serialize(Archive& ar) override;

  u32 read(u64 port, unsigned width) override;
  void write(u64 port, unsigned width, u32 value) override;

 private:
  struct Item {
    std::vector<u8> bytes;
    bool writable = false;
    std::function<void()> written;
  };
  Item* selected();
  void rebuild_directory();
  void select(u16 key);
  void run_dma();
  // Moves `length` bytes between the selected item and memory; false where memory is not RAM.
  bool dma_read(u64 address, u32 length);
  bool dma_write(u64 address, u32 length);

  AddressSpace& memory_;
  std::map<u16, Item> items_;
  std::vector<std::string> files_;  // index + kFwCfgFileFirst is the key
  u16 key_ = 0;
  u32 offset_ = 0;
  u64 dma_address_ = 0;
  PortRange selector_, dma_;
};

}  // namespace xlat
