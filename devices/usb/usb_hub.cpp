// The hub's requests and its status change endpoint.
#include "devices/usb/usb_hub.h"

#include "devices/registry.h"

namespace xlat {

namespace {

// wPortStatus and, but for power and speed, wPortChange (tables 11-15 and 11-16).
constexpr u16 kConnection = 0x01, kEnable = 0x02, kSuspend = 0x04, kReset = 0x10, kPower = 0x100, kLowSpeed = 0x200;
// Requests and features (tables 11-10 and 11-12).
enum : u8 { kGetStatus = 0, kClearFeature = 1, kSetFeature = 3, kGetDescriptor = 6 };
enum : u8 {
  kPortEnable = 1,
  kPortSuspend = 2,
  kPortReset = 4,
  kPortPower = 8,
  kPortConnectionChange = 16,
  kPortResetChange = 20
};

UsbDescription describe() {
  UsbDescription d;
  d.device = usb_device_descriptor(0x0409, 0x55aa, 9, 8);
  d.configuration = {9, 2, 25, 0, 1, 1, 0, 0xe0, 0,  // self-powered
                     9, 4, 0,  0, 1, 9, 0, 0,    0, 7, 5, 0x81, 3, 2, 0, 0xff};
  d.strings = {"xlat", "USB hub", "1"};
  return d;
}

}  // namespace

UsbHub::UsbHub(UsbBus& bus, const std::string& path) : UsbDevice("usb-hub", describe(), false), bus_(bus) {
  for (unsigned n = 0; n < kPorts; ++n) {
    ports_[n] = std::make_unique<UsbPort>(
        path + "." + std::to_string(n + 1), [this, n] { attached(n); }, [this] { wake(); });
    bus_.add(*ports_[n]);
  }
}

UsbHub::~UsbHub() {
  for (auto& port : ports_) bus_.remove(*port);
}

UsbDevice* UsbHub::find(u8 address) {
  if (UsbDevice* self = UsbDevice::find(address)) return self;
  if (!is_configured()) return nullptr;
  for (unsigned n = 0; n < kPorts; ++n) {
    UsbDevice* device = ports_[n]->device();
    if (!device || !(port_[n].status & kEnable) || (port_[n].status & kSuspend)) continue;
    if (UsbDevice* found = device->find(address)) return found;
  }
  return nullptr;
}

void UsbHub::attached(unsigned n) {
  const UsbDevice* device = ports_[n]->device();
  Port& p = port_[n];
  p.status = static_cast<u16>((p.status & kPower) | (device ? kConnection : 0) |
                              (device && device->low_speed() ? kLowSpeed : 0));
  p.change |= kConnection;
  wake();
}

void UsbHub::reset_function() {
  for (unsigned n = 0; n < kPorts; ++n) {
    UsbDevice* device = ports_[n]->device();
    if (device) device->silence();
    port_[n] = {};
    if (device) port_[n] = {static_cast<u16>(kConnection | (device->low_speed() ? kLowSpeed : 0)), kConnection};
  }
}

void UsbHub::serialize_function(Archive& ar) {
  for (Port& p : port_) ar(p.status)(p.change);
}

bool UsbHub::port_feature(const UsbSetup& setup) {
  const unsigned n = (setup.index & 0xff) - 1u;
  if (n >= kPorts) return false;
  Port& p = port_[n];
  UsbDevice* device = ports_[n]->device();
  const bool set = setup.request == kSetFeature;
  switch (setup.value) {
    case kPortEnable:
      if (!set) p.status &= static_cast<u16>(~kEnable);
      return true;
    case kPortSuspend: p.status = static_cast<u16>(set ? p.status | kSuspend : p.status & ~kSuspend); return true;
    case kPortReset:
      if (!set || !device) return true;
      device->bus_reset();
      p.status = static_cast<u16>((p.status | kEnable) & ~(kReset | kSuspend));
      p.change |= kReset;
      return true;
    case kPortPower: p.status = static_cast<u16>(set ? p.status | kPower : p.status & ~kPower); return true;
    default:
      if (set || setup.value < kPortConnectionChange || setup.value > kPortResetChange) return false;
      p.change &= static_cast<u16>(~(1u << (setup.value - kPortConnectionChange)));
      return true;
  }
}

bool UsbHub::request(const UsbSetup& setup, std::vector<u8>& data) {
  const bool port = (setup.type & 0x1f) == 3;
  switch (setup.request) {
    case kGetStatus: {
      data = {0, 0, 0, 0};
      if (!port) return true;
      const unsigned n = (setup.index & 0xff) - 1u;
      if (n >= kPorts) return false;
      const Port& p = port_[n];
      data = {static_cast<u8>(p.status), static_cast<u8>(p.status >> 8), static_cast<u8>(p.change),
              static_cast<u8>(p.change >> 8)};
      return true;
    }
    case kClearFeature:
    case kSetFeature: return port ? port_feature(setup) : true;  // the hub's own: power and over-current, always well
    case kGetDescriptor:
      // Individual port power, 2 ms until it is good; every device can be taken out.
      if (setup.value >> 8 != 0x29) return false;
      data = {11, 0x29, kPorts, 0x0a, 0x00, 1, 0, 0x00, 0x00, 0xff, 0xff};
      return true;
    default: return false;
  }
}

UsbStatus UsbHub::in(u8 endpoint, std::span<u8> data, std::size_t& done) {
  if (endpoint != 1) return UsbStatus::kStall;
  unsigned changed = 0;
  for (unsigned n = 0; n < kPorts; ++n) changed |= port_[n].change ? 2u << n : 0;
  if (changed == 0) return UsbStatus::kNak;
  done = std::min<std::size_t>(data.size(), 2);
  for (std::size_t n = 0; n < done; ++n) data[n] = static_cast<u8>(changed >> (8 * n));
  return UsbStatus::kAck;
}

namespace {

constexpr Property kProperties[] = {
    text("port", "", "where it is plugged in: 1, or 1.3 behind a hub; the first free port if not given"),
};

Result<std::unique_ptr<Device>> make(Board& board, const Properties& values) {
  auto port = board.usb_port(values.text("port"));
  if (!port) return port.error();
  auto hub = std::make_unique<UsbHub>(board.usb_bus(), (*port)->path());
  (*port)->plug(*hub);
  return std::unique_ptr<Device>(std::move(hub));
}

}  // namespace

extern const DeviceType kUsbHubType = {"usb-hub",   "usb-bus", DeviceType::Category::kUsb, "a USB hub with eight ports",
                                       kProperties, make};

}  // namespace xlat
