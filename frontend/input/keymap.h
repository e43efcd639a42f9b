// Keyboard layouts: on which key of a PC a character is, for text that is typed for the user and for viewers that send
// characters in place of keys.
#pragma once

#include <optional>
#include <string_view>
#include <vector>

#include "devices/input/keycode.h"

namespace xlat {

// A key with what must be held for it.
struct KeyStroke {
  KeyCode key;
  bool shift = false, altgr = false;
  bool operator==(const KeyStroke&) const = default;

  // All keys to be held together, modifiers first.
  std::vector<KeyCode> keys() const;
};

class Keymap {
 public:
  // QEMU's names: "de", "en-us"; null if there is no such layout.
  static const Keymap* find(std::string_view name);
  static const Keymap& us() { return *find("en-us"); }
  static std::vector<std::string_view> names();

  // The key that bears `character`; an accent that waits for its letter counts.
  std::optional<KeyStroke> stroke(char32_t character) const;
  // How a person types it: one key, an accent and its letter, or an accent and the space bar. Empty if there is no way.
  std::vector<KeyStroke> type(char32_t character) const;

  // Its rows of keys, each level from the key left of "1" on; see keymaps.inc.
  std::string_view name;
  std::u32string_view plain, shift, altgr, shift_altgr;

 private:
  std::optional<KeyStroke> exact(char32_t character) const;
};

}  // namespace xlat
