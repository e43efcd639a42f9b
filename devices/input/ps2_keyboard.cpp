// The keyboard's command set and scan codes (IBM Personal System/2 Hardware Interface Technical Reference, keyboards).
#include <fmt/format.h>

#include <utility>

#include "base/bits.h"
#include "devices/input/ps2.h"

namespace xlat {

namespace {

constexpr u8 kAck = 0xfa, kResend = 0xfe, kRelease = 0xf0;
constexpr u8 kSysRq = 0x84, kLang2 = 0xf1, kLang1 = 0xf2;  // set 2

enum Command : u8 {
  kSetLeds = 0xed,  // the first of the commands; what is below is a parameter
  kEcho = 0xee,
  kSelectSet = 0xf0,
  kReadId = 0xf2,
  kSetRate = 0xf3,
  kEnable = 0xf4,
  kDefaultDisable = 0xf5,
  kSetDefault = 0xf6,
  kAllRepeat = 0xf7,  // set 3, as those up to kKeyMakeOnly
  kAllMakeBreak = 0xf8,
  kAllMakeOnly = 0xf9,
  kAllRepeatMakeBreak = 0xfa,
  kKeyRepeat = 0xfb,
  kKeyMakeBreak = 0xfc,
  kKeyMakeOnly = 0xfd,
  kResendLast = 0xfe,
  kReset = 0xff
};

}  // namespace

Ps2Keyboard::Ps2Keyboard(Clock& clock) : clock_(clock), typematic_(clock, [this] { repeat(); }) { defaults(); }

// The reference's table of scan code set 3: keys that write, the space bar and the arrows repeat, Ctrl, Shift, Alt and
// Caps Lock on the left have a break code as well, and the right Shift.
u8 Ps2Keyboard::default_type(u8 code) {
  static constexpr u8 kMakeBreak[] = {0x11, 0x12, 0x14, 0x19, 0x59};
  static constexpr u8 kMake[] = {0x07, 0x08, 0x0f, 0x17, 0x1f, 0x27, 0x2f, 0x37, 0x39, 0x3f, 0x47, 0x4f, 0x56,
                                 0x57, 0x58, 0x5e, 0x5f, 0x62, 0x65, 0x67, 0x69, 0x6b, 0x6c, 0x6d, 0x6e, 0x6f,
                                 0x70, 0x71, 0x72, 0x73, 0x74, 0x75, 0x76, 0x77, 0x79, 0x7a, 0x7d, 0x7e, 0x84};
  for (const u8 c : kMakeBreak) {
    if (c == code) return kBreaks;
  }
  for (const u8 c : kMake) {
    if (c == code) return kMakeOnly;
  }
  return code > kSysRq ? kBreaks : kRepeats;  // keys newer than the reference behave like modifiers
}

void Ps2Keyboard::defaults() {
  scan_set_ = 2;
  rate_ = 0x2b;
  for (unsigned code = 0; code < types_.size(); ++code) types_[code] = default_type(static_cast<u8>(code));
  reports_.clear();
  overrun_ = false;
  typematic_.cancel();
}

void Ps2Keyboard::reset() {
  defaults();
  replies_.clear();
  pending_ = 0;
  enabled_ = true;
  leds_ = 0;
}

// A sequence goes into the buffer whole or not at all; the place behind the last one tells of the first that did not.
void Ps2Keyboard::queue(std::span<const u8> bytes) {
  if (reports_.size() + bytes.size() <= kBuffer) {
    for (const u8 b : bytes) reports_.push(b);
    overrun_ = false;
  } else if (!std::exchange(overrun_, true)) {
    reports_.push(scan_set_ == 1 ? 0xff : 0x00);
  }
  notify();
}

void Ps2Keyboard::send(KeyCode key, bool down) {
  if (scan_set_ == 3) return send_set3(key, down);
  const auto is_held = [this](KeyCode a, KeyCode b) { return held_[static_cast<u8>(a)] || held_[static_cast<u8>(b)]; };
  const bool ctrl = is_held(KeyCode::kCtrl, KeyCode::kCtrlR);
  const ScanCode sc = scan_code_set2(key);
  std::vector<u8> set2;
  const auto plain = [&](ScanCode code, bool make) {
    if (code.e0) set2.push_back(0xe0);
    if (!make) set2.push_back(kRelease);
    set2.push_back(code.code);
  };
  if (key == KeyCode::kPause) {
    if (!down) return;  // the break code comes along with the make code
    set2 = ctrl ? std::vector<u8>{0xe0, 0x7e, 0xe0, kRelease, 0x7e}
                : std::vector<u8>{0xe1, 0x14, 0x77, 0xe1, kRelease, 0x14, kRelease, 0x77};
  } else if (key == KeyCode::kPrint && is_held(KeyCode::kAlt, KeyCode::kAltR)) {
    plain({kSysRq, false}, down);
  } else if (key == KeyCode::kPrint && !ctrl && !is_held(KeyCode::kShift, KeyCode::kShiftR)) {
    set2 = down ? std::vector<u8>{0xe0, 0x12, 0xe0, 0x7c} : std::vector<u8>{0xe0, kRelease, 0x7c, 0xe0, kRelease, 0x12};
  } else if (sc.code == kLang1 || sc.code == kLang2) {
    if (!down) return;  // Korean keyboards have no break code for these
    set2 = {sc.code};
  } else {
    plain(sc, down);
  }
  if (scan_set_ == 2) return queue(set2);
  std::vector<u8> set1;
  u8 released = 0;
  for (const u8 b : set2) {
    if (b == kRelease) {
      released = 0x80;
    } else {
      set1.push_back(translate_scan_code(b) | (b < 0xe0 ? released : u8{0}));
      released = 0;
    }
  }
  queue(set1);
}

void Ps2Keyboard::send_set3(KeyCode key, bool down) {
  const u8 code = scan_code_set3(key);
  if (code == 0 || (!down && !(types_[code] & kBreaks))) return;
  const u8 bytes[] = {kRelease, code};
  queue(std::span(bytes).subspan(down ? 1 : 0));
}

bool Ps2Keyboard::repeats(KeyCode key) const {
  if (scan_set_ == 3) return types_[scan_code_set3(key)] & kRepeats;
  return key != KeyCode::kPause && key != KeyCode::kLang1 && key != KeyCode::kLang2;
}

// Typematic byte, bits 6:5: (1 + D) * 250 ms before the first repeat.
u64 Ps2Keyboard::delay_ns() const { return (u64{1} + ((rate_ >> 5) & 3)) * 250'000'000; }
// Period = (8 + A) * 2^B * 4.17 ms, A bits 2:0, B bits 4:3.
u64 Ps2Keyboard::period_ns() const { return (u64{8} + (rate_ & 7)) * (u64{1} << ((rate_ >> 3) & 3)) * 4'170'000; }

void Ps2Keyboard::key(KeyCode key, bool down) {
  if (static_cast<unsigned>(key) >= key_count()) return;
  bool& held = held_[static_cast<u8>(key)];
  if (held == down) return;
  held = down;
  if (!down && repeating_ == key) typematic_.cancel();
  if (!enabled_) return;
  send(key, down);
  if (!down) return;
  typematic_.cancel();  // the key pressed last repeats, or none
  repeating_ = key;
  if (repeats(key)) typematic_.schedule(clock_.now() + delay_ns());
}

void Ps2Keyboard::repeat() {
  if (!enabled_ || !held_[static_cast<u8>(repeating_)] || !repeats(repeating_)) return;
  if (reports_.empty()) send(repeating_, true);
  typematic_.schedule(clock_.now() + period_ns());
}

void Ps2Keyboard::all_types(u8 type) {
  types_.fill(type);
  reports_.clear();
}

void Ps2Keyboard::parameter(u8 command, u8 value) {
  switch (command) {
    case kSetLeds: leds_ = value & 7; break;
    case kSelectSet:
      if (value > 3) return reply({kResend});
      if (value == 0) return reply({kAck, scan_set_});
      scan_set_ = value;
      typematic_.cancel();
      break;
    case kSetRate: rate_ = value & 0x7f; break;
    // Further keys may follow, up to the next command.
    case kKeyRepeat:
      types_[value] = kRepeats;
      pending_ = command;
      break;
    case kKeyMakeBreak:
      types_[value] = kBreaks;
      pending_ = command;
      break;
    case kKeyMakeOnly:
      types_[value] = kMakeOnly;
      pending_ = command;
      break;
    default: break;
  }
  reply({kAck});
}

void Ps2Keyboard::command(u8 value) {
  const u8 before = std::exchange(pending_, u8{0});
  if (before && value < kSetLeds) return parameter(before, value);
  switch (value) {
    case kSelectSet:
    case kKeyRepeat:
    case kKeyMakeBreak:
    case kKeyMakeOnly: reports_.clear(); [[fallthrough]];
    case kSetLeds:
    case kSetRate:
      replies_.clear();
      pending_ = value;
      break;
    case kEcho: return reply({kEcho});
    case kReadId: return reply({kAck, 0xab, 0x83});
    case kEnable:
      reports_.clear();
      typematic_.cancel();
      enabled_ = true;
      break;
    case kDefaultDisable:
    case kSetDefault:
      defaults();
      enabled_ = value == kSetDefault;
      break;
    case kAllRepeat: all_types(kRepeats); break;
    case kAllMakeBreak: all_types(kBreaks); break;
    case kAllMakeOnly: all_types(kMakeOnly); break;
    case kAllRepeatMakeBreak: all_types(kRepeats | kBreaks); break;
    case kResendLast: return reply({last_sent_});
    case kReset: reset(); return reply({kAck, 0xaa});
    default: return reply({kResend});
  }
  reply({kAck});
}

std::string Ps2Keyboard::dump() const {
  const auto on = [this](unsigned led) { return leds_ >> led & 1 ? "on" : "off"; };
  return fmt::format(
      "Num Lock {}, Caps Lock {}, Scroll Lock {}\nscan code set {}, {}, repeats every {} ms after {} ms\n", on(1),
      on(2), on(0), scan_set_, enabled_ ? "enabled" : "disabled", period_ns() / 1'000'000, delay_ns() / 1'000'000);
}

void Ps2Keyboard::serialize(Archive& ar) {
  ar.section("ps2-keyboard", 2);
  serialize_queues(ar);
  for (bool& held : held_) ar(held);
  for (u8& type : types_) ar.range(type, u8{0}, u8{kBreaks | kRepeats});
  ar(pending_).range(scan_set_, u8{1}, u8{3})(overrun_)(leds_)(rate_)(enabled_);
  ar.range(repeating_, KeyCode{}, static_cast<KeyCode>(key_count() - 1));
  typematic_.serialize(ar);
}

}  // namespace xlat
