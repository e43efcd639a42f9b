// The control pipe.
#include "devices/usb/usb_device.h"

#include <algorithm>

namespace xlat {

namespace {
// Standard requests (table 9-4).
enum : u8 {
  kGetStatus = 0,
  kClearFeature = 1,
  kSetFeature = 3,
  kSetAddress = 5,
  kGetDescriptor = 6,
  kGetConfiguration = 8,
  kSetConfiguration = 9,
  kGetInterface = 10,
  kSetInterface = 11,
};
constexpr std::size_t kMostData = 4096;
}  // namespace

// A hub may go before what is plugged into it.
UsbPort::~UsbPort() {
  if (device_) device_->port_ = nullptr;
}

void UsbPort::plug(UsbDevice& device) {
  device_ = &device;
  device.port_ = this;
  if (attached_) attached_();
}

void UsbPort::unplug() {
  if (device_) device_->port_ = nullptr;
  device_ = nullptr;
  if (attached_) attached_();
}

UsbDevice::~UsbDevice() {
  if (port_) port_->unplug();
}

std::vector<u8> usb_device_descriptor(u16 vendor, u16 product, u8 device_class, u8 packet, u16 release) {
  const auto low = [](u16 v) { return static_cast<u8>(v); };
  const auto high = [](u16 v) { return static_cast<u8>(v >> 8); };
  return {18,
          1,
          0x10,
          0x01,
          device_class,
          0,
          0,
          packet,
          low(vendor),
          high(vendor),
          low(product),
          high(product),
          low(release),
          high(release),
          1,
          2,
          3,
          1};
}

void UsbDevice::bus_reset() {
  answers_ = true;
  address_ = configuration_ = 0;
  halted_ = 0;
  remote_wakeup_ = false;
  stage_ = Stage::kIdle;
  data_.clear();
  at_ = 0;
  reset_function();
  configured();
}

void UsbDevice::reset() {
  bus_reset();
  answers_ = false;
}

void UsbDevice::serialize(Archive& ar) {
  ar.section(name_, 1);
  ar(answers_)(address_)(configuration_)(halted_)(remote_wakeup_);
  ar.range(stage_, Stage::kIdle, Stage::kLast);
  ar(setup_.type)(setup_.request)(setup_.value)(setup_.index)(setup_.length);
  ar.blob(data_, kMostData);
  ar(at_);
  if (ar.loading() && at_ > data_.size()) at_ = static_cast<u16>(data_.size());
  serialize_function(ar);
  if (ar.loading()) configured();
}

bool UsbDevice::descriptor(std::vector<u8>& data) {
  const u8 kind = static_cast<u8>(setup_.value >> 8), number = static_cast<u8>(setup_.value);
  switch (kind) {
    case 1: data = description_.device; return true;
    case 2: data = description_.configuration; return number == 0;
    case 3:
      if (number == 0) {
        data = {4, 3, 0x09, 0x04};  // English
        return true;
      }
      if (number > description_.strings.size()) return false;
      data = {static_cast<u8>(2 + 2 * description_.strings[number - 1].size()), 3};
      for (const char c : description_.strings[number - 1]) data.insert(data.end(), {static_cast<u8>(c), 0});
      return true;
    default: return request(setup_, data);
  }
}

// What setup_ asks for. SET_ADDRESS takes effect now, which is after its status stage has begun.
bool UsbDevice::perform(std::vector<u8>& data) {
  if (setup_.type & 0x60) return request(setup_, data);
  const u8 recipient = setup_.type & 0x1f;
  switch (setup_.request) {
    case kGetStatus:
      data = {static_cast<u8>(recipient == 0   ? 1 | (remote_wakeup_ ? 2 : 0)
                              : recipient == 2 ? halted(static_cast<u8>(setup_.index))
                                               : 0),
              0};
      return true;
    case kClearFeature:
    case kSetFeature: {
      const bool set = setup_.request == kSetFeature;
      if (recipient == 0 && setup_.value == 1) {
        remote_wakeup_ = set;
        return true;
      }
      if (recipient != 2 || setup_.value != 0) return false;
      const u32 bit = endpoint_bit(static_cast<u8>(setup_.index));
      halted_ = set ? halted_ | bit : halted_ & ~bit;
      return true;
    }
    case kSetAddress: address_ = setup_.value & 0x7f; return true;
    case kGetDescriptor: return descriptor(data);
    case kGetConfiguration: data = {configuration_}; return true;
    case kSetConfiguration:
      if (setup_.value > 1) return false;
      configuration_ = static_cast<u8>(setup_.value);
      halted_ = 0;
      configured();
      return true;
    case kGetInterface: data = {0}; return true;
    case kSetInterface: return setup_.value == 0;
    default: return false;
  }
}

UsbStatus UsbDevice::control(UsbTransaction& t) {
  if (t.pid == UsbPid::kSetup) {
    if (t.data.size() != 8) return UsbStatus::kStall;
    const auto word = [&t](unsigned n) { return static_cast<u16>(t.data[n] | t.data[n + 1] << 8); };
    setup_ = {t.data[0], t.data[1], word(2), word(4), word(6)};
    t.done = 8;
    data_.clear();
    at_ = 0;
    if (setup_.in()) {
      const bool good = perform(data_);
      if (data_.size() > setup_.length) data_.resize(setup_.length);
      stage_ = good ? Stage::kDataIn : Stage::kStalled;
    } else {
      stage_ = setup_.length ? Stage::kDataOut : Stage::kStatusIn;
      if (setup_.length > kMostData) stage_ = Stage::kStalled;
    }
    return UsbStatus::kAck;  // SETUP is never refused
  }
  switch (stage_) {
    case Stage::kDataIn:
      if (t.pid == UsbPid::kOut) {
        stage_ = Stage::kIdle;
        return UsbStatus::kAck;
      }
      t.done = std::min<std::size_t>(t.data.size(), data_.size() - at_);
      std::copy_n(data_.begin() + at_, t.done, t.data.begin());
      at_ = static_cast<u16>(at_ + t.done);
      return UsbStatus::kAck;
    case Stage::kDataOut:
      if (t.pid == UsbPid::kIn) break;
      t.done = std::min<std::size_t>(t.data.size(), setup_.length - data_.size());
      data_.insert(data_.end(), t.data.begin(), t.data.begin() + static_cast<std::ptrdiff_t>(t.done));
      if (data_.size() == setup_.length) stage_ = Stage::kStatusIn;
      return UsbStatus::kAck;
    case Stage::kStatusIn:
      if (t.pid == UsbPid::kOut) break;
      stage_ = Stage::kIdle;
      if (perform(data_)) return UsbStatus::kAck;
      stage_ = Stage::kStalled;
      return UsbStatus::kStall;
    default: break;
  }
  stage_ = Stage::kStalled;
  return UsbStatus::kStall;
}

UsbStatus UsbDevice::transact(UsbTransaction& t) {
  if (t.endpoint == 0) return control(t);
  if (t.pid == UsbPid::kSetup || !is_configured()) return UsbStatus::kStall;
  const u8 endpoint = static_cast<u8>(t.endpoint | (t.pid == UsbPid::kIn ? 0x80 : 0));
  if (halted(endpoint)) return UsbStatus::kStall;
  if (t.pid == UsbPid::kIn) return in(t.endpoint, t.data, t.done);
  const UsbStatus status = out(t.endpoint, t.data);
  if (status == UsbStatus::kAck) t.done = t.data.size();
  return status;
}

}  // namespace xlat
