// The US keyboard layout backwards, and xterm's key sequences.
#include "frontend/display/terminal_keys.h"

#include <fmt/format.h>

namespace xlat {

namespace {

struct Place {
  KeyCode key;
  bool shift;
};

std::optional<Place> place_of(char c) {
  constexpr std::string_view kDigits = "1234567890", kShiftedDigits = "!@#$%^&*()";
  constexpr std::string_view kOthers = "-=[]\\;'`,./ ", kShiftedOthers = "_+{}|:\"~<>?";
  constexpr KeyCode kOtherKeys[] = {KeyCode::kMinus,        KeyCode::kEqual,       KeyCode::kBracketLeft,
                                    KeyCode::kBracketRight, KeyCode::kBackslash,   KeyCode::kSemicolon,
                                    KeyCode::kApostrophe,   KeyCode::kGraveAccent, KeyCode::kComma,
                                    KeyCode::kDot,          KeyCode::kSlash,       KeyCode::kSpc};
  if ((c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z')) {
    const char lower = static_cast<char>(c | 0x20);
    return Place{*key_by_name({&lower, 1}), c != lower};
  }
  if (const auto n = kDigits.find(c); n != std::string_view::npos) return Place{*key_by_name({&c, 1}), false};
  if (const auto n = kShiftedDigits.find(c); n != std::string_view::npos) {
    return Place{*key_by_name(kDigits.substr(n, 1)), true};
  }
  if (const auto n = kOthers.find(c); n != std::string_view::npos) return Place{kOtherKeys[n], false};
  if (const auto n = kShiftedOthers.find(c); n != std::string_view::npos) return Place{kOtherKeys[n], true};
  return std::nullopt;
}

KeyCode key_of(SpecialKey key) {
  switch (key) {
    case SpecialKey::kUp: return KeyCode::kUp;
    case SpecialKey::kDown: return KeyCode::kDown;
    case SpecialKey::kLeft: return KeyCode::kLeft;
    case SpecialKey::kRight: return KeyCode::kRight;
    case SpecialKey::kHome: return KeyCode::kHome;
    case SpecialKey::kEnd: return KeyCode::kEnd;
    case SpecialKey::kPageUp: return KeyCode::kPgup;
    case SpecialKey::kPageDown: return KeyCode::kPgdn;
    case SpecialKey::kInsert: return KeyCode::kInsert;
    case SpecialKey::kDelete: return KeyCode::kDelete;
    case SpecialKey::kBackspace: return KeyCode::kBackspace;
    case SpecialKey::kEnter: return KeyCode::kKpEnter;
    case SpecialKey::kCentre: return KeyCode::kKp5;
    case SpecialKey::kF11: return KeyCode::kF11;
    case SpecialKey::kF12: return KeyCode::kF12;
    default:
      return static_cast<KeyCode>(static_cast<unsigned>(KeyCode::kF1) + static_cast<unsigned>(key) -
                                  static_cast<unsigned>(SpecialKey::kF1));
  }
}

}  // namespace

std::vector<KeyCode> guest_keys(const TerminalKey& key) {
  bool shift = key.shift, ctrl = key.ctrl;
  KeyCode code{};
  if (key.special != SpecialKey::kNone) {
    code = key_of(key.special);
  } else if (const char32_t c = key.character; c >= 0x20 && c < 0x7f) {
    const auto place = place_of(static_cast<char>(c));
    if (!place) return {};
    code = place->key;
    shift |= place->shift;
  } else {
    switch (c) {
      case 0x00: code = KeyCode::kSpc, ctrl = true; break;
      case 0x09: code = KeyCode::kTab; break;
      case 0x0d: code = KeyCode::kRet; break;
      case 0x1b: code = KeyCode::kEsc; break;
      case 0x1c: code = KeyCode::kBackslash, ctrl = true; break;
      case 0x1d: code = KeyCode::kBracketRight, ctrl = true; break;
      case 0x1e: code = KeyCode::k6, ctrl = shift = true; break;
      case 0x1f: code = KeyCode::kMinus, ctrl = shift = true; break;
      case 0x7f: code = KeyCode::kBackspace; break;
      default: {
        if (c > 0x1a) return {};
        const char letter = static_cast<char>('a' + c - 1);
        code = *key_by_name({&letter, 1});
        ctrl = true;
      }
    }
  }
  std::vector<KeyCode> keys;
  if (ctrl) keys.push_back(KeyCode::kCtrl);
  if (key.alt) keys.push_back(KeyCode::kAlt);
  if (shift) keys.push_back(KeyCode::kShift);
  keys.push_back(code);
  return keys;
}

std::string utf8(char32_t c) {
  std::string out;
  const auto tail = [&](unsigned shift) { out += static_cast<char>(0x80 | (c >> shift & 0x3f)); };
  if (c < 0x80) {
    out += static_cast<char>(c);
  } else if (c < 0x800) {
    out += static_cast<char>(0xc0 | c >> 6);
    tail(0);
  } else if (c < 0x10000) {
    out += static_cast<char>(0xe0 | c >> 12);
    tail(6), tail(0);
  } else {
    out += static_cast<char>(0xf0 | (c >> 18 & 7));
    tail(12), tail(6), tail(0);
  }
  return out;
}

std::string terminal_bytes(const TerminalKey& key) {
  const unsigned modifiers = 1u + (key.shift ? 1 : 0) + (key.alt ? 2 : 0) + (key.ctrl ? 4 : 0);
  const auto letter = [&](char final, bool application = false) {
    if (modifiers > 1) return fmt::format("\x1b[1;{}{}", modifiers, final);
    return fmt::format("\x1b{}{}", application ? 'O' : '[', final);
  };
  const auto number = [&](unsigned n) {
    return modifiers > 1 ? fmt::format("\x1b[{};{}~", n, modifiers) : fmt::format("\x1b[{}~", n);
  };
  const std::string alt = key.alt ? "\x1b" : "";
  switch (key.special) {
    case SpecialKey::kNone:
      if (key.character == 9 && key.shift) return "\x1b[Z";
      return alt + utf8(key.character);
    case SpecialKey::kUp: return letter('A');
    case SpecialKey::kDown: return letter('B');
    case SpecialKey::kRight: return letter('C');
    case SpecialKey::kLeft: return letter('D');
    case SpecialKey::kHome: return letter('H');
    case SpecialKey::kEnd: return letter('F');
    case SpecialKey::kInsert: return number(2);
    case SpecialKey::kDelete: return number(3);
    case SpecialKey::kPageUp: return number(5);
    case SpecialKey::kPageDown: return number(6);
    case SpecialKey::kBackspace: return alt + "\x7f";
    case SpecialKey::kEnter: return alt + "\r";
    case SpecialKey::kCentre: return letter('E');
    case SpecialKey::kF1: return letter('P', true);
    case SpecialKey::kF2: return letter('Q', true);
    case SpecialKey::kF3: return letter('R', true);
    case SpecialKey::kF4: return letter('S', true);
    case SpecialKey::kF5: return number(15);
    case SpecialKey::kF6: return number(17);
    case SpecialKey::kF7: return number(18);
    case SpecialKey::kF8: return number(19);
    case SpecialKey::kF9: return number(20);
    case SpecialKey::kF10: return number(21);
    case SpecialKey::kF11: return number(23);
    case SpecialKey::kF12: return number(24);
  }
  return {};
}

std::optional<TerminalKey> function_key(unsigned number) {
  if (number < 1 || number > 63) return std::nullopt;
  constexpr TerminalKey kWith[] = {
      {}, {.shift = true}, {.ctrl = true}, {.shift = true, .ctrl = true}, {.alt = true}, {.shift = true, .alt = true}};
  TerminalKey key = kWith[(number - 1) / 12];
  key.special = static_cast<SpecialKey>(static_cast<unsigned>(SpecialKey::kF1) + (number - 1) % 12);
  return key;
}

}  // namespace xlat
