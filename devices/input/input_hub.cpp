// Choosing who gets an input, and mouse motion made of positions.
#include "devices/input/input_hub.h"

#include <algorithm>
#include <utility>

namespace xlat {

namespace {
template <class Sink>
Sink* newest_active(const std::vector<Sink*>& sinks) {
  const auto found = std::find_if(sinks.rbegin(), sinks.rend(), [](const Sink* s) { return s->active(); });
  return found == sinks.rend() ? nullptr : *found;
}
}  // namespace

void InputHub::add(AbsolutePointer& pointer) {
  tablets_.push_back(&pointer);
  note_pointers();
}

void InputHub::remove(AbsolutePointer& pointer) {
  std::erase(tablets_, &pointer);
  note_pointers();
}

AbsolutePointer* InputHub::tablet() const { return newest_active(tablets_); }

void InputHub::note_pointers() { absolute_.store(tablet() != nullptr, std::memory_order_relaxed); }

// A release goes to all: the key may have been pressed on a keyboard that has since lost its turn.
void InputHub::key(KeyCode key, bool down) {
  if (KeyboardInput* keyboard = newest_active(keyboards_); keyboard && down) return keyboard->key(key, true);
  if (down) return;
  for (KeyboardInput* keyboard : keyboards_) keyboard->key(key, false);
}

void InputHub::move(i32 dx, i32 dy, i32 dz, u8 buttons) {
  if (RelativePointer* mouse = newest_active(mice_)) mouse->move(dx, dy, dz, buttons);
}

void InputHub::point(PointerPosition at, i32 wheel, u8 buttons) {
  const auto pixel = [](u16 value, u16 size) {
    return static_cast<i32>(u64{value} * (size > 0 ? size - 1u : 0u) / AbsolutePointer::kFullScale);
  };
  const i32 x = pixel(std::min(at.x, AbsolutePointer::kFullScale), at.width);
  const i32 y = pixel(std::min(at.y, AbsolutePointer::kFullScale), at.height);
  const bool first = !std::exchange(seen_, true);
  const i32 dx = first ? 0 : x - last_x_, dy = first ? 0 : y - last_y_;
  last_x_ = x, last_y_ = y;
  if (AbsolutePointer* pointer = tablet()) {
    pointer->move(std::min(at.x, AbsolutePointer::kFullScale), std::min(at.y, AbsolutePointer::kFullScale), wheel,
                  buttons);
  } else {
    move(dx, dy, wheel, buttons);
  }
}

void InputHub::serialize(Archive& ar) {
  ar.section("input", 1);
  ar(seen_).range(last_x_, 0, 0xffff).range(last_y_, 0, 0xffff);
  if (ar.loading()) note_pointers();
}

}  // namespace xlat
