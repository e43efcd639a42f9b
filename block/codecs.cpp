// zlib, zstd and bzip2 behind one call.
#include "block/codecs.h"

#include <bzlib.h>
#include <zlib.h>
#include <zstd.h>

#include <memory>

#include "base/types.h"

namespace xlat {

namespace {

constexpr int kRawDeflate = -15;
// qcow2 is read by programs that take a window of 4 KiB for granted.
constexpr int kSmallRawDeflate = -12;

bool inflate_all(std::span<const u8> from, std::span<u8> to, int window) {
  z_stream z{};
  if (inflateInit2(&z, window) != Z_OK) return false;
  z.next_in = const_cast<u8*>(from.data());
  z.avail_in = static_cast<uInt>(from.size());
  z.next_out = to.data();
  z.avail_out = static_cast<uInt>(to.size());
  const int done = inflate(&z, Z_FINISH);
  inflateEnd(&z);
  return (done == Z_STREAM_END || done == Z_BUF_ERROR || done == Z_OK) && z.avail_out == 0;
}

std::vector<u8> deflate_all(std::span<const u8> from, int window, bool even_larger) {
  z_stream z{};
  if (deflateInit2(&z, Z_DEFAULT_COMPRESSION, Z_DEFLATED, window, 9, Z_DEFAULT_STRATEGY) != Z_OK) return {};
  std::vector<u8> to(even_larger ? deflateBound(&z, from.size()) + 1 : from.size());
  z.next_in = const_cast<u8*>(from.data());
  z.avail_in = static_cast<uInt>(from.size());
  z.next_out = to.data();
  z.avail_out = static_cast<uInt>(to.size());
  const int done = deflate(&z, Z_FINISH);
  const std::size_t left = z.avail_out;
  deflateEnd(&z);
  if (done != Z_STREAM_END || left == 0) return {};
  to.resize(to.size() - left);
  return to;
}

bool zstd_all(std::span<const u8> from, std::span<u8> to) {
  const std::unique_ptr<ZSTD_DCtx, decltype(&ZSTD_freeDCtx)> context(ZSTD_createDCtx(), ZSTD_freeDCtx);
  ZSTD_inBuffer in{from.data(), from.size(), 0};
  ZSTD_outBuffer out{to.data(), to.size(), 0};
  while (context && out.pos < out.size) {
    const std::size_t in_before = in.pos, out_before = out.pos;
    if (ZSTD_isError(ZSTD_decompressStream(context.get(), &out, &in))) return false;
    if (in.pos == in_before && out.pos == out_before) return false;
  }
  return context != nullptr;
}

bool bzip2_all(std::span<const u8> from, std::span<u8> to) {
  bz_stream b{};
  if (BZ2_bzDecompressInit(&b, 0, 0) != BZ_OK) return false;
  b.next_in = const_cast<char*>(reinterpret_cast<const char*>(from.data()));
  b.avail_in = static_cast<unsigned>(from.size());
  b.next_out = reinterpret_cast<char*>(to.data());
  b.avail_out = static_cast<unsigned>(to.size());
  const int done = BZ2_bzDecompress(&b);
  BZ2_bzDecompressEnd(&b);
  return (done == BZ_STREAM_END || done == BZ_OK) && b.avail_out == 0;
}

}  // namespace

bool decompress(Codec codec, std::span<const u8> from, std::span<u8> to) {
  if (to.empty()) return true;
  switch (codec) {
    case Codec::kDeflate: return inflate_all(from, to, kRawDeflate);
    case Codec::kZlib: return inflate_all(from, to, MAX_WBITS);
    case Codec::kZstd: return zstd_all(from, to);
    case Codec::kBzip2: return bzip2_all(from, to);
  }
  return false;
}

std::vector<u8> compress(Codec codec, std::span<const u8> from, bool even_larger) {
  switch (codec) {
    case Codec::kDeflate: return deflate_all(from, kSmallRawDeflate, even_larger);
    case Codec::kZlib: return deflate_all(from, MAX_WBITS, even_larger);
    case Codec::kZstd: {
      std::vector<u8> to(from.size());
      const std::size_t n = ZSTD_compress(to.data(), to.size(), from.data(), from.size(), ZSTD_CLEVEL_DEFAULT);
      if (ZSTD_isError(n) || n >= from.size()) return {};
      to.resize(n);
      return to;
    }
    case Codec::kBzip2: break;
  }
  return {};
}

}  // namespace xlat
