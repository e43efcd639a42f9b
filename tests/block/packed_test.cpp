// dmg and cloop, made here, as no tool writes them; and nbd by QEMU's server.
#include <bzlib.h>

#include <fstream>
#include <thread>

#include "base/bits.h"
#include "block/codecs.h"
#include "tests/block/with_qemu.h"

using namespace xlat;
using namespace xlat::test;

namespace {

void save(const std::string& path, const std::vector<u8>& bytes) {
  std::ofstream(path, std::ios::binary)
      .write(reinterpret_cast<const char*>(bytes.data()), static_cast<std::streamsize>(bytes.size()));
}

template <class T>
void put_be(std::vector<u8>& to, T value) {
  to.resize(to.size() + sizeof(T));
  store_be<T>(&to[to.size() - sizeof(T)], value);
}

std::string base64(const std::vector<u8>& bytes) {
  static constexpr char kLetters[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
  std::string out;
  for (std::size_t n = 0; n < bytes.size(); n += 3) {
    u32 v = 0;
    for (std::size_t k = 0; k < 3; ++k) v = v << 8 | (n + k < bytes.size() ? bytes[n + k] : 0);
    for (std::size_t k = 0; k < 4; ++k) out += n + k <= bytes.size() ? kLetters[v >> (18 - 6 * k) & 63] : '=';
    if (n % 57 == 54) out += "\n\t\t";
  }
  return out;
}

std::vector<u8> sample(u64 bytes) {
  std::vector<u8> all(bytes);
  std::mt19937 rng(3);
  for (u64 n = 0; n < bytes; ++n) all[n] = n / 65536 % 3 == 1 ? 0 : static_cast<u8>(n % 5 ? n >> 7 : rng());
  return all;
}

}  // namespace

TEST_CASE("dmg: zlib, bzip2, raw and empty chunks", "[packed]") {
  const Folder folder;
  const u64 chunk = 65536;
  const std::vector<u8> disk = sample(10 * chunk);
  std::vector<u8> file, table;
  for (const char c : std::string("mish")) table.push_back(static_cast<u8>(c));
  put_be<u32>(table, 1);
  put_be<u64>(table, 0);
  put_be<u64>(table, disk.size() / 512);
  table.resize(200);
  put_be<u32>(table, 11);
  for (u64 n = 0; n < 10; ++n) {
    const std::span<const u8> part = std::span(disk).subspan(n * chunk, chunk);
    std::vector<u8> packed(part.begin(), part.end());
    u32 type = 1;
    if (n % 3 == 1) {
      type = n % 2 ? 0 : 2;
      packed.clear();
    } else if (n % 3 == 0) {
      type = 0x80000005;
      packed = compress(Codec::kZlib, part, true);
    } else if (n == 2) {
      type = 0x80000006;
      packed.resize(2 * chunk);
      unsigned size = static_cast<unsigned>(packed.size());
      REQUIRE(BZ2_bzBuffToBuffCompress(reinterpret_cast<char*>(packed.data()), &size,
                                       const_cast<char*>(reinterpret_cast<const char*>(part.data())), chunk, 9, 0,
                                       0) == BZ_OK);
      packed.resize(size);
    }
    put_be<u32>(table, type);
    put_be<u32>(table, 0);
    put_be<u64>(table, n * chunk / 512);
    put_be<u64>(table, chunk / 512);
    put_be<u64>(table, file.size());
    put_be<u64>(table, packed.size());
    file.insert(file.end(), packed.begin(), packed.end());
  }
  put_be<u32>(table, 0xffffffff);
  table.resize(table.size() + 36);
  const std::string list =
      "<plist><dict><key>resource-fork</key><dict><key>blkx</key><array><dict><key>Data</key><data>\n" + base64(table) +
      "\n</data></dict></array></dict></dict></plist>";
  std::vector<u8> trailer;
  for (const char c : std::string("koly")) trailer.push_back(static_cast<u8>(c));
  put_be<u32>(trailer, 4);
  put_be<u32>(trailer, 512);
  trailer.resize(32);
  put_be<u64>(trailer, file.size());
  trailer.resize(216);
  put_be<u64>(trailer, file.size());
  put_be<u64>(trailer, list.size());
  trailer.resize(492);
  put_be<u64>(trailer, disk.size() / 512);
  trailer.resize(512);
  file.insert(file.end(), list.begin(), list.end());
  file.insert(file.end(), trailer.begin(), trailer.end());
  save(folder / "a.dmg", file);
  save(folder / "raw", disk);
  Model model(disk.size(), 1);
  model.bytes() = disk;
  auto image = opened(folder / "a.dmg", "", ImageAccess::kReadOnly);
  CHECK(image->format() == "dmg");
  model.check(*image);
  CHECK_FALSE(image->write(0, std::vector<u8>(1)));
  image.reset();
  CHECK(open_image({.file = folder / "a.dmg"}, ImageAccess::kReadWrite).error().message.find("can only be read") !=
        std::string::npos);
  // bzip2 is a module of QEMU's that may be missing.
  if (have_qemu_img()) (void)run("qemu-img compare -F raw " + (folder / "a.dmg") + " " + (folder / "raw"));
  std::filesystem::copy(folder / "a.dmg", folder / "a.img");
  CHECK(open_image({.file = folder / "a.img"}, ImageAccess::kReadOnly, {.guest = true})
            .error()
            .message.find("format=dmg") != std::string::npos);
  // Changed bytes do no harm.
  std::mt19937 rng(5);
  for (int n = 0; n < 300; ++n) {
    std::vector<u8> bad = file;
    for (int k = 0; k < 3; ++k)
      bad[rng() % 3 ? bad.size() - 1 - rng() % (512 + list.size()) : rng() % bad.size()] = static_cast<u8>(rng());
    save(folder / "bad.dmg", bad);
    auto damaged = open_image({.file = folder / "bad.dmg", .format = "dmg"}, ImageAccess::kReadOnly);
    if (!damaged) continue;
    std::vector<u8> bytes(std::min<u64>((*damaged)->size(), 1 << 20));
    (void)(*damaged)->read(0, bytes);
    (void)(*damaged)->status(0, (*damaged)->size());
  }
}

TEST_CASE("cloop: blocks of one size", "[packed]") {
  const Folder folder;
  const u64 block = 32768;
  const std::vector<u8> disk = sample(12 * block);
  std::vector<u8> file;
  for (const char c :
       std::string("#!/bin/sh\n#V2.0 Format\nmodprobe cloop file=$0 && mount -r -t iso9660 /dev/cloop $1\n"))
    file.push_back(static_cast<u8>(c));
  file.resize(128);
  put_be<u32>(file, block);
  put_be<u32>(file, 12);
  std::vector<std::vector<u8>> blocks;
  u64 at = file.size() + 13 * 8;
  for (u64 n = 0; n < 12; ++n) {
    blocks.push_back(compress(Codec::kZlib, std::span(disk).subspan(n * block, block), true));
    put_be<u64>(file, at);
    at += blocks.back().size();
  }
  put_be<u64>(file, at);
  for (const auto& b : blocks) file.insert(file.end(), b.begin(), b.end());
  save(folder / "c", file);
  save(folder / "raw", disk);
  Model model(disk.size(), 1);
  model.bytes() = disk;
  auto image = opened(folder / "c", "", ImageAccess::kReadOnly);
  CHECK(image->format() == "cloop");
  model.check(*image);
  if (have_qemu_img()) must("qemu-img compare -f cloop -F raw " + (folder / "c") + " " + (folder / "raw"));
}

TEST_CASE("nbd: an export of QEMU's server", "[packed]") {
  if (std::system("qemu-nbd --version >/dev/null 2>&1") != 0) return;
  const Folder folder;
  make("qcow2", folder / "served", 4 << 20);
  const std::string socket = folder / "socket";
  must("qemu-nbd --fork --pid-file=" + (folder / "pid") + " -f qcow2 -t -x disk -k " + socket + " " +
       (folder / "served"));
  Model model(4 << 20, 17);
  {
    auto image = open_image({.file = "nbd:unix:" + socket + ":exportname=disk"}, ImageAccess::kReadWrite);
    if (!image) FAIL(image.error().message);
    model.check(**image);
    model.change(**image, 40);
    model.check(**image);
    CHECK_FALSE((*image)->write(4 << 20, std::vector<u8>(1)));
  }
  {
    auto image = open_image({.file = "nbd+unix:///disk?socket=" + socket}, ImageAccess::kReadOnly);
    REQUIRE(image);
    model.check(**image);
  }
  CHECK_FALSE(open_image({.file = "nbd:unix:" + socket + ":exportname=other"}, ImageAccess::kReadOnly));
  must("kill $(cat " + (folder / "pid") + ")");
  for (int n = 0; n < 1500 && std::filesystem::exists(folder / "pid"); ++n)
    std::this_thread::sleep_for(std::chrono::milliseconds(20));
  model.check(*opened(folder / "served", "qcow2"));
}
