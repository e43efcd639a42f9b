// SMART of a disk that never wears out (ATA/ATAPI-6, 8.55; the tables' layout is SFF-8035i's).
#include <algorithm>

#include "base/bits.h"
#include "devices/ide/ata.h"

namespace xlat {

using namespace ata;

namespace {

// The features register says which command it is.
enum Smart : u8 {
  kReadData = 0xd0,
  kReadThresholds = 0xd1,
  kAutosave = 0xd2,
  kSaveValues = 0xd3,
  kOffline = 0xd4,
  kReadLog = 0xd5,
  kEnable = 0xd8,
  kDisable = 0xd9,
  kReturnStatus = 0xda,
};

struct Attribute {
  u8 id;
  u16 flags;  // bit 0: a failure is near when it falls to its threshold; bit 1: measured while at work
  u8 threshold;
  u8 raw;
};
constexpr Attribute kAttributes[] = {
    {1, 0x0b, 16, 0},    // read error rate
    {3, 0x07, 24, 0},    // spin-up time
    {4, 0x12, 0, 1},     // starts and stops
    {5, 0x33, 5, 0},     // reallocated sectors
    {9, 0x12, 0, 1},     // hours powered on
    {12, 0x32, 0, 1},    // times powered on
    {194, 0x22, 0, 31},  // degrees Celsius
    {197, 0x22, 0, 0},   // sectors to be reallocated
};
constexpr u8 kPerfect = 100;
constexpr std::size_t kTable = 2, kEntry = 12;
// Logs: what there is, errors, self-tests (ATA-8 ACS, annex A).
constexpr u8 kDirectory = 0x00, kErrorLog = 0x01, kSelfTestLog = 0x06;

void put_checksum(std::span<u8> sector) {
  u8 sum = 0;
  for (std::size_t n = 0; n < 511; ++n) sum = static_cast<u8>(sum + sector[n]);
  sector[511] = static_cast<u8>(-sum);
}

}  // namespace

void AtaDisk::smart() {
  // The key in the address, which no mistyped command has.
  if (lba_mid_.now != 0x4f || lba_high_.now != 0xc2 || (!smart_ && features_ != kEnable)) return abort_command();
  const std::span<u8> out = std::span(buffer_).first(512);
  std::fill(out.begin(), out.end(), u8{0});
  switch (features_) {
    case kEnable: smart_ = true; return succeed();
    case kDisable: smart_ = false; return succeed();
    case kAutosave:
      if (count_.now != 0 && count_.now != 0xf1) return abort_command();
      smart_autosave_ = count_.now != 0;
      return succeed();
    case kSaveValues: return succeed();
    case kOffline: return smart_off_line();
    case kReturnStatus: return succeed();  // the key as it was written: all is well
    case kReadLog:
      if (count_.now != 1 || !put_smart_log(out)) return abort_command();
      break;
    case kReadData:
    case kReadThresholds: put_smart_data(out); break;
    default: return abort_command();
  }
  put_checksum(out);
  // The directory has none.
  if (features_ == kReadLog && lba_low_.now == kDirectory) out[511] = 0;
  send_sector();
}

// A test is over as soon as it has begun. Which one the LBA's low byte says: 0 is no test and is not logged, 127 stops
// one; 81h and 82h have the host wait for its end.
void AtaDisk::smart_off_line() {
  const u8 what = lba_low_.now, test = what & 0x7f;
  if (what == 0 || what == 127) return succeed();
  if (test != 1 && test != 2) return abort_command();
  self_tests_[self_test_count_++ % kSelfTests] = what;
  succeed();
}

void AtaDisk::put_smart_data(std::span<u8> out) const {
  out[0] = 0x10;  // revision of the tables
  for (std::size_t n = 0; n < std::size(kAttributes); ++n) {
    const Attribute& a = kAttributes[n];
    const std::span<u8> entry = out.subspan(kTable + kEntry * n, kEntry);
    entry[0] = a.id;
    if (features_ == kReadThresholds) {
      entry[1] = a.threshold;
      continue;
    }
    store_le<u16>(&entry[1], a.flags);
    entry[3] = entry[4] = kPerfect;  // now, and the worst so far
    entry[5] = a.raw;
  }
  if (features_ != kReadData) return;
  out[362] = static_cast<u8>(0x02 | (smart_autosave_ ? 0x80 : 0));  // collection off-line: has completed; repeats
  out[367] = 0x11;                                                  // which can be asked for at once, and self-tests
  store_le<u16>(&out[368], 0x0003);  // values are saved before power goes, and by autosave
  out[370] = 1;                      // errors are logged
  out[372] = 1, out[373] = 1;        // minutes of the short and the extended self-test
}

bool AtaDisk::put_smart_log(std::span<u8> out) const {
  switch (lba_low_.now) {
    case kDirectory:
      out[0] = 1;  // version; then sectors of each log
      store_le<u16>(&out[2 * kErrorLog], 1);
      store_le<u16>(&out[2 * kSelfTestLog], 1);
      return true;
    case kErrorLog: out[0] = 1; return true;  // version; no error ever
    case kSelfTestLog: {
      constexpr std::size_t kTest = 24;
      store_le<u16>(&out[0], 1);
      const u32 there = std::min<u32>(self_test_count_, kSelfTests);
      for (u32 n = 0; n < there; ++n) {
        out[2 + kTest * n] = self_tests_[n];  // and a zero for "ended well"
        out[2 + kTest * n + 2] = 1;           // hours powered on
      }
      out[508] = static_cast<u8>(there == 0 ? 0 : (self_test_count_ - 1) % kSelfTests + 1);  // the latest
      return true;
    }
    default: return false;
  }
}

// READ LOG EXT: the directory, and what became of queued commands.
void AtaDisk::read_log() {
  constexpr u8 kLogs = 0x00, kQueuedError = 0x10;
  const u8 log = lba_low_.now;
  const bool one = count_.now == 1 && count_.before == 0 && lba_mid_.now == 0 && lba_mid_.before == 0;
  if (!identity_.sata || !one || (log != kLogs && log != kQueuedError)) return abort_command();
  const std::span<u8> out = std::span(buffer_).first(512);
  std::fill(out.begin(), out.end(), u8{0});
  if (log == kLogs) {
    out[0] = 1;  // version; then sectors of each log
    store_le<u16>(&out[2 * kQueuedError], 1);
    return send_sector();
  }
  const QueuedError failed = std::exchange(queued_error_, {});
  out[0] = failed.tag;
  out[2] = failed.status;
  out[3] = failed.error;
  for (unsigned n = 0; n < 3; ++n) {
    out[4 + n] = static_cast<u8>(failed.lba >> (8 * n));
    out[8 + n] = static_cast<u8>(failed.lba >> (24 + 8 * n));
  }
  out[7] = kDeviceLba;
  store_le<u16>(&out[12], failed.count);
  put_checksum(out);
  send_sector();
}

// The first sector of the buffer, as a command's answer.
void AtaDisk::send_sector() {
  access_ = Access::kNone;
  left_ = 0;
  data_in(512);
}

}  // namespace xlat
