// The keys of a PC keyboard, by the names QEMU's sendkey uses.
#pragma once

#include <array>
#include <optional>
#include <string_view>

#include "base/types.h"

namespace xlat {

enum class KeyCode : u8 {
#define XLAT_KEY(enumerator, name, set2, e0, set3) enumerator,
#include "devices/input/keys.inc"
#undef XLAT_KEY
};

// The key called `name` ("a", "ret", "kp_0", also "asterisk"), or nothing.
std::optional<KeyCode> key_by_name(std::string_view name);
// The key whose scan code set 1 code is `number`, with bit 7 set for those behind E0h, as QEMU counts keys.
std::optional<KeyCode> key_by_number(u32 number);
std::string_view key_name(KeyCode key);
unsigned key_count();

// Scan code set 2 code and whether E0 goes in front. kPause and kPrint send longer sequences.
struct ScanCode {
  u8 code;
  bool e0;
};
ScanCode scan_code_set2(KeyCode key);
// Scan code set 3 code, one byte for every key; 0 for none.
u8 scan_code_set3(KeyCode key);

// What the 8042 makes of a set 2 byte when it translates to set 1.
u8 translate_scan_code(u8 set2);

}  // namespace xlat
