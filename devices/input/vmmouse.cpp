// Events into words, and the driver's commands.
#include "devices/input/vmmouse.h"

namespace xlat {

namespace {
constexpr u32 kRelativePacket = 0x10000;
enum VmButton : u8 { kVmLeft = 0x20, kVmRight = 0x10, kVmMiddle = 0x08 };
constexpr std::size_t kEventWords = 4;
}  // namespace

VmMouse::VmMouse(InputHub& hub, std::function<void()> announce) : hub_(hub), announce_(std::move(announce)) {}

VmMouse::~VmMouse() { set_mode(Mode::kNone); }

// The hub knows of it once a driver has asked, as QEMU's does, so that others have the numbers they have there.
void VmMouse::set_mode(Mode mode) {
  mode_ = mode;
  hub_.remove(mouse_);
  hub_.remove(tablet_);
  if (mode == Mode::kRelative) hub_.add(mouse_, "vmmouse");
  if (mode == Mode::kAbsolute) hub_.add(tablet_, "vmmouse");
}

void VmMouse::reset() {
  enabled_ = false;
  words_.clear();
  set_mode(Mode::kNone);
}

// An event for which there is no room is lost; the next one says where the pointer is.
void VmMouse::queue(u32 flags, u8 buttons, u32 x, u32 y, u32 z) {
  if (!enabled_ || words_.size() + kEventWords > kQueue) return;
  if (buttons & kLeftButton) flags |= kVmLeft;
  if (buttons & kRightButton) flags |= kVmRight;
  if (buttons & kMiddleButton) flags |= kVmMiddle;
  words_.insert(words_.end(), {flags, x, y, z});
  announce_();
}

// 0 to FFFFh over the screen.
void VmMouse::Tablet::move(u16 x, u16 y, i32 wheel, u8 buttons) {
  owner.queue(0, buttons, x * 0xffffu / kFullScale, y * 0xffffu / kFullScale, static_cast<u32>(wheel));
}

void VmMouse::Mouse::move(i32 dx, i32 dy, i32 dz, u8 buttons) {
  owner.queue(kRelativePacket, buttons, static_cast<u32>(dx), static_cast<u32>(dy), static_cast<u32>(dz));
}

std::vector<u32> VmMouse::read(u32 count) {
  if (count == 0 || count > 6 || count > words_.size()) {
    reset();
    return {};
  }
  const auto end = words_.begin() + static_cast<std::ptrdiff_t>(count);
  std::vector<u32> taken(words_.begin(), end);
  words_.erase(words_.begin(), end);
  return taken;
}

void VmMouse::command(u32 value) {
  switch (value) {
    case kReadId:
      if (words_.size() == kQueue) return;
      words_.push_back(kVersion);
      enabled_ = true;
      break;
    case kDisable: reset(); break;
    case kRelative: set_mode(Mode::kRelative); break;
    case kAbsolute: set_mode(Mode::kAbsolute); break;
    default: break;
  }
}

void VmMouse::serialize(Archive& ar) {
  ar.section("vmmouse", 1);
  ar(enabled_).range(mode_, Mode::kNone, Mode::kAbsolute);
  u32 count = static_cast<u32>(words_.size());
  ar.range(count, 0u, static_cast<u32>(kQueue));
  words_.resize(count);
  for (u32& word : words_) ar(word);
  if (ar.loading()) set_mode(mode_);
}

}  // namespace xlat
