// Looking characters up in the layouts.
#include "frontend/input/keymap.h"

namespace xlat {

namespace {

using enum KeyCode;

// The keys that the strings of keymaps.inc go over.
constexpr KeyCode kOrder[] = {
    kGraveAccent, k1,  k2, k3, k4, k5, k6, k7, k8,     k9,         k0,           kMinus,        kEqual,  //
    kQ,           kW,  kE, kR, kT, kY, kU, kI, kO,     kP,         kBracketLeft, kBracketRight,          //
    kA,           kS,  kD, kF, kG, kH, kJ, kK, kL,     kSemicolon, kApostrophe,  kBackslash,             //
    kLess,        kZ,  kX, kC, kV, kB, kN, kM, kComma, kDot,       kSlash,                               //
    kRo,          kYen};

constexpr Keymap make(std::string_view name, std::u32string_view plain, std::u32string_view shift,
                      std::u32string_view altgr, std::u32string_view both) {
  Keymap map;
  map.name = name;
  map.plain = plain, map.shift = shift, map.altgr = altgr, map.shift_altgr = both;
  return map;
}

#define XLAT_LAYOUT(name, plain, shift, altgr, both) make(name, plain, shift, altgr, both),
constexpr Keymap kLayouts[] = {
#include "frontend/input/keymaps.inc"
};
#undef XLAT_LAYOUT

constexpr bool fits() {
  for (const Keymap& map : kLayouts) {
    for (const std::u32string_view level : {map.plain, map.shift, map.altgr, map.shift_altgr}) {
      if (level.size() > std::size(kOrder)) return false;
    }
    if (map.plain.size() < 48 || map.plain.size() != map.shift.size()) return false;
  }
  return true;
}
static_assert(fits(), "a layout has a row that is too long or too short");

struct Accent {
  char32_t waiting;  // as the layouts write it
  char32_t alone;    // what it is with the space bar
  std::u32string_view letters, with_accent;
};
constexpr Accent kAccents[] = {
    {U'ˆ', U'^', U"aeiouAEIOU", U"âêîôûÂÊÎÔÛ"},   {U'ˋ', U'`', U"aeiouAEIOU", U"àèìòùÀÈÌÒÙ"},
    {U'˜', U'~', U"anoANO", U"ãñõÃÑÕ"},           {U'´', U'´', U"aeiouyAEIOUY", U"áéíóúýÁÉÍÓÚÝ"},
    {U'¨', U'¨', U"aeiouyAEIOU", U"äëïöüÿÄËÏÖÜ"},
};

}  // namespace

std::vector<KeyCode> KeyStroke::keys() const {
  std::vector<KeyCode> all;
  if (shift) all.push_back(kShift);
  if (altgr) all.push_back(kAltR);
  all.push_back(key);
  return all;
}

const Keymap* Keymap::find(std::string_view name) {
  for (const Keymap& map : kLayouts) {
    if (map.name == name) return &map;
  }
  return nullptr;
}

std::vector<std::string_view> Keymap::names() {
  std::vector<std::string_view> all;
  for (const Keymap& map : kLayouts) all.push_back(map.name);
  return all;
}

std::optional<KeyStroke> Keymap::exact(char32_t character) const {
  switch (character) {
    case U' ': return KeyStroke{kSpc};
    case U'\n':
    case U'\r': return KeyStroke{kRet};
    case U'\t': return KeyStroke{kTab};
    case U'\b': return KeyStroke{kBackspace};
    case 0x1b: return KeyStroke{kEsc};
    default: break;
  }
  const std::u32string_view levels[] = {plain, shift, altgr, shift_altgr};
  for (unsigned level = 0; level < 4; ++level) {
    const auto at = levels[level].find(character);
    if (at != std::u32string_view::npos) return KeyStroke{kOrder[at], (level & 1) != 0, (level & 2) != 0};
  }
  return std::nullopt;
}

std::optional<KeyStroke> Keymap::stroke(char32_t character) const {
  if (const auto found = exact(character)) return found;
  for (const Accent& accent : kAccents) {
    if (accent.alone == character) return exact(accent.waiting);
  }
  return std::nullopt;
}

std::vector<KeyStroke> Keymap::type(char32_t character) const {
  for (const Accent& accent : kAccents) {
    if (accent.alone != character && accent.waiting != character) continue;
    if (const auto plainly = exact(accent.alone); plainly && accent.alone != accent.waiting) return {*plainly};
    const auto key = exact(accent.waiting);
    return key ? std::vector<KeyStroke>{*key, {kSpc}} : std::vector<KeyStroke>{};
  }
  if (const auto found = exact(character)) return {*found};
  for (const Accent& accent : kAccents) {
    const auto at = accent.with_accent.find(character);
    if (at == std::u32string_view::npos) continue;
    const auto key = exact(accent.waiting), letter = exact(accent.letters[at]);
    if (key && letter) return {*key, *letter};
  }
  return {};
}

}  // namespace xlat
