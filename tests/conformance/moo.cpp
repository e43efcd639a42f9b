// Chunk by chunk: a 4-byte id, a u32 length, the contents; unknown ids are skipped.
#include "moo.h"

#include <zlib.h>

#include <cstring>
#include <string_view>

#include "base/bits.h"

namespace xlat::conformance {

namespace {

class Reader {
 public:
  Reader(const u8* at, const u8* end) : at_(at), end_(end) {}
  bool more() const { return at_ < end_; }
  bool ok() const { return ok_; }
  template <class T>
  T get() {
    if (static_cast<std::size_t>(end_ - at_) < sizeof(T)) {
      ok_ = false;
      at_ = end_;
      return 0;
    }
    const T value = load_le<T>(at_);
    at_ += sizeof(T);
    return value;
  }
  Reader sub(u32 size) {
    if (static_cast<std::size_t>(end_ - at_) < size) {
      ok_ = false;
      size = static_cast<u32>(end_ - at_);
    }
    Reader inner(at_, at_ + size);
    at_ += size;
    return inner;
  }
  // The next chunk: its id and a reader of its contents.
  std::string_view chunk(Reader& contents) {
    const auto* id = reinterpret_cast<const char*>(at_);
    get<u32>();
    const u32 size = get<u32>();
    contents = sub(size);
    return ok_ ? std::string_view(id, 4) : std::string_view{};
  }
  std::vector<u8> rest() { return {at_, end_}; }

 private:
  const u8* at_;
  const u8* end_;
  bool ok_ = true;
};

void read_side(Reader in, Side& side) {
  Reader c(nullptr, nullptr);
  while (in.more()) {
    const auto id = in.chunk(c);
    if (id == "REGS") {
      const u16 set = c.get<u16>();
      for (unsigned r = 0; r < kRegs; ++r) {
        if (bit(set, r)) side.regs[r] = c.get<u16>();
      }
    } else if (id == "RAM ") {
      const u32 count = c.get<u32>();
      for (u32 n = 0; n < count && c.more(); ++n) {
        const u32 address = c.get<u32>();
        side.ram.push_back({address, c.get<u8>()});
      }
    }
  }
}

Case read_case(Reader in) {
  Case result;
  result.index = in.get<u32>();
  Reader c(nullptr, nullptr);
  while (in.more()) {
    const auto id = in.chunk(c);
    if (id == "NAME" || id == "BYTS") {
      const u32 size = c.get<u32>();
      const auto body = c.sub(size).rest();
      if (id == "NAME") {
        result.name.assign(body.begin(), body.end());
      } else {
        result.bytes = body;
      }
    } else if (id == "INIT") {
      read_side(c, result.initial);
    } else if (id == "FINA") {
      read_side(c, result.final);
    } else if (id == "EXCP") {
      result.exception = c.get<u8>();
      result.pushed_flags = c.get<u32>();
    } else if (id == "HASH") {
      for (const u8 b : c.rest()) result.hash += fmt::format("{:02x}", b);
    }
  }
  return result;
}

}  // namespace

Result<std::vector<Case>> read_moo(const std::string& path) {
  gzFile file = gzopen(path.c_str(), "rb");
  if (!file) return error("cannot open '{}'", path);
  std::vector<u8> data;
  u8 buffer[65536];
  int got = 0;
  while ((got = gzread(file, buffer, sizeof buffer)) > 0) data.insert(data.end(), buffer, buffer + got);
  gzclose(file);
  if (got < 0) return error("'{}' is not a readable gzip file", path);
  Reader in(data.data(), data.data() + data.size());
  std::vector<Case> cases;
  Reader c(nullptr, nullptr);
  while (in.more() && in.ok()) {
    if (in.chunk(c) == "TEST") cases.push_back(read_case(c));
  }
  if (!in.ok()) return error("'{}' ends inside a chunk", path);
  return cases;
}

}  // namespace xlat::conformance
