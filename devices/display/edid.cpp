// The EDID block, field by field.
#include "devices/display/edid.h"

#include <algorithm>

namespace xlat {

namespace {

constexpr unsigned kBlock = 128;
constexpr unsigned kDpi = 96;

// A display descriptor with text (3.10.3): 13 characters, ended by a line feed if shorter.
void put_text(u8* at, u8 tag, std::string text) {
  at[3] = tag;
  text.resize(std::min<std::size_t>(text.size(), 13));
  if (text.size() < 13) text += '\n';
  text.resize(13, ' ');
  std::copy(text.begin(), text.end(), at + 5);
}

// A detailed timing descriptor (3.10.2), with the blanking of VESA's reduced timings (CVT 1.2, version 1).
void put_timing(u8* at, unsigned width, unsigned height, unsigned mm_wide, unsigned mm_high) {
  constexpr unsigned kBlankDots = 160, kFrontDots = 48, kSyncDots = 32, kFrontLines = 3, kSyncLines = 6;
  const unsigned blank_lines = std::max(height / 30, 15u);
  const u64 clock = u64{width + kBlankDots} * (height + blank_lines) * 60 / 10'000;
  at[0] = static_cast<u8>(clock);
  at[1] = static_cast<u8>(clock >> 8);
  at[2] = static_cast<u8>(width);
  at[3] = static_cast<u8>(kBlankDots);
  at[4] = static_cast<u8>((width >> 8) << 4 | kBlankDots >> 8);
  at[5] = static_cast<u8>(height);
  at[6] = static_cast<u8>(blank_lines);
  at[7] = static_cast<u8>((height >> 8) << 4 | blank_lines >> 8);
  at[8] = kFrontDots;
  at[9] = kSyncDots;
  at[10] = kFrontLines << 4 | kSyncLines;
  at[12] = static_cast<u8>(mm_wide);
  at[13] = static_cast<u8>(mm_high);
  at[14] = static_cast<u8>((mm_wide >> 8) << 4 | mm_high >> 8);
  at[17] = 0x1a;  // digital separate sync, horizontal positive
}

// A standard timing (3.9): width in eights less 31, aspect ratio, 60 Hz.
void put_standard(u8* at, unsigned width, unsigned ratio) {
  at[0] = static_cast<u8>(width / 8 - 31);
  at[1] = static_cast<u8>(ratio << 6);
}

}  // namespace

std::vector<u8> make_edid(unsigned width, unsigned height, const std::string& name) {
  std::vector<u8> e(kBlock, 0);
  const unsigned mm_wide = width * 254 / (kDpi * 10), mm_high = height * 254 / (kDpi * 10);
  std::fill_n(&e[1], 6, u8{0xff});  // the header
  const auto letter = [](char c) { return static_cast<unsigned>(c - 'A' + 1); };
  const unsigned maker = letter('X') << 10 | letter('L') << 5 | letter('T');
  e[8] = static_cast<u8>(maker >> 8);
  e[9] = static_cast<u8>(maker);
  e[10] = 1;             // product code
  e[17] = 2026 - 1990;   // year of the model
  e[16] = 0xff;          // which is what the year is
  e[18] = 1, e[19] = 4;  // version
  e[20] = 0xa5;          // digital, 8 bits a colour, DisplayPort
  e[21] = static_cast<u8>(mm_wide / 10);
  e[22] = static_cast<u8>(mm_high / 10);
  e[23] = 120;   // gamma 2.2
  e[24] = 0x06;  // sRGB; the preferred timing is the native one
  // sRGB's primaries and white point (IEC 61966-2-1), ten bits each.
  constexpr u8 kChromaticity[10] = {0xee, 0x91, 0xa3, 0x54, 0x4c, 0x99, 0x26, 0x0f, 0x50, 0x54};
  std::copy(std::begin(kChromaticity), std::end(kChromaticity), &e[25]);
  e[35] = 0x21;                       // 640x480 and 800x600 at 60 Hz
  e[36] = 0x08;                       // 1024x768 at 60 Hz
  std::fill_n(&e[38], 16, u8{0x01});  // no standard timing
  constexpr struct {
    unsigned width, height, ratio;
  } kStandard[] = {{1920, 1080, 3}, {1600, 1200, 1}, {1680, 1050, 0}, {1440, 900, 0}, {1280, 1024, 2}, {1280, 960, 1}};
  unsigned n = 0;
  for (const auto& mode : kStandard) {
    if (mode.width <= std::max(width, 1280u) * 2) put_standard(&e[38 + 2 * n++], mode.width, mode.ratio);
  }
  put_timing(&e[54], width, height, mm_wide, mm_high);
  e[72 + 3] = 0xfd;  // range limits: 50 to 125 Hz, 30 to 160 kHz, up to 1200 MHz
  const u8 limits[] = {50, 125, 30, 160, 120, 0x01, 0x0a, 0x20, 0x20, 0x20, 0x20, 0x20, 0x20};
  std::copy(std::begin(limits), std::end(limits), &e[72 + 5]);
  put_text(&e[90], 0xfc, name);
  e[108 + 3] = 0x10;  // unused
  unsigned sum = 0;
  for (const u8 byte : e) sum += byte;
  e[127] = static_cast<u8>(0x100 - sum);
  return e;
}

}  // namespace xlat
