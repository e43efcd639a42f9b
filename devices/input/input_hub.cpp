// Choosing who gets an input, and mouse motion made of positions.
#include "devices/input/input_hub.h"

#include <algorithm>
#include <utility>

namespace xlat {

template <class Sink>
const InputHub::Entry<Sink>* InputHub::current(const std::vector<Entry<Sink>>& entries) const {
  const Entry<Sink>* newest = nullptr;
  for (const Entry<Sink>& entry : entries) {
    if (!entry.sink->active()) continue;
    if (entry.number == chosen_) return &entry;
    newest = &entry;
  }
  return newest;
}

namespace {
template <class Entries, class Sink>
void remove_from(Entries& entries, const Sink& sink) {
  std::erase_if(entries, [&sink](const auto& entry) { return entry.sink == &sink; });
}
}  // namespace

void InputHub::add(RelativePointer& pointer, std::string name) {
  mice_.push_back({&pointer, ++added_, std::move(name)});
}

void InputHub::add(AbsolutePointer& pointer, std::string name) {
  tablets_.push_back({&pointer, ++added_, std::move(name)});
  note_pointers();
}

void InputHub::remove(KeyboardInput& keyboard) { remove_from(keyboards_, keyboard); }

void InputHub::remove(RelativePointer& pointer) {
  remove_from(mice_, pointer);
  note_pointers();
}

void InputHub::remove(AbsolutePointer& pointer) {
  remove_from(tablets_, pointer);
  note_pointers();
}

// A tablet goes before mice, but not before one that the user has chosen.
const InputHub::Entry<AbsolutePointer>* InputHub::tablet() const {
  const Entry<RelativePointer>* mouse = current(mice_);
  return mouse && mouse->number == chosen_ ? nullptr : current(tablets_);
}

void InputHub::note_pointers() { absolute_.store(tablet() != nullptr, std::memory_order_relaxed); }

// A release goes to all: the key may have been pressed on a keyboard that has since lost its turn.
void InputHub::key(KeyCode key, bool down) {
  if (const auto* keyboard = current(keyboards_); keyboard && down) return keyboard->sink->key(key, true);
  if (down) return;
  for (const auto& keyboard : keyboards_) keyboard.sink->key(key, false);
}

void InputHub::move(i32 dx, i32 dy, i32 dz, u8 buttons) {
  if (const auto* pen = tablet(); pen && dx == 0 && dy == 0) return pen->sink->move(tablet_x_, tablet_y_, dz, buttons);
  if (const auto* mouse = current(mice_)) mouse->sink->move(dx, dy, dz, buttons);
}

void InputHub::point(PointerPosition at, i32 wheel, u8 buttons) {
  const auto pixel = [](u16 value, u16 size) {
    return static_cast<i32>(u64{value} * (size > 0 ? size - 1u : 0u) / AbsolutePointer::kFullScale);
  };
  tablet_x_ = std::min(at.x, AbsolutePointer::kFullScale);
  tablet_y_ = std::min(at.y, AbsolutePointer::kFullScale);
  const i32 x = pixel(tablet_x_, at.width), y = pixel(tablet_y_, at.height);
  const bool first = !std::exchange(seen_, true);
  const i32 dx = first ? 0 : x - last_x_, dy = first ? 0 : y - last_y_;
  last_x_ = x, last_y_ = y;
  if (const auto* pointer = tablet()) {
    pointer->sink->move(tablet_x_, tablet_y_, wheel, buttons);
  } else {
    move(dx, dy, wheel, buttons);
  }
}

std::vector<InputHub::Pointer> InputHub::pointers() const {
  std::vector<Pointer> all;
  const auto* pen = tablet();
  const auto* mouse = pen ? nullptr : current(mice_);
  for (const auto& entry : mice_) {
    if (entry.sink->active()) all.push_back({entry.number, entry.name, false, &entry == mouse});
  }
  for (const auto& entry : tablets_) {
    if (entry.sink->active()) all.push_back({entry.number, entry.name, true, &entry == pen});
  }
  std::sort(all.begin(), all.end(), [](const Pointer& a, const Pointer& b) { return a.number < b.number; });
  return all;
}

bool InputHub::is_keyboard(unsigned number) const {
  return std::any_of(keyboards_.begin(), keyboards_.end(), [number](const auto& k) { return k.number == number; });
}

void InputHub::serialize(Archive& ar) {
  ar.section("input", 2);
  ar(chosen_)(seen_)(tablet_x_)(tablet_y_).range(last_x_, 0, 0xffff).range(last_y_, 0, 0xffff);
  if (ar.loading()) note_pointers();
}

}  // namespace xlat
