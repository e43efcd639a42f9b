// The serial EEPROM 93C46 (64 words of 16 bits), where PCI network cards keep their address.
#pragma once

#include <array>

#include "base/archive.h"

namespace xlat {

// Three wires in, one out; Microchip 93C46C data sheet, "functional description".
class Eeprom93c46 {
 public:
  std::array<u16, 64> words{};

  // Levels of chip select, clock and data in.
  void drive(bool select, bool clock, bool data) {
    const bool rises = clock && !clock_;
    clock_ = clock;
    if (!select) {
      if (selected_ && state_ == State::kDone && program_) program();
      selected_ = false;
      state_ = State::kStart;
      out_ = true;
      return;
    }
    selected_ = true;
    if (rises) step(data);
  }
  bool out() const { return out_; }

  // Power comes on; the words stay.
  void reset() {
    state_ = State::kStart;
    shift_ = 0;
    count_ = 0;
    clock_ = selected_ = writable_ = program_ = false;
    out_ = true;
  }
  void serialize(Archive& ar) {
    ar(words)(clock_)(selected_)(writable_)(program_)(out_);
    ar.range(state_, State::kStart, State::kDone)
        .range(command_, u16{0}, u16{0xff})(shift_)
        .range(count_, u8{0}, u8{16});
  }

 private:
  enum class State : u8 { kStart, kCommand, kRead, kData, kDone };

  void step(bool data) {
    switch (state_) {
      case State::kStart:
        if (!data) break;
        state_ = State::kCommand;
        shift_ = 0;
        count_ = 0;
        program_ = false;
        break;
      case State::kCommand:
        shift_ = static_cast<u16>(shift_ << 1 | data);
        if (++count_ == 8) begin(shift_);
        break;
      case State::kRead:
        if (count_ == 0) {  // the next word follows by itself
          shift_ = words[command_ & 63];
          command_ = static_cast<u16>((command_ & 0xc0) | ((command_ + 1) & 63));
          count_ = 16;
        }
        out_ = shift_ >> --count_ & 1;
        break;
      case State::kData:
        shift_ = static_cast<u16>(shift_ << 1 | data);
        if (++count_ == 16) state_ = State::kDone;
        break;
      case State::kDone: break;
    }
  }
  // Two bits of operation and six of address.
  void begin(u16 command) {
    command_ = command & 0xff;
    count_ = 0;
    shift_ = 0;
    switch (command_ >> 6) {
      case 2:
        state_ = State::kRead;
        out_ = false;  // the dummy bit
        return;
      case 1:
        state_ = State::kData;
        program_ = true;
        return;
      case 3:
        state_ = State::kDone;
        program_ = true;
        return;
      default: break;
    }
    state_ = State::kDone;
    const unsigned which = command_ >> 4 & 3;
    if (which == 3) writable_ = true;
    if (which == 0) writable_ = false;
    if (which == 1) state_ = State::kData;
    program_ = which == 1 || which == 2;
  }
  void program() {
    program_ = false;
    if (!writable_) return;
    const bool all = command_ >> 6 == 0;
    const u16 value = command_ >> 6 == 1 || (all && (command_ >> 4 & 3) == 1) ? shift_ : u16{0xffff};
    if (all) {
      words.fill(value);
    } else {
      words[command_ & 63] = value;
    }
  }

  State state_ = State::kStart;
  u16 command_ = 0, shift_ = 0;
  u8 count_ = 0;
  bool clock_ = false, selected_ = false, writable_ = false, program_ = false, out_ = true;
};

}  // namespace xlat
