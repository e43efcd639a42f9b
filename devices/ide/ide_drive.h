// What a hard disk and a CD-ROM drive on an IDE cable have in common: task file, data port, interrupt, resets.
#pragma once

#include <array>
#include <memory>
#include <span>
#include <string>
#include <vector>

#include "base/clock.h"
#include "devices/block/disk.h"
#include "devices/device.h"

namespace xlat {

// A channel's bus-master half, as a drive sees it (DMARQ, DMACK and INTRQ).
class IdeDma {
 public:
  virtual ~IdeDma() = default;
  // True while the host has started the engine and its table has not ended.
  virtual bool running() const = 0;
  // Moves bytes by the PRD table; returns how many: fewer than asked when the table ended, which also stops the engine.
  virtual std::size_t to_memory(std::span<const u8> from) = 0;
  virtual std::size_t from_memory(std::span<u8> to) = 0;
  // INTRQ rose on this channel.
  virtual void interrupt() = 0;
};

// What a drive sees of its channel.
class IdeCable {
 public:
  virtual ~IdeCable() = default;
  // The drive's interrupt() may have changed.
  virtual void interrupt_changed() = 0;
  // Null where there is no bus master.
  virtual IdeDma* dma() = 0;
  // The drive waits for data, without an interrupt.
  virtual void wants_data() {}
  // A reset or a diagnosis is over, and the registers hold the signature.
  virtual void reset_done() {}
  // A request of submit_queued() is over.
  virtual void queued_done(u8 slot, DiskRequest& request) { static_cast<void>(slot), static_cast<void>(request); }
};

namespace ata {
// Status register (ATA/ATAPI-6, 7.15).
inline constexpr u8 kBsy = 0x80, kDrdy = 0x40, kDf = 0x20, kDsc = 0x10, kDrq = 0x08, kErr = 0x01;
// Error register (7.11).
inline constexpr u8 kUnc = 0x40, kIdnf = 0x10, kAbrt = 0x04;
// Device register (7.10).
inline constexpr u8 kDeviceLba = 0x40, kDeviceDev = 0x10;
// Command block register numbers.
enum Register : u8 { kData, kFeatures, kCount, kLbaLow, kLbaMid, kLbaHigh, kDevice, kCommand };
}  // namespace ata

class IdeDrive : public Device {
 public:
  static constexpr std::size_t kBufferBytes = 128 * 1024;

  // `name` is what snapshots and the monitor call the drive, for example "ide0-hd0".
  IdeDrive(Clock& clock, std::string name, std::unique_ptr<BlockImage> image, DiskSetup setup);

  void plug(IdeCable& cable, bool is_slave) {
    cable_ = &cable;
    is_slave_ = is_slave;
  }

  std::string_view name() const override { return name_; }
  void reset() override;
  void serialize(Archive& ar) override;

  // Command block registers 1..6; `hob` selects the previous value of those that are two deep.
  u8 read_register(unsigned reg, bool hob) const;
  void write_register(unsigned reg, u8 value);
  u8 status() const { return status_; }
  void write_command(u8 command);
  // The data register, `width` bytes; zero where the drive has nothing to give.
  u32 read_data(unsigned width);
  void write_data(unsigned width, u32 value);

  // SRST in the device control register. EXECUTE DEVICE DIAGNOSTIC, which every drive takes whether selected or not.
  void set_srst(bool on);
  void diagnose();

  // For a port that moves whole blocks: whether DRQ is about the data register, which way, and how much is wanted.
  bool moves_by_port() const { return phase_ == Phase::kDataIn || phase_ == Phase::kDataOut; }
  bool gives_data() const { return phase_ == Phase::kDataIn; }
  std::size_t bytes_wanted() const { return phase_ == Phase::kDataOut ? end_ - pos_ : 0; }

  // Native command queuing is the port's: it makes requests of its own, without the registers, by the slots of its
  // commands, while the drive has no command. A reset drops them.
  void submit_queued(u8 slot, DiskRequest request);
  void drop_queued() { disk_.drop(); }

  bool interrupt() const { return interrupt_; }
  void clear_interrupt();
  // The host started the bus master.
  void dma_started();

 protected:
  enum class Phase : u8 {
    kIdle,
    kReset,     // BSY after a reset
    kDiagnose,  // BSY in EXECUTE DEVICE DIAGNOSTIC
    kExecute,   // BSY, command waits for its turn
    kDataIn,    // DRQ, host reads the buffer
    kNextIn,    // BSY between two blocks to the host
    kDataOut,   // DRQ, host writes the buffer
    kOutDone,   // BSY, buffer full
    kDma,       // waits for the bus master
    kDisk,      // BSY, the medium is at work
    kLast = kDisk,
  };

  // A new command is in command_; called after its delay.
  virtual void execute() = 0;
  // The host has read the whole buffer of kDataIn, after a delay; more_in() says whether to come back at all.
  virtual bool more_in() const = 0;
  virtual void next_in() = 0;
  // The host filled the buffer of kDataOut.
  virtual void out_done() = 0;
  // The bus master runs and the command wants it.
  virtual void dma_step() = 0;
  // A request of disk_ is over.
  virtual void disk_done(DiskRequest& request) = 0;
  // Registers after any reset or diagnosis (signature), and what commands leave behind after power-on only.
  virtual void load_signature() = 0;
  virtual void reset_settings() = 0;
  virtual u8 reset_status() const = 0;
  // Whether a command is taken now, in particular in sleep.
  virtual bool accepts(u8 command) const = 0;
  virtual void device_reset() = 0;
  // Nanoseconds from the command to its execution.
  virtual u64 command_delay() const { return 20'000; }

  void busy(Phase phase, u64 delay_ns);
  // DRQ with buffer_[start, start + bytes) for the host to read, or buffer_[0, bytes) to fill.
  void data_in(std::size_t bytes, std::size_t start = 0);
  void data_out(std::size_t bytes, bool with_interrupt);
  void wait_for_dma();
  // Until disk_done().
  void wait_for_disk();
  void raise_interrupt();
  void finish(u8 status, u8 error);
  IdeDma* dma() const { return cable_ ? cable_->dma() : nullptr; }

  // Registers that hold an LBA or a count: current and previous (HOB) content.
  struct Deep {
    u8 now = 0;
    u8 before = 0;
  };
  u8 features_ = 0, features_before_ = 0;
  Deep count_, lba_low_, lba_mid_, lba_high_;
  u8 device_ = 0;
  u8 status_ = 0;
  u8 error_ = 0;
  u8 command_ = 0;
  bool interrupt_ = false;
  bool is_slave_ = false;
  Phase phase_ = Phase::kIdle;
  Disk disk_;
  std::vector<u8> buffer_;
  u32 pos_ = 0, end_ = 0;

 private:
  static constexpr u32 kQueued = 0x100;  // tags of queued requests begin here
  void request_done(DiskRequest& request);
  void timer_fired();
  Deep* deep(unsigned reg);

  std::string name_;
  IdeCable* cable_ = nullptr;
  bool srst_ = false;
  Timer timer_;
  Clock& clock_;
};

}  // namespace xlat
