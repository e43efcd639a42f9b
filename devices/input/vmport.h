// VMware's backdoor, port 5658h: a call to the hypervisor by IN, with arguments and results in registers.
#pragma once

#include "devices/device.h"
#include "devices/input/vmmouse.h"
#include "devices/isa/port_range.h"

namespace xlat {

// The registers of the instruction that reads or writes the port at this moment. Whoever has the processor implements
// it.
class VmPortRegisters {
 public:
  enum Register : u8 { kEax, kEbx, kEcx, kEdx, kEsi, kEdi };
  virtual ~VmPortRegisters() = default;
  virtual u32 get(Register which) const = 0;
  virtual void set(Register which, u32 value) = 0;
  virtual unsigned privilege_level() const = 0;
};

// EAX holds the magic number and ECX bits 15:0 the command; without the magic number nobody is there. Commands:
// version, size of memory, and those of the pointer ("Backdoor", open-vm-tools, backdoor_def.h).
class VmPort final : public Device, public IoHandler {
 public:
  static constexpr u16 kPort = 0x5658;
  static constexpr u32 kMagic = 0x564d5868;

  VmPort(PortBus& ports, VmPortRegisters& registers, InputHub& hub, std::function<void()> announce, u64 ram_bytes);

  std::string_view name() const override { return "vmport"; }
  void reset() override;
  void serialize(Archive& ar) override;

  u32 read(u64 port, unsigned width) override;
  void write(u64 port, unsigned width, u32 value) override;

 private:
  u32 data(u32 count);

  VmPortRegisters& registers_;
  VmMouse mouse_;
  u64 ram_bytes_;
  u32 restricted_ = 0;  // who may use the pointer's commands: all, CPL 0, those with I/O rights
  PortRange range_;
};

}  // namespace xlat
