// Frames, escapes, and the small grammar of packets.
#include "frontend/gdb/packets.h"

#include <fmt/format.h>

namespace xlat {

namespace {

int digit(char c) {
  if (c >= '0' && c <= '9') return c - '0';
  if (c >= 'a' && c <= 'f') return c - 'a' + 10;
  if (c >= 'A' && c <= 'F') return c - 'A' + 10;
  return -1;
}

constexpr char kEscaped = 0x20;

}  // namespace

void GdbPackets::feed(std::span<const u8> bytes) {
  for (const u8 byte : bytes) feed(byte);
}

void GdbPackets::feed(u8 byte) {
  const char c = static_cast<char>(byte);
  switch (state_) {
    case State::kIdle:
      if (c == '$') {
        state_ = State::kBody;
        body_.clear();
        sum_ = 0;
        overflow_ = false;
      } else if (c == '-' && acknowledges_) {
        sinks_.output(sent_);
      } else if (c == 3) {
        sinks_.interrupt();
      }
      return;  // '+', and what belongs to no packet
    case State::kBody:
      if (c == '#') {
        state_ = State::kSum1;
        return;
      }
      sum_ = static_cast<u8>(sum_ + byte);
      if (c == '}') {
        state_ = State::kEscape;
      } else {
        add(c);
      }
      return;
    case State::kEscape:
      sum_ = static_cast<u8>(sum_ + byte);
      add(static_cast<char>(c ^ kEscaped));
      state_ = State::kBody;
      return;
    case State::kSum1:
      told_ = digit(c) < 0 ? -256 : digit(c) * 16;
      state_ = State::kSum2;
      return;
    case State::kSum2:
      told_ = digit(c) < 0 ? -256 : told_ + digit(c);
      state_ = State::kIdle;
      end();
      return;
  }
}

void GdbPackets::add(char byte) {
  overflow_ |= body_.size() >= kMostBytes;
  if (!overflow_) body_ += byte;
}

void GdbPackets::end() {
  if (acknowledges_) {
    if (told_ != sum_) return sinks_.output("-");
    sinks_.output("+");
  }
  if (overflow_) return sinks_.too_long();
  // What handles the packet may end the connection, and with it the packet.
  const std::string packet = std::move(body_);
  body_.clear();
  sinks_.packet(packet);
}

void GdbPackets::send(std::string_view payload) {
  u8 sum = 0;
  for (const char c : payload) sum = static_cast<u8>(sum + static_cast<u8>(c));
  sent_ = fmt::format("${}#{:02x}", payload, sum);
  sinks_.output(sent_);
}

void GdbPackets::reset() {
  state_ = State::kIdle;
  acknowledges_ = true;
  body_.clear();
  sent_.clear();
}

std::string GdbPackets::escape(std::string_view data) {
  std::string text;
  for (const char c : data) {
    if (c == '#' || c == '$' || c == '}' || c == '*') {
      text += '}';
      text += static_cast<char>(c ^ kEscaped);
    } else {
      text += c;
    }
  }
  return text;
}

std::string gdb_hex(std::span<const u8> bytes) {
  static constexpr char kDigits[] = "0123456789abcdef";
  std::string text;
  text.reserve(2 * bytes.size());
  for (const u8 byte : bytes) {
    text += kDigits[byte >> 4];
    text += kDigits[byte & 15];
  }
  return text;
}

std::string gdb_hex(std::string_view text) {
  return gdb_hex(std::span(reinterpret_cast<const u8*>(text.data()), text.size()));
}

bool GdbText::take(std::string_view literal) {
  if (!text_.starts_with(literal)) return false;
  text_.remove_prefix(literal.size());
  return true;
}

bool GdbText::take_hex(u64& value) {
  value = 0;
  std::size_t n = 0;
  while (n < text_.size() && digit(text_[n]) >= 0) {
    if (n == 16) return false;
    value = value << 4 | static_cast<u64>(digit(text_[n]));
    ++n;
  }
  text_.remove_prefix(n);
  return n != 0;
}

bool GdbText::take_bytes(std::string& bytes) {
  bytes.clear();
  while (!text_.empty()) {
    if (text_.size() < 2 || digit(text_[0]) < 0 || digit(text_[1]) < 0) return false;
    bytes += static_cast<char>(digit(text_[0]) << 4 | digit(text_[1]));
    text_.remove_prefix(2);
  }
  return true;
}

std::string_view GdbText::take_until(char end) {
  const auto at = text_.find(end);
  const std::string_view taken = text_.substr(0, at);
  text_ = at == std::string_view::npos ? std::string_view() : text_.substr(at + 1);
  return taken;
}

}  // namespace xlat
