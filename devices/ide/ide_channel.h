// One IDE cable: the I/O ports of a channel, drive selection and the interrupt line.
#pragma once

#include <array>
#include <memory>

#include "base/irq_line.h"
#include "devices/ide/ide_socket.h"
#include "mmu/io_handler.h"

namespace xlat {

// Maps as 8 ports at 1F0h or 170h (any width) and its control() as 1 port at 3F6h or 376h. Drives plugged in are owned.
class IdeChannel final : public Device, public IoHandler, public IdeSocket, private IdeCable {
 public:
  // `name` is for snapshots, `irq` is ISA line 14 or 15.
  IdeChannel(std::string name, IrqLine irq);

  // `unit` 0 is the master.
  unsigned units() const override { return 2; }
  void plug(unsigned unit, std::unique_ptr<IdeDrive> drive) override;
  IdeDrive* drive(unsigned unit) override { return drives_[unit & 1].get(); }
  void set_dma(IdeDma* dma) { dma_ = dma; }
  // Whether the bridge decodes the ports (PIIX IDETIM bit 15); they read as ones otherwise.
  void set_decoded(bool on) { decoded_ = on; }
  void dma_started();

  IoHandler& control() { return control_; }

  std::string_view name() const override { return name_; }
  void reset() override;
  void serialize(Archive& ar) override;

  u32 read(u64 offset, unsigned width) override;
  void write(u64 offset, unsigned width, u32 value) override;

 private:
  class Control final : public IoHandler {
   public:
    explicit Control(IdeChannel& channel) : channel_(channel) {}
    u32 read(u64 offset, unsigned width) override;
    void write(u64 offset, unsigned width, u32 value) override;

   private:
    IdeChannel& channel_;
  };

  void interrupt_changed() override;
  IdeDma* dma() override { return dma_; }
  // The drive that answers reads: the selected one, or the master for an absent slave; null on an empty cable.
  IdeDrive* answering();
  IdeDrive* selected() { return drives_[selected_].get(); }
  u8 status();

  std::string name_;
  IrqLine irq_;
  std::array<std::unique_ptr<IdeDrive>, 2> drives_;
  IdeDma* dma_ = nullptr;
  bool decoded_ = true;
  u8 selected_ = 0;
  u8 device_control_ = 0;
  bool level_ = false;
  Control control_;
};

}  // namespace xlat
