// Registers and handshake of the parallel port.
#include "devices/isa/parallel_port.h"

#include "devices/registry.h"

namespace xlat {

namespace {
// BUSY, and what is called with #, are low when active.
enum StatusBits : u8 { kNotBusy = 0x80, kAck = 0x40, kSelected = 0x10, kNoError = 0x08, kTimeout = 0x01 };
enum ControlBits : u8 {
  kStrobe = 0x01,
  kNoInit = 0x04,
  kSelect = 0x08,
  kIrqEnable = 0x10,
  kInput = 0x20,
  kOnes = 0xc0
};
}  // namespace

ParallelPort::ParallelPort(PortBus& ports, u16 base, Clock& clock, IrqLine irq, std::function<void(u8)> output)
    : base_(base),
      irq_(irq),
      output_(std::move(output)),
      clock_(clock),
      ack_(clock, [this] { acknowledged(); }),
      range_(ports, base, 3, *this) {
  reset();
}

void ParallelPort::reset() {
  ack_.cancel();
  data_ = 0xff;
  control_ = kNoInit | kSelect | kOnes;
  initialised_ = false;
  set_interrupt(false);
}

void ParallelPort::serialize(Archive& ar) {
  ar.section("lpt", 1);
  ar(data_)(control_)(interrupt_)(initialised_);
  ack_.serialize(ar);
}

void ParallelPort::set_interrupt(bool on) {
  interrupt_ = on;
  irq_.set(on);
}

void ParallelPort::acknowledged() {
  if (control_ & kIrqEnable) set_interrupt(true);
}

u8 ParallelPort::status() const {
  u8 value = static_cast<u8>(kSelected | kNoError | (initialised_ ? 0 : kTimeout));
  if (!ack_.pending()) value |= kAck;
  if (!ack_.pending() && !(control_ & kStrobe)) value |= kNotBusy;
  return value;
}

u32 ParallelPort::read(u64 port, unsigned) {
  switch (port - base_) {
    case 0: return control_ & kInput ? 0xff : data_;  // nobody drives the lines when they are inputs
    case 1: set_interrupt(false); return status();
    default: return control_;
  }
}

void ParallelPort::write(u64 port, unsigned, u32 value) {
  const u8 v = static_cast<u8>(value);
  if (port == base_) data_ = v;
  if (port != base_ + 2u) return;  // status is read-only
  const u8 before = control_;
  control_ = v | kOnes;
  if (!(v & kNoInit)) {  // the printer starts anew and forgets what it was doing
    ack_.cancel();
    initialised_ = true;
    set_interrupt(false);
    return;
  }
  if (!(v & kIrqEnable)) set_interrupt(false);
  if (!(v & kSelect)) return;
  if ((v & kStrobe) && !(before & kStrobe) && output_) output_(data_);
  if (!(v & kStrobe) && (before & kStrobe)) ack_.schedule(clock_.now() + kAckNs);
}

namespace {

constexpr u16 kLptBase[] = {0x378, 0x278, 0x3bc};
constexpr unsigned kLptIrq[] = {7, 5, 7};

constexpr Property kParallelProperties[] = {
    back_end("chardev", Property::Kind::kChannel, "the printer's paper"),
    number("index", "", "LPT port, counted from 0; the first that is free if not given", 0, 2),
    number("iobase", "", "first of three ports; the LPT port's if not given", 0, 0xfffc),
    number("irq", "", "interrupt line; the LPT port's if not given", 0, 15),
};

Result<std::unique_ptr<Device>> make_parallel(Board& board, const Properties& values) {
  if (!values.given("chardev")) return error("chardev= is missing: the id of a -chardev");
  unsigned index = 0;
  if (values.given("index")) {
    index = static_cast<unsigned>(values.number("index"));
  } else if (!values.given("iobase")) {
    while (index < 3 && board.ports().taken(kLptBase[index], 3)) ++index;
    if (index == 3) return error("the machine has three parallel ports, all are taken");
  }
  const u16 base = values.given("iobase") ? static_cast<u16>(values.number("iobase")) : kLptBase[index];
  if (board.ports().taken(base, 3)) return error("there is something at port {:#x} already", base);
  const unsigned irq = values.given("irq") ? static_cast<unsigned>(values.number("irq")) : kLptIrq[index];
  auto channel = board.channel(values.text("chardev"));
  if (!channel) return channel.error();
  return std::unique_ptr<Device>(std::make_unique<ParallelPort>(board.ports(), base, board.clock(), board.isa_irq(irq),
                                                                [line = *channel](u8 value) { line->write(value); }));
}

}  // namespace

extern const DeviceType kIsaParallelType = {
    "isa-parallel",      "ISA",        DeviceType::Category::kInput, "a parallel port with a printer, LPT1 to LPT3",
    kParallelProperties, make_parallel};

}  // namespace xlat
