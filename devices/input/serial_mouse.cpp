// The serial mouse's greeting and packets.
#include "devices/input/serial_mouse.h"

#include <algorithm>
#include <utility>

namespace xlat {

namespace {

constexpr i32 kLimit = 1 << 20;         // counts kept for later packets
constexpr std::size_t kMostBytes = 96;  // the greeting and a packet

// What Plug and Play asks a mouse for, in characters of six bits: the values are 20h less than ASCII. PNP0F0C is the
// standard serial mouse.
constexpr std::string_view kIdentity = "PNP0F0C\\\\MOUSE\\\\XLAT MOUSE";

std::deque<u8> greeting() {
  std::vector<u8> id = {0x08, 0x01, 0x24};  // begin, version 1.0 of the specification
  for (const char c : kIdentity) id.push_back(static_cast<u8>(c - 0x20));
  u8 sum = 0x09;
  for (const u8 b : id) sum = static_cast<u8>(sum + b);
  for (const int digit : {sum >> 4, sum & 15}) id.push_back(static_cast<u8>("0123456789ABCDEF"[digit] - 0x20));
  id.push_back(0x09);  // end
  std::deque<u8> all = {'M', '3'};
  all.insert(all.end(), id.begin(), id.end());
  return all;
}

}  // namespace

SerialMouse::SerialMouse(Clock& clock, CharChannel& line, InputHub& hub)
    : line_(line), hub_(hub), clock_(clock), byte_(clock, [this] { send(); }) {
  line_.on_modem_control([this](bool dtr, bool rts) { modem_control(dtr, rts); });
  hub_.add(*this, "QEMU Microsoft Mouse");
}

SerialMouse::~SerialMouse() { hub_.remove(*this); }

void SerialMouse::reset() {
  powered_ = false;
  byte_.cancel();
  waiting_.clear();
  dx_ = dy_ = 0;
  sent_buttons_ = buttons_;
}

void SerialMouse::modem_control(bool dtr, bool rts) {
  const bool power = dtr && rts;
  if (power == powered_) return;
  reset();
  powered_ = power;
  if (!power) return;
  waiting_ = greeting();
  byte_.schedule(clock_.now() + kByteNs);
}

void SerialMouse::move(i32 dx, i32 dy, i32, u8 buttons) {
  const auto add = [](i32 a, i32 b) { return static_cast<i32>(std::clamp<i64>(i64{a} + b, -kLimit, kLimit)); };
  dx_ = add(dx_, dx);
  dy_ = add(dy_, dy);
  buttons_ = buttons & (kLeftButton | kRightButton | kMiddleButton);
  if (!byte_.pending()) packet();
}

void SerialMouse::packet() {
  if (!powered_ || (dx_ == 0 && dy_ == 0 && buttons_ == sent_buttons_)) return;
  const i32 x = std::clamp(dx_, -128, 127), y = std::clamp(dy_, -128, 127);
  dx_ -= x, dy_ -= y;
  const u8 changed = buttons_ ^ std::exchange(sent_buttons_, buttons_);
  const auto bits = [](i32 value, unsigned first, u32 count_mask) {
    return static_cast<u32>(value) >> first & count_mask;
  };
  waiting_.push_back(static_cast<u8>(0x40 | (buttons_ & kLeftButton ? 0x20 : 0) | (buttons_ & kRightButton ? 0x10 : 0) |
                                     bits(y, 6, 3) << 2 | bits(x, 6, 3)));
  waiting_.push_back(static_cast<u8>(bits(x, 0, 0x3f)));
  waiting_.push_back(static_cast<u8>(bits(y, 0, 0x3f)));
  if ((buttons_ | changed) & kMiddleButton) waiting_.push_back(buttons_ & kMiddleButton ? 0x20 : 0);
  byte_.schedule(clock_.now() + kByteNs);
}

// A byte has gone over the line.
void SerialMouse::send() {
  if (waiting_.empty()) return;
  const u8 byte = waiting_.front();
  waiting_.pop_front();
  if (waiting_.empty()) {
    packet();
  } else {
    byte_.schedule(clock_.now() + kByteNs);
  }
  if (line_.waiting() < kMostBytes) line_.enter(byte);  // nobody reads: it is lost, as on a line
}

void SerialMouse::serialize(Archive& ar) {
  ar.section("msmouse", 1);
  std::vector<u8> bytes(waiting_.begin(), waiting_.end());
  ar.blob(bytes, kMostBytes);
  waiting_.assign(bytes.begin(), bytes.end());
  ar(powered_).range(dx_, -kLimit, kLimit).range(dy_, -kLimit, kLimit)(buttons_)(sent_buttons_);
  byte_.serialize(ar);
}

}  // namespace xlat
