// Images with changed bytes in their headers and tables: refused, or opened and used without harm.
#include <chrono>
#include <fstream>

#include "tests/block/with_qemu.h"
#include "tests/support/settings.h"

using namespace xlat;
using namespace xlat::test;

namespace {

struct Kind {
  const char *format, *options;
};
const Kind kKinds[] = {{"qcow2", ""},
                       {"qcow2", "cluster_size=512"},
                       {"qcow2", "compat=0.10"},
                       {"vdi", ""},
                       {"vmdk", ""},
                       {"vmdk", "subformat=streamOptimized"},
                       {"vmdk", "subformat=monolithicFlat"},
                       {"vpc", "force_size=on"},
                       {"vhdx", "block_size=1M"},
                       {"parallels", "cluster_size=64k"}};

std::vector<u8> load(const std::string& path) {
  std::ifstream in(path, std::ios::binary);
  return {std::istreambuf_iterator<char>(in), {}};
}

void save(const std::string& path, const std::vector<u8>& bytes) {
  std::ofstream(path, std::ios::binary)
      .write(reinterpret_cast<const char*>(bytes.data()), static_cast<std::streamsize>(bytes.size()));
}

// Everything that a guest or a tool may do to an image.
void use(const std::string& path, const std::string& format, std::mt19937& rng) {
  auto image = open_image({.file = path, .format = format}, ImageAccess::kReadWrite, {.repair = rng() % 2 == 0});
  if (!image) {
    CHECK(image.error().message.find('\n') == std::string::npos);
    CHECK_FALSE(image.error().message.empty());
    return;
  }
  BlockImage& i = **image;
  std::vector<u8> buffer(70'000);
  for (int n = 0; n < 12; ++n) {
    const u64 size = i.size();
    if (size == 0) break;
    const u64 at = (u64{rng()} << 20 ^ rng()) % size, bytes = std::min<u64>(buffer.size(), size - at);
    const std::span<u8> part = std::span(buffer).first(bytes);
    (void)i.read(at, part);
    (void)i.write(at, part.first(std::min<u64>(bytes, 600)));
    (void)i.status(at, size - at);
    if (n % 4 == 0) (void)i.write_zeroes(at, bytes, n % 8 == 0);
    if (n % 4 == 1) (void)i.discard(at, bytes);
    if (n % 4 == 2) (void)i.flush();
  }
  (void)i.check(rng() % 2 ? Repair::kAll : Repair::kNone);
  if (SnapshotStore* store = i.snapshots()) {
    const auto list = store->list();
    if (!list.empty()) (void)store->load_state(list[0].id);
    if (!list.empty()) (void)store->apply(list[0].id);
    (void)store->create({.name = "x"}, std::span(buffer).first(1000));
    if (!list.empty()) (void)store->remove(list[0].id);
  }
  (void)i.details();
}

}  // namespace

TEST_CASE("damaged images do no harm", "[damage]") {
  const u32 rounds = test_setting("XLAT_FUZZ", 20) * 15, first = test_setting("XLAT_SEED", 1);
  for (const Kind& kind : kKinds) {
    const Folder folder(true);
    const std::string path = folder / "image";
    make(kind.format, path, 3 << 20, options_of(kind.options));
    {
      auto image = opened(path, kind.format);
      for (u64 at = 0; at + 65536 <= 3 << 20; at += 5 * 65536) REQUIRE(image->write(at, std::vector<u8>(65536, 0x5a)));
      if (SnapshotStore* store = image->snapshots()) REQUIRE(store->create({.name = "s"}, std::vector<u8>(5000, 1)));
    }
    const std::vector<u8> whole = load(path);
    for (u32 seed = first; seed < first + rounds; ++seed) {
      INFO(kind.format << " " << kind.options << " XLAT_SEED=" << seed);
      std::mt19937 rng(seed);
      std::vector<u8> bytes = whole;
      const u32 changes = 1 + rng() % 4;
      for (u32 n = 0; n < changes; ++n) {
        // Mostly where the headers and tables are.
        const u64 reach = rng() % 4 == 0 ? bytes.size() : std::min<u64>(bytes.size(), rng() % 2 ? 512 : 400'000);
        const u64 at = rng() % reach, width = u64{1} << rng() % 4;
        static constexpr u8 kBytes[] = {0, 0xff, 0x7f, 0x80, 1};
        const u8 value = rng() % 2 ? kBytes[rng() % 5] : static_cast<u8>(rng());
        for (u64 k = at; k < std::min<u64>(at + width, bytes.size()); ++k) bytes[k] = value;
      }
      if (rng() % 10 == 0) bytes.resize(rng() % bytes.size());
      save(path, bytes);
      const auto start = std::chrono::steady_clock::now();
      use(path, kind.format, rng);
      CHECK(std::chrono::steady_clock::now() - start < std::chrono::seconds(60));
    }
  }
}
