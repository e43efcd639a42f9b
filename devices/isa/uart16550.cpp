// Registers, FIFOs and interrupts of the 16550A.
#include "devices/isa/uart16550.h"

#include <fmt/format.h>

#include <algorithm>

#include "base/bits.h"
#include "devices/registry.h"

namespace xlat {

namespace {
enum Lsr : u8 { kDr = 0x01, kOe = 0x02, kBi = 0x10, kThre = 0x20, kTemt = 0x40, kFifoError = 0x80 };
enum Ier : u8 { kErbfi = 0x01, kEtbei = 0x02, kElsi = 0x04, kEdssi = 0x08 };
enum Mcr : u8 { kDtr = 0x01, kRts = 0x02, kOut1 = 0x04, kOut2 = 0x08, kLoop = 0x10 };
enum Iir : u8 { kNone = 1, kModem = 0, kThrEmpty = 2, kData = 4, kLine = 6, kTimeout = 12 };
constexpr u64 kCrystal = 1843200;
constexpr u8 kDlab = 0x80;
}  // namespace

Uart16550::Uart16550(PortBus& ports, u16 base, Clock& clock, IrqLine irq, std::function<void(u8)> output,
                     UartTiming timing)
    : name_(fmt::format("uart-{:x}", base)),
      base_(base),
      clock_(clock),
      irq_(irq),
      output_(std::move(output)),
      timing_(timing),
      tx_timer_(clock, [this] { transmitted(); }),
      rx_timeout_(clock,
                  [this] {
                    timeout_pending_ = rx_size_ != 0;
                    update();
                  }),
      range_(ports, base, 8, *this) {
  modem_inputs(modem_lines_);
  msr_ &= 0xf0;
}

void Uart16550::reset() {
  ier_ = fcr_ = lcr_ = line_errors_ = 0;
  mcr_ = kOut2;  // the chip clears it, but programs for QEMU rely on interrupts without having set it
  thre_pending_ = timeout_pending_ = shifting_ = false;
  rx_size_ = tx_size_ = 0;
  divisor_ = 12;
  tx_timer_.cancel();
  rx_timeout_.cancel();
  msr_ = modem_lines_;
  update();
  if (modem_control_) modem_control_();
}

void Uart16550::serialize(Archive& ar) {
  ar.section(name_, 1);
  ar(ier_)(fcr_)(lcr_)(mcr_)(scr_)(line_errors_)(msr_)(modem_lines_)(divisor_)(thre_pending_)(timeout_pending_);
  for (Received& c : rx_) ar(c.value)(c.errors);
  ar.range(rx_size_, 0u, kFifo)(tx_).range(tx_size_, 0u, kFifo)(shifting_)(shift_);
  tx_timer_.serialize(ar);
  rx_timeout_.serialize(ar);
}

unsigned Uart16550::rx_trigger() const {
  static constexpr u8 kLevels[] = {1, 4, 8, 14};
  return fifo_enabled() ? kLevels[fcr_ >> 6] : 1;
}

// Start bit, 5-8 data bits, parity, stop bits (1.5 counts as 2).
u64 Uart16550::character_ns() const {
  const u64 bit_count = 1 + 5 + (lcr_ & 3) + (bit(lcr_, 3) ? 1 : 0) + (bit(lcr_, 2) ? 2 : 1);
  return bit_count * std::max<u64>(divisor_, 1) * 16 * kNanosPerSecond / kCrystal;
}

unsigned Uart16550::can_receive() const { return mcr_ & kLoop ? 0 : rx_capacity() - std::min(rx_size_, rx_capacity()); }

void Uart16550::receive(u8 value) {
  if (!(mcr_ & kLoop)) push({value, 0});
}

void Uart16550::receive_break() {
  if (!(mcr_ & kLoop)) push({0, kBi});
}

void Uart16550::push(Received c) {
  if (rx_size_ >= rx_capacity()) {
    line_errors_ |= kOe;
    if (!fifo_enabled()) rx_[0] = c;  // without FIFO the new character replaces the old one
  } else {
    rx_[rx_size_++] = c;
    if (rx_size_ == 1) line_errors_ |= c.errors;
  }
  timeout_pending_ = false;
  if (fifo_enabled()) rx_timeout_.schedule(clock_.now() + 4 * character_ns());
  update();
}

u8 Uart16550::pop() {
  if (rx_size_ == 0) return rx_[0].value;
  const u8 value = rx_[0].value;
  --rx_size_;
  for (unsigned i = 0; i < rx_size_; ++i) rx_[i] = rx_[i + 1];
  if (rx_size_ == 0) rx_[0] = {value, 0};  // an empty RBR reads as the last character
  timeout_pending_ = false;
  rx_timeout_.cancel();
  if (rx_size_) {
    line_errors_ |= rx_[0].errors;
    if (fifo_enabled()) rx_timeout_.schedule(clock_.now() + 4 * character_ns());
  }
  update();
  if (room_) room_();
  return value;
}

void Uart16550::send(u8 value) {
  if (mcr_ & kLoop) {
    push({value, 0});
  } else if (output_) {
    output_(value);
  }
}

void Uart16550::start_transmitter() {
  if (timing_ == UartTiming::kInstant) {
    for (unsigned i = 0; i < tx_size_; ++i) send(tx_[i]);
    tx_size_ = 0;
    thre_pending_ = true;
    return;
  }
  if (shifting_ || tx_size_ == 0) return;
  shift_ = tx_[0];
  --tx_size_;
  for (unsigned i = 0; i < tx_size_; ++i) tx_[i] = tx_[i + 1];
  shifting_ = true;
  if (tx_size_ == 0) thre_pending_ = true;
  tx_timer_.schedule(clock_.now() + character_ns());
}

void Uart16550::transmitted() {
  if (!shifting_) return;
  shifting_ = false;
  const u8 value = shift_;
  start_transmitter();
  send(value);
  update();
}

void Uart16550::write_fcr(u8 value) {
  const bool toggled = (value ^ fcr_) & 1;
  fcr_ = value & 1 ? value & 0xc9 : 0;  // the other bits count only together with bit 0
  if (toggled || (value & 1 && value & 2)) {
    rx_size_ = 0;
    timeout_pending_ = false;
    rx_timeout_.cancel();
    if (room_) room_();
  }
  if ((toggled || (value & 1 && value & 4)) && tx_size_) {
    tx_size_ = 0;
    thre_pending_ = true;
  }
}

void Uart16550::modem_inputs(u8 lines) {
  const u8 changed = lines ^ (msr_ & 0xf0);
  u8 delta = static_cast<u8>((changed & (kCts | kDsr | kDcd)) >> 4);
  if (changed & kRi && !(lines & kRi)) delta |= kRi >> 4;  // TERI: the trailing edge
  msr_ = static_cast<u8>(lines | (msr_ & 0x0f) | delta);
}

void Uart16550::set_modem_lines(u8 lines) {
  modem_lines_ = lines & 0xf0;
  if (!(mcr_ & kLoop)) modem_inputs(modem_lines_);
  update();
}

void Uart16550::write_mcr(u8 value) {
  mcr_ = value & 0x1f;
  if (mcr_ & kLoop) {  // RTS -> CTS, DTR -> DSR, OUT1 -> RI, OUT2 -> DCD
    modem_inputs(static_cast<u8>((mcr_ & kRts ? kCts : 0) | (mcr_ & kDtr ? kDsr : 0) | (mcr_ & kOut1 ? kRi : 0) |
                                 (mcr_ & kOut2 ? kDcd : 0)));
  } else {
    modem_inputs(modem_lines_);
    if (room_ && can_receive()) room_();
  }
  if (modem_control_) modem_control_();
}

u8 Uart16550::lsr() const {
  u8 value = line_errors_;
  if (rx_size_) value |= kDr;
  if (tx_size_ == 0) value |= kThre;
  if (tx_size_ == 0 && !shifting_) value |= kTemt;
  for (unsigned i = 0; fifo_enabled() && i < rx_size_; ++i) {
    if (rx_[i].errors) value |= kFifoError;
  }
  return value;
}

u8 Uart16550::interrupt() const {
  if ((ier_ & kElsi) && line_errors_) return kLine;
  if ((ier_ & kErbfi) && rx_size_ >= rx_trigger()) return kData;
  if ((ier_ & kErbfi) && timeout_pending_) return kTimeout;
  if ((ier_ & kEtbei) && thre_pending_) return kThrEmpty;
  if ((ier_ & kEdssi) && (msr_ & 0x0f)) return kModem;
  return kNone;
}

// OUT2 gates the interrupt on PC cards; in loopback the output pins are inactive.
void Uart16550::update() { irq_.set(interrupt() != kNone && (mcr_ & (kOut2 | kLoop)) == kOut2); }

u32 Uart16550::read(u64 port, unsigned) {
  switch (port - base_) {
    case 0: return lcr_ & kDlab ? divisor_ & 0xff : pop();
    case 1: return lcr_ & kDlab ? divisor_ >> 8 : ier_;
    case 2: {
      const u8 id = interrupt();
      if (id == kThrEmpty) {
        thre_pending_ = false;
        update();
      }
      return static_cast<u32>(id | (fifo_enabled() ? 0xc0 : 0));
    }
    case 3: return lcr_;
    case 4: return mcr_;
    case 5: {
      const u8 value = lsr();
      line_errors_ = 0;
      if (rx_size_) rx_[0].errors = 0;
      update();
      return value;
    }
    case 6: {
      const u8 value = msr_;
      msr_ &= 0xf0;
      update();
      return value;
    }
    default: return scr_;
  }
}

void Uart16550::write(u64 port, unsigned, u32 value) {
  const u8 v = static_cast<u8>(value);
  switch (port - base_) {
    case 0:
      if (lcr_ & kDlab) {
        divisor_ = static_cast<u16>((divisor_ & 0xff00) | v);
        return;
      }
      if (tx_size_ < (fifo_enabled() ? kFifo : 1)) {
        tx_[tx_size_++] = v;
      } else {
        tx_[tx_size_ - 1] = v;  // overwritten
      }
      thre_pending_ = false;
      start_transmitter();
      break;
    case 1:
      if (lcr_ & kDlab) {
        divisor_ = static_cast<u16>((divisor_ & 0x00ff) | v << 8);
        return;
      }
      // Enabling the interrupt while THR is empty asks at once.
      if (!(ier_ & kEtbei) && (v & kEtbei) && tx_size_ == 0) thre_pending_ = true;
      ier_ = v & 0x0f;
      break;
    case 2: write_fcr(v); break;
    case 3: lcr_ = v; break;
    case 4: write_mcr(v); break;
    case 7: scr_ = v; break;
    default: break;
  }
  update();
}

namespace {

constexpr u16 kComBase[] = {0x3f8, 0x2f8, 0x3e8, 0x2e8};
constexpr unsigned kComIrq[] = {4, 3, 4, 3};

constexpr Property kSerialProperties[] = {
    back_end("chardev", Property::Kind::kChannel, "what is at the other end of the line"),
    number("index", "", "COM port, counted from 0; the first that is free if not given", 0, 3),
    number("iobase", "", "first of eight ports; the COM port's if not given", 0, 0xfff8),
    number("irq", "", "interrupt line; the COM port's if not given", 0, 15),
};

Result<std::unique_ptr<Device>> make_serial(Board& board, const Properties& values) {
  if (!values.given("chardev")) return error("chardev= is missing: the id of a -chardev");
  unsigned index = 0;
  if (values.given("index")) {
    index = static_cast<unsigned>(values.number("index"));
  } else if (!values.given("iobase")) {
    while (index < 4 && board.ports().taken(kComBase[index], 8)) ++index;
    if (index == 4) return error("the machine has four serial ports, all are taken");
  }
  const u16 base = values.given("iobase") ? static_cast<u16>(values.number("iobase")) : kComBase[index];
  if (board.ports().taken(base, 8)) return error("there is something at port {:#x} already", base);
  const u64 irq = values.given("irq") ? values.number("irq") : kComIrq[index];
  auto channel = board.channel(values.text("chardev"));
  if (!channel) return channel.error();
  CharChannel* line = *channel;
  auto uart = std::make_unique<Uart16550>(
      board.ports(), base, board.clock(), board.isa_irq(static_cast<unsigned>(irq)),
      [line](u8 value) { line->write(value); }, UartTiming::kInstant);
  uart->on_can_receive([line] { line->feed(); });
  uart->on_modem_control(
      [line, u = uart.get()] { line->modem_control(u->modem_control() & 1, u->modem_control() & 2); });
  line->attach(*uart);
  return std::unique_ptr<Device>(std::move(uart));
}

}  // namespace

extern const DeviceType kIsaSerialType = {
    "isa-serial", "ISA", DeviceType::Category::kInput, "a serial port, COM1 to COM4", kSerialProperties, make_serial};

}  // namespace xlat
