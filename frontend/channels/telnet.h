// Telnet's side of a channel: what its commands say is taken out of the bytes. RFC 854, 857, 858.
#pragma once

#include <array>
#include <span>
#include <utility>
#include <vector>

#include "base/types.h"

namespace xlat {

class TelnetFilter {
 public:
  // What a server says first: it echoes, nobody sends "go ahead", bytes are bytes.
  static constexpr std::array<u8, 12> kGreeting = {255, 251, 1, 255, 251, 3, 255, 251, 0, 255, 253, 0};

  // The data among what came.
  std::vector<u8> data(std::span<const u8> bytes) {
    std::vector<u8> out;
    for (const u8 byte : bytes) take(byte, out);
    return out;
  }
  // A byte of all ones is sent twice.
  static std::vector<u8> escaped(std::span<const u8> bytes) {
    std::vector<u8> out;
    for (const u8 byte : bytes) {
      out.push_back(byte);
      if (byte == kIac) out.push_back(byte);
    }
    return out;
  }

 private:
  static constexpr u8 kSe = 240, kSb = 250, kWill = 251, kDont = 254, kIac = 255;
  enum class State : u8 { kData, kCommand, kOption, kSubnegotiation, kSubnegotiationIac };

  void take(u8 byte, std::vector<u8>& out) {
    switch (state_) {
      case State::kData:
        // A line ends with CR NUL or CR LF; the second byte is the terminal's.
        if (std::exchange(after_cr_, byte == '\r') && byte == 0) return;
        byte == kIac ? void(state_ = State::kCommand) : out.push_back(byte);
        return;
      case State::kCommand:
        state_ = byte == kSb ? State::kSubnegotiation : byte >= kWill && byte <= kDont ? State::kOption : State::kData;
        if (byte == kIac) out.push_back(byte);
        return;
      case State::kOption: state_ = State::kData; return;
      case State::kSubnegotiation:
        if (byte == kIac) state_ = State::kSubnegotiationIac;
        return;
      case State::kSubnegotiationIac: state_ = byte == kSe ? State::kData : State::kSubnegotiation; return;
    }
  }

  State state_ = State::kData;
  bool after_cr_ = false;
};

}  // namespace xlat
