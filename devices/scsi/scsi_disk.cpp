// The block commands of disks (SBC-2, clause 5) and their mode pages (6.3).
#include "devices/scsi/scsi_disk.h"

#include <algorithm>

#include "base/zeros.h"

namespace xlat {

using namespace scsi;

namespace {
constexpr u32 kMostUnmapBlocks = (u32{1} << 30) / ScsiDisk::kBlock, kMostUnmapRanges = 255;
constexpr u8 kWce = 0x04, kDra = 0x20, kFua = 0x08;
}  // namespace

void ScsiDisk::serialize(Archive& ar) {
  ScsiUnit::serialize(ar);
  ar(read_ahead_);
}

bool ScsiDisk::execute(ScsiTask& task) {
  const auto& c = task.cdb();
  switch (c[0]) {
    case 0x04: format_unit(task); return true;
    case 0x23: {  // READ FORMAT CAPACITIES, of removable ones (MMC-3, 6.24)
      std::vector<u8> data(12);
      data[3] = 8;
      store_be<u32>(&data[4], static_cast<u32>(std::min<u64>(blocks(), 0xffffffff)));
      store_be<u32>(&data[8], (disk_.present() ? 2u : 3u) << 24 | kBlock);
      reply(task, std::move(data), task.cdb16(7));
      return true;
    }
    case 0x25: read_capacity(task, false); return true;
    case 0x9e:  // SERVICE ACTION IN (16)
      (c[1] & 0x1f) == 0x10 ? read_capacity(task, true) : fail(task, kInvalidField);
      return true;
    case 0x35: synchronize(task, task.cdb32(2), task.cdb16(7)); return true;
    case 0x91: synchronize(task, task.cdb64(2), task.cdb32(10)); return true;
    case 0x42: unmap(task); return true;
    case 0x41: write_same(task, task.cdb32(2), task.cdb16(7)); return true;
    case 0x93: write_same(task, task.cdb64(2), task.cdb32(10)); return true;
    case 0x2f: verify(task, task.cdb32(2), task.cdb16(7)); return true;
    case 0xaf: verify(task, task.cdb32(2), task.cdb32(6)); return true;
    case 0x8f: verify(task, task.cdb64(2), task.cdb32(10)); return true;
    case 0x0b:
    case 0x2b: {  // SEEK
      const u64 lba = c[0] == 0x0b ? task.cdb24(1) & 0x1fffff : task.cdb32(2);
      if (ready(task)) lba < blocks() ? good(task) : fail(task, kOutOfRange);
      return true;
    }
    case 0x01:  // REZERO UNIT
      if (ready(task)) good(task);
      return true;
    default: return execute_blocks(task);
  }
}

bool ScsiDisk::execute_blocks(ScsiTask& task) {
  const auto& c = task.cdb();
  const u32 short_count = c[4] ? c[4] : 256;
  switch (c[0]) {
    case 0x08: begin_blocks(task, Work::kRead, task.cdb24(1) & 0x1fffff, short_count); return true;
    case 0x0a: begin_blocks(task, Work::kWrite, task.cdb24(1) & 0x1fffff, short_count); return true;
    case 0x28: begin_blocks(task, Work::kRead, task.cdb32(2), task.cdb16(7)); return true;
    case 0x2a:
    case 0x2e: begin_blocks(task, Work::kWrite, task.cdb32(2), task.cdb16(7)); return true;  // 2Eh: and verify
    case 0xa8: begin_blocks(task, Work::kRead, task.cdb32(2), task.cdb32(6)); return true;
    case 0xaa:
    case 0xae: begin_blocks(task, Work::kWrite, task.cdb32(2), task.cdb32(6)); return true;
    case 0x88: begin_blocks(task, Work::kRead, task.cdb64(2), task.cdb32(10)); return true;
    case 0x8a:
    case 0x8e: begin_blocks(task, Work::kWrite, task.cdb64(2), task.cdb32(10)); return true;
    default: return false;
  }
}

// FUA is in byte 1 of the longer commands; WRITE AND VERIFY means the medium.
bool ScsiDisk::writes_through(const ScsiTask& task) const {
  const u8 operation = task.cdb()[0];
  const bool verifies = operation == 0x2e || operation == 0xae || operation == 0x8e;
  return verifies || (operation != 0x0a && (task.cdb()[1] & kFua));
}

void ScsiDisk::read_capacity(ScsiTask& task, bool sixteen) {
  if (!ready(task)) return;
  const u64 last = blocks() - 1;
  if (!sixteen) {
    std::vector<u8> data(8);
    store_be<u32>(&data[0], static_cast<u32>(std::min<u64>(last, 0xffffffff)));
    store_be<u32>(&data[4], kBlock);
    return reply(task, std::move(data), 8);
  }
  std::vector<u8> data(32);
  store_be<u64>(&data[0], last);
  store_be<u32>(&data[8], kBlock);
  data[14] = 0x80;  // UNMAP works here
  reply(task, std::move(data), task.cdb32(10));
}

void ScsiDisk::synchronize(ScsiTask& task, u64 lba, u64 count) {
  if (!ready(task)) return;
  in_range(lba, count) ? wait_for(task, Work::kFlush) : fail(task, kOutOfRange);
}

void ScsiDisk::verify(ScsiTask& task, u64 lba, u64 count) {
  if (task.cdb()[1] & 2) return begin_blocks(task, Work::kCompare, lba, count);
  if (ready(task)) in_range(lba, count) ? good(task) : fail(task, kOutOfRange);
}

// A block of data follows, except where the command says that it is zeros (NDOB).
void ScsiDisk::write_same(ScsiTask& task, u64 lba, u64 count) {
  if (!ready(task)) return;
  if (read_only()) return fail(task, kWriteProtected);
  if (task.cdb()[1] & 0x06) return fail(task, kInvalidField);  // data with their own addresses
  if (count == 0 && lba <= blocks()) count = blocks() - lba;
  if (!in_range(lba, count) || count == 0) return fail(task, kOutOfRange);
  if (task.cdb()[0] == 0x93 && (task.cdb()[1] & 1)) return wait_for_zeroes(task, lba, count, task.cdb()[1] & 8);
  want_parameters(task, kBlock);
}

void ScsiDisk::unmap(ScsiTask& task) {
  if (!ready(task)) return;
  if (read_only()) return fail(task, kWriteProtected);
  if (task.cdb()[1] & 1) return fail(task, kInvalidField);  // anchored blocks
  want_parameters(task, task.cdb16(7));
}

// Formatting changes nothing, as the defects are the host's; a list of them is taken in.
void ScsiDisk::format_unit(ScsiTask& task) {
  if (!ready(task)) return;
  if (read_only()) return fail(task, kWriteProtected);
  task.cdb()[1] & 0x10 ? want_parameters(task, task.cdb()[1] & 0x20 ? 8 : 4) : good(task);
}

void ScsiDisk::parameters(ScsiTask& task) {
  const std::span<const u8> list = data(task);
  switch (task.cdb()[0]) {
    case 0x04: {  // the header, which says how long the list of defects behind it is
      // A state that was loaded may have kept none of it.
      if (list.size() < (task.cdb()[1] & 0x20 ? 8u : 4u)) return fail(task, kParameterLength);
      const u32 defects = task.cdb()[1] & 0x20 ? load_be<u32>(&list[4]) : load_be<u16>(&list[2]);
      if (defects > ScsiTask::kMostBytes) return fail(task, kInvalidParameter);
      return ignore_data(task, defects);
    }
    case 0x42: {
      if (list.empty()) return good(task);
      if (list.size() < 8) return fail(task, kParameterLength);
      const std::size_t bytes = load_be<u16>(&list[2]);
      if (list.size() < 8 + bytes || bytes % 16 != 0) return fail(task, kParameterLength);
      if (bytes / 16 > kMostUnmapRanges) return fail(task, kInvalidParameter);
      // All of it is looked at before any of it is done.
      u64 total = 0;
      for (std::size_t at = 8; at < 8 + bytes; at += 16) {
        const u64 lba = load_be<u64>(&list[at]), count = load_be<u32>(&list[at + 8]);
        if (!in_range(lba, count)) return fail(task, kOutOfRange);
        total += count;
      }
      if (total > kMostUnmapBlocks) return fail(task, kInvalidParameter);
      return discard(task, 8, bytes);
    }
    case 0x41:
    case 0x93: {
      const bool ten = task.cdb()[0] == 0x41;
      const u64 lba = ten ? task.cdb32(2) : task.cdb64(2);
      u64 count = ten ? task.cdb16(7) : task.cdb32(10);
      if (!disk_.present() || lba > blocks()) return fail(task, kNoMedium);
      if (count == 0) count = blocks() - lba;
      const bool zeroes = all_zero(list);
      return zeroes ? wait_for_zeroes(task, lba, count, task.cdb()[1] & 8) : fill_blocks(task, lba, count);
    }
    default: return ScsiUnit::parameters(task);
  }
}

std::vector<u8> ScsiDisk::vital_product_data(u8 page) const {
  if (page == 0xb0) {  // block limits
    std::vector<u8> data(64);
    store_be<u32>(&data[20], kMostUnmapBlocks);
    store_be<u32>(&data[24], kMostUnmapRanges);
    store_be<u32>(&data[28], 4096 / kBlock);  // best granularity
    return data;
  }
  if (page == 0xb1) {  // characteristics
    std::vector<u8> data(64);
    store_be<u16>(&data[4], rotations_);
    return data;
  }
  if (page == 0xb2) {  // provisioning: UNMAP and both WRITE SAMEs, thin
    std::vector<u8> data(8);
    data[5] = 0xe0;
    data[6] = 2;
    return data;
  }
  return ScsiUnit::vital_product_data(page);
}

std::vector<ScsiModePage> ScsiDisk::mode_pages(bool changeable) const {
  if (changeable) {
    return {{0x01, std::vector<u8>(10)},
            {0x03, std::vector<u8>(22)},
            {0x04, std::vector<u8>(22)},
            {0x08, {kWce, 0, 0, 0, 0, 0, 0, 0, 0, 0, kDra, 0, 0, 0, 0, 0, 0, 0}},
            {0x0a, std::vector<u8>(10)}};
  }
  std::vector<u8> recovery(10), format(22), geometry(22), caching(18), control(10);
  recovery[0] = 0x80;  // automatic reallocation of blocks that are written
  constexpr u8 kHeads = 16, kSectors = 63;
  const u32 cylinders = static_cast<u32>(std::min<u64>(blocks() / (kHeads * kSectors), 0xffffff));
  store_be<u16>(&format[8], kSectors);
  store_be<u16>(&format[10], kBlock);
  store_be<u16>(&format[12], 1);  // interleave
  format[18] = 0x40;              // hard sectors
  geometry[0] = static_cast<u8>(cylinders >> 16);
  store_be<u16>(&geometry[1], static_cast<u16>(cylinders));
  geometry[3] = kHeads;
  store_be<u16>(&geometry[18], 5400);  // rotations a minute
  caching[0] = disk_.write_cache() ? kWce : 0;
  caching[10] = read_ahead_ ? 0 : kDra;
  control[1] = 0x10;  // commands may be done in any order
  return {{0x01, recovery}, {0x03, format}, {0x04, geometry}, {0x08, caching}, {0x0a, control}};
}

void ScsiDisk::set_mode_page(u8 code, std::span<const u8> data) {
  if (code != 0x08) return;
  disk_.set_write_cache(data[0] & kWce);
  read_ahead_ = !(data[10] & kDra);
}

}  // namespace xlat
