// The mouse's command set and movement packets (IBM PS/2 Hardware Interface Technical Reference, mouse; IntelliMouse).
#include <algorithm>
#include <utility>

#include "devices/input/ps2.h"

namespace xlat {

namespace {
constexpr u8 kAck = 0xfa, kResend = 0xfe;
constexpr i32 kLimit = 1 << 20;  // counts kept for later packets
}  // namespace

Ps2Mouse::Ps2Mouse(Clock& clock) : clock_(clock), sample_(clock, [this] { try_report(); }) {}

void Ps2Mouse::defaults() {
  sample_rate_ = 100;
  resolution_ = 2;
  scaling21_ = remote_ = wrap_ = enabled_ = false;
  dx_ = dy_ = dz_ = 0;
  lost_x_ = lost_y_ = false;
  knock_ = 0;
  reports_.clear();
  sample_.cancel();
}

void Ps2Mouse::reset() {
  defaults();
  id_ = 0;
  pending_ = 0;
  replies_.clear();
  last_.clear();
}

void Ps2Mouse::answer(std::initializer_list<u8> bytes) {
  last_.assign(bytes);
  reply(last_);
}

void Ps2Mouse::move(int dx, int dy, int dz) {
  const auto add = [](i32 a, int b) { return static_cast<i32>(std::clamp<i64>(i64{a} + b, -kLimit, kLimit)); };
  lost_x_ |= i64{dx_} + dx != add(dx_, dx);
  lost_y_ |= i64{dy_} - dy != add(dy_, -std::clamp(dy, -kLimit, kLimit));
  dx_ = add(dx_, dx);
  dy_ = add(dy_, -std::clamp(dy, -kLimit, kLimit));
  dz_ = add(dz_, dz);
  if (!sample_.pending()) try_report();
}

void Ps2Mouse::buttons(unsigned mask) {
  buttons_ = mask & 0x1f;
  if (!sample_.pending()) try_report();
}

// One packet a sample period, and not before the host has taken the last one.
void Ps2Mouse::try_report() {
  if (!enabled_ || remote_ || wrap_ || !something_to_report()) return;
  if (reports_.empty() && replies_.empty()) report(reports_, scaling21_);
  sample_.schedule(clock_.now() + kNanosPerSecond / std::max<u8>(sample_rate_, 10));
}

void Ps2Mouse::report(Ps2Queue& to, bool scaled) {
  const i32 x = std::clamp(dx_, -255, 255), y = std::clamp(dy_, -255, 255);
  const i32 z = std::clamp(dz_, id_ == 4 ? -8 : -127, id_ == 4 ? 7 : 127);
  dx_ -= x, dy_ -= y;
  dz_ = id_ ? dz_ - z : 0;
  reported_buttons_ = buttons_;
  const auto scale = [&](i32 v) {
    static constexpr i32 kTable[] = {0, 1, 1, 3, 6, 9};
    if (!scaled) return v;
    const i32 size = v < 0 ? -v : v;
    const i32 out = size < 6 ? kTable[size] : std::min(2 * size, 255);
    return v < 0 ? -out : out;
  };
  const i32 sx = scale(x), sy = scale(y);
  const auto sign = [](i32 v, unsigned bit) { return v < 0 ? 1u << bit : 0u; };
  last_ = {static_cast<u8>((buttons_ & 7) | 8 | sign(sx, 4) | sign(sy, 5) | u32{std::exchange(lost_x_, false)} << 6 |
                           u32{std::exchange(lost_y_, false)} << 7),
           static_cast<u8>(sx), static_cast<u8>(sy)};
  if (id_ == 3) last_.push_back(static_cast<u8>(z));
  if (id_ == 4) last_.push_back(static_cast<u8>((z & 0x0f) | (buttons_ & 0x18) << 1));
  for (const u8 b : last_) to.push(b);
  notify();
}

void Ps2Mouse::command(u8 value) {
  if (wrap_ && value != 0xec && value != 0xff) {
    answer({value});
    return;
  }
  if (pending_) {
    const u8 command = pending_;
    pending_ = 0;
    if (command == 0xe8) {
      if (value > 3) return answer({kResend});
      resolution_ = value;
    } else {
      if (value == 0) return answer({kResend});
      sample_rate_ = value;
      // 200, 100, 80 makes a wheel mouse; 200, 200, 80 after that one with five buttons.
      if (value == 200) {
        knock_ = knock_ == 1 ? 3 : 1;
      } else if (value == 100 && knock_ == 1) {
        knock_ = 2;
      } else {
        if (value == 80 && knock_ == 2) id_ = 3;
        if (value == 80 && knock_ == 3) id_ = 4;
        knock_ = 0;
      }
    }
    answer({kAck});
    return;
  }
  switch (value) {
    case 0xe6:
    case 0xe7:
      scaling21_ = value == 0xe7;
      answer({kAck});
      break;
    case 0xe8:
    case 0xf3:
      pending_ = value;
      answer({kAck});
      break;
    case 0xe9: {  // status request
      const u8 b = buttons_;
      const u8 status = static_cast<u8>((remote_ ? 0x40 : 0) | (enabled_ ? 0x20 : 0) | (scaling21_ ? 0x10 : 0) |
                                        (b & 1) << 2 | (b & 4) >> 1 | (b & 2) >> 1);
      answer({kAck, status, resolution_, sample_rate_});
      break;
    }
    case 0xea:
    case 0xf0:
      remote_ = value == 0xf0;
      dx_ = dy_ = dz_ = 0;
      reports_.clear();
      answer({kAck});
      break;
    case 0xeb:  // read data
      replies_.clear();
      answer({kAck});
      report(replies_, false);
      break;
    case 0xec:
    case 0xee:
      wrap_ = value == 0xee;
      reports_.clear();
      answer({kAck});
      break;
    case 0xf2: answer({kAck, id_}); break;
    case 0xf4:
      enabled_ = true;
      reports_.clear();
      dx_ = dy_ = dz_ = 0;
      reported_buttons_ = buttons_;
      answer({kAck});
      break;
    case 0xf5:
      enabled_ = false;
      reports_.clear();
      answer({kAck});
      break;
    case 0xf6:
      defaults();
      answer({kAck});
      break;
    case 0xfe: reply(last_); break;
    case 0xff:
      reset();
      answer({kAck, 0xaa, 0x00});
      break;
    default: answer({kResend}); break;
  }
}

void Ps2Mouse::serialize(Archive& ar) {
  ar.section("ps2-mouse", 2);
  serialize_queues(ar);
  ar(pending_).range(id_, u8{0}, u8{4})(sample_rate_).range(resolution_, u8{0}, u8{3}).range(knock_, u8{0}, u8{3});
  ar(scaling21_)(remote_)(wrap_)(enabled_);
  ar.range(dx_, -kLimit, kLimit).range(dy_, -kLimit, kLimit).range(dz_, -kLimit, kLimit);
  ar(lost_x_)(lost_y_).blob(last_, std::size_t{Ps2Queue::kCapacity});
  ar(buttons_)(reported_buttons_);
  sample_.serialize(ar);
}

}  // namespace xlat
