// Where the user's keys and pointer go: the keyboards and pointers of a machine, and which of them listens.
#pragma once

#include <atomic>
#include <string>
#include <vector>

#include "devices/device.h"
#include "devices/input/keycode.h"

namespace xlat {

// Bits of a pointer's buttons, as the PS/2 mouse counts them.
enum PointerButton : u8 { kLeftButton = 1, kRightButton = 2, kMiddleButton = 4, kSideButton = 8, kExtraButton = 16 };

class KeyboardInput {
 public:
  virtual ~KeyboardInput() = default;
  // Whether the guest listens to it. One that does comes before one that was there earlier.
  virtual bool active() const = 0;
  virtual void key(KeyCode key, bool down) = 0;
};

// A mouse. Counts: x to the right, y down, z towards the user (wheel down).
class RelativePointer {
 public:
  virtual ~RelativePointer() = default;
  virtual bool active() const = 0;
  virtual void move(i32 dx, i32 dy, i32 dz, u8 buttons) = 0;
};

// A tablet: x and y are 0..kFullScale over the width and height of the screen. Who makes one calls
// InputHub::note_pointers() whenever active() has changed.
class AbsolutePointer {
 public:
  static constexpr u16 kFullScale = 32767;
  virtual ~AbsolutePointer() = default;
  virtual bool active() const = 0;
  virtual void move(u16 x, u16 y, i32 wheel, u8 buttons) = 0;
};

// A position on a screen of width x height pixels; x and y in AbsolutePointer's scale.
struct PointerPosition {
  u16 x = 0, y = 0;
  u16 width = 0, height = 0;
};

class InputHub final : public Device {
 public:
  // The last one added that is active gets what comes, unless the user has chosen another. None of them is owned. The
  // name is what `info mice` shows, which is QEMU's.
  void add(KeyboardInput& keyboard) { keyboards_.push_back({&keyboard, ++added_, {}}); }
  void add(RelativePointer& pointer, std::string name = "QEMU HID Mouse");
  void add(AbsolutePointer& pointer, std::string name = "QEMU HID Tablet");
  void remove(KeyboardInput& keyboard);
  void remove(RelativePointer& pointer);
  void remove(AbsolutePointer& pointer);
  void note_pointers();

  // From any thread: whether positions reach the guest as such. Displays grab the mouse where they do not.
  bool absolute() const { return absolute_.load(std::memory_order_relaxed); }

  void key(KeyCode key, bool down);
  // Buttons and wheel alone reach an active tablet.
  void move(i32 dx, i32 dy, i32 dz, u8 buttons);
  // Without an active tablet it moves the mouse by the pixels between this position and the last one.
  void point(PointerPosition at, i32 wheel, u8 buttons);

  // Mice and tablets that the guest listens to, by number; keyboards count as well.
  struct Pointer {
    unsigned number;
    std::string name;
    bool absolute, current;
  };
  std::vector<Pointer> pointers() const;
  bool is_keyboard(unsigned number) const;
  // What the user does reaches this one from now on, as long as the guest listens to it.
  void choose(unsigned number) {
    chosen_ = number;
    note_pointers();
  }

  std::string_view name() const override { return "input"; }
  void reset() override { note_pointers(); }
  void serialize(Archive& ar) override;

 private:
  template <class Sink>
  struct Entry {
    Sink* sink;
    unsigned number;
    std::string name;
  };
  template <class Sink>
  const Entry<Sink>* current(const std::vector<Entry<Sink>>& entries) const;
  const Entry<AbsolutePointer>* tablet() const;

  std::vector<Entry<KeyboardInput>> keyboards_;
  std::vector<Entry<RelativePointer>> mice_;
  std::vector<Entry<AbsolutePointer>> tablets_;
  unsigned added_ = 0;   // number of the last one
  unsigned chosen_ = 0;  // 0: the user has not chosen
  std::atomic<bool> absolute_ = false;
  bool seen_ = false;            // there was a position
  i32 last_x_ = 0, last_y_ = 0;  // of the last one, in pixels
  u16 tablet_x_ = 0, tablet_y_ = 0;
};

}  // namespace xlat
