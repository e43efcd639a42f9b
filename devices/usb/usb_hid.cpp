// Reports and descriptors.
#include "devices/usb/usb_hid.h"

#include <algorithm>

#include "base/clock.h"
#include "devices/registry.h"

namespace xlat {

namespace {

constexpr u16 kVendor = 0x0627;  // as QEMU's devices

// Report descriptors (HID 1.11, 6.2.2); the keyboard's is that of appendix B.1.
constexpr u8 kKeyboardReport[] = {0x05, 0x01, 0x09, 0x06, 0xa1, 0x01,  // keyboard
                                  0x05, 0x07, 0x19, 0xe0, 0x29, 0xe7, 0x15, 0x00, 0x25, 0x01, 0x75, 0x01,
                                  0x95, 0x08,                                      // eight modifiers
                                  0x81, 0x02, 0x95, 0x01, 0x75, 0x08, 0x81, 0x01,  // a byte of nothing
                                  0x95, 0x05, 0x75, 0x01, 0x05, 0x08, 0x19, 0x01, 0x29, 0x05, 0x91, 0x02,  // five LEDs
                                  0x95, 0x01, 0x75, 0x03, 0x91, 0x01, 0x95, 0x06, 0x75, 0x08, 0x15, 0x00,
                                  0x26, 0xff, 0x00, 0x05, 0x07, 0x19, 0x00, 0x2a, 0xff, 0x00, 0x81, 0x00,  // six keys
                                  0xc0};
constexpr u8 kMouseReport[] = {
    0x05, 0x01, 0x09, 0x02, 0xa1, 0x01, 0x09, 0x01, 0xa1, 0x00,                          // mouse
    0x05, 0x09, 0x19, 0x01, 0x29, 0x05, 0x15, 0x00, 0x25, 0x01, 0x95, 0x05, 0x75, 0x01,  // five buttons
    0x81, 0x02, 0x95, 0x01, 0x75, 0x03, 0x81, 0x01, 0x05, 0x01, 0x09, 0x30, 0x09, 0x31,
    0x09, 0x38, 0x15, 0x81, 0x25, 0x7f, 0x75, 0x08, 0x95, 0x03, 0x81, 0x06,  // x, y, wheel
    0xc0, 0xc0};
constexpr u8 kTabletReport[] = {0x05, 0x01, 0x09, 0x02, 0xa1, 0x01, 0x09, 0x01, 0xa1, 0x00, 0x05, 0x09, 0x19,
                                0x01, 0x29, 0x05, 0x15, 0x00, 0x25, 0x01, 0x95, 0x05, 0x75, 0x01, 0x81, 0x02,
                                0x95, 0x01, 0x75, 0x03, 0x81, 0x01, 0x05, 0x01, 0x09, 0x30, 0x09, 0x31, 0x15,
                                0x00, 0x26, 0xff, 0x7f, 0x35, 0x00, 0x46, 0xff, 0x7f,  // x, y to 32767
                                0x75, 0x10, 0x95, 0x02, 0x81, 0x02, 0x09, 0x38, 0x15, 0x81, 0x25, 0x7f, 0x35,
                                0x00, 0x45, 0x00, 0x75, 0x08, 0x95, 0x01, 0x81, 0x06,  // wheel
                                0xc0, 0xc0};

// Requests of the class (7.2).
enum : u8 { kGetReport = 1, kGetIdle = 2, kGetProtocol = 3, kSetReport = 9, kSetIdle = 10, kSetProtocol = 11 };

std::vector<u8> hid_descriptor(std::size_t report_bytes) {
  return {9, 0x21, 0x11, 0x01, 0, 1, 0x22, static_cast<u8>(report_bytes), static_cast<u8>(report_bytes >> 8)};
}

UsbDescription describe(u16 product, const std::string& shown, u8 boot_protocol, std::size_t report_descriptor,
                        u8 report, u8 interval) {
  UsbDescription d;
  d.device = usb_device_descriptor(kVendor, product, 0, 8);
  d.configuration = {9,
                     2,
                     34,
                     0,
                     1,
                     1,
                     0,
                     0xa0,
                     50,  // remote wakeup, 100 mA
                     9,
                     4,
                     0,
                     0,
                     1,
                     3,
                     static_cast<u8>(boot_protocol != 0),
                     boot_protocol,
                     0};
  const auto hid = hid_descriptor(report_descriptor);
  d.configuration.insert(d.configuration.end(), hid.begin(), hid.end());
  d.configuration.insert(d.configuration.end(), {7, 5, 0x81, 3, report, 0, interval});
  d.strings = {"xlat", shown, "1"};
  return d;
}

}  // namespace

UsbHid::UsbHid(std::string name, u16 product, const std::string& shown, u8 boot_protocol,
               std::span<const u8> report_descriptor, u8 report_bytes, u8 interval, Clock& clock)
    : UsbDevice(std::move(name),
                describe(product, shown, boot_protocol, report_descriptor.size(), report_bytes, interval), false),
      report_descriptor_(report_descriptor),
      clock_(clock) {}

void UsbHid::reset_function() {
  protocol_ = 1;
  idle_ = 0;
  last_report_ = 0;
}

void UsbHid::serialize_function(Archive& ar) { ar(protocol_)(idle_)(last_report_); }

bool UsbHid::request(const UsbSetup& setup, std::vector<u8>& data) {
  if ((setup.type & 0x60) == 0) {  // a descriptor of the class
    if (setup.value >> 8 == 0x22) data.assign(report_descriptor_.begin(), report_descriptor_.end());
    if (setup.value >> 8 == 0x21) data = hid_descriptor(report_descriptor_.size());
    return !data.empty();
  }
  switch (setup.request) {
    case kGetReport: data = current_report(); return true;
    case kSetReport: set_report(data); return true;
    case kGetIdle: data = {idle_}; return true;
    case kSetIdle: idle_ = static_cast<u8>(setup.value >> 8); return true;
    case kGetProtocol: data = {protocol_}; return true;
    case kSetProtocol: protocol_ = setup.value & 1; return true;
    default: return false;
  }
}

UsbStatus UsbHid::in(u8 endpoint, std::span<u8> data, std::size_t& done) {
  if (endpoint != 1) return UsbStatus::kStall;
  std::vector<u8> report;
  const bool due = idle_ != 0 && clock_.now() >= last_report_ + idle_ * u64{4'000'000};
  if (!next_report(report)) {
    if (!due) return UsbStatus::kNak;
    report = current_report();
  }
  last_report_ = clock_.now();
  done = std::min(data.size(), report.size());
  std::copy_n(report.begin(), done, data.begin());
  return report.size() > data.size() ? UsbStatus::kBabble : UsbStatus::kAck;
}

// ---- Keyboard ----

namespace {
u8 usage_of(KeyCode key) {
  switch (key) {
#define XLAT_USAGE(code, usage) \
  case KeyCode::code:           \
    return usage;
#include "devices/usb/hid_usages.inc"
#undef XLAT_USAGE
    default: return 0;
  }
}
}  // namespace

UsbKeyboard::UsbKeyboard(Clock& clock, InputHub& hub)
    : UsbHid("usb-kbd", 0x0001, "USB keyboard", 1, kKeyboardReport, 8, 10, clock), hub_(hub) {
  hub_.add(static_cast<KeyboardInput&>(*this));
}

UsbKeyboard::~UsbKeyboard() { hub_.remove(static_cast<KeyboardInput&>(*this)); }

void UsbKeyboard::reset_function() {
  UsbHid::reset_function();
  waiting_.clear();
  pressed_.clear();
  modifiers_ = leds_ = 0;
}

void UsbKeyboard::key(KeyCode key, bool down) {
  const u8 usage = usage_of(key);
  if (usage == 0 || !is_configured() || waiting_.size() >= kMostWaiting) return;
  waiting_.push_back(static_cast<u16>(usage | down << 8));
  wake();
}

void UsbKeyboard::apply(u8 usage, bool down) {
  if (usage >= 0xe0) {
    const u8 bit = static_cast<u8>(1 << (usage & 7));
    modifiers_ = static_cast<u8>(down ? modifiers_ | bit : modifiers_ & ~bit);
  } else {
    std::erase(pressed_, usage);
    if (down) pressed_.push_back(usage);
  }
}

// A report an event, lest a key that is pressed and released between two looks is lost.
bool UsbKeyboard::next_report(std::vector<u8>& report) {
  if (waiting_.empty()) return false;
  apply(static_cast<u8>(waiting_.front()), waiting_.front() >> 8);
  waiting_.pop_front();
  report = current_report();
  return true;
}

std::vector<u8> UsbKeyboard::current_report() const {
  std::vector<u8> report(8, pressed_.size() > 6 ? 1 : 0);  // ErrorRollOver
  report[0] = modifiers_;
  report[1] = 0;
  if (pressed_.size() <= 6) std::copy(pressed_.begin(), pressed_.end(), report.begin() + 2);
  return report;
}

void UsbKeyboard::serialize_function(Archive& ar) {
  UsbHid::serialize_function(ar);
  std::vector<u8> bytes;
  for (const u16 event : waiting_) bytes.insert(bytes.end(), {static_cast<u8>(event), static_cast<u8>(event >> 8)});
  ar.blob(bytes, 2 * kMostWaiting);
  ar.blob(pressed_, 256);
  ar(modifiers_)(leds_);
  if (!ar.loading()) return;
  waiting_.clear();
  for (std::size_t n = 0; n + 1 < bytes.size(); n += 2) {
    waiting_.push_back(static_cast<u16>(bytes[n] | (bytes[n + 1] & 1) << 8));
  }
}

// ---- Mouse ----

UsbMouse::UsbMouse(Clock& clock, InputHub& hub)
    : UsbHid("usb-mouse", 0x0002, "USB mouse", 2, kMouseReport, 4, 10, clock), hub_(hub) {
  hub_.add(static_cast<RelativePointer&>(*this));
}

UsbMouse::~UsbMouse() { hub_.remove(static_cast<RelativePointer&>(*this)); }

void UsbMouse::reset_function() {
  UsbHid::reset_function();
  dx_ = dy_ = dz_ = 0;
  buttons_ = 0;
  changed_ = false;
}

void UsbMouse::move(i32 dx, i32 dy, i32 dz, u8 buttons) {
  constexpr i32 kMost = 1 << 16;
  dx_ = std::clamp(dx_ + std::clamp(dx, -kMost, kMost), -kMost, kMost);
  dy_ = std::clamp(dy_ + std::clamp(dy, -kMost, kMost), -kMost, kMost);
  dz_ = std::clamp(dz_ + std::clamp(dz, -kMost, kMost), -kMost, kMost);
  buttons_ = buttons & 0x1f;
  changed_ = true;
  wake();
}

bool UsbMouse::next_report(std::vector<u8>& report) {
  if (!changed_) return false;
  const auto take = [](i32& left) {
    const i32 part = std::clamp(left, -127, 127);
    left -= part;
    return static_cast<u8>(part);
  };
  i32 away = -dz_;  // HID counts a wheel that is turned away from the user as positive
  const u8 x = take(dx_), y = take(dy_), z = take(away);
  dz_ = -away;
  report = {buttons_, x, y, z};
  if (protocol_ == 0) report.resize(3);
  changed_ = dx_ || dy_ || dz_;
  return true;
}

std::vector<u8> UsbMouse::current_report() const {
  return protocol_ == 0 ? std::vector<u8>{buttons_, 0, 0} : std::vector<u8>{buttons_, 0, 0, 0};
}

void UsbMouse::serialize_function(Archive& ar) {
  UsbHid::serialize_function(ar);
  for (i32* value : {&dx_, &dy_, &dz_}) ar.range(*value, -(1 << 16), 1 << 16);
  ar(buttons_)(changed_);
}

// ---- Tablet ----

UsbTablet::UsbTablet(Clock& clock, InputHub& hub)
    : UsbHid("usb-tablet", 0x0003, "USB tablet", 0, kTabletReport, 6, 4, clock), hub_(hub) {
  hub_.add(static_cast<AbsolutePointer&>(*this));
}

UsbTablet::~UsbTablet() { hub_.remove(static_cast<AbsolutePointer&>(*this)); }

void UsbTablet::reset_function() {
  UsbHid::reset_function();
  waiting_.clear();
  now_ = {};
}

// Positions between two looks may be passed over, clicks and turns of the wheel not.
void UsbTablet::move(u16 x, u16 y, i32 wheel, u8 buttons) {
  const Point point{x, y, static_cast<i8>(std::clamp(-wheel, -127, 127)), static_cast<u8>(buttons & 0x1f)};
  if (!waiting_.empty() && waiting_.back().buttons == point.buttons && waiting_.back().wheel == 0) waiting_.pop_back();
  if (waiting_.size() >= kMostWaiting) return;
  waiting_.push_back(point);
  wake();
}

bool UsbTablet::next_report(std::vector<u8>& report) {
  if (waiting_.empty()) return false;
  now_ = waiting_.front();
  waiting_.pop_front();
  report = current_report();
  now_.wheel = 0;
  return true;
}

std::vector<u8> UsbTablet::current_report() const {
  return {now_.buttons,
          static_cast<u8>(now_.x),
          static_cast<u8>(now_.x >> 8),
          static_cast<u8>(now_.y),
          static_cast<u8>(now_.y >> 8),
          static_cast<u8>(now_.wheel)};
}

void UsbTablet::serialize_function(Archive& ar) {
  UsbHid::serialize_function(ar);
  u8 count = static_cast<u8>(waiting_.size());
  ar.range(count, u8{0}, static_cast<u8>(kMostWaiting));
  waiting_.resize(count);
  for (Point& p : waiting_) ar(p.x)(p.y)(p.wheel)(p.buttons);
  ar(now_.x)(now_.y)(now_.wheel)(now_.buttons);
}

namespace {

constexpr Property kProperties[] = {
    text("port", "", "where it is plugged in: 1, or 1.3 behind a hub; the first free port if not given"),
};

template <class Hid>
Result<std::unique_ptr<Device>> make(Board& board, const Properties& values) {
  auto port = board.usb_port(values.text("port"));
  if (!port) return port.error();
  auto device = std::make_unique<Hid>(board.clock(), board.input());
  (*port)->plug(*device);
  return std::unique_ptr<Device>(std::move(device));
}

}  // namespace

extern const DeviceType kUsbKbdType = {"usb-kbd",        "usb-bus",   DeviceType::Category::kInput,
                                       "a USB keyboard", kProperties, make<UsbKeyboard>};
extern const DeviceType kUsbMouseType = {"usb-mouse",   "usb-bus",   DeviceType::Category::kInput,
                                         "a USB mouse", kProperties, make<UsbMouse>};
extern const DeviceType kUsbTabletType = {
    "usb-tablet", "usb-bus",      DeviceType::Category::kInput, "a USB tablet: the pointer is where the host's is",
    kProperties,  make<UsbTablet>};

}  // namespace xlat
