// Finding the newest whole sequence in a ring, and doing what it says.
#include "block/formats/vhdx_log.h"

#include <algorithm>
#include <map>

#include "base/bits.h"
#include "block/image_driver.h"

namespace xlat::vhdx {

namespace {

constexpr u64 kSector = 4096, kEntryHeader = 64, kDescriptor = 32;
constexpr u64 kMostLog = u64{64} << 20;  // larger ones need not be; all of it is kept in memory

constexpr auto kCrcTable = [] {
  std::array<u32, 256> table{};
  for (u32 n = 0; n < 256; ++n) {
    u32 crc = n;
    for (int k = 0; k < 8; ++k) crc = crc & 1 ? crc >> 1 ^ 0x82f63b78 : crc >> 1;
    table[n] = crc;
  }
  return table;
}();

struct Entry {
  u64 bytes = 0, tail = 0, sequence = 0, descriptors = 0, file_bytes = 0;
};

class Ring {
 public:
  Ring(std::vector<u8> bytes, const Guid& id) : bytes_(std::move(bytes)), id_(id) {
    for (u64 at = 0; at < bytes_.size(); at += kSector) {
      if (auto entry = parse(at)) entries_.emplace(at, *entry);
    }
  }

  // From the tail on, in order.
  std::vector<u64> newest() const {
    std::vector<u64> best;
    u64 best_sequence = 0;
    for (const auto& [start, first] : entries_) {
      std::vector<u64> chain{start};
      const Entry* last = &first;
      for (;;) {
        const u64 next = (chain.back() + last->bytes) % bytes_.size();
        const auto found = entries_.find(next);
        if (found == entries_.end() || found->second.sequence != last->sequence + 1 || chain.size() > entries_.size())
          break;
        chain.push_back(next);
        last = &found->second;
      }
      // It must reach back to where its head says that it begins.
      const auto tail = std::find(chain.begin(), chain.end(), last->tail);
      if (tail == chain.end() || last->sequence < best_sequence) continue;
      best_sequence = last->sequence;
      best.assign(tail, chain.end());
    }
    return best;
  }

  Result<Log> read(const std::vector<u64>& chain, const std::string& path) const {
    Log log;
    for (const u64 start : chain) {
      const Entry& entry = entries_.at(start);
      log.file_bytes = std::max(log.file_bytes, entry.file_bytes);
      const std::vector<u8> raw = copy(start, entry.bytes);
      // Descriptors fill whole sectors, then come the data.
      u64 data = align_up(kEntryHeader + entry.descriptors * kDescriptor, kSector);
      for (u64 n = 0; n < entry.descriptors; ++n) {
        const u8* d = &raw[kEntryHeader + n * kDescriptor];
        LogWrite write;
        write.offset = load_le<u64>(d + 16);
        if (has_magic({d, kDescriptor}, 0, "zero")) {
          write.zeros = load_le<u64>(d + 8);
        } else if (has_magic({d, kDescriptor}, 0, "desc") && data + kSector <= raw.size()) {
          write.bytes.assign(raw.begin() + static_cast<std::ptrdiff_t>(data),
                             raw.begin() + static_cast<std::ptrdiff_t>(data + kSector));
          std::copy_n(d + 8, 8, write.bytes.begin());
          std::copy_n(d + 4, 4, write.bytes.end() - 4);
          data += kSector;
        } else {
          return error("'{}': the VHDX's log is damaged", path);
        }
        if (write.offset % kSector || write.zeros % kSector) return error("'{}': the VHDX's log is damaged", path);
        log.writes.push_back(std::move(write));
      }
    }
    return log;
  }

 private:
  std::optional<Entry> parse(u64 at) const {
    const u8* h = &bytes_[at];
    if (!has_magic({h, kEntryHeader}, 0, "loge")) return std::nullopt;
    Entry e;
    e.bytes = load_le<u32>(h + 8);
    e.tail = load_le<u32>(h + 12);
    e.sequence = load_le<u64>(h + 16);
    e.descriptors = load_le<u32>(h + 24);
    e.file_bytes = load_le<u64>(h + 56);
    if (e.bytes < kSector || e.bytes % kSector || e.bytes > bytes_.size() || e.tail % kSector ||
        e.tail >= bytes_.size() || e.sequence == 0 || e.descriptors > (e.bytes - kEntryHeader) / kDescriptor ||
        !std::equal(id_.begin(), id_.end(), h + 32)) {
      return std::nullopt;
    }
    // Each byte of a ring that is right is in one entry; somebody who has it counted again and again wants our time.
    looked_at_ += e.bytes;
    if (looked_at_ > bytes_.size() * 16) return std::nullopt;
    const std::vector<u8> raw = copy(at, e.bytes);
    if (checksum(raw) != load_le<u32>(&raw[4])) return std::nullopt;
    return e;
  }
  std::vector<u8> copy(u64 at, u64 bytes) const {
    std::vector<u8> out(bytes);
    for (u64 n = 0; n < bytes; n += kSector) {
      const auto from = bytes_.begin() + static_cast<std::ptrdiff_t>((at + n) % bytes_.size());
      std::copy_n(from, kSector, out.begin() + static_cast<std::ptrdiff_t>(n));
    }
    return out;
  }

  std::vector<u8> bytes_;
  Guid id_;
  std::map<u64, Entry> entries_;
  mutable u64 looked_at_ = 0;
};

}  // namespace

u32 checksum(std::span<const u8> bytes) {
  u32 crc = ~u32{0};
  for (std::size_t n = 0; n < bytes.size(); ++n) {
    const u8 b = n >= 4 && n < 8 ? 0 : bytes[n];
    crc = crc >> 8 ^ kCrcTable[(crc ^ b) & 0xff];
  }
  return ~crc;
}

Result<Log> find_log(Storage& file, u64 offset, u64 bytes, const Guid& id) {
  if (bytes == 0 || bytes % (1 << 20) || bytes > kMostLog || offset < (1 << 20) || offset > file.size() ||
      bytes > file.size() - offset) {
    return error("'{}': the VHDX has a log of {} bytes at {:#x}, which cannot be", file.path(), bytes, offset);
  }
  std::vector<u8> raw(bytes);
  if (Status s = file.read(offset, raw); !s) return s.error();
  const Ring ring(std::move(raw), id);
  return ring.read(ring.newest(), file.path());
}

Status replay(Storage& file, const Log& log) {
  if (log.file_bytes > (u64{1} << 46))
    return error("'{}': the VHDX's log wants a file of {} bytes", file.path(), log.file_bytes);
  if (file.size() < log.file_bytes) {
    if (Status s = file.resize(log.file_bytes); !s) return s;
  }
  for (const LogWrite& write : log.writes) {
    if (write.offset > (u64{1} << 46) || write.zeros > (u64{1} << 46))
      return error("'{}': the VHDX's log is damaged", file.path());
    const Status s =
        write.zeros ? file.write_zeroes(write.offset, write.zeros, true) : file.write(write.offset, write.bytes);
    if (!s) return s;
  }
  return file.flush();
}

}  // namespace xlat::vhdx
