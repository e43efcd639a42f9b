// The commands of CD-ROM drives (MMC-3, clause 6).
#include "devices/scsi/scsi_cdrom.h"

#include <algorithm>

namespace xlat {

using namespace scsi;

void ScsiCdrom::serialize(Archive& ar) {
  ScsiUnit::serialize(ar);
  ar(event_);
  audio_.serialize(ar);
}

void ScsiCdrom::medium_event(u8 event) {
  if (event != 1) audio_.stop();
  event_ = event;
}

void ScsiCdrom::set_mode_page(u8 code, std::span<const u8> data) {
  if (code == 0x0e) audio_.set_page(data);
}

// Polls for events and features go on while the disc is changed.
bool ScsiCdrom::ignores_attention(u8 operation) const {
  return operation == 0x46 || operation == 0x4a || ScsiUnit::ignores_attention(operation);
}

void ScsiCdrom::answer(ScsiTask& task, std::optional<std::vector<u8>> data, u32 allocation) {
  data ? reply(task, std::move(*data), allocation) : fail(task, kInvalidField);
}

bool ScsiCdrom::execute(ScsiTask& task) {
  const auto& c = task.cdb();
  switch (c[0]) {
    case 0x46:
      answer(task, mmc::configuration(disc(), mmc::Interface::kScsi, c[1] & 3, task.cdb16(2)), task.cdb16(7));
      return true;
    case 0x4a:
      if (c[1] & 1) {
        answer(task, mmc::event_status(disc(), c[4], event_), task.cdb16(7));
        if ((c[4] & 0x10) && task.cdb16(7) > 4) event_ = 0;
      } else {
        fail(task, kInvalidField);  // asynchronous: not offered
      }
      return true;
    case 0xbd: answer(task, mmc::mechanism_status(disc()), task.cdb16(8)); return true;
    case 0xbb: good(task); return true;  // SET CD SPEED
    case 0x25:
    case 0x08:
    case 0x28:
    case 0xa8:
    case 0xbe:
    case 0xb9:
    case 0x2b:
    case 0x2f:
    case 0x42:
    case 0x43:
    case 0x51:
    case 0x52: break;
    default:
      if (!CdAudio::takes(c[0])) return false;
  }
  // These are about the disc.
  if (!ready(task)) return true;
  if (CdAudio::takes(c[0])) {
    const ScsiSense wrong = audio_.execute(c, blocks());
    wrong.key == 0 ? good(task) : fail(task, wrong);
    return true;
  }
  switch (c[0]) {
    case 0x25: read_capacity(task); break;
    case 0x2b: task.cdb32(2) < blocks() ? good(task) : fail(task, kOutOfRange); break;                // SEEK
    case 0x2f: in_range(task.cdb32(2), task.cdb16(7)) ? good(task) : fail(task, kOutOfRange); break;  // VERIFY
    case 0x42: answer(task, mmc::subchannel(audio_, c[2] & 0x40, c[3], c[1] & 2), task.cdb16(7)); break;
    case 0x43: {
      u8 format = c[2] & 15;
      if (format == 0) format = c[9] >> 6;  // where SFF-8020 had it
      answer(task, mmc::toc(disc(), format, c[1] & 2, c[6]), task.cdb16(7));
      break;
    }
    case 0x51: answer(task, mmc::disc_information(c[1] & 7), task.cdb16(7)); break;
    case 0x52: answer(task, mmc::track_information(disc(), c[1] & 3, task.cdb32(2)), task.cdb16(7)); break;
    default: return read_sectors(task);
  }
  return true;
}

bool ScsiCdrom::read_sectors(ScsiTask& task) {
  const auto& c = task.cdb();
  audio_.stop();
  const auto read = [&](u64 lba, u64 count) {
    // Without any part of the sector there is nothing to move.
    sector_bytes(task) == 0 ? good(task) : begin_blocks(task, Work::kRead, lba, count);
  };
  const bool raw = c[0] == 0xbe || c[0] == 0xb9;
  if (raw) {
    const u8 type = c[1] >> 2 & 7;
    if (type != 0 && type != 2) return fail(task, kWrongTrackMode), true;
    if ((c[9] & 0x06) || (c[10] & 7)) return fail(task, kInvalidField), true;  // no C2 bits, no subchannels
  }
  switch (c[0]) {
    case 0x08: read(task.cdb24(1) & 0x1fffff, c[4] ? c[4] : 256); break;
    case 0x28: read(task.cdb32(2), task.cdb16(7)); break;
    case 0xa8: read(task.cdb32(2), task.cdb32(6)); break;
    case 0xbe: read(task.cdb32(2), task.cdb24(6)); break;
    default: {  // READ CD MSF
      const auto lba = [&c](unsigned at) { return i64{c[at]} * 4500 + c[at + 1] * 75 + c[at + 2] - 150; };
      const i64 from = lba(3), to = lba(6);
      if (from < 0 || to < from) return fail(task, kOutOfRange), true;
      read(static_cast<u64>(from), static_cast<u64>(to - from));
    }
  }
  return true;
}

void ScsiCdrom::read_capacity(ScsiTask& task) {
  std::vector<u8> data(8);
  store_be<u32>(&data[0], static_cast<u32>(std::min<u64>(blocks() - 1, 0xffffffff)));
  store_be<u32>(&data[4], block_);
  reply(task, std::move(data), 8);
}

u32 ScsiCdrom::sector_bytes(const ScsiTask& task) const {
  const bool raw = task.cdb()[0] == 0xbe || task.cdb()[0] == 0xb9;
  return raw ? mmc::sector_bytes(task.cdb()[9] & 0xf8) : block_;
}

std::vector<u8> ScsiCdrom::sectors(const ScsiTask& task, u64 lba, std::vector<u8> blocks) const {
  const bool raw = task.cdb()[0] == 0xbe || task.cdb()[0] == 0xb9;
  if (!raw) return blocks;
  std::vector<u8> all(blocks.size() / block_ * sector_bytes(task));
  u8* to = all.data();
  for (std::size_t at = 0; at < blocks.size(); at += block_)
    to += mmc::put_sector(to, task.cdb()[9] & 0xf8, lba++, &blocks[at]);
  return all;
}

}  // namespace xlat
