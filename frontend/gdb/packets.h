// The lowest layer of GDB's remote protocol: packets with checksums and acknowledgements out of a stream of bytes.
// "Debugging with GDB", appendix E.1.
#pragma once

#include <functional>
#include <span>
#include <string>
#include <string_view>

#include "base/types.h"

namespace xlat {

class GdbPackets {
 public:
  // The longest packet that is taken, without its frame; what is longer is answered with an error and dropped.
  static constexpr std::size_t kMostBytes = 0x4000;

  struct Sinks {
    std::function<void(std::string_view packet)> packet;
    std::function<void()> interrupt;               // Ctrl-C
    std::function<void()> too_long;                // in place of packet()
    std::function<void(std::string_view)> output;  // bytes for the other side
  };
  explicit GdbPackets(Sinks sinks) : sinks_(std::move(sinks)) {}

  void feed(std::span<const u8> bytes);
  // Sends a packet; `payload` is text or binary data escaped by escape().
  void send(std::string_view payload);
  // From now on neither side acknowledges.
  void stop_acknowledging() { acknowledges_ = false; }
  // A new connection.
  void reset();

  // Binary data, with what could be taken for a frame or a run length escaped.
  static std::string escape(std::string_view data);

 private:
  enum class State : u8 { kIdle, kBody, kEscape, kSum1, kSum2 };
  void feed(u8 byte);
  void add(char byte);
  void end();

  const Sinks sinks_;
  State state_ = State::kIdle;
  bool acknowledges_ = true;
  bool overflow_ = false;
  u8 sum_ = 0;    // of what came
  int told_ = 0;  // what the packet says; negative: that is no number
  std::string body_;
  std::string sent_;  // last, in case it has to be sent again
};

// Two digits a byte, as most replies have memory, registers and text.
std::string gdb_hex(std::span<const u8> bytes);
std::string gdb_hex(std::string_view text);

// Reads a packet's text piece by piece.
class GdbText {
 public:
  explicit GdbText(std::string_view text) : text_(text) {}

  // Whether `literal` comes next; it is passed then.
  bool take(std::string_view literal);
  // A number of one to sixteen hexadecimal digits.
  bool take_hex(u64& value);
  // As many bytes as there are digits for; false if what is left is no such thing.
  bool take_bytes(std::string& bytes);
  // Up to the next `end`, which is passed, or up to the end of the text.
  std::string_view take_until(char end);
  std::string_view rest() const { return text_; }
  bool at_end() const { return text_.empty(); }

 private:
  std::string_view text_;
};

}  // namespace xlat
