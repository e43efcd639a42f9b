// The answers' bytes.
#include "devices/scsi/mmc.h"

#include <algorithm>

#include "base/bits.h"

namespace xlat::mmc {

namespace {

constexpr u8 kDataTrack = 0x14;  // ADR 1, control: data
constexpr u64 kLeadIn = 150;     // frames before sector 0

void put_frame(u8* to, u64 frame) {
  to[0] = 0;
  to[1] = static_cast<u8>(frame / 75 / 60);
  to[2] = static_cast<u8>(frame / 75 % 60);
  to[3] = static_cast<u8>(frame % 75);
}

// A CD address as LBA, or as minute, second, frame.
void put_address(std::vector<u8>& to, u64 lba, bool msf) {
  if (!msf) {
    to.resize(to.size() + 4);
    return store_be<u32>(&to[to.size() - 4], static_cast<u32>(std::min<u64>(lba, 0xffffffff)));
  }
  to.resize(to.size() + 4);
  put_frame(&to[to.size() - 4], lba + kLeadIn);
}

void put_length(std::vector<u8>& data) { store_be<u16>(&data[0], static_cast<u16>(data.size() - 2)); }

}  // namespace

std::optional<std::vector<u8>> toc(const Disc& disc, u8 format, bool msf, u8 first_track) {
  constexpr u8 kLeadOut = 0xaa;
  std::vector<u8> data{0, 0, 1, 1};
  const auto track = [&](u8 number, u64 lba) {
    data.insert(data.end(), {0, kDataTrack, number, 0});
    put_address(data, lba, msf);
  };
  // A line of the lead-in's Q subcode.
  const auto point = [&](u8 number, u8 minute, u8 second, u8 frame) {
    data.insert(data.end(), {1, kDataTrack, 0, number, 0, 0, 0, 0, minute, second, frame});
  };
  const auto place = [&](u8 number, u64 lba) {
    std::vector<u8> at;
    put_address(at, lba, true);
    point(number, at[1], at[2], at[3]);
  };
  switch (format) {
    case 0:
      if (first_track > 1 && first_track != kLeadOut) return {};
      if (first_track <= 1) track(1, 0);
      track(kLeadOut, disc.sectors);
      break;
    case 1: track(1, 0); break;
    case 2:
      point(0xa0, 1, 0, 0);
      point(0xa1, 1, 0, 0);
      place(0xa2, disc.sectors);
      place(1, 0);
      break;
    default: return {};
  }
  put_length(data);
  return data;
}

std::optional<std::vector<u8>> subchannel(CdAudio& audio, bool q, u8 format, bool msf) {
  if (q && (format == 0 || format > 3)) return {};
  std::vector<u8> data{0, audio.take_status(), 0, 0};
  if (!q) return data;
  if (format == 2 || format == 3) {  // no catalogue number, no recording code
    data[3] = 20;
    data.push_back(format);
    data.resize(24);
    return data;
  }
  data[3] = 12;
  data.insert(data.end(), {1, kDataTrack, 1, 1});
  put_address(data, audio.position(), msf);
  put_address(data, audio.position(), msf);
  // In the track there is no lead-in before it.
  if (msf) put_frame(&data[12], audio.position());
  return data;
}

std::optional<std::vector<u8>> configuration(const Disc& disc, Interface interface, u8 type, u16 first) {
  if (type == 3) return {};
  const bool dvd = disc.ready() && disc.is_dvd(), cd = disc.ready() && !dvd;
  std::vector<u8> data(8);
  data[7] = dvd ? 0x10 : cd ? 0x08 : 0;
  const auto feature = [&](u16 code, u8 version, bool persistent, bool current, std::initializer_list<u8> bytes) {
    if (code < first || (type == 1 && !current) || (type == 2 && code != first)) return;
    data.insert(data.end(),
                {static_cast<u8>(code >> 8), static_cast<u8>(code),
                 static_cast<u8>(version << 2 | persistent << 1 | u8{current}), static_cast<u8>(bytes.size())});
    data.insert(data.end(), bytes);
  };
  feature(0x0000, 0, true, true, {0x00, 0x10, u8{dvd}, 0, 0x00, 0x08, u8{cd}, 0});    // profiles
  feature(0x0001, 1, true, true, {0, 0, 0, static_cast<u8>(interface), 1, 0, 0, 0});  // core, DBE
  feature(0x0002, 1, true, true, {2, 0, 0, 0});                                       // morphing: OCEvent
  feature(0x0003, 0, true, true, {0x39, 0, 0, 0});                                    // removable: tray, eject, lock
  feature(0x0010, 0, false, disc.ready(), {0, 0, 8, 0, 0, 16, 0, 0});                 // random readable
  feature(0x001d, 0, false, cd, {});                                                  // multi-read
  feature(0x001e, 2, false, cd, {0, 0, 0, 0});                                        // CD read
  feature(0x001f, 0, false, dvd, {});                                                 // DVD read
  feature(0x0100, 0, true, true, {});                                                 // power management
  feature(0x0103, 0, false, cd, {0x03, 0, 1, 0});  // CD audio: mute and volume of each channel, in 256 steps
  feature(0x0105, 0, true, true, {});              // timeout
  store_be<u32>(&data[0], static_cast<u32>(data.size() - 4));
  return data;
}

std::vector<u8> event_status(const Disc& disc, u8 classes, u8 event) {
  constexpr u8 kMedia = 0x10;
  if (!(classes & kMedia)) return {0, 2, 0x80, kMedia};  // none of the classes asked for
  const u8 now = static_cast<u8>((disc.ready() ? 2 : 0) | (disc.tray_open ? 1 : 0));
  return {0, 6, 4, kMedia, event, now, 0, 0};
}

std::optional<std::vector<u8>> disc_information(u8 type) {
  if (type != 0) return {};
  std::vector<u8> data(34);
  data[2] = 0x0e;                               // complete session, finalized disc
  data[3] = data[4] = data[5] = data[6] = 1;    // the one track, the one session
  data[7] = 0x20;                               // unrestricted use
  std::fill_n(data.begin() + 16, 8, u8{0xff});  // no next session, no lead-out to come
  put_length(data);
  return data;
}

std::optional<std::vector<u8>> track_information(const Disc& disc, u8 by, u32 what) {
  const bool found = (by == 0 && what < disc.sectors) || ((by == 1 || by == 2) && what == 1);
  if (!found) return {};
  std::vector<u8> data(36);
  data[2] = data[3] = 1;  // track, session
  data[5] = 4;            // data track
  data[6] = 1;            // mode 1
  store_be<u32>(&data[24], static_cast<u32>(std::min<u64>(disc.sectors, 0xffffffff)));
  put_length(data);
  return data;
}

std::vector<u8> mechanism_status(const Disc& disc) {
  return {0, static_cast<u8>(disc.tray_open ? 0x10 : 0), 0, 0, 0, 0, 0, 0};
}

std::vector<ScsiModePage> mode_pages(const Disc& disc, const CdAudio& audio, bool changeable) {
  const u8 lock = static_cast<u8>(0x29 | (disc.locked ? 2 : 0));  // tray, eject, lock, and whether that is on
  std::vector<ScsiModePage> pages = {
      {0x01, {0, 5, 0, 0, 0, 0, 0, 0, 0, 0}},              // error recovery: 5 retries
      {0x0d, {0, 0x0d, 0, 60, 0, 75}},                     // CD device parameters
      {0x0e, {audio.page().begin(), audio.page().end()}},  // audio control
      {0x2a, {0x3b, 0, 0x71, 0x60, lock, 0, 0x16, 0x00, 1, 0, 2, 0, 0x16, 0x00, 0, 0, 0, 0}}};  // capabilities, 32x
  if (changeable) {
    for (ScsiModePage& page : pages) std::fill(page.data.begin(), page.data.end(), u8{0});
    std::copy(CdAudio::kChangeable.begin(), CdAudio::kChangeable.end(), pages[2].data.begin());
  }
  return pages;
}

u8 medium_type(const Disc& disc) { return !disc.present ? 0x70 : disc.tray_open ? 0x71 : 0x01; }

u32 sector_bytes(u8 parts) {
  return (parts & 0x80 ? 12 : 0) + (parts & 0x20 ? 4 : 0) + (parts & 0x10 ? 2048 : 0) + (parts & 0x08 ? 288 : 0);
}

u32 put_sector(u8* to, u8 parts, u64 lba, const u8* user_data) {
  const u8* const begin = to;
  if (parts & 0x80) {  // sync
    *to++ = 0;
    to = std::fill_n(to, 10, u8{0xff});
    *to++ = 0;
  }
  if (parts & 0x20) {  // header
    const auto bcd = [](u64 v) { return static_cast<u8>((v / 10 % 10) << 4 | v % 10); };
    const u64 frame = lba + kLeadIn;
    for (const u8 each : {bcd(frame / 75 / 60), bcd(frame / 75 % 60), bcd(frame % 75), u8{1}}) *to++ = each;
  }
  if (parts & 0x10) to = std::copy_n(user_data, 2048, to);
  if (parts & 0x08) to = std::fill_n(to, 288, u8{0});
  return static_cast<u32>(to - begin);
}

}  // namespace xlat::mmc
