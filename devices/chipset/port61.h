// Port 0x61, NMI status and control: speaker gate, refresh toggle, and the NMI sources of the PIIX3 (data sheet 2.5.7).
#pragma once

#include "devices/chipset/pit8254.h"

namespace xlat {

class Port61 : public Device, public IoHandler {
 public:
  // `nmi` is the CPU's NMI pin.
  Port61(PortBus& ports, Clock& clock, Pit8254& pit, IrqLine nmi)
      : clock_(clock), pit_(pit), nmi_(nmi), range_(ports, 0x61, 1, *this) {}

  // IOCHK# of the ISA bus or SERR# of PCI was asserted; latched unless disabled.
  void io_channel_check() { latch(kIochkStatus, kIochkDisable); }
  void system_error() { latch(kSerrStatus, kSerrDisable); }
  // Port 0x70 bit 7.
  void set_nmi_masked(bool masked) {
    masked_ = masked;
    update();
  }
  // SPKR: counter 2's output gated by bit 1.
  bool speaker() const { return (control_ & kSpeakerData) && pit_.output(2); }
  // Bit 1: counter 2 reaches the speaker.
  bool speaker_data() const { return control_ & kSpeakerData; }
  u8 control() const { return control_; }
  // Called before bits 0 and 1 change.
  void before_change(std::function<void()> hook) { before_change_ = std::move(hook); }

  std::string_view name() const override { return "port61"; }
  void reset() override {
    if (before_change_) before_change_();
    control_ = status_ = 0;
    masked_ = false;
    pit_.set_gate(2, false);
    update();
  }
  void serialize(Archive& ar) override {
    ar.section("port61", 1);
    ar(control_)(status_)(masked_);
  }

  u32 read(u64, unsigned) override {
    const bool refresh = clock_.now() / kRefreshNs & 1;
    return static_cast<u32>(control_ | status_ | (refresh ? kRefresh : 0) | (pit_.output(2) ? kTimer2Out : 0));
  }
  void write(u64, unsigned, u32 value) override {
    if (before_change_) before_change_();
    control_ = value & 0x0f;
    if (control_ & kIochkDisable) status_ &= ~kIochkStatus;
    if (control_ & kSerrDisable) status_ &= ~kSerrStatus;
    pit_.set_gate(2, control_ & kGate2);
    update();
  }

 private:
  enum : u8 {
    kGate2 = 1 << 0,
    kSpeakerData = 1 << 1,
    kSerrDisable = 1 << 2,
    kIochkDisable = 1 << 3,
    kRefresh = 1 << 4,
    kTimer2Out = 1 << 5,
    kIochkStatus = 1 << 6,
    kSerrStatus = 1 << 7,
  };
  static constexpr u64 kRefreshNs = 15085;  // 18 CLKs of counter 1

  void latch(u8 status, u8 disable) {
    if (!(control_ & disable)) status_ |= status;
    update();
  }
  void update() { nmi_.set(status_ != 0 && !masked_); }

  Clock& clock_;
  Pit8254& pit_;
  IrqLine nmi_;
  u8 control_ = 0;
  u8 status_ = 0;
  bool masked_ = false;
  std::function<void()> before_change_;
  PortRange range_;
};

}  // namespace xlat
