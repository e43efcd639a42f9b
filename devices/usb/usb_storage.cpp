// Command wrappers, SCSI commands, transfers.
#include "devices/usb/usb_storage.h"

#include <algorithm>

#include "base/bits.h"
#include "devices/registry.h"

namespace xlat {

namespace {

constexpr u32 kBlock = 512, kChunkBlocks = 64;
constexpr u32 kCommandSignature = 0x43425355, kStatusSignature = 0x53425355;  // USBC, USBS
constexpr std::size_t kWrapper = 31;

// Sense keys and codes (SPC-2, 7.23).
constexpr u8 kNotReady = 0x02, kMediumError = 0x03, kIllegalRequest = 0x05, kUnitAttention = 0x06, kDataProtect = 0x07;
constexpr u8 kNoMedium = 0x3a, kInvalidCommand = 0x20, kOutOfRange = 0x21, kInvalidField = 0x24, kChanged = 0x28,
             kWriteProtected = 0x27, kReadError = 0x11, kWriteError = 0x0c, kRemovalPrevented = 0x53;

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

UsbStorage::UsbStorage(std::unique_ptr<BlockImage> image, bool is_removable, std::string serial)
    : UsbDevice("usb-storage", describe(serial), false),
      image_(std::move(image)),
      removable_(is_removable),
      serial_(std::move(serial)) {}

Status UsbStorage::insert(std::unique_ptr<BlockImage> image) {
  image_ = std::move(image);
  attention_ = true;
  return {};
}

bool UsbStorage::eject(bool force) {
  if (locked_ && !force) return false;
  image_.reset();
  attention_ = locked_ = false;
  return true;
}

void UsbStorage::reset_function() {
  phase_ = Phase::kCommand;
  tag_ = left_ = at_ = 0;
  failed_ = blocks_ = false;
  command_.fill(0);
  buffer_.clear();
  lba_ = blocks_left_ = 0;
  sense_ = {};
  locked_ = attention_ = false;
}

void UsbStorage::serialize_function(Archive& ar) {
  ar.range(phase_, Phase::kCommand, Phase::kLast);
  ar(tag_)(left_)(failed_)(command_);
  ar.blob(buffer_, kChunkBlocks * kBlock);
  ar(at_)(blocks_)(lba_)(blocks_left_)(sense_.key)(sense_.code)(locked_)(attention_);
  if (ar.loading() && (at_ > buffer_.size() || lba_ > (u64{1} << 40) || blocks_left_ > (u64{1} << 32))) {
    ar.fail("a transfer out of range");
    reset_function();
  }
}

// ---- The transport ----

bool UsbStorage::request(const UsbSetup& setup, std::vector<u8>& data) {
  if (setup.type == 0xa1 && setup.request == 0xfe) {  // GET_MAX_LUN
    data = {0};
    return true;
  }
  if (setup.type != 0x21 || setup.request != 0xff) return false;
  phase_ = Phase::kCommand;  // bulk-only mass storage reset
  buffer_.clear();
  return true;
}

bool UsbStorage::take_command(std::span<const u8> w) {
  if (w.size() != kWrapper || load_le<u32>(w.data()) != kCommandSignature || (w[13] & 15) || w[14] == 0 || w[14] > 16) {
    return false;
  }
  tag_ = load_le<u32>(&w[4]);
  left_ = load_le<u32>(&w[8]);
  const bool to_host = w[12] & 0x80;
  std::copy_n(w.begin() + 15, 16, command_.begin());
  failed_ = blocks_ = false;
  buffer_.clear();
  at_ = 0;
  execute();
  phase_ = left_ == 0 ? Phase::kStatus : to_host ? Phase::kDataIn : Phase::kDataOut;
  return true;
}

UsbStatus UsbStorage::in(u8 endpoint, std::span<u8> data, std::size_t& done) {
  if (endpoint != 1) return UsbStatus::kStall;
  if (phase_ == Phase::kStatus) {
    u8 wrapper[13];
    store_le<u32>(wrapper, kStatusSignature);
    store_le<u32>(wrapper + 4, tag_);
    store_le<u32>(wrapper + 8, left_);
    wrapper[12] = failed_;
    done = std::min<std::size_t>(data.size(), sizeof wrapper);
    std::copy_n(wrapper, done, data.begin());
    phase_ = Phase::kCommand;
    return UsbStatus::kAck;
  }
  if (phase_ != Phase::kDataIn) return UsbStatus::kNak;
  if (at_ == buffer_.size() && blocks_ && !failed_ && blocks_left_ > 0 && !load_blocks()) return UsbStatus::kNak;
  done = std::min<std::size_t>(data.size(), left_);
  const std::size_t here = std::min<std::size_t>(done, buffer_.size() - at_);
  std::copy_n(buffer_.begin() + at_, here, data.begin());
  std::fill(data.begin() + static_cast<std::ptrdiff_t>(here), data.begin() + static_cast<std::ptrdiff_t>(done), u8{0});
  at_ += static_cast<u32>(here);
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
  const std::size_t taken = std::min<std::size_t>(data.size(), left_);
  if (blocks_ && !failed_) {
    // A packet that cannot be stored now comes again.
    const std::size_t before = buffer_.size();
    buffer_.insert(buffer_.end(), data.begin(), data.begin() + static_cast<std::ptrdiff_t>(taken));
    const u64 wanted = std::min<u64>(blocks_left_, kChunkBlocks) * kBlock;
    if ((buffer_.size() >= wanted || taken == left_) && !store_blocks()) {
      buffer_.resize(before);
      return UsbStatus::kNak;
    }
  }
  left_ -= static_cast<u32>(taken);
  if (left_ == 0) phase_ = Phase::kStatus;
  return UsbStatus::kAck;
}

// ---- Blocks ----

// Whether all is well; with `again` the machine is to stand still first.
bool UsbStorage::told(bool write, const Status& status, bool& again) {
  again = false;
  if (status) return true;
  const IoErrorAction action = io_error_ ? io_error_(write, status.error()) : IoErrorAction::kReport;
  again = action == IoErrorAction::kRetry;
  return action == IoErrorAction::kIgnore;
}

bool UsbStorage::load_blocks() {
  if (!image_) {
    fail(kNotReady, kNoMedium);
    return true;
  }
  const u64 count = std::min<u64>(blocks_left_, kChunkBlocks);
  buffer_.assign(count * kBlock, 0);
  at_ = 0;
  bool again = false;
  if (!told(false, image_->read(lba_ * kBlock, buffer_), again)) {
    buffer_.clear();
    if (again) return false;
    fail(kMediumError, kReadError);
    return true;
  }
  lba_ += count;
  blocks_left_ -= count;
  return true;
}

bool UsbStorage::store_blocks() {
  if (!image_) {
    fail(kNotReady, kNoMedium);
    return true;
  }
  const u64 count = std::min<u64>(buffer_.size() / kBlock, blocks_left_);
  bool again = false;
  if (!told(true, image_->write(lba_ * kBlock, std::span(buffer_).first(count * kBlock)), again)) {
    if (again) return false;
    fail(kMediumError, kWriteError);
  }
  buffer_.clear();
  lba_ += count;
  blocks_left_ -= count;
  return true;
}

// ---- Commands ----

void UsbStorage::fail(u8 key, u8 code) {
  failed_ = true;
  blocks_ = false;
  sense_ = {key, code};
}

void UsbStorage::reply(std::vector<u8> bytes, u64 allocation) {
  if (bytes.size() > allocation) bytes.resize(allocation);
  buffer_ = std::move(bytes);
}

bool UsbStorage::ready() {
  if (!image_) {
    fail(kNotReady, kNoMedium);
  } else if (std::exchange(attention_, false)) {
    fail(kUnitAttention, kChanged);
  } else {
    return true;
  }
  return false;
}

bool UsbStorage::begin_blocks(bool write, u64 lba, u64 count) {
  if (!ready()) return false;
  if (write && image_->read_only()) return fail(kDataProtect, kWriteProtected), false;
  if (lba + count > image_->size() / kBlock) return fail(kIllegalRequest, kOutOfRange), false;
  blocks_ = true;
  lba_ = lba;
  blocks_left_ = count;
  return true;
}

std::vector<u8> UsbStorage::inquiry() const {
  std::vector<u8> data(36, ' ');
  data[0] = 0x00;  // a disk
  data[1] = removable_ ? 0x80 : 0;
  data[2] = 5, data[3] = 0x12, data[4] = 31;
  data[5] = data[6] = data[7] = 0;
  const auto put = [&data](unsigned at, std::string_view text) { std::copy(text.begin(), text.end(), &data[at]); };
  put(8, "XLAT"), put(16, "USB DISK"), put(32, "1.0");
  return data;
}

void UsbStorage::execute() {
  const auto& c = command_;
  const auto big16 = [&c](unsigned n) { return u32{c[n]} << 8 | c[n + 1]; };
  const auto big32 = [&](unsigned n) { return big16(n) << 16 | big16(n + 2); };
  const auto put32 = [](std::vector<u8>& to, u32 value) {
    for (const unsigned shift : {24u, 16u, 8u, 0u}) to.push_back(static_cast<u8>(value >> shift));
  };
  const bool read_only = image_ && image_->read_only();
  if (c[0] != 0x03) sense_ = {};
  switch (c[0]) {
    case 0x00: ready(); break;
    case 0x03: {  // REQUEST SENSE
      std::vector<u8> data(18, 0);
      data[0] = 0x70, data[2] = sense_.key, data[7] = 10, data[12] = sense_.code;
      sense_ = {};
      reply(std::move(data), c[4]);
      break;
    }
    case 0x12:  // INQUIRY
      if (!(c[1] & 1)) {
        reply(inquiry(), big16(3));
      } else if (c[2] == 0x00) {
        reply({0, 0, 0, 2, 0x00, 0x80}, big16(3));
      } else if (c[2] == 0x80) {
        std::vector<u8> data{0, 0x80, 0, static_cast<u8>(serial_.size())};
        data.insert(data.end(), serial_.begin(), serial_.end());
        reply(std::move(data), big16(3));
      } else {
        fail(kIllegalRequest, kInvalidField);
      }
      break;
    case 0x1a: reply({3, 0, static_cast<u8>(read_only ? 0x80 : 0), 0}, c[4]); break;                  // MODE SENSE (6)
    case 0x5a: reply({0, 6, 0, static_cast<u8>(read_only ? 0x80 : 0), 0, 0, 0, 0}, big16(7)); break;  // and (10)
    case 0x1b:                                                                                        // START STOP UNIT
      if ((c[4] & 3) == 2 && removable_ && !eject(false)) fail(kIllegalRequest, kRemovalPrevented);
      break;
    case 0x1e: locked_ = removable_ && (c[4] & 1); break;  // PREVENT ALLOW MEDIUM REMOVAL
    case 0x23: {                                           // READ FORMAT CAPACITIES
      std::vector<u8> data{0, 0, 0, 8};
      put32(data, static_cast<u32>(std::min<u64>(image_ ? image_->size() / kBlock : 0, 0xffffffff)));
      put32(data, (image_ ? 2u : 3u) << 24 | kBlock);
      reply(std::move(data), big16(7));
      break;
    }
    case 0x25: {  // READ CAPACITY
      if (!ready()) break;
      std::vector<u8> data;
      put32(data, static_cast<u32>(std::min<u64>(image_->size() / kBlock - 1, 0xffffffff)));
      put32(data, kBlock);
      reply(std::move(data), 8);
      break;
    }
    case 0xa0: reply({0, 0, 0, 8, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0}, big32(6)); break;  // REPORT LUNS
    case 0x08: begin_blocks(false, (c[1] & 0x1fu) << 16 | big16(2), c[4] ? c[4] : 256); break;
    case 0x0a: begin_blocks(true, (c[1] & 0x1fu) << 16 | big16(2), c[4] ? c[4] : 256); break;
    case 0x28: begin_blocks(false, big32(2), big16(7)); break;
    case 0x2a: begin_blocks(true, big32(2), big16(7)); break;
    case 0xa8: begin_blocks(false, big32(2), big32(6)); break;
    case 0xaa: begin_blocks(true, big32(2), big32(6)); break;
    case 0x2f:  // VERIFY
      if (ready() && big32(2) + u64{big16(7)} > image_->size() / kBlock) fail(kIllegalRequest, kOutOfRange);
      break;
    case 0x35: {  // SYNCHRONIZE CACHE
      if (!ready()) break;
      bool again = false;
      if (!told(true, image_->flush(), again)) fail(kMediumError, kWriteError);
      break;
    }
    default: fail(kIllegalRequest, kInvalidCommand); break;
  }
}

namespace {

constexpr Property kProperties[] = {
    back_end("drive", Property::Kind::kDrive, "the id of a -drive if=none"),
    on_off("removable", "off", "whether the medium can be changed"),
    text("serial", "", "serial number, at most 20 characters"),
    number("bootindex", "", "place in the order in which devices are booted"),
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
  const std::string number = !serial.empty() ? serial : backend->serial.empty() ? "1-0000:00:01.2-1" : backend->serial;
  auto disk = std::make_unique<UsbStorage>(std::move(backend->image), removable, number);
  disk->on_io_error(std::move(backend->on_error));
  board.add_drive(backend->name, *disk);
  (*port)->plug(*disk);
  return std::unique_ptr<Device>(std::move(disk));
}

}  // namespace

extern const DeviceType kUsbStorageType = {"usb-storage", "usb-bus",   DeviceType::Category::kStorage,
                                           "a USB disk",  kProperties, make};

}  // namespace xlat
