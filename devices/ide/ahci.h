// A SATA controller with AHCI (Serial ATA Advanced Host Controller Interface 1.0): the ICH9's, with six ports.
#pragma once

#include <array>
#include <memory>

#include "devices/ide/ide_socket.h"
#include "devices/pci/pci.h"

namespace xlat {

class Ahci;

// A port: its registers, the command list it works through, and the drive behind it, which is the same as on a cable.
class AhciPort final : public IdeSocket, private IdeCable, private IdeDma {
 public:
  AhciPort(Ahci& hba, Clock& clock);

  unsigned units() const override { return 1; }
  IdeDrive* drive(unsigned) override { return drive_.get(); }
  void plug(unsigned unit, std::unique_ptr<IdeDrive> drive) override;
  bool is_sata() const override { return true; }

  void reset();
  void serialize(Archive& ar);
  // Offsets within the port's 80h bytes.
  u32 read(unsigned offset) const;
  void write(unsigned offset, u32 value);
  bool interrupting() const { return status_ & enable_; }

 private:
  enum class Fis : u8 { kPioSetup = 0x5f, kRegister = 0x34 };
  static constexpr u8 kNone = 0xff;

  void interrupt_changed() override;
  void wants_data() override;
  void reset_done() override;
  IdeDma* dma() override { return this; }

  bool running() const override;
  std::size_t to_memory(std::span<const u8> from) override;
  std::size_t from_memory(std::span<u8> to) override;
  void interrupt() override {}

  void look();  // at what the drive has said, and for the next command
  void begin(u8 slot);
  void issue(std::span<const u8> fis);
  void control(std::span<const u8> fis);
  void move_data();
  void complete(bool with_register_fis);
  void put_fis(Fis kind, bool interrupt, u32 bytes);
  void raise(u32 bits);
  void restart_drive();
  u8 signature_byte(unsigned reg) const;
  template <class Move>
  std::size_t walk(std::size_t bytes, Move move);

  Ahci& hba_;
  Clock& clock_;
  std::unique_ptr<IdeDrive> drive_;
  Timer event_;  // something of the drive's is to be looked at, once its own work is done

  u32 list_ = 0, received_ = 0;  // PxCLB, PxFB
  u32 status_ = 0, enable_ = 0;  // PxIS, PxIE
  u32 command_ = 0;              // PxCMD
  u32 task_file_ = 0;            // PxTFD
  u32 signature_ = 0;            // PxSIG
  u32 control_ = 0, error_ = 0;  // PxSCTL, PxSERR
  u32 issued_ = 0;               // PxCI
  bool failed_ = false;          // no more commands until PxCMD.ST is cleared

  u8 slot_ = kNone;  // the command at work
  u32 header_ = 0;   // its first doubleword
  u32 table_ = 0;    // its table's address
  u32 entry_ = 0;    // of its PRD table, and how far that is used up
  u32 entry_used_ = 0;
  u32 moved_ = 0;                 // bytes, for the command header
  bool wants_signature_ = false;  // a reset's end is to be told
};

class Ahci final : public Device, public PciFunction, public IoHandler {
 public:
  static constexpr unsigned kPorts = 6;

  Ahci(AddressSpace& memory, Clock& clock);

  AhciPort& port(unsigned n) { return *ports_[n]; }
  std::string_view name() const override { return "ahci"; }
  void reset() override;
  void serialize(Archive& ar) override;

  // ABAR, in doublewords; other widths are parts of them.
  u32 read(u64 offset, unsigned width) override;
  void write(u64 offset, unsigned width, u32 value) override;

 private:
  friend class AhciPort;
  void update_interrupt();
  void reset_hba();

  AddressSpace& memory_;
  u32 control_ = 0;  // GHC
  u32 pending_ = 0;  // IS
  std::array<std::unique_ptr<AhciPort>, kPorts> ports_;
};

}  // namespace xlat
