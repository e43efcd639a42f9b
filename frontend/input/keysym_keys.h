// X11 keysyms, as VNC viewers send them, made into keys of the guest's keyboard.
#pragma once

#include <map>
#include <optional>
#include <vector>

#include "frontend/input/keymap.h"
#include "machine/input_gate.h"

namespace xlat {

// The character a keysym stands for, accents as the layouts write them; 0 for none.
char32_t keysym_character(u32 keysym);
// The key of one that is no character: Return, F1, Shift_L, keypad.
std::optional<KeyCode> keysym_key(u32 keysym);

// One viewer's keyboard. Modifiers that a character needs on the guest's layout and that the viewer does not hold are
// pressed for it; none is released that the viewer holds, since programs that type for people send Shift and "1" for
// "!".
class KeysymKeys {
 public:
  explicit KeysymKeys(const Keymap& keymap) : keymap_(keymap) {}

  // What to do on the guest's keyboard.
  std::vector<KeyInput> keysym(u32 keysym, bool down);
  // The same for a viewer that knows keys by their number (set 1, bit 7 for E0h).
  std::vector<KeyInput> number(u32 number, bool down);
  // The viewer is gone: nothing stays pressed.
  std::vector<KeyInput> release_all();

 private:
  static constexpr std::size_t kMostHeld = 64;

  bool holds(KeyCode a, KeyCode b) const;
  std::vector<KeyInput> plain(KeyCode key, u32 by, bool down);

  const Keymap& keymap_;
  std::map<u32, KeyCode> held_;  // by keysym; those pressed by number are above kByNumber
  bool caps_ = false;
};

}  // namespace xlat
