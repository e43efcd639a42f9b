// The IDE function of the PIIX3 (Intel 82371SB, function 1): timing registers and two bus-master engines.
#pragma once

#include "devices/ide/ide_channel.h"
#include "devices/pci/pci.h"

namespace xlat {

// Add it to the PCI bus as function 1 of the ISA bridge's device. It maps no legacy ports itself: the channels are on
// the port bus at their fixed addresses, and this function tells them whether the bridge decodes them.
class Piix3Ide final : public Device, public PciFunction {
 public:
  Piix3Ide(AddressSpace& memory, IdeChannel& primary, IdeChannel& secondary);

  std::string_view name() const override { return "piix3-ide"; }
  void reset() override;
  void serialize(Archive& ar) override;

 private:
  // One channel's bus-master IDE registers (82371SB datasheet, 2.7): command, status, descriptor table pointer.
  class Engine final : public IdeDma {
   public:
    Engine(Piix3Ide& owner, IdeChannel& channel) : owner_(owner), channel_(channel) {}
    bool running() const override;
    std::size_t to_memory(std::span<const u8> from) override;
    std::size_t from_memory(std::span<u8> to) override;
    void interrupt() override { status_ |= kInterrupt; }

    u8 read(unsigned offset) const;
    void write(unsigned offset, u8 value);
    void reset();
    void serialize(Archive& ar);

    static constexpr u8 kStart = 0x01, kToMemory = 0x08;                   // BMICOM
    static constexpr u8 kActive = 0x01, kError = 0x02, kInterrupt = 0x04;  // BMISTA
    static constexpr u8 kDriveCapable = 0x60;

   private:
    // Makes region_ hold at least one byte; false when the table has ended.
    bool next_region();
    template <class Move>
    std::size_t walk(std::size_t bytes, Move move);

    Piix3Ide& owner_;
    IdeChannel& channel_;
    u8 command_ = 0;
    u8 status_ = 0;
    u32 table_ = 0;        // BMIDTP
    u32 entry_ = 0;        // address of the next descriptor
    u32 region_ = 0;       // where the current region goes on
    u32 region_left_ = 0;  // bytes of it to go
    bool last_ = false;    // the current region carried EOT
  };

  class BusMaster final : public IoHandler {
   public:
    explicit BusMaster(Piix3Ide& ide) : ide_(ide) {}
    u32 read(u64 offset, unsigned width) override;
    void write(u64 offset, unsigned width, u32 value) override;

   private:
    Piix3Ide& ide_;
  };

  void config_changed(unsigned offset, unsigned width) override;

  AddressSpace& memory_;
  IdeChannel& primary_;
  IdeChannel& secondary_;
  Engine engines_[2];
  BusMaster bus_master_regs_;
};

}  // namespace xlat
