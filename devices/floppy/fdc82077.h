// The 82077AA floppy disk controller of a PC with up to two drives.
#pragma once

#include <array>
#include <memory>

#include "base/clock.h"
#include "base/irq_line.h"
#include "devices/block/io_error.h"
#include "devices/chipset/dma8237.h"
#include "devices/device.h"
#include "devices/floppy/floppy_drive.h"
#include "devices/isa/port_range.h"

namespace xlat {

// Data sheet: Intel 82077AA, 290166-007, in AT mode. Ports 3F2-3F5 and 3F7 (3F0 and 3F1 are not driven in this mode,
// 3F6 belongs to IDE); DMA channel 2. Disks turn eight times as fast as real ones and sectors come without rotational
// delay; steps take what SPECIFY says.
class Fdc82077 : public Device, public IoHandler {
 public:
  static constexpr unsigned kDrives = 2;
  static constexpr unsigned kDmaChannel = 2;

  Fdc82077(PortBus& ports, Clock& clock, Dma8237& dma, IrqLine irq);

  // Attaches a drive without a disk. What is not attached answers like an empty cable.
  FloppyDrive& attach(unsigned n, FloppyType type, DiskSetup setup = {});
  FloppyDrive* drive(unsigned n) { return n < kDrives ? drives_[n].get() : nullptr; }

  std::string_view name() const override { return "i82077"; }
  void reset() override;
  void serialize(Archive& ar) override;

  u32 read(u64 port, unsigned width) override;
  void write(u64 port, unsigned width, u32 value) override;

 private:
  enum class Phase : u8 {
    kReset,    // DOR holds it, or a reset is being worked off
    kCommand,  // waits for the command's next byte
    kExecute,  // RQM is off
    kReadByte,
    kWriteByte,  // the host moves a sector without DMA
    kResult,
    kLast = kResult,
  };
  enum class Op : u8 {
    kNone,
    kRead,
    kReadDeleted,
    kWrite,
    kWriteDeleted,
    kReadTrack,
    kReadId,
    kFormat,
    kScanEqual,
    kScanLow,
    kScanHigh,
    kVerify,
    kLast = kVerify,
  };
  // What the execution timer's next event is; none while the disk is at work.
  enum class Stage : u8 { kNone, kResetDone, kImpliedSeek, kSector, kCommit, kFail, kOverrun, kDisk, kLast = kDisk };

  // A drive select of the command set; four can be addressed whatever is attached.
  struct Unit {
    u8 pcn = 0;  // present cylinder as the controller believes
    u8 target = 0;
    bool seeking = false, recalibrating = false;
    bool pending = false;  // a SENSE INTERRUPT STATUS is due, with st0
    u8 st0 = 0;
  };

  // ---- registers and phases, fdc82077.cpp ----
  void write_dor(u8 value);
  void write_dsr(u8 value);
  void enter_reset();
  void leave_reset();
  u8 main_status() const;
  u8 read_fifo();
  void write_fifo(u8 value);
  void set_int(bool on);
  // Lowers INT, and raises it anew if a seek has ended and nobody has asked.
  void acknowledge_int();
  void update_irq();
  void to_command_phase();
  void results(std::initializer_list<u8> bytes);
  void run_command();
  void invalid() { results({0x80}); }

  // ---- commands without data, fdc82077.cpp ----
  void sense_interrupt();
  void sense_drive();
  void configure();
  void dump_registers();
  void perpendicular();
  void start_seek(unsigned n, u8 target, bool recalibrate);
  void seek_fired(unsigned n);
  void move_head(unsigned n, int cylinders);
  u64 step_ns() const;

  // ---- commands with data, fdc82077_data.cpp ----
  void start_data(Op op);
  void data_fired();
  void begin_sector();
  void end_sector();
  void advance();
  void next_address();
  bool leaves_track();
  void disk_done(const DiskRequest& request);
  void scan_sector(std::span<const u8> disk);
  void format_sector();
  bool check_medium();
  bool locate();
  bool wants_data() const;  // the host sends during execution
  void to_host();
  void from_host();
  void after(Stage stage, u64 ns);
  void fail_after_search(u8 st1, u8 st2);
  void finish(u8 interrupt_code);
  u64 revolution_ns() const;
  u64 sector_ns() const;
  FloppyDrive* selected() { return drive(params_[1] & 3); }

  Clock& clock_;
  Dma8237& dma_;
  IrqLine irq_;
  std::array<std::unique_ptr<FloppyDrive>, kDrives> drives_;

  u8 dor_ = 0, tdr_ = 0, dsr_ = 2;
  bool int_ = false;
  Phase phase_ = Phase::kReset;
  std::array<Unit, 4> units_;
  u8 reset_senses_ = 0;  // drives that still answer with "ready changed" after a reset

  u8 specify_[2] = {};  // SRT and HUT; HLT and ND
  u8 config_ = 0x20;    // CONFIGURE byte 2: EIS, EFIFO, POLL, FIFOTHR
  u8 pretrk_ = 0;
  u8 perpendicular_ = 0;  // D3-D0, GAP, WGATE
  bool lock_ = false;
  u8 last_eot_ = 0;

  std::array<u8, 9> params_{};  // the command and its parameters
  u8 have_ = 0, need_ = 0;
  std::array<u8, 10> result_{};
  u8 result_at_ = 0, result_end_ = 0;

  Op op_ = Op::kNone;
  Stage stage_ = Stage::kNone;
  u8 c_ = 0, h_ = 0, r_ = 0;  // the address being looked for
  u8 head_ = 0;
  u8 st1_ = 0, st2_ = 0;
  bool seek_end_ = false;  // an implied seek was made
  u8 crossed_ = 0;         // cylinders that this transfer has gone on by itself
  bool tc_ = false;
  u16 left_ = 0;     // sectors still to be formatted, verified or, of a track, read
  u8 track_at_ = 0;  // READ TRACK's sector under the head
  u32 sector_ = 0;   // in the image, while a sector is worked on
  bool skipping_ = false;
  std::array<u8, 512> buffer_{};
  u16 at_ = 0, end_ = 0;
  Timer timer_;
  std::array<Timer, 4> seek_timers_;
  PortRange low_, dir_;
};

}  // namespace xlat
