// The SCSI/MMC commands a CD-ROM drive takes inside packets (SPC-2, MMC-3).
#include <algorithm>

#include "base/bits.h"
#include "devices/ide/atapi.h"

namespace xlat {
namespace {

void put16(u8* p, u64 v) {
  p[0] = static_cast<u8>(v >> 8);
  p[1] = static_cast<u8>(v);
}
void put32(u8* p, u64 v) {
  put16(p, v >> 16);
  put16(p + 2, v);
}
// A CD address as MSF (with the 2-second lead-in) or as LBA.
void put_address(u8* p, u64 lba, bool msf) {
  if (!msf) return put32(p, lba);
  const u64 frame = lba + 150;
  p[0] = 0;
  p[1] = static_cast<u8>(frame / 75 / 60);
  p[2] = static_cast<u8>(frame / 75 % 60);
  p[3] = static_cast<u8>(frame % 75);
}

}  // namespace

void AtapiCdrom::packet() {
  const u8 op = cdb_[0];
  const bool reports_anyway = op == 0x12 || op == 0x03 || op == 0x46 || op == 0x4a;
  if (op != 0x03) sense_ = {0, 0, 0};
  if (attention_ && !reports_anyway) {
    attention_ = false;
    return fail({6, 0x28, 0});  // UNIT ATTENTION: medium may have changed
  }
  std::fill_n(buffer_.begin(), 4096, u8{0});
  switch (op) {
    case 0x00:
    case 0x25:
    case 0x28:
    case 0xa8:
    case 0xbe:
    case 0xb9:
    case 0x43:
    case 0x42:
    case 0x51:
    case 0x52:
    case 0x2b:
    case 0x2f: return packet_media(op);
    default: return packet_status(op);
  }
}

// Commands that need a disc.
void AtapiCdrom::packet_media(u8 op) {
  if (!media_present()) return fail({2, 0x3a, static_cast<u8>(tray_open_ ? 2 : 1)});  // MEDIUM NOT PRESENT
  const u64 total = media_sectors();
  switch (op) {
    case 0x00: return good();  // TEST UNIT READY
    case 0x25:                 // READ CAPACITY
      put32(&buffer_[0], std::min<u64>(total - 1, mask(32)));
      put32(&buffer_[4], 2048);
      return reply(8, 8);
    case 0x28: return start_read(cdb32(2), cdb16(7), 0x10);  // READ(10)
    case 0xa8: return start_read(cdb32(2), cdb32(6), 0x10);  // READ(12)
    case 0xbe:                                               // READ CD
      if (const u8 type = bits(cdb_[1], 2, 3); type != 0 && type != 2) return fail({5, 0x64, 0});
      if (cdb_[9] & 0x06 || cdb_[10] & 7) return fail({5, 0x24, 0});
      return start_read(cdb32(2), cdb32(5) & 0xff'ffff, cdb_[9] & 0xf8);
    case 0xb9: {  // READ CD MSF
      const auto lba = [this](unsigned at) { return i64{cdb_[at]} * 4500 + cdb_[at + 1] * 75 + cdb_[at + 2] - 150; };
      const i64 from = lba(3), to = lba(6);
      if (from < 0 || to < from) return fail({5, 0x21, 0});
      if (cdb_[9] & 0x06 || cdb_[10] & 7) return fail({5, 0x24, 0});
      return start_read(static_cast<u64>(from), static_cast<u64>(to - from), cdb_[9] & 0xf8);
    }
    case 0x2b: return cdb32(2) < total ? good() : fail({5, 0x21, 0});  // SEEK(10)
    case 0x2f:                                                         // VERIFY(10)
      return u64{cdb32(2)} + cdb16(7) <= total ? good() : fail({5, 0x21, 0});
    case 0x43: return read_toc();
    case 0x42: return read_subchannel();
    case 0x51: return read_disc_information();
    case 0x52: return read_track_information();
    default: return fail({5, 0x20, 0});
  }
}

// Commands that work on an empty drive, too.
void AtapiCdrom::packet_status(u8 op) {
  switch (op) {
    case 0x03: return request_sense();
    case 0x12: return inquiry();
    case 0x1b: return start_stop();
    case 0x1e:  // PREVENT ALLOW MEDIUM REMOVAL
      locked_ = cdb_[4] & 1;
      return good();
    case 0x46: return get_configuration();
    case 0x4a: return get_event_status();
    case 0x5a: return mode_sense();
    case 0x55: {  // MODE SELECT(10): taken in, changes nothing
      const u32 bytes = cdb16(7);
      if (bytes == 0) return good();
      stage_ = Stage::kParameters;
      count_.now = 0;
      lba_mid_.now = static_cast<u8>(bytes);
      lba_high_.now = static_cast<u8>(bytes >> 8);
      if (use_dma_) return fail({5, 0x24, 0});
      return data_out(bytes, true);
    }
    case 0xbd: return mechanism_status();
    case 0xbb: return good();            // SET CD SPEED
    default: return fail({5, 0x20, 0});  // INVALID COMMAND OPERATION CODE
  }
}

void AtapiCdrom::request_sense() {
  if (attention_ && sense_.key == 0) {
    attention_ = false;
    sense_ = {6, 0x28, 0};
  }
  buffer_[0] = 0x70;
  buffer_[2] = sense_.key;
  buffer_[7] = 10;
  buffer_[12] = sense_.asc;
  buffer_[13] = sense_.ascq;
  sense_ = {0, 0, 0};
  reply(18, cdb_[4]);
}

void AtapiCdrom::inquiry() {
  if (cdb_[1] & 1) return fail({5, 0x24, 0});  // vital product data: none
  buffer_[0] = 5;                              // CD-ROM
  buffer_[1] = 0x80;                           // removable
  buffer_[2] = 0;
  buffer_[3] = 0x21;  // ATAPI-2, response format 1
  buffer_[4] = 31;
  const auto text = [this](unsigned at, unsigned size, const std::string& s) {
    for (unsigned i = 0; i < size; ++i) buffer_[at + i] = i < s.size() ? static_cast<u8>(s[i]) : u8{' '};
  };
  const std::size_t blank = identity_.model.find(' ');
  text(8, 8, identity_.model.substr(0, blank));
  text(16, 16, blank == std::string::npos ? "CD-ROM" : identity_.model.substr(blank + 1));
  text(32, 4, identity_.firmware);
  reply(36, cdb_[4]);
}

void AtapiCdrom::read_toc() {
  const bool msf = cdb_[1] & 2;
  unsigned format = cdb_[2] & 15;
  if (format == 0) format = cdb_[9] >> 6;  // where SFF-8020 had it
  const u32 allocation = cdb16(7);
  const u8 start = cdb_[6];
  const u64 leadout = media_sectors();
  u8* p = buffer_.data();
  unsigned n = 4;
  switch (format) {
    case 0:  // tracks
      if (start > 1 && start != 0xaa) return fail({5, 0x24, 0});
      p[2] = p[3] = 1;
      if (start <= 1) {
        p[n + 1] = 0x14;  // ADR 1, data track
        p[n + 2] = 1;
        put_address(p + n + 4, 0, msf);
        n += 8;
      }
      p[n + 1] = 0x14;
      p[n + 2] = 0xaa;
      put_address(p + n + 4, leadout, msf);
      n += 8;
      break;
    case 1:  // sessions: one
      p[2] = p[3] = 1;
      p[n + 1] = 0x14;
      p[n + 2] = 1;
      put_address(p + n + 4, 0, msf);
      n += 8;
      break;
    case 2: {  // the raw Q subcode of the lead-in
      p[2] = p[3] = 1;
      const auto entry = [&](u8 point) {
        p[n] = 1;
        p[n + 1] = 0x14;
        p[n + 3] = point;
        n += 11;
        return p + n - 3;  // PMIN, PSEC, PFRAME
      };
      entry(0xa0)[0] = 1;  // first track
      entry(0xa1)[0] = 1;  // last track
      u8 address[4];
      put_address(address, leadout, true);
      std::copy_n(address + 1, 3, entry(0xa2));
      put_address(address, 0, true);
      std::copy_n(address + 1, 3, entry(1));
      break;
    }
    default: return fail({5, 0x24, 0});
  }
  put16(p, n - 2);
  reply(n, allocation);
}

void AtapiCdrom::read_subchannel() {
  buffer_[1] = 0x15;  // no audio status
  const bool sub_q = cdb_[2] & 0x40;
  if (!sub_q) return reply(4, cdb16(7));
  if (cdb_[3] == 2) {  // media catalogue number: none recorded
    buffer_[3] = 20;
    buffer_[4] = 2;
    return reply(24, cdb16(7));
  }
  if (cdb_[3] != 1) return fail({5, 0x24, 0});
  buffer_[3] = 12;
  buffer_[4] = 1;
  buffer_[5] = 0x14;
  buffer_[6] = buffer_[7] = 1;
  put_address(&buffer_[8], 0, cdb_[1] & 2);
  put_address(&buffer_[12], 0, cdb_[1] & 2);
  reply(16, cdb16(7));
}

void AtapiCdrom::get_configuration() {
  const u8 type = cdb_[1] & 3;
  const u32 first = cdb16(2);
  if (type == 3) return fail({5, 0x24, 0});
  u8* p = buffer_.data();
  const u16 profile = !media_present() ? 0 : is_dvd() ? 0x10 : 0x08;
  put16(p + 6, profile);
  unsigned n = 8;
  const auto feature = [&](u16 code, u8 version, bool persistent, bool current, std::initializer_list<u8> data) {
    if (code < first || (type == 1 && !current) || (type == 2 && code != first)) return;
    put16(p + n, code);
    p[n + 2] = static_cast<u8>(version << 2 | persistent << 1 | u8{current});
    p[n + 3] = static_cast<u8>(data.size());
    std::copy(data.begin(), data.end(), p + n + 4);
    n += 4 + static_cast<unsigned>(data.size());
  };
  const bool disc = media_present(), dvd = disc && is_dvd(), cd = disc && !dvd;
  feature(0x0000, 0, true, true, {0x00, 0x10, u8{dvd}, 0, 0x00, 0x08, u8{cd}, 0});  // profiles
  feature(0x0001, 1, true, true, {0, 0, 0, 2, 1, 0, 0, 0});                         // core: ATAPI, DBE
  feature(0x0002, 1, true, true, {2, 0, 0, 0});                                     // morphing: OCEvent
  feature(0x0003, 0, true, true, {0x39, 0, 0, 0});                                  // removable: tray, eject, lock
  feature(0x0010, 0, false, disc, {0, 0, 8, 0, 0, 16, 0, 0});                       // random readable
  feature(0x001d, 0, false, cd, {});                                                // multi-read
  feature(0x001e, 2, false, cd, {0, 0, 0, 0});                                      // CD read
  feature(0x001f, 0, false, dvd, {});                                               // DVD read
  feature(0x0100, 0, true, true, {});                                               // power management
  feature(0x0105, 0, true, true, {});                                               // timeout
  put32(p, n - 4);
  reply(n, cdb16(7));
}

void AtapiCdrom::mode_sense() {
  const u8 control = cdb_[2] >> 6, page = cdb_[2] & 0x3f;
  if (control == 3) return fail({5, 0x39, 0});  // SAVING PARAMETERS NOT SUPPORTED
  u8* p = buffer_.data();
  p[2] = static_cast<u8>(!disk_.present() ? 0x70 : tray_open_ ? 0x71 : 0x01);  // medium type
  unsigned n = 8;
  const bool current = control != 1;
  const auto add = [&](u8 code, std::initializer_list<u8> data) {
    if (page != code && page != 0x3f) return;
    p[n] = code;
    p[n + 1] = static_cast<u8>(data.size());
    if (current) std::copy(data.begin(), data.end(), p + n + 2);
    n += 2 + static_cast<unsigned>(data.size());
  };
  add(0x01, {0, 5, 0, 0, 0, 0, 0, 0, 0, 0});                   // read error recovery: 5 retries
  add(0x0d, {0, 0x0d, 0, 60, 0, 75});                          // CD device parameters
  add(0x0e, {4, 0, 0, 0, 0, 75, 1, 255, 2, 255, 0, 0, 0, 0});  // audio control
  const u8 lock = static_cast<u8>(0x29 | (locked_ ? 2 : 0));   // tray, eject, lock; lock state
  add(0x2a, {0x3b, 0, 0x71, 0x60, lock, 0, 0x16, 0x00, 1, 0, 2, 0, 0x16, 0x00, 0, 0, 0, 0});  // capabilities, 32x
  if (n == 8) return fail({5, 0x24, 0});
  put16(p, n - 2);
  reply(n, cdb16(7));
}

void AtapiCdrom::get_event_status() {
  if (!(cdb_[1] & 1)) return fail({5, 0x24, 0});  // asynchronous: not offered
  u8* p = buffer_.data();
  const u32 allocation = cdb16(7);
  p[3] = 0x10;  // media class only
  if (!(cdb_[4] & 0x10)) {
    p[2] = 0x80;  // NEA: none of the classes asked for
    put16(p, 2);
    return reply(4, allocation);
  }
  p[2] = 4;
  put16(p, 6);
  p[4] = event_;
  p[5] = static_cast<u8>((media_present() ? 2 : 0) | (tray_open_ ? 1 : 0));
  if (allocation > 4) event_ = 0;
  reply(8, allocation);
}

void AtapiCdrom::mechanism_status() {
  buffer_[1] = tray_open_ ? 0x10 : 0;  // door open
  reply(8, cdb16(8));
}

void AtapiCdrom::read_disc_information() {
  if ((cdb_[1] & 7) != 0) return fail({5, 0x24, 0});
  u8* p = buffer_.data();
  put16(p, 32);
  p[2] = 0x0e;  // complete session, finalized disc
  p[3] = 1;     // first track
  p[4] = 1;     // sessions
  p[5] = 1;     // first and last track of the last session
  p[6] = 1;
  p[7] = 0x20;                       // unrestricted use
  std::fill_n(p + 16, 8, u8{0xff});  // no next session, no lead-out to come
  reply(34, cdb16(7));
}

void AtapiCdrom::read_track_information() {
  const u8 by = cdb_[1] & 3;
  const u32 what = cdb32(2);
  const bool found = (by == 0 && what < media_sectors()) || ((by == 1 || by == 2) && what == 1);
  if (!found) return fail({5, 0x24, 0});
  u8* p = buffer_.data();
  put16(p, 34);
  p[2] = p[3] = 1;  // track, session
  p[5] = 4;         // data track
  p[6] = 1;         // mode 1
  put32(p + 24, std::min<u64>(media_sectors(), mask(32)));
  reply(36, cdb16(7));
}

void AtapiCdrom::start_stop() {
  const bool start = cdb_[4] & 1, load_eject = cdb_[4] & 2;
  if (cdb_[4] & 0xf0) return good();  // power conditions
  if (!load_eject) {
    if (start && !media_present()) return fail({2, 0x3a, 1});
    return good();
  }
  if (locked_ && !start) return fail({5, 0x53, 2});  // MEDIUM REMOVAL PREVENTED
  if (tray_open_ == start) {                         // the tray moves
    if (disk_.present()) {
      event_ = start ? 2 : 3;
      attention_ = start;
    }
    tray_open_ = !start;
  }
  good();
}

}  // namespace xlat
