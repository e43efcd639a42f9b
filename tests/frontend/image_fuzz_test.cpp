// Malformed disks, floppies, CDs, kernels and firmware: seeded damage to small whole ones. Each is taken or refused
// with one clear line; what is taken runs for a while. XLAT_FUZZ sets how many rounds, XLAT_SEED where to start.
#include <catch2/catch.hpp>
#include <chrono>
#include <random>

#include "frontend/options/command_line.h"
#include "frontend/options/image_probe.h"
#include "machine/machine.h"
#include "tests/frontend/temp_dir.h"
#include "tests/support/settings.h"

namespace xlat {

namespace {

std::vector<u8> linux_kernel() {
  std::vector<u8> k(512 * 3 + 600);
  k[0x1f1] = 2;
  store_le<u32>(&k[0x1f4], 600 / 16 + 1);
  store_le<u16>(&k[0x1fe], 0xaa55);
  std::copy_n("HdrS", 4, k.begin() + 0x202);
  store_le<u16>(&k[0x206], 0x20f);
  k[0x211] = 1;
  store_le<u32>(&k[0x214], 0x100000);
  store_le<u32>(&k[0x22c], 0x37ffffff);
  store_le<u32>(&k[0x230], 0x100000);
  k[0x234] = 1;
  store_le<u32>(&k[0x238], 2047);
  store_le<u32>(&k[0x260], 0x20000);
  std::fill(k.begin() + 512 * 3, k.end(), u8{0x90});
  return k;
}

std::vector<u8> elf_kernel() {
  std::vector<u8> k(512, 0x90);
  std::fill_n(k.begin(), 0x80, u8{0});
  const u8 magic[] = {0x7f, 'E', 'L', 'F', 1, 1, 1};
  std::copy(std::begin(magic), std::end(magic), k.begin());
  store_le<u16>(&k[16], 2);
  store_le<u16>(&k[18], 3);
  store_le<u32>(&k[24], 0x100010);
  store_le<u32>(&k[28], 52);
  store_le<u16>(&k[42], 32);
  store_le<u16>(&k[44], 1);
  store_le<u32>(&k[52], 1);
  store_le<u32>(&k[56], 0x100);
  store_le<u32>(&k[60], 0x100000);
  store_le<u32>(&k[64], 0x100000);
  store_le<u32>(&k[68], 0x100);
  store_le<u32>(&k[72], 0x3000);
  store_le<u32>(&k[0x60], 0x1badb002);
  store_le<u32>(&k[0x64], 7);  // modules page-aligned, memory information, video mode
  store_le<u32>(&k[0x68], 0u - 0x1badb002 - 7);
  return k;
}

std::vector<u8> partitioned_disk() {
  std::vector<u8> disk = disk_image(40 * 512);
  disk[446] = 0x80;
  disk[450] = 0x83;
  store_le<u32>(&disk[454], 1);
  store_le<u32>(&disk[458], 30);
  return disk;
}

// With an El Torito boot record, catalogue and an image of one sector.
std::vector<u8> bootable_iso() {
  std::vector<u8> iso = iso_image(22, 22 * 2048);
  u8* record = &iso[17 * 2048];
  record[0] = 0;
  std::copy_n("CD001\1EL TORITO SPECIFICATION", 29, record + 1);
  store_le<u32>(record + 0x47, 19);
  iso[18 * 2048] = 0xff;
  std::copy_n("CD001", 5, &iso[18 * 2048 + 1]);
  u8* catalogue = &iso[19 * 2048];
  catalogue[0] = 1;
  catalogue[0x1e] = 0x55;
  catalogue[0x1f] = 0xaa;
  store_le<u16>(catalogue + 0x1c, static_cast<u16>(0 - 0x0001 - 0xaa55));
  catalogue[0x20] = 0x88;
  store_le<u16>(catalogue + 0x26, 4);
  store_le<u32>(catalogue + 0x28, 20);
  iso[20 * 2048] = 0xeb;
  iso[20 * 2048 + 1] = 0xfe;
  return iso;
}

class Damage {
 public:
  explicit Damage(u32 seed) : rng_(seed) {}
  u32 random() { return static_cast<u32>(rng_()); }

  void apply(std::vector<u8>& bytes) {
    for (u32 n = 1 + random() % 6; n > 0 && !bytes.empty(); --n) {
      const std::size_t at =
          random() % 2 ? random() % bytes.size() : random() % std::min<std::size_t>(bytes.size(), 1024);
      switch (random() % 8) {
        case 0: bytes[at] ^= static_cast<u8>(1 << random() % 8); break;
        case 1: bytes[at] = static_cast<u8>(random()); break;
        case 2:
        case 3:
        case 4: {
          static constexpr u32 kValues[] = {0,          1,          0x7f,       0x80,       0xff,
                                            0xffff,     0x8000,     0x100000,   0x7fffffff, 0x80000000,
                                            0xffffffff, 0xfffffff0, 0x00400000, 0x003fffff, 0xfffff000};
          const std::size_t aligned = at & ~std::size_t{random() % 2 ? 3u : 1u};
          if (aligned + 4 <= bytes.size()) store_le<u32>(&bytes[aligned], kValues[random() % std::size(kValues)]);
          break;
        }
        case 5: bytes.resize(random() % (bytes.size() + 1)); break;
        case 6: bytes.resize(bytes.size() + random() % 4096, static_cast<u8>(random())); break;
        case 7: {
          const std::size_t length = std::min<std::size_t>(random() % 64, bytes.size() - at);
          const std::size_t from = random() % (bytes.size() - length + 1);
          std::vector<u8> part(bytes.begin() + static_cast<std::ptrdiff_t>(from),
                               bytes.begin() + static_cast<std::ptrdiff_t>(from + length));
          std::copy(part.begin(), part.end(), bytes.begin() + static_cast<std::ptrdiff_t>(at));
          break;
        }
      }
    }
  }

 private:
  std::mt19937 rng_;
};

void one_line(const std::string& message) {
  INFO(message);
  CHECK_FALSE(message.empty());
  CHECK(message.find('\n') == std::string::npos);
}

void run(MachineConfig config, u64 instructions) {
  config.ram_bytes = u64{4} << 20;
  config.time.deterministic = true;
  config.no_reboot = true;
  auto machine = Machine::create(config);
  if (!machine) {
    one_line(machine.error().message);
    return;
  }
  // A guest that halts for good in a deterministic run would wait for a key.
  Timer end((*machine)->pc().clock, [&] { (*machine)->quit(); });
  end.schedule(1'000'000'000);
  (*machine)->run_until(instructions);
}

}  // namespace

TEST_CASE("malformed images are taken or refused, nothing else", "[frontend]") {
  const TempDir dir;
  const std::vector<std::vector<u8>> whole = {linux_kernel(),     multiboot_kernel(kHaltCode), elf_kernel(),
                                              partitioned_disk(), disk_image(160 * 1024),      bootable_iso()};
  const u32 first = test_setting("XLAT_SEED", 1), rounds = test_setting("XLAT_FUZZ", 20) * 40;
  for (u32 seed = first; seed < first + rounds; ++seed) {
    INFO("XLAT_SEED=" << seed);
    const auto start = std::chrono::steady_clock::now();
    Damage damage(seed);
    const std::size_t which = damage.random() % whole.size();
    std::vector<u8> bytes = whole[which];
    damage.apply(bytes);
    const std::string path = dir.write("image", bytes);
    for (const auto check : {check_disk_image, check_iso_image, check_floppy_image}) {
      const auto warning = check({.file = path});
      if (const std::string& line = warning ? warning.value() : warning.error().message; !line.empty()) one_line(line);
    }
    if (auto settings = parse_command_line(std::span(&path, 1)); !settings) one_line(settings.error().message);
    if (which < 3) {
      MachineConfig config;
      if (damage.random() % 4 != 0) config.remove("VGA");
      config.kernel = path;
      if (damage.random() % 4 == 0) config.initrd = path;
      run(config, 3000);
    } else if (which == 4) {
      MachineConfig config;
      config.remove("VGA");
      config.add_floppy(0, DriveConfig{.path = path, .snapshot = true});
      config.boot_order = std::string(1, 'a');
      run(config, seed % 16 == 0 ? 2'000'000 : 1000);
    } else if (seed % 16 == 0) {
      MachineConfig config;
      config.remove("VGA");
      config.add_ide(which == 5 ? 2 : 0, DriveConfig{.path = path, .cdrom = which == 5, .snapshot = which != 5});
      config.boot_order = std::string(1, which == 5 ? 'd' : 'c');
      run(config, 2'000'000);
    }
    CHECK(std::chrono::steady_clock::now() - start < std::chrono::seconds(30));
  }
}

TEST_CASE("a CD image may end anywhere in its volume descriptor", "[frontend]") {
  const TempDir dir;
  const std::vector<u8> iso = bootable_iso();
  for (std::size_t size = 0x7ff8; size < 0x8808; size += 3) {
    const std::string path = dir.write("image", {iso.begin(), iso.begin() + static_cast<std::ptrdiff_t>(size)});
    if (const auto warning = check_iso_image({.file = path}); !warning) one_line(warning.error().message);
    if (const auto kind = recognise_image(path); !kind) one_line(kind.error().message);
  }
}

TEST_CASE("malformed firmware is refused or runs", "[frontend]") {
  const TempDir dir;
  std::vector<u8> bios(65536, 0xf4);
  const u32 first = test_setting("XLAT_SEED", 1), rounds = test_setting("XLAT_FUZZ", 20);
  for (u32 seed = first; seed < first + rounds; ++seed) {
    INFO("XLAT_SEED=" << seed);
    Damage damage(seed);
    std::vector<u8> bytes = bios;
    for (std::size_t n = bytes.size() - 256; n < bytes.size(); ++n) bytes[n] = static_cast<u8>(damage.random());
    if (damage.random() % 4 == 0) damage.apply(bytes);
    MachineConfig config;
    config.bios = dir.write("bios", bytes);
    if (damage.random() % 4 == 0) {
      std::vector<u8> rom(4096);
      damage.apply(rom);
      config.globals.push_back({"VGA", "romfile", dir.write("vgabios", rom)});
    }
    run(config, 20'000);
  }
}

}  // namespace xlat
