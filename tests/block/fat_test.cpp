// A folder as a FAT disk: what mtools find there, and what they change.
#include <fstream>

#include "tests/block/with_qemu.h"

using namespace xlat;
using namespace xlat::test;

namespace {

void put(const std::string& path, const std::string& text) { std::ofstream(path, std::ios::binary) << text; }
std::string get(const std::string& path) {
  std::ifstream in(path, std::ios::binary);
  return {std::istreambuf_iterator<char>(in), {}};
}

void copy(BlockImage& from, const std::string& path) {
  std::ofstream out(path, std::ios::binary);
  std::vector<u8> buffer(1 << 20);
  for (u64 at = 0; at < from.size(); at += buffer.size()) {
    const u64 n = std::min<u64>(buffer.size(), from.size() - at);
    REQUIRE(from.read(at, std::span(buffer).first(n)));
    out.write(reinterpret_cast<const char*>(buffer.data()), static_cast<std::streamsize>(n));
  }
}

// Sectors that differ from what the disk has are written to it, as a guest does.
void copy_back(const std::string& path, BlockImage& to) {
  std::ifstream in(path, std::ios::binary);
  std::vector<u8> ours(1 << 16), theirs(1 << 16);
  for (u64 at = 0; at < to.size(); at += ours.size()) {
    const u64 n = std::min<u64>(ours.size(), to.size() - at);
    in.read(reinterpret_cast<char*>(theirs.data()), static_cast<std::streamsize>(n));
    REQUIRE(to.read(at, std::span(ours).first(n)));
    for (u64 k = 0; k < n; k += 512) {
      if (!std::equal(&ours[k], &ours[k] + 512, &theirs[k]))
        REQUIRE(to.write(at + k, std::span(theirs).subspan(k, 512)));
    }
  }
}

}  // namespace

TEST_CASE("fat: folders as disks and floppies", "[fat]") {
  const Folder folder;
  const std::string root = folder / "root";
  std::filesystem::create_directories(root + "/sub/deeper");
  put(root + "/HELLO.TXT", "hello\n");
  put(root + "/A long name with blanks.text", std::string(100'000, 'x'));
  put(root + "/sub/deeper/empty", "");
  std::string pattern;
  for (int n = 0; n < 300'000; ++n) pattern += static_cast<char>(n * 7 >> 4);
  put(root + "/sub/deeper/pattern.bin", pattern);
  const bool mtools = std::system("mdir -V >/dev/null 2>&1") == 0;
  for (const char* how : {"fat:", "fat:32:", "fat:12:", "fat:floppy:", "fat:12:floppy:", "fat:rw:"}) {
    INFO(how);
    auto image = open_image({.file = how + root}, ImageAccess::kReadWrite);
    if (!image) FAIL(image.error().message);
    CHECK((*image)->size() % 512 == 0);
    if (!mtools) continue;
    copy(**image, folder / "disk");
    const std::string drive = std::string("MTOOLS_SKIP_CHECK=1 ");
    const std::string at = (folder / "disk") + (std::string(how).find("floppy") == std::string::npos ? "@@32256" : "");
    CHECK(must(drive + "mtype -i " + at + " ::HELLO.TXT") == "hello\n");
    must(drive + "mcopy -n -i " + at + " ::sub/deeper/pattern.bin " + (folder / "back"));
    CHECK(get(folder / "back") == pattern);
    std::filesystem::remove(folder / "back");
    CHECK(must(drive + "mdir -b -i " + at + " ::").find("A long name with blanks.text") != std::string::npos);
    if (std::system("fsck.fat -V >/dev/null 2>&1") == 0 && at.find('@') == std::string::npos) must("fsck.fat -n " + at);
  }
  // Not one byte of the folder has changed.
  CHECK(get(root + "/sub/deeper/pattern.bin") == pattern);
  CHECK(open_image({.file = "fat:" + (folder / "none")}, ImageAccess::kReadOnly)
            .error()
            .message.find("cannot open folder") != std::string::npos);
  put(root + "/large", std::string(3 << 20, 'l'));
  CHECK(open_image({.file = "fat:floppy:" + root}, ImageAccess::kReadOnly)
            .error()
            .message.find("does not fit in FAT12") != std::string::npos);
}

TEST_CASE("fat: what a guest writes reaches the folder", "[fat]") {
  if (std::system("mdir -V >/dev/null 2>&1") != 0) return;
  const Folder folder;
  const std::string root = folder / "root";
  for (const char* type : {"", "32:"}) {
    INFO(type);
    std::filesystem::remove_all(root);
    std::filesystem::create_directories(root + "/sub");
    put(root + "/keep.txt", "stays");
    put(root + "/gone.txt", "goes");
    put(root + "/sub/move.txt", "moves");
    auto image = open_image({.file = std::string("fat:rw:") + type + root}, ImageAccess::kReadWrite);
    REQUIRE(image);
    const auto change = [&](const std::string& commands) {
      copy(**image, folder / "disk");
      const std::string at = (folder / "disk") + "@@32256";
      must("export MTOOLS_SKIP_CHECK=1 AT=" + at + "; " + commands);
      copy_back(folder / "disk", **image);
      REQUIRE((*image)->flush());
    };
    std::string big;
    for (int n = 0; n < 200'000; ++n) big += static_cast<char>(n >> 3);
    put(folder / "new.bin", big);
    change("mdel -i $AT ::gone.txt && mcopy -i $AT " + (folder / "new.bin") +
           " ::sub/new.bin && mmove -i $AT ::sub/move.txt :: && mmd -i $AT ::made");
    CHECK(get(root + "/sub/new.bin") == big);
    // mtools leaves the long name behind.
    CHECK(get(root + "/MOVE.TXT") == "moves");
    CHECK(get(root + "/keep.txt") == "stays");
    CHECK_FALSE(std::filesystem::exists(root + "/gone.txt"));
    CHECK_FALSE(std::filesystem::exists(root + "/sub/move.txt"));
    CHECK(std::filesystem::is_directory(root + "/made"));
    put(folder / "keep.txt", "is another");
    change("mcopy -o -i $AT " + (folder / "keep.txt") + " ::keep.txt && mren -i $AT ::sub/new.bin ::sub/other.bin");
    CHECK(get(root + "/keep.txt") == "is another");
    CHECK(get(root + "/sub/other.bin") == big);
    CHECK_FALSE(std::filesystem::exists(root + "/sub/new.bin"));
    change("mdel -i $AT ::sub/other.bin && mrd -i $AT ::sub");
    CHECK_FALSE(std::filesystem::exists(root + "/sub"));
  }
  // Without rw nothing does.
  auto image = open_image({.file = "fat:" + root}, ImageAccess::kReadWrite);
  REQUIRE((*image)->write((*image)->size() / 2, std::vector<u8>(512, 1)));
  REQUIRE((*image)->write(40'000, std::vector<u8>(4096, 0)));
  REQUIRE((*image)->flush());
  CHECK(get(root + "/keep.txt") == "is another");
}
