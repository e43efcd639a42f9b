// The SCSI/MMC commands a CD-ROM drive takes inside packets (SPC-2, MMC-3).
#include <algorithm>

#include "base/bits.h"
#include "devices/ide/atapi.h"
#include "devices/scsi/mmc.h"

namespace xlat {

void AtapiCdrom::packet() {
  const u8 op = cdb_[0];
  const bool reports_anyway = op == 0x12 || op == 0x03 || op == 0x46 || op == 0x4a;
  if (op != 0x03) sense_ = {0, 0, 0};
  if (attention_ && !reports_anyway) {
    attention_ = false;
    return fail({6, 0x28, 0});  // UNIT ATTENTION: medium may have changed
  }
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
    default: return CdAudio::takes(op) ? packet_media(op) : packet_status(op);
  }
}

// Commands that need a disc.
void AtapiCdrom::packet_media(u8 op) {
  if (!media_present()) return fail({2, 0x3a, static_cast<u8>(tray_open_ ? 2 : 1)});  // MEDIUM NOT PRESENT
  const u64 total = media_sectors();
  switch (op) {
    case 0x00: return good();  // TEST UNIT READY
    case 0x25: {               // READ CAPACITY
      std::vector<u8> data(8);
      store_be<u32>(&data[0], static_cast<u32>(std::min<u64>(total - 1, mask(32))));
      store_be<u32>(&data[4], 2048);
      return answer(std::move(data), 8);
    }
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
    case 0x43: {  // READ TOC/PMA/ATIP
      u8 format = cdb_[2] & 15;
      if (format == 0) format = cdb_[9] >> 6;  // where SFF-8020 had it
      return answer(mmc::toc(disc(), format, cdb_[1] & 2, cdb_[6]), cdb16(7));
    }
    case 0x42: return answer(mmc::subchannel(audio_, cdb_[2] & 0x40, cdb_[3], cdb_[1] & 2), cdb16(7));
    case 0x51: return answer(mmc::disc_information(cdb_[1] & 7), cdb16(7));
    case 0x52: return answer(mmc::track_information(disc(), cdb_[1] & 3, cdb32(2)), cdb16(7));
    default: {  // of audio
      const ScsiSense wrong = audio_.execute(cdb_, total);
      return wrong.key == 0 ? good() : fail({wrong.key, wrong.code, wrong.qualifier});
    }
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
    case 0x46:  // GET CONFIGURATION
      return answer(mmc::configuration(disc(), mmc::Interface::kAtapi, cdb_[1] & 3, static_cast<u16>(cdb16(2))),
                    cdb16(7));
    case 0x4a: return get_event_status();
    case 0x5a: return mode_sense();
    case 0x55: {  // MODE SELECT(10)
      const u32 bytes = cdb16(7);
      if (bytes == 0) return good();
      stage_ = Stage::kParameters;
      count_.now = 0;
      lba_mid_.now = static_cast<u8>(bytes);
      lba_high_.now = static_cast<u8>(bytes >> 8);
      if (use_dma_) return fail({5, 0x24, 0});
      return data_out(bytes, true);
    }
    case 0xbd: return answer(mmc::mechanism_status(disc()), cdb16(8));
    case 0xbb: return good();            // SET CD SPEED
    default: return fail({5, 0x20, 0});  // INVALID COMMAND OPERATION CODE
  }
}

void AtapiCdrom::request_sense() {
  if (attention_ && sense_.key == 0) {
    attention_ = false;
    sense_ = {6, 0x28, 0};
  }
  const Sense sense = std::exchange(sense_, {0, 0, 0});
  answer({{0x70, 0, sense.key, 0, 0, 0, 0, 10, 0, 0, 0, 0, sense.asc, sense.ascq, 0, 0, 0, 0}}, cdb_[4]);
}

void AtapiCdrom::inquiry() {
  if (cdb_[1] & 1) return fail({5, 0x24, 0});  // vital product data: none
  std::vector<u8> data(36);
  data[0] = 5;     // CD-ROM
  data[1] = 0x80;  // removable
  data[3] = 0x21;  // ATAPI-2, response format 1
  data[4] = 31;
  const auto text = [&data](unsigned at, unsigned size, const std::string& s) {
    for (unsigned i = 0; i < size; ++i) data[at + i] = i < s.size() ? static_cast<u8>(s[i]) : u8{' '};
  };
  const std::size_t blank = identity_.model.find(' ');
  text(8, 8, identity_.model.substr(0, blank));
  text(16, 16, blank == std::string::npos ? "CD-ROM" : identity_.model.substr(blank + 1));
  text(32, 4, identity_.firmware);
  answer(std::move(data), cdb_[4]);
}

void AtapiCdrom::mode_sense() {
  const u8 control = cdb_[2] >> 6, wanted = cdb_[2] & 0x3f;
  if (control == 3) return fail({5, 0x39, 0});  // SAVING PARAMETERS NOT SUPPORTED
  std::vector<u8> data(8);
  data[2] = mmc::medium_type(disc());
  if (!scsi::put_mode_pages(data, mmc::mode_pages(disc(), audio_, control == 1), wanted)) return fail({5, 0x24, 0});
  store_be<u16>(&data[0], static_cast<u16>(data.size() - 2));
  answer(std::move(data), cdb16(7));
}

// Of what hosts send only the audio page changes anything; the rest is taken as it comes.
void AtapiCdrom::mode_select() {
  constexpr std::size_t kHeader = 8;
  std::span<const u8> list = std::span(buffer_).first(std::min<std::size_t>(cdb16(7), buffer_.size()));
  if (list.size() < kHeader) return good();
  list = list.subspan(std::min<std::size_t>(list.size(), kHeader + load_be<u16>(&list[6])));
  while (list.size() >= 2 && list.size() >= 2u + list[1]) {
    if ((list[0] & 0x3f) == 0x0e) audio_.set_page(list.subspan(2, list[1]));
    list = list.subspan(2u + list[1]);
  }
  good();
}

void AtapiCdrom::get_event_status() {
  if (!(cdb_[1] & 1)) return fail({5, 0x24, 0});  // asynchronous: not offered
  std::vector<u8> data = mmc::event_status(disc(), cdb_[4], event_);
  if (data.size() > 4 && cdb16(7) > 4) event_ = 0;
  answer(std::move(data), cdb16(7));
}

void AtapiCdrom::start_stop() {
  const bool start = cdb_[4] & 1, load_eject = cdb_[4] & 2;
  if (cdb_[4] & 0xf0) return good();  // power conditions
  if (!load_eject) {
    if (start && !media_present()) return fail({2, 0x3a, 1});
    if (!start) audio_.stop();
    return good();
  }
  if (locked_ && !start) return fail({5, 0x53, 2});  // MEDIUM REMOVAL PREVENTED
  if (tray_open_ == start) {                         // the tray moves
    if (disk_.present()) {
      event_ = start ? 2 : 3;
      attention_ = start;
    }
    tray_open_ = !start;
    audio_.stop();
  }
  good();
}

}  // namespace xlat
