// Keys as a terminal reports them, and what they are on the guest's keyboard and on a serial line.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "devices/input/keycode.h"

namespace xlat {

enum class SpecialKey : u8 {
  kNone,
  kUp,
  kDown,
  kLeft,
  kRight,
  kHome,
  kEnd,
  kPageUp,
  kPageDown,
  kInsert,
  kDelete,
  kBackspace,
  kEnter,  // of the keypad
  kCentre,
  kF1,
  kF2,
  kF3,
  kF4,
  kF5,
  kF6,
  kF7,
  kF8,
  kF9,
  kF10,
  kF11,
  kF12
};

// A character (control characters included) if `special` is kNone.
struct TerminalKey {
  char32_t character = 0;
  SpecialKey special = SpecialKey::kNone;
  bool shift = false, ctrl = false, alt = false;
};

// The keys of a US keyboard to hold together, modifiers first. Empty if it has no such key.
std::vector<KeyCode> guest_keys(const TerminalKey& key);
// What an xterm sends for it.
std::string terminal_bytes(const TerminalKey& key);
// Function key `number` as terminfo counts them: 13 and up with Shift, 25 with Ctrl, 37 with both, 49 with Alt.
std::optional<TerminalKey> function_key(unsigned number);

std::string utf8(char32_t character);

}  // namespace xlat
