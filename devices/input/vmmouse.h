// The pointer behind VMware's backdoor: a queue of positions that a driver in the guest reads.
#pragma once

#include <deque>
#include <functional>

#include "devices/input/input_hub.h"

namespace xlat {

// As open-vm-tools and the X.Org driver xf86-input-vmmouse use it. The driver reads the identification, then asks for
// positions or for motion; each event is four words: buttons, x, y, wheel. A PS/2 mouse's packet tells it that there
// are some.
class VmMouse final {
 public:
  static constexpr u32 kReadId = 0x45414552, kDisable = 0xf5, kRelative = 0x4c455252, kAbsolute = 0x53424152;
  static constexpr u32 kVersion = 0x3442554a;
  static constexpr u32 kOff = 0xffff0000;  // status(): not enabled, or out of step
  static constexpr std::size_t kQueue = 1024;

  // `announce` makes the PS/2 mouse send a packet.
  VmMouse(InputHub& hub, std::function<void()> announce);
  ~VmMouse();
  VmMouse(const VmMouse&) = delete;
  VmMouse& operator=(const VmMouse&) = delete;

  // Words that wait, in bits 15:0.
  u32 status() const { return (enabled_ ? 0 : kOff) | static_cast<u32>(words_.size()); }
  // Takes `count` words (1 to 6); one that asks for more than there are has lost its place, and must begin anew.
  std::vector<u32> read(u32 count);
  void command(u32 value);

  void reset();
  void serialize(Archive& ar);

 private:
  enum class Mode : u8 { kNone, kRelative, kAbsolute };
  struct Tablet final : AbsolutePointer {
    explicit Tablet(VmMouse& mouse) : owner(mouse) {}
    bool active() const override { return true; }
    void move(u16 x, u16 y, i32 wheel, u8 buttons) override;
    VmMouse& owner;
  };
  struct Mouse final : RelativePointer {
    explicit Mouse(VmMouse& mouse) : owner(mouse) {}
    bool active() const override { return true; }
    void move(i32 dx, i32 dy, i32 dz, u8 buttons) override;
    VmMouse& owner;
  };

  void queue(u32 flags, u8 buttons, u32 x, u32 y, u32 z);
  void set_mode(Mode mode);

  InputHub& hub_;
  std::function<void()> announce_;
  bool enabled_ = false;
  Mode mode_ = Mode::kNone;
  std::deque<u32> words_;
  Tablet tablet_{*this};
  Mouse mouse_{*this};
};

}  // namespace xlat
