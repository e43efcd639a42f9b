// Symbios/LSI 53C895A, a PCI to Ultra2 SCSI controller: a processor of its own (SCRIPTS) drives the SCSI bus.
#pragma once

#include <array>

#include "base/clock.h"
#include "devices/pci/pci.h"
#include "devices/scsi/lsi53c895a_registers.h"
#include "devices/scsi/scsi_targets.h"

namespace xlat {

// By LSI Logic's "LSI53C895A PCI to Ultra2 SCSI Controller Technical Manual", version 2.2. As initiator alone: without
// target mode, and without moving single bytes by SODL and SOCL.
class Lsi53c895a final : public Device, public PciFunction, public IoHandler {
 public:
  // The 53C810 is an earlier member of the family: 8 bits wide, without RAM and phase mismatch jumps.
  enum class Model : u8 { k810, k895a };

  Lsi53c895a(AddressSpace& memory, Clock& clock, Model model = Model::k895a);

  ScsiBus& bus() { return bus_; }
  std::string_view name() const override { return model_ == Model::k810 ? "lsi53c810" : "lsi53c895a"; }
  void reset() override;
  void serialize(Archive& ar) override;

  // Registers, byte by byte.
  u32 read(u64 offset, unsigned width) override;
  void write(u64 offset, unsigned width, u32 value) override;

 private:
  static constexpr u32 kRamBytes = 8192;
  // What the SCRIPTS processor is at.
  enum class State : u8 {
    kStopped,
    kFetch,
    kBlock,       // a block move whose DBC and DNAD say how far it is
    kMemory,      // a memory move: DBC, DSPS, destination_
    kPhase,       // a jump that waits for REQ
    kDisconnect,  // the other waiting instructions
    kReselect,
    kSelect,  // another selection is under way
    kLast = kSelect,
  };

  u32 get32(u8 reg) const { return load_le<u32>(&registers_[reg]); }
  void put32(u8 reg, u32 value) { store_le<u32>(&registers_[reg], value); }
  u32 count() const { return get32(lsi::kDbc) & 0xffffff; }
  void set_count(u32 bytes) { put32(lsi::kDbc, (get32(lsi::kDbc) & 0xff000000) | (bytes & 0xffffff)); }

  void reset_chip();
  u8 read_register(u8 reg);
  u8 shown(u8 reg) const;
  void write_register(u8 reg, u8 value);
  void write_istat0(u8 value);
  void config_changed(unsigned offset, unsigned width) override;

  void dma_interrupt(u8 bits);
  void scsi_interrupt(u8 sist0, u8 sist1);
  void update_interrupt();

  void start();
  void stop() { state_ = State::kStopped; }
  // Has the processor look at what has changed, at once or after a while.
  void wake(u64 delay_ns = 0);
  void drives_work();
  void medium_done();
  void watch_bus();

  // ---- SCRIPTS: lsi53c895a_scripts.cpp ----
  u32 fetch(u64 address) { return static_cast<u32>(memory_.read(address, 4)); }
  u64 selected(u8 selector, u32 address) const { return u64{get32(selector)} << 32 | address; }
  u32 next_dword();
  void run();
  // One instruction or a part of one. False: it waits.
  bool execute();
  bool decode();
  void begin_block_move();
  bool move_block();
  void phase_mismatch();
  bool move_memory();
  bool io_instruction();
  bool select();
  bool wait_for_reselection();
  void set_or_clear(bool set);
  void modify_register();
  bool transfer_control();
  void load_or_store();
  u8 add(u8 a, u8 b, bool carry_in);

  AddressSpace& memory_;
  Clock& clock_;
  Model model_;
  ScsiBus bus_;
  ScsiTargets targets_;
  std::array<u8, 256> registers_{};
  std::array<u8, kRamBytes> ram_{};

  State state_ = State::kStopped;
  bool carry_ = false;
  bool first_byte_ = false;  // the next byte that comes in goes to SFBR
  bool was_connected_ = false;
  u64 address_high_ = 0;  // of a block move, in place
  u32 destination_ = 0;
  u8 entry_top_ = 0;  // RBC's upper byte
  u32 budget_ = 0;    // of this event's work
  Timer script_, work_, selection_, general_, handshake_;
};

}  // namespace xlat
