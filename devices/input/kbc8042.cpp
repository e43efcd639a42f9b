// Commands, output buffer and scan code translation of the 8042.
#include "devices/input/kbc8042.h"

#include "base/bits.h"

namespace xlat {

namespace {
enum Status : u8 { kObf = 0x01, kSys = 0x04, kCommand = 0x08, kUnlocked = 0x10, kAuxObf = 0x20 };
enum CommandByte : u8 {
  kInt = 0x01,
  kAuxInt = 0x02,
  kSysFlag = 0x04,
  kDisable = 0x10,
  kAuxDisable = 0x20,
  kXlat = 0x40
};
enum OutputPort : u8 { kNoReset = 0x01, kA20 = 0x02, kObfPin = 0x10, kAuxObfPin = 0x20, kIdle = 0xcc };
}  // namespace

Kbc8042::Kbc8042(PortBus& ports, Clock& clock, IrqLine irq1, IrqLine irq12)
    : irq1_(irq1),
      irq12_(irq12),
      clock_(clock),
      keyboard_(clock),
      mouse_(clock),
      arrival_(clock, [this] { deliver(); }),
      data_port_(ports, 0x60, 1, *this),
      command_port_(ports, 0x64, 1, *this) {
  keyboard_.on_data([this] { device_has_data(); });
  mouse_.on_data([this] { device_has_data(); });
  ram_[0] = kInt | kAuxInt;
  status_ = kUnlocked;
  output_port_ = kNoReset | kA20 | kIdle;
}

void Kbc8042::reset() {
  arrival_.cancel();
  status_ = kUnlocked;
  for (u8& b : ram_) b = 0;
  ram_[0] = kInt | kAuxInt;
  output_ = pending_ = 0;
  break_prefix_ = false;
  responses_.clear();
  keyboard_.reset();
  mouse_.reset();
  write_output_port(kNoReset | kA20 | kIdle);
  update_irqs();
}

void Kbc8042::serialize(Archive& ar) {
  ar.section("i8042", 1);
  ar(status_)(ram_)(output_port_)(output_)(pending_)(break_prefix_);
  responses_.serialize(ar);
  keyboard_.serialize(ar);
  mouse_.serialize(ar);
  arrival_.serialize(ar);
}

void Kbc8042::update_irqs() {
  const bool full = status_ & kObf;
  const bool aux = status_ & kAuxObf;
  irq1_.set(full && !aux && (ram_[0] & kInt));
  irq12_.set(full && aux && (ram_[0] & kAuxInt));
}

void Kbc8042::fill(u8 value, Source source) {
  output_ = value;
  status_ |= kObf;
  status_ = static_cast<u8>((status_ & ~kAuxObf) | (source == Source::kAux ? kAuxObf : 0));
  update_irqs();
}

void Kbc8042::respond(u8 value) {
  if (status_ & kObf) {
    responses_.push(value);
  } else {
    fill(value, Source::kController);
  }
}

void Kbc8042::device_has_data() {
  if (!(status_ & kObf) && !arrival_.pending()) arrival_.schedule(clock_.now() + kByteNs);
}

void Kbc8042::deliver() {
  if (status_ & kObf) return;
  while (!(ram_[0] & kDisable) && keyboard_.has_data()) {
    u8 byte = keyboard_.take();
    if (ram_[0] & kXlat) {
      if (byte == 0xf0) {
        break_prefix_ = true;
        continue;
      }
      byte = static_cast<u8>(translate_scan_code(byte) | (break_prefix_ && byte < 0xe0 ? 0x80 : 0));
      break_prefix_ = false;
    }
    fill(byte, Source::kKeyboard);
    return;
  }
  if (!(ram_[0] & kAuxDisable) && mouse_.has_data()) fill(mouse_.take(), Source::kAux);
}

void Kbc8042::write_output_port(u8 value) {
  output_port_ = value;
  if (a20_) a20_(value & kA20);
  if (!(value & kNoReset) && reset_request_) reset_request_();
}

void Kbc8042::command(u8 value) {
  status_ |= kCommand;
  pending_ = 0;
  if (value >= 0x20 && value <= 0x3f) return respond(ram_[value & 0x1f]);
  if (value >= 0x60 && value <= 0x7f) {
    pending_ = value;
    return;
  }
  if (value >= 0xf0) {  // pulse output bits 3:0 that are zero here; only bit 0 is wired
    if (!(value & 1) && reset_request_) reset_request_();
    return;
  }
  switch (value) {
    case 0xa4: respond(0xf1); break;  // no password installed
    case 0xa7: ram_[0] |= kAuxDisable; break;
    case 0xa8: ram_[0] &= static_cast<u8>(~kAuxDisable); break;
    case 0xa9: respond(0x00); break;  // aux interface test
    case 0xaa:
      status_ |= kSys;
      ram_[0] |= kSysFlag;
      respond(0x55);
      break;
    case 0xab: respond(0x00); break;  // keyboard interface test
    case 0xad: ram_[0] |= kDisable; break;
    case 0xae: ram_[0] &= static_cast<u8>(~kDisable); break;
    case 0xc0: respond(0x80); break;  // input port: keyboard not locked
    case 0xd0:
      respond(static_cast<u8>((output_port_ & ~(kObfPin | kAuxObfPin)) |
                              ((status_ & (kObf | kAuxObf)) == kObf ? kObfPin : 0) |
                              ((status_ & (kObf | kAuxObf)) == (kObf | kAuxObf) ? kAuxObfPin : 0)));
      break;
    case 0xd1:
    case 0xd2:
    case 0xd3:
    case 0xd4: pending_ = value; break;
    case 0xdd: write_output_port(output_port_ & ~kA20); break;
    case 0xdf: write_output_port(output_port_ | kA20); break;
    case 0xe0: respond(0x00); break;  // test inputs
    default: break;
  }
  device_has_data();
}

void Kbc8042::data(u8 value) {
  status_ &= static_cast<u8>(~kCommand);
  const u8 command = pending_;
  pending_ = 0;
  if (command >= 0x60 && command <= 0x7f) {
    ram_[command & 0x1f] = value;
    if (command == 0x60) {
      // A BIOS that leaves the flag out does not mean that the self-test has not passed.
      if (value & kSysFlag) status_ |= kSys;
      update_irqs();
    }
    device_has_data();
    return;
  }
  switch (command) {
    case 0xd1: write_output_port(value); break;
    case 0xd2: fill(value, Source::kKeyboard); break;
    case 0xd3: fill(value, Source::kAux); break;
    case 0xd4:
      ram_[0] &= static_cast<u8>(~kAuxDisable);
      mouse_.command(value);
      break;
    default:  // to the keyboard, which enables its interface
      ram_[0] &= static_cast<u8>(~kDisable);
      keyboard_.command(value);
      break;
  }
}

u32 Kbc8042::read(u64 port, unsigned) {
  if (port == 0x64) return status_;
  const u8 value = output_;
  if (status_ & kObf) {
    status_ &= static_cast<u8>(~(kObf | kAuxObf));
    update_irqs();
    if (!responses_.empty()) {
      fill(responses_.pop(), Source::kController);
    } else {
      device_has_data();
    }
  }
  return value;
}

void Kbc8042::write(u64 port, unsigned, u32 value) {
  if (port == 0x64) {
    command(static_cast<u8>(value));
  } else {
    data(static_cast<u8>(value));
  }
}

}  // namespace xlat
