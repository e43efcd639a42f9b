// Registers, frames, queues.
#include "devices/usb/uhci.h"

#include <algorithm>

#include "base/bits.h"
#include "devices/registry.h"

namespace xlat {

namespace {
enum Register : u8 {
  kCommand = 0x00,
  kStatus = 0x02,
  kInterrupts = 0x04,
  kFrame = 0x06,
  kFrameList = 0x08,
  kSofModify = 0x0c,
  kPort = 0x10,
};
// USBCMD.
constexpr u16 kRun = 0x01, kHostReset = 0x02, kGlobalReset = 0x04;
// USBSTS.
constexpr u16 kInterrupt = 0x01, kErrorInterrupt = 0x02, kResumeDetect = 0x04, kProcessError = 0x10, kHalted = 0x20;
// USBINTR.
constexpr u16 kOnTimeout = 0x01, kOnResume = 0x02, kOnComplete = 0x04, kOnShort = 0x08;
// A transfer descriptor's control and status.
constexpr u32 kTimeoutError = 1 << 18, kNak = 1 << 19, kBabble = 1 << 20, kStalled = 1 << 22, kActive = 1 << 23,
              kOnCompletion = 1 << 24, kShortDetect = 1 << 29;
constexpr u32 kTerminate = 1, kQueue = 2, kDepthFirst = 4;  // of links

constexpr u64 kFrameNs = 1'000'000;
constexpr unsigned kFrameBytes = 1280;  // that fit in a frame
constexpr unsigned kMostVisits = 1024;  // of queues and descriptors in a frame
// Nothing was moved for so many frames: the controller looks at every eighth only. Whoever has something wakes it.
constexpr u32 kQuietFrames = 256;
}  // namespace

Uhci::Uhci(Clock& clock, AddressSpace& memory)
    : PciFunction({.vendor = 0x8086,
                   .device = 0x7020,
                   .revision = 1,
                   .class_code = 0x0c0300,
                   .subsystem_vendor = 0x1af4,
                   .subsystem = 0x1100,
                   .interrupt_pin = 4}),
      clock_(clock),
      memory_(memory),
      timer_(clock, [this] { frame(); }) {
  define8(0x60, 0x10);             // SBRN: USB 1.0
  define16(0xc0, 0x2000, 0x20ff);  // LEGSUP; nothing is trapped
  add_io_bar(4, 32, *this, kWidthsAll);
  for (unsigned n = 0; n < kPorts; ++n) {
    ports_[n] = std::make_unique<UsbPort>(
        std::to_string(n + 1), [this, n] { port_changed(n); }, [this] { go_faster(); });
    bus_.add(*ports_[n]);
  }
  reset();
}

void Uhci::reset() {
  reset_controller();
  reset_config();
}

void Uhci::reset_controller() {
  command_ = interrupts_ = frame_ = 0;
  status_ = kHalted;
  frame_list_ = 0;
  sof_modify_ = 0x40;
  completed_ = short_packet_ = false;
  quiet_ = 0;
  timer_.cancel();
  for (unsigned n = 0; n < kPorts; ++n) {
    port_[n] = {};
    port_[n].connect_changed = ports_[n]->device() != nullptr;
  }
  update_irq();
}

void Uhci::serialize(Archive& ar) {
  ar.section("uhci", 1);
  serialize_config(ar);
  ar(command_)(status_)(interrupts_)(frame_)(frame_list_)(sof_modify_)(completed_)(short_packet_)(next_)(quiet_);
  for (Port& p : port_) ar(p.enabled)(p.connect_changed)(p.enable_changed)(p.resume)(p.reset)(p.suspended);
  timer_.serialize(ar);
}

void Uhci::port_changed(unsigned n) {
  port_[n].connect_changed = true;
  port_[n].enabled = false;
  if (command_ & kRun) status_ |= kResumeDetect;
  update_irq();
}

void Uhci::update_irq() {
  const bool level = (completed_ && (interrupts_ & kOnComplete)) || (short_packet_ && (interrupts_ & kOnShort)) ||
                     ((status_ & kErrorInterrupt) && (interrupts_ & kOnTimeout)) ||
                     ((status_ & kResumeDetect) && (interrupts_ & kOnResume)) || (status_ & kProcessError);
  set_intx(level);
}

// ---- Registers ----

u16 Uhci::port_value(unsigned n) const {
  const Port& p = port_[n];
  const UsbDevice* device = ports_[n]->device();
  u16 value = 0x80;
  if (device) value |= device->low_speed() ? 0x101 : 0x001;
  value |= static_cast<u16>(p.connect_changed << 1 | p.enabled << 2 | p.enable_changed << 3 | p.resume << 6 |
                            p.reset << 9 | p.suspended << 12);
  if (device && !p.reset) value |= device->low_speed() ? 0x20 : 0x10;  // the line that is pulled up
  return value;
}

void Uhci::write_port(unsigned n, u16 value) {
  Port& p = port_[n];
  UsbDevice* device = ports_[n]->device();
  if (value & 0x02) p.connect_changed = false;
  if (value & 0x08) p.enable_changed = false;
  if ((value & 0x200) && !p.reset) p.enabled = false;
  if (!(value & 0x200) && p.reset && device) device->bus_reset();
  p.reset = value & 0x200;
  p.enabled = (value & 0x04) && device && !p.reset;
  p.resume = value & 0x40;
  p.suspended = value & 0x1000;
  go_faster();
}

u32 Uhci::read(u64 offset, unsigned width) {
  if (width == 4) return read(offset, 2) | read(offset + 2, 2) << 16;
  const auto word = [&]() -> u16 {
    switch (offset & ~u64{1}) {
      case kCommand: return command_;
      case kStatus: return status_;
      case kInterrupts: return interrupts_;
      case kFrame: return frame_number();
      case kFrameList: return static_cast<u16>(frame_list_);
      case kFrameList + 2: return static_cast<u16>(frame_list_ >> 16);
      case kSofModify: return sof_modify_;
      case kPort: return port_value(0);
      case kPort + 2: return port_value(1);
      default: return offset < kPort ? 0 : 0xff7f;  // drivers count ports by bit 7
    }
  };
  return width == 2 ? word() : (word() >> (8 * (offset & 1))) & 0xff;
}

void Uhci::write(u64 offset, unsigned width, u32 value) {
  if (width == 4) {
    write(offset, 2, value & 0xffff);
    write(offset + 2, 2, value >> 16);
    return;
  }
  if (width == 1 && offset != kSofModify) {  // the other byte of a word stays; those that a one clears get zeros
    const u64 at = offset & ~u64{1};
    u32 word = read(at, 2);
    if (at == kStatus) word = 0;
    if (at >= kPort) word &= ~u32{0x0a};
    const unsigned shift = 8 * (offset & 1);
    value = (word & ~(u32{0xff} << shift)) | (value & 0xff) << shift;
    offset = at;
  }
  const u16 word = static_cast<u16>(value);
  switch (offset) {
    case kCommand: write_command(word); break;
    case kStatus:
      status_ &= static_cast<u16>(~(word & 0x1f));
      if (word & kInterrupt) completed_ = short_packet_ = false;
      break;
    case kInterrupts: interrupts_ = word & 0x0f; break;
    case kFrame:
      if (status_ & kHalted) frame_ = word & 0x7ff;
      break;
    case kFrameList: frame_list_ = (frame_list_ & 0xffff0000) | (word & 0xf000); break;
    case kFrameList + 2: frame_list_ = (frame_list_ & 0xffff) | u32{word} << 16; break;
    case kSofModify: sof_modify_ = word & 0x7f; break;
    case kPort:
    case kPort + 2: write_port(offset == kPort ? 0 : 1, word); break;
    default: break;
  }
  update_irq();
}

void Uhci::write_command(u16 value) {
  if (value & kHostReset) return reset_controller();
  if ((value & kGlobalReset) && !(command_ & kGlobalReset)) {
    for (unsigned n = 0; n < kPorts; ++n) {
      if (UsbDevice* device = ports_[n]->device()) device->bus_reset();
      port_[n].enabled = false;
    }
  }
  const bool was = command_ & kRun;
  command_ = value & 0xff;
  if (was != bool{(value & kRun) != 0}) run(value & kRun);
}

void Uhci::run(bool on) {
  if (on) {
    status_ &= static_cast<u16>(~kHalted);
    next_ = clock_.now() + kFrameNs;
    quiet_ = 0;
    timer_.schedule(next_);
  } else {
    frame_ = frame_number();
    status_ |= kHalted;
    timer_.cancel();
  }
}

// While frames are passed over, their number goes on.
u16 Uhci::frame_number() const {
  if (!timer_.pending() || clock_.now() >= next_) return frame_;
  const u64 left = (next_ - clock_.now() + kFrameNs - 1) / kFrameNs;
  const u64 skipped = quiet_ > kQuietFrames ? 8 : 1;
  return static_cast<u16>((frame_ + (left < skipped ? skipped - left : 0)) & 0x7ff);
}

void Uhci::go_faster() {
  if (quiet_ <= kQuietFrames || !timer_.pending()) return;
  frame_ = frame_number();
  quiet_ = 0;
  next_ = clock_.now() + kFrameNs;
  timer_.schedule(next_);
}

// ---- Frames ----

void Uhci::frame() {
  const u64 passed = quiet_ > kQuietFrames ? 8 : 1;
  frame_ = static_cast<u16>((frame_ + passed - 1) & 0x7ff);
  busy_ = false;
  bytes_ = 0;
  if (bus_master()) walk_frame();
  frame_ = (frame_ + 1) & 0x7ff;
  quiet_ = busy_ ? 0 : std::min(quiet_ + 1, kQuietFrames + 1);
  update_irq();
  if (!(command_ & kRun)) return;
  next_ += kFrameNs * (quiet_ > kQuietFrames ? 8 : 1);
  if (next_ <= clock_.now()) next_ = clock_.now() + kFrameNs;  // time was skipped
  timer_.schedule(next_);
}

// Down the frame's list: transfer descriptors of its own first, then queues, round and round while there is time and
// one of them gets on.
void Uhci::walk_frame() {
  u32 link = static_cast<u32>(memory_.read(frame_list_ + (frame_ & 0x3ff) * 4, 4));
  bool progress = false;
  std::vector<u32> seen;
  for (unsigned visits = 0; !(link & kTerminate) && visits < kMostVisits && bytes_ < kFrameBytes; ++visits) {
    const u32 at = link & ~u32{15};
    if (!(link & kQueue)) {
      u32 control = static_cast<u32>(memory_.read(at + 4, 4));
      const u32 before = control;
      if (control & kActive) execute(at, control, false);
      if (control != before) memory_.write(at + 4, 4, control);
      link = static_cast<u32>(memory_.read(at, 4));
      continue;
    }
    if (std::find(seen.begin(), seen.end(), at) != seen.end()) {
      if (!std::exchange(progress, false)) return;
      seen.clear();
    }
    seen.push_back(at);
    const u32 head = static_cast<u32>(memory_.read(at, 4));
    u32 element = static_cast<u32>(memory_.read(at + 4, 4));
    link = head;
    while (!(element & kTerminate) && visits++ < kMostVisits && bytes_ < kFrameBytes) {
      if (element & kQueue) {  // a queue in a queue
        link = element;
        break;
      }
      const u32 td = element & ~u32{15};
      u32 control = static_cast<u32>(memory_.read(td + 4, 4));
      if (!(control & kActive)) break;
      const u32 before = control;
      const After after = execute(td, control, true);
      if (control != before) memory_.write(td + 4, 4, control);
      if (after != After::kNextTd) {
        if (after == After::kEndFrame) return;
        break;
      }
      progress = true;
      const u32 next = static_cast<u32>(memory_.read(td, 4));
      memory_.write(at + 4, 4, next & ~kDepthFirst);
      if (!(next & kDepthFirst)) break;
      element = next;
    }
  }
}

UsbDevice* Uhci::find(u8 address) {
  for (unsigned n = 0; n < kPorts; ++n) {
    UsbDevice* device = ports_[n]->device();
    if (!device || !port_[n].enabled || port_[n].suspended) continue;
    if (UsbDevice* found = device->find(address)) return found;
  }
  return nullptr;
}

// The transaction of the descriptor at `address`; `control` becomes what is to be written back.
Uhci::After Uhci::execute(u32 address, u32& control, bool in_queue) {
  const u32 token = static_cast<u32>(memory_.read(address + 8, 4)),
            buffer = static_cast<u32>(memory_.read(address + 12, 4));
  const u8 pid = static_cast<u8>(token);
  const unsigned length = (bits(token, 21, 11) + 1) & 0x7ff;
  if ((pid != u8(UsbPid::kIn) && pid != u8(UsbPid::kOut) && pid != u8(UsbPid::kSetup)) || length > 1280) {
    status_ |= kProcessError;  // the controller stops, 2.1.2
    command_ &= static_cast<u16>(~kRun);
    run(false);
    return After::kEndFrame;
  }
  std::array<u8, 1280> data;
  UsbTransaction t{static_cast<UsbPid>(pid), static_cast<u8>(bits(token, 8, 7)), static_cast<u8>(bits(token, 15, 4)),
                   std::span(data).first(length)};
  if (t.pid != UsbPid::kIn) memory_.read_block(buffer, t.data);
  UsbDevice* device = find(t.address);
  const UsbStatus result = device ? device->transact(t) : UsbStatus::kTimeout;
  bytes_ += static_cast<unsigned>(t.done) + 16;
  control &= ~(u32{0x7ff} | kNak | kStalled | kBabble | kTimeoutError);
  switch (result) {
    case UsbStatus::kNak: control |= kNak | 0x7ff; return After::kNextQueue;
    case UsbStatus::kAck: break;
    case UsbStatus::kTimeout: {
      const u32 left = static_cast<u32>(bits(control, 27, 2));
      control |= kTimeoutError | 0x7ff;
      if (left > 1) {
        control -= 1u << 27;
        return After::kNextQueue;
      }
      control = (control & ~(u32{3} << 27 | kActive)) | (left ? kStalled : 0);
      status_ |= kErrorInterrupt;
      busy_ = true;
      if (control & kOnCompletion) status_ |= kInterrupt, completed_ = true;
      return After::kNextQueue;
    }
    default:
      control = (control & ~kActive) | kStalled | (result == UsbStatus::kBabble ? kBabble : 0) | 0x7ff;
      status_ |= kErrorInterrupt;
      busy_ = true;
      if (control & kOnCompletion) status_ |= kInterrupt, completed_ = true;
      return After::kNextQueue;
  }
  if (t.pid == UsbPid::kIn) memory_.write_block(buffer, t.data.first(t.done));
  busy_ = true;
  control = (control & ~kActive) | ((static_cast<u32>(t.done) - 1) & 0x7ff);
  if (control & kOnCompletion) status_ |= kInterrupt, completed_ = true;
  if (t.pid == UsbPid::kIn && in_queue && t.done < length && (control & kShortDetect)) {
    status_ |= kInterrupt;
    short_packet_ = true;
    return After::kNextQueue;  // and the queue stays at this descriptor
  }
  return After::kNextTd;
}

namespace {

Result<std::unique_ptr<Device>> make(Board& board, const Properties&) {
  auto uhci = std::make_unique<Uhci>(board.clock(), board.memory());
  board.add_usb_bus(uhci->bus());
  return std::unique_ptr<Device>(std::move(uhci));
}

}  // namespace

extern const DeviceType kPiix3UsbUhciType = {"piix3-usb-uhci",
                                             "PCI",
                                             DeviceType::Category::kUsb,
                                             "the USB 1.1 host controller of the PIIX3, with two ports",
                                             {},
                                             make,
                                             "usb-bus"};

}  // namespace xlat
