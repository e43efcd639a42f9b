// A SATA controller with AHCI (Serial ATA Advanced Host Controller Interface 1.0): the ICH9's, with six ports.
#pragma once

#include <array>
#include <memory>

#include "devices/ide/ide_socket.h"
#include "devices/pci/pci.h"

namespace xlat {

class Ahci;
class AtaDisk;

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

  // A command's table, and how far its PRDs are used up.
  struct Cursor {
    u64 table = 0;
    u32 entries = 0, entry = 0, used = 0;
    u32 moved = 0;  // bytes, for the command header
    void serialize(Archive& ar);
  };
  // A command of native queuing that the drive has.
  struct Queued {
    bool active = false, write = false, through = false;
    u64 lba = 0;
    u32 left = 0, piece = 0;  // sectors still to move, and of them those the medium is asked for
    Cursor cursor;
    void serialize(Archive& ar);
  };

  void interrupt_changed() override;
  void wants_data() override;
  void reset_done() override;
  void queued_done(u8 slot, DiskRequest& request) override;
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
  void put_received(u32 offset, std::span<const u8> fis);
  template <class Move>
  std::size_t walk(Cursor& cursor, std::size_t bytes, Move move);
  std::size_t put(Cursor& cursor, std::span<const u8> from);
  std::size_t take(Cursor& cursor, std::span<u8> to);

  // ---- Native command queuing: ahci_queue.cpp ----
  bool queue_in_use() const;
  void begin_queued(u8 slot, std::span<const u8> fis);
  void next_piece(u8 slot);
  void fail_queue(u8 tag, u8 error);
  void end_queue();
  void put_device_bits(u32 completed);

  Ahci& hba_;
  Clock& clock_;
  std::unique_ptr<IdeDrive> drive_;
  AtaDisk* disk_ = nullptr;  // the drive, if it is one that can queue
  Timer event_;              // something of the drive's is to be looked at, once its own work is done

  u64 list_ = 0, received_ = 0;  // PxCLB, PxFB and their upper halves
  u32 status_ = 0, enable_ = 0;  // PxIS, PxIE
  u32 command_ = 0;              // PxCMD
  u32 task_file_ = 0;            // PxTFD
  u32 signature_ = 0;            // PxSIG
  u32 control_ = 0, error_ = 0;  // PxSCTL, PxSERR
  u32 issued_ = 0, active_ = 0;  // PxCI, PxSACT
  bool failed_ = false;          // no more commands until PxCMD.ST is cleared

  u8 slot_ = kNone;  // the command at work
  u32 header_ = 0;   // its first doubleword
  Cursor cursor_;
  std::array<Queued, 32> queue_{};
  bool wants_signature_ = false;  // a reset's end is to be told
};

class Ahci final : public Device, public PciFunction, public IoHandler {
 public:
  static constexpr unsigned kPorts = 6;

  // `messages`: message signalled interrupts reach somebody.
  Ahci(AddressSpace& memory, Clock& clock, bool messages);

  AhciPort& port(unsigned n) { return *ports_[n]; }
  std::string_view name() const override { return "ahci"; }
  void reset() override;
  void serialize(Archive& ar) override;

  // ABAR, in doublewords; other widths are parts of them.
  u32 read(u64 offset, unsigned width) override;
  void write(u64 offset, unsigned width, u32 value) override;

 private:
  friend class AhciPort;
  // A register by its number, and data, in I/O space: at the end of BAR 4 (ICH9 data sheet, 14.3).
  class IndexPair final : public IoHandler {
   public:
    explicit IndexPair(Ahci& hba) : hba_(hba) {}
    u32 read(u64 offset, unsigned width) override;
    void write(u64 offset, unsigned width, u32 value) override;

   private:
    Ahci& hba_;
  };

  void update_interrupt();
  void reset_hba();

  AddressSpace& memory_;
  u32 control_ = 0;  // GHC
  u32 pending_ = 0;  // IS
  u32 index_ = 0;    // of the pair
  IndexPair pair_{*this};
  std::array<std::unique_ptr<AhciPort>, kPorts> ports_;
};

}  // namespace xlat
