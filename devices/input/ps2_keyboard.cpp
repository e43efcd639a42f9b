// The keyboard's command set and scan codes (IBM Personal System/2 Hardware Interface Technical Reference, keyboards).
#include "base/bits.h"
#include "devices/input/ps2.h"

namespace xlat {

namespace {
constexpr u8 kAck = 0xfa, kResend = 0xfe;
}

Ps2Keyboard::Ps2Keyboard(Clock& clock) : clock_(clock), typematic_(clock, [this] { repeat(); }) {}

void Ps2Keyboard::defaults() {
  scan_set_ = 2;
  rate_ = 0x2b;
  reports_.clear();
  typematic_.cancel();
}

void Ps2Keyboard::reset() {
  defaults();
  replies_.clear();
  pending_ = 0;
  enabled_ = true;
  set_leds(0);
}

void Ps2Keyboard::set_leds(u8 leds) {
  leds_ = leds & 7;
  if (leds_hook_) leds_hook_(leds_);
}

void Ps2Keyboard::queue(std::span<const u8> set2) {
  if (reports_.free() < set2.size() + 1) {
    if (reports_.free()) reports_.push(scan_set_ == 1 ? 0xff : 0x00);  // overrun
  } else if (scan_set_ != 1) {
    for (u8 b : set2) reports_.push(b);
  } else {
    u8 released = 0;
    for (u8 b : set2) {
      if (b == 0xf0) {
        released = 0x80;
      } else {
        reports_.push(translate_scan_code(b) | (b < 0xe0 ? released : 0));
        released = 0;
      }
    }
  }
  notify();
}

void Ps2Keyboard::send(KeyCode key, bool down) {
  static constexpr u8 kPauseMake[] = {0xe1, 0x14, 0x77, 0xe1, 0xf0, 0x14, 0xf0, 0x77};
  static constexpr u8 kBreakMake[] = {0xe0, 0x7e, 0xe0, 0xf0, 0x7e};  // Ctrl-Pause
  static constexpr u8 kPrintMake[] = {0xe0, 0x12, 0xe0, 0x7c};
  static constexpr u8 kPrintBreak[] = {0xe0, 0xf0, 0x7c, 0xe0, 0xf0, 0x12};
  const auto is_held = [this](KeyCode k) { return held_[static_cast<u8>(k)]; };
  if (key == KeyCode::kPause) {
    if (!down) return;  // this key has no break code
    if (is_held(KeyCode::kCtrl) || is_held(KeyCode::kCtrlR)) {
      queue(kBreakMake);
    } else {
      queue(kPauseMake);
    }
    return;
  }
  if (key == KeyCode::kPrint && (is_held(KeyCode::kAlt) || is_held(KeyCode::kAltR))) {
    key = KeyCode::kSysrq;
  } else if (key == KeyCode::kPrint) {
    down ? queue(kPrintMake) : queue(kPrintBreak);
    return;
  }
  const ScanCode sc = scan_code_set2(key);
  u8 sequence[3];
  unsigned n = 0;
  if (sc.e0) sequence[n++] = 0xe0;
  if (!down) sequence[n++] = 0xf0;
  sequence[n++] = sc.code;
  queue({sequence, n});
}

void Ps2Keyboard::key(KeyCode key, bool down) {
  if (static_cast<unsigned>(key) >= key_count()) return;
  bool& held = held_[static_cast<u8>(key)];
  if (held == down) return;
  held = down;
  if (!down && repeating_ == key) typematic_.cancel();
  if (!enabled_) return;
  send(key, down);
  if (down && key != KeyCode::kPause) {
    repeating_ = key;
    typematic_.schedule(clock_.now() + (((rate_ >> 5) & 3) + u64{1}) * 250'000'000);
  }
}

void Ps2Keyboard::repeat() {
  if (!enabled_ || !held_[static_cast<u8>(repeating_)]) return;
  if (reports_.empty()) send(repeating_, true);
  // Period = (8 + A) * 2^B * 4.17 ms, A bits 2:0, B bits 4:3 of the typematic byte.
  typematic_.schedule(clock_.now() + (u64{8} + (rate_ & 7)) * (u64{1} << ((rate_ >> 3) & 3)) * 4'170'000);
}

void Ps2Keyboard::command(u8 value) {
  if (pending_ && value < 0xed) {  // the parameter of a two-byte command
    const u8 command = pending_;
    pending_ = 0;
    switch (command) {
      case 0xed:
        set_leds(value);
        reply({kAck});
        break;
      case 0xf0:
        if (value == 0) {
          reply({kAck, scan_set_});
        } else if (value <= 2) {
          scan_set_ = value;
          reports_.clear();
          reply({kAck});
        } else {
          reply({kResend});  // set 3 is not there
        }
        break;
      case 0xf3:
        rate_ = value & 0x7f;
        reply({kAck});
        break;
      default: reply({kAck}); break;
    }
    return;
  }
  pending_ = 0;
  switch (value) {
    case 0xed:  // set LEDs
    case 0xf0:  // select scan code set
    case 0xf3:  // set typematic rate
    case 0xfb:  // set 3 key types: take the key code and forget it
    case 0xfc:
    case 0xfd:
      replies_.clear();
      pending_ = value;
      reply({kAck});
      break;
    case 0xee: reply({0xee}); break;
    case 0xf2: reply({kAck, 0xab, 0x83}); break;
    case 0xf4:
      reports_.clear();
      enabled_ = true;
      reply({kAck});
      break;
    case 0xf5:
    case 0xf6:
      defaults();
      enabled_ = value == 0xf6;
      reply({kAck});
      break;
    case 0xf7:
    case 0xf8:
    case 0xf9:
    case 0xfa: reply({kAck}); break;
    case 0xfe: reply({last_sent_}); break;
    case 0xff:
      reset();
      reply({kAck, 0xaa});
      break;
    default: reply({kResend}); break;
  }
}

void Ps2Keyboard::serialize(Archive& ar) {
  ar.section("ps2-keyboard", 1);
  serialize_queues(ar);
  for (bool& held : held_) ar(held);
  ar(pending_).range(scan_set_, u8{1}, u8{2})(leds_)(rate_)(enabled_);
  ar.range(repeating_, KeyCode{}, static_cast<KeyCode>(key_count() - 1));
  typematic_.serialize(ar);
}

}  // namespace xlat
