// Keysyms by the X protocol's appendix A and X11's keysymdef.h: Latin-1 by its code, 0100xxxxh by Unicode, the rest by
// list.
#include "frontend/input/keysym_keys.h"

#include <algorithm>

namespace xlat {

namespace {

using enum KeyCode;

constexpr u32 kByNumber = 0x8000'0000;

constexpr struct {
  u32 keysym;
  KeyCode key;
} kKeys[] = {
    {0xff08, kBackspace},
    {0xff09, kTab},
    {0xff0d, kRet},
    {0xff13, kPause},
    {0xff14, kScrollLock},
    {0xff15, kPrint},
    {0xff1b, kEsc},
    {0xff22, kMuhenkan},
    {0xff23, kHenkan},
    {0xff27, kKatakanaHiragana},
    {0xff50, kHome},
    {0xff51, kLeft},
    {0xff52, kUp},
    {0xff53, kRight},
    {0xff54, kDown},
    {0xff55, kPgup},
    {0xff56, kPgdn},
    {0xff57, kEnd},
    {0xff61, kPrint},
    {0xff63, kInsert},
    {0xff67, kMenu},
    {0xff6b, kPause},
    {0xff7e, kAltR},
    {0xff7f, kNumLock},
    {0xff8d, kKpEnter},
    {0xff95, kKp7},
    {0xff96, kKp4},
    {0xff97, kKp8},
    {0xff98, kKp6},
    {0xff99, kKp2},
    {0xff9a, kKp9},
    {0xff9b, kKp3},
    {0xff9c, kKp1},
    {0xff9d, kKp5},
    {0xff9e, kKp0},
    {0xff9f, kKpDecimal},
    {0xffaa, kKpMultiply},
    {0xffab, kKpAdd},
    {0xffac, kKpComma},
    {0xffad, kKpSubtract},
    {0xffae, kKpDecimal},
    {0xffaf, kKpDivide},
    {0xffb0, kKp0},
    {0xffb1, kKp1},
    {0xffb2, kKp2},
    {0xffb3, kKp3},
    {0xffb4, kKp4},
    {0xffb5, kKp5},
    {0xffb6, kKp6},
    {0xffb7, kKp7},
    {0xffb8, kKp8},
    {0xffb9, kKp9},
    {0xffbd, kKpEquals},
    {0xffbe, kF1},
    {0xffbf, kF2},
    {0xffc0, kF3},
    {0xffc1, kF4},
    {0xffc2, kF5},
    {0xffc3, kF6},
    {0xffc4, kF7},
    {0xffc5, kF8},
    {0xffc6, kF9},
    {0xffc7, kF10},
    {0xffc8, kF11},
    {0xffc9, kF12},
    {0xffe1, kShift},
    {0xffe2, kShiftR},
    {0xffe3, kCtrl},
    {0xffe4, kCtrlR},
    {0xffe5, kCapsLock},
    {0xffe7, kMetaL},
    {0xffe8, kMetaR},
    {0xffe9, kAlt},
    {0xffea, kAltR},
    {0xffeb, kMetaL},
    {0xffec, kMetaR},
    {0xffff, kDelete},
    {0xfe03, kAltR},
    {0xfe20, kTab},
    {0x1008ff11, kVolumeDown},
    {0x1008ff12, kAudioMute},
    {0x1008ff13, kVolumeUp},
    {0x1008ff2a, kPower},
    {0x1008ff2f, kSleep},
    {0x1008ff2b, kWake},
};

// Keysyms with a number of their own for what layouts here have: Latin-2, -3 and -9, accents.
constexpr struct {
  u32 keysym;
  char32_t character;
} kCharacters[] = {
    {0x1a1, U'Ą'},  {0x1a3, U'Ł'},  {0x1a6, U'Ś'},  {0x1aa, U'Ş'},  {0x1ac, U'Ź'},  {0x1af, U'Ż'},
    {0x1b1, U'ą'},  {0x1b3, U'ł'},  {0x1b6, U'ś'},  {0x1ba, U'ş'},  {0x1bc, U'ź'},  {0x1bf, U'ż'},
    {0x1c6, U'Ć'},  {0x1ca, U'Ę'},  {0x1d0, U'Đ'},  {0x1d1, U'Ń'},  {0x1d5, U'Ő'},  {0x1db, U'Ű'},
    {0x1e6, U'ć'},  {0x1ea, U'ę'},  {0x1f0, U'đ'},  {0x1f1, U'ń'},  {0x1f5, U'ő'},  {0x1fb, U'ű'},
    {0x2a9, U'İ'},  {0x2ab, U'Ğ'},  {0x2b9, U'ı'},  {0x2bb, U'ğ'},  {0x20ac, U'€'}, {0xfe50, U'ˋ'},
    {0xfe51, U'´'}, {0xfe52, U'ˆ'}, {0xfe53, U'˜'}, {0xfe57, U'¨'}, {0xff80, U' '},  // KP_Space
};

bool is_letter(char32_t c) { return (c >= U'a' && c <= U'z') || (c >= U'A' && c <= U'Z'); }

}  // namespace

char32_t keysym_character(u32 keysym) {
  if (keysym == 0x08 || keysym == 0x09 || keysym == 0x0a || keysym == 0x0d || keysym == 0x1b) return keysym;
  if ((keysym >= 0x20 && keysym <= 0x7e) || (keysym >= 0xa0 && keysym <= 0xff)) return keysym;
  if (keysym >= 0x0100'0020 && keysym <= 0x0110'ffff) return keysym & 0x00ff'ffff;
  for (const auto& known : kCharacters) {
    if (known.keysym == keysym) return known.character;
  }
  return 0;
}

std::optional<KeyCode> keysym_key(u32 keysym) {
  for (const auto& known : kKeys) {
    if (known.keysym == keysym) return known.key;
  }
  return std::nullopt;
}

bool KeysymKeys::holds(KeyCode a, KeyCode b) const {
  return std::any_of(held_.begin(), held_.end(), [&](const auto& h) { return h.second == a || h.second == b; });
}

std::vector<KeyInput> KeysymKeys::plain(KeyCode key, u32 by, bool down) {
  if (!down) {
    held_.erase(by);
    return {{key, false}};
  }
  if (held_.size() >= kMostHeld || !held_.emplace(by, key).second) return {};
  if (key == kCapsLock) caps_ = !caps_;
  return {{key, true}};
}

std::vector<KeyInput> KeysymKeys::number(u32 number, bool down) {
  const auto key = key_by_number(number);
  return key ? plain(*key, kByNumber | number, down) : std::vector<KeyInput>{};
}

std::vector<KeyInput> KeysymKeys::keysym(u32 keysym, bool down) {
  keysym &= ~kByNumber;
  if (!down) {
    if (const auto held = held_.find(keysym); held != held_.end()) return plain(held->second, keysym, false);
  }
  if (const auto key = keysym_key(keysym)) return down ? plain(*key, keysym, true) : std::vector<KeyInput>{};
  const char32_t character = keysym_character(keysym);
  const auto stroke = character ? keymap_.stroke(character) : std::nullopt;
  if (!stroke) return {};
  if (!down) {
    // Shift was let go before the letter: it went down as "A" and comes up as "a".
    const auto other = std::find_if(held_.begin(), held_.end(),
                                    [&](const auto& h) { return h.second == stroke->key && h.first < kByNumber; });
    return other == held_.end() ? std::vector<KeyInput>{} : plain(stroke->key, other->first, false);
  }
  const auto press = plain(stroke->key, keysym, true);
  if (press.empty()) return {};
  // With Caps Lock on, the layout's Shift is the other way round for letters.
  const bool shift = stroke->shift != (caps_ && is_letter(character)) && !holds(kShift, kShiftR);
  const bool altgr = stroke->altgr && !holds(kAltR, kAltR);
  std::vector<KeyInput> all;
  if (shift) all.push_back({kShift, true});
  if (altgr) all.push_back({kAltR, true});
  all.push_back(press[0]);
  if (altgr) all.push_back({kAltR, false});
  if (shift) all.push_back({kShift, false});
  return all;
}

std::vector<KeyInput> KeysymKeys::release_all() {
  std::vector<KeyInput> all;
  for (const auto& [by, key] : held_) all.push_back({key, false});
  held_.clear();
  return all;
}

}  // namespace xlat
