// Command wrappers and the data between them.
#include "devices/usb/usb_storage.h"

#include <algorithm>

#include "base/bits.h"
#include "devices/block/write_cache.h"
#include "devices/registry.h"

namespace xlat {

namespace {

constexpr u32 kCommandSignature = 0x43425355, kStatusSignature = 0x53425355;  // USBC, USBS
constexpr std::size_t kWrapper = 31;
// bCSWStatus.
constexpr u8 kPassed = 0, kFailed = 1, kPhaseError = 2;

UsbDescription describe(const std::string& serial) {
  UsbDescription d;
  d.device = usb_device_descriptor(0x46f4, 0x0001, 0, 8, 0);
  d.configuration = {9, 2, 32,   0, 1,  1, 0, 0xc0, 0, 9,    4, 0,  0, 2,
                     8, 6, 0x50, 0,  // mass storage, SCSI, bulk-only
                     7, 5, 0x81, 2, 64, 0, 0, 7,    5, 0x02, 2, 64, 0, 0};
  d.strings = {"xlat", "USB disk", serial};
  return d;
}

}  // namespace

UsbStorage::UsbStorage(Clock& clock, std::unique_ptr<BlockImage> image, bool is_removable, std::string serial,
                       DiskSetup setup)
    : UsbDevice("usb-storage", describe(serial), false),
      disk_(clock, "usb-disk", std::move(image), is_removable,
            {.product = "USB DISK", .serial = serial, .device_id = serial, .parallel = false}, std::move(setup)) {
  disk_.on_medium_done([this] { disk_.step(task_); });
}

void UsbStorage::reset_function() {
  phase_ = Phase::kCommand;
  tag_ = left_ = 0;
  task_ = {};
  // Its power was not off, and the host knows who resets.
  disk_.reset_settings(scsi::kNoSense);
}

void UsbStorage::serialize_function(Archive& ar) {
  disk_.serialize(ar);
  task_.serialize(ar);
  ar.range(phase_, Phase::kCommand, Phase::kLast);
  ar(tag_)(left_);
}

bool UsbStorage::request(const UsbSetup& setup, std::vector<u8>& data) {
  if (setup.type == 0xa1 && setup.request == 0xfe) {  // GET_MAX_LUN
    data = {0};
    return true;
  }
  if (setup.type != 0x21 || setup.request != 0xff) return false;
  phase_ = Phase::kCommand;  // bulk-only mass storage reset
  task_ = {};
  return true;
}

bool UsbStorage::take_command(std::span<const u8> w) {
  if (w.size() != kWrapper || load_le<u32>(w.data()) != kCommandSignature || (w[13] & 15) || w[14] == 0 || w[14] > 16) {
    return false;
  }
  tag_ = load_le<u32>(&w[4]);
  left_ = load_le<u32>(&w[8]);
  const bool to_host = w[12] & 0x80;
  disk_.begin(task_, w.subspan(15, 16));
  work();  // the medium need not wait for the host's next packet
  phase_ = left_ == 0 ? Phase::kStatus : to_host ? Phase::kDataIn : Phase::kDataOut;
  return true;
}

// False: the disk is not that far, and the host is to ask again.
bool UsbStorage::work() {
  while (task_.phase() == ScsiTask::Phase::kWaits) {
    if (task_.at_medium() || !disk_.step(task_)) return false;
  }
  return true;
}

UsbStatus UsbStorage::send_status(std::span<u8> data, std::size_t& done) {
  if (!work()) return UsbStatus::kNak;
  u8 wrapper[13];
  store_le<u32>(wrapper, kStatusSignature);
  store_le<u32>(wrapper + 4, tag_);
  store_le<u32>(wrapper + 8, left_);
  // A command that wants more data than the host sent cannot have gone well (6.7.3).
  wrapper[12] = task_.phase() == ScsiTask::Phase::kDataOut ? kPhaseError
                : task_.status() == ScsiStatus::kGood      ? kPassed
                                                           : kFailed;
  done = std::min<std::size_t>(data.size(), sizeof wrapper);
  std::copy_n(wrapper, done, data.begin());
  task_ = {};
  phase_ = Phase::kCommand;
  return UsbStatus::kAck;
}

UsbStatus UsbStorage::in(u8 endpoint, std::span<u8> data, std::size_t& done) {
  if (endpoint != 1) return UsbStatus::kStall;
  if (phase_ == Phase::kStatus) return send_status(data, done);
  if (phase_ != Phase::kDataIn || !work()) return UsbStatus::kNak;
  done = std::min<std::size_t>(data.size(), left_);
  std::span<u8> to = data.first(done);
  while (!to.empty() && task_.phase() == ScsiTask::Phase::kDataIn) {
    const std::span<const u8> there = task_.bytes();
    const std::size_t bytes = std::min(to.size(), there.size());
    std::copy_n(there.begin(), bytes, to.begin());
    task_.moved(bytes);
    to = to.subspan(bytes);
    // What comes next is a packet's beginning: pieces of the disk's are multiples of one.
  }
  std::fill(to.begin(), to.end(), u8{0});
  left_ -= static_cast<u32>(done);
  if (left_ == 0) phase_ = Phase::kStatus;
  return UsbStatus::kAck;
}

UsbStatus UsbStorage::out(u8 endpoint, std::span<const u8> data) {
  if (endpoint != 2) return UsbStatus::kStall;
  if (phase_ == Phase::kCommand) {
    if (take_command(data)) return UsbStatus::kAck;
    halt(2), halt(0x81);  // until the host resets it, 6.6.1
    return UsbStatus::kStall;
  }
  if (phase_ != Phase::kDataOut) return UsbStatus::kStall;
  // What was sent before is written first; a packet that comes too early comes again.
  if (!work()) return UsbStatus::kNak;
  std::span<const u8> from = data.first(std::min<std::size_t>(data.size(), left_));
  left_ -= static_cast<u32>(from.size());
  while (!from.empty() && task_.phase() == ScsiTask::Phase::kDataOut) {
    const std::span<u8> room = task_.room();
    const std::size_t bytes = std::min(from.size(), room.size());
    std::copy_n(from.begin(), bytes, room.begin());
    task_.moved(bytes);
    from = from.subspan(bytes);
  }
  work();
  if (left_ == 0) phase_ = Phase::kStatus;
  return UsbStatus::kAck;
}

namespace {

constexpr Property kProperties[] = {
    back_end("drive", Property::Kind::kDrive, "the id of a -drive if=none"),
    on_off("removable", "off", "whether the medium can be changed"),
    text("serial", "", "serial number, at most 20 characters"),
    kBootIndex,
    kWriteCache,
    text("port", "", "where it is plugged in: 1, or 1.3 behind a hub; the first free port if not given"),
};

Result<std::unique_ptr<Device>> make(Board& board, const Properties& values) {
  const bool removable = values.on("removable");
  if (!values.given("drive") && !removable) return error("no drive specified; give drive=ID");
  const std::string serial = values.text("serial");
  if (serial.size() > 20) return error("serial={}: at most 20 characters", serial);
  auto port = board.usb_port(values.text("port"));
  if (!port) return port.error();
  auto backend = board.drive(values.text("drive"), "usb" + (*port)->path(), Medium::kHardDisk);
  if (!backend) return backend.error();
  if (!backend->image && !removable) return error("drive={} has no file=", values.text("drive"));
  if (Status s = set_write_cache(values, backend->setup.policy); !s) return s.error();
  const std::string number = !serial.empty() ? serial : backend->serial.empty() ? "1-0000:00:01.2-1" : backend->serial;
  auto disk = std::make_unique<UsbStorage>(board.clock(), std::move(backend->image), removable, number,
                                           std::move(backend->setup));
  board.sit_on("", (*port)->path());
  board.add_drive(backend->name, disk->disk());
  (*port)->plug(*disk);
  return std::unique_ptr<Device>(std::move(disk));
}

}  // namespace

extern const DeviceType kUsbStorageType = {"usb-storage", "usb-bus",   DeviceType::Category::kStorage,
                                           "a USB disk",  kProperties, make};

}  // namespace xlat
