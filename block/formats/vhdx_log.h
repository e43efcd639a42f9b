// The log of a VHDX image: writes to its tables that may not have been made ([MS-VHDX] 2.3).
#pragma once

#include <array>
#include <vector>

#include "base/result.h"
#include "block/storage.h"

namespace xlat::vhdx {

using Guid = std::array<u8, 16>;

// As in text: the first three groups are little-endian numbers, the rest are bytes.
constexpr Guid guid(u32 a, u16 b, u16 c, u64 rest) {
  Guid g{};
  for (unsigned n = 0; n < 4; ++n) g[n] = static_cast<u8>(a >> (8 * n));
  for (unsigned n = 0; n < 2; ++n) g[4 + n] = static_cast<u8>(b >> (8 * n)), g[6 + n] = static_cast<u8>(c >> (8 * n));
  for (unsigned n = 0; n < 8; ++n) g[8 + n] = static_cast<u8>(rest >> (56 - 8 * n));
  return g;
}

// CRC-32C, with the four bytes of the sum itself (at 4) as zeros.
u32 checksum(std::span<const u8> bytes);

struct LogWrite {
  u64 offset = 0, zeros = 0;  // zeros: so many, in place of `bytes`
  std::vector<u8> bytes;
};
struct Log {
  std::vector<LogWrite> writes;
  u64 file_bytes = 0;  // as long as the file must be
  bool empty() const { return writes.empty() && file_bytes == 0; }
};

// The newest sequence of entries that is complete. Empty if there is none.
Result<Log> find_log(Storage& file, u64 offset, u64 bytes, const Guid& id);
Status replay(Storage& file, const Log& log);

}  // namespace xlat::vhdx
