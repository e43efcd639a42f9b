// Random port and memory accesses of every width to every device of the whole PC, with time, host input and damaged
// snapshots in between: no access may crash, hang or corrupt the process. XLAT_FUZZ sets how many rounds, XLAT_SEED
// where to start.
#include <unistd.h>

#include <catch2/catch.hpp>
#include <chrono>
#include <filesystem>
#include <fstream>
#include <random>

#include "machine/machine.h"
#include "tests/support/settings.h"

using namespace xlat;

namespace {

struct Deaf : AudioSink {
  u64 samples = 0;
  u32 rate() const override { return 44100; }
  void play(std::span<const AudioFrame> more) override { samples += more.size(); }
  void silence(u64 n) override { samples += n; }
};

class Files {
 public:
  Files() {
    std::string name = (std::filesystem::temp_directory_path() / "xlat-fuzz-XXXXXX").string();
    REQUIRE(mkdtemp(name.data()));
    path_ = name;
    std::mt19937 rng(1);
    for (const auto& [file, bytes] : {std::pair{"disk", 3u << 20},
                                      {"odd", 200'001u},
                                      {"cd", 300u * 2048},
                                      {"floppy", 1440u << 10},
                                      {"floppy160", 160u << 10}}) {
      std::vector<char> content(bytes);
      for (char& c : content) c = static_cast<char>(rng());
      std::ofstream(path_ / file, std::ios::binary).write(content.data(), static_cast<std::streamsize>(bytes));
    }
  }
  ~Files() { std::filesystem::remove_all(path_); }
  std::string operator/(const char* name) const { return (path_ / name).string(); }

 private:
  std::filesystem::path path_;
};

class Torment {
 public:
  Torment(u32 seed, const Files& files) : rng_(seed) {
    MachineConfig config;
    config.ram_bytes = u64{1 + rng_() % 8} << 20;
    config.time.deterministic = true;
    if (rng_() % 8 == 0) config.remove("VGA");
    config.add_ide(0, DriveConfig{.path = files / "disk", .snapshot = true});
    if (rng_() % 2)
      config.add_ide(1, DriveConfig{.path = files / "odd", .snapshot = rng_() % 2 == 0, .read_only = true});
    config.add_ide(2, DriveConfig{.path = files / "cd", .cdrom = true});
    if (rng_() % 2) config.add_ide(3, DriveConfig{.path = {}, .cdrom = true});
    config.add_floppy(0, DriveConfig{.path = files / "floppy", .snapshot = true});
    if (rng_() % 2) {
      config.add_floppy(
          1,
          DriveConfig{.path = rng_() % 2 ? files / "floppy160" : std::string(), .snapshot = true, .read_only = true});
    }
    for (unsigned n = 0; n < 4; ++n) config.add_serial(n, [this](u8) { ++sent_; });
    config.add_debugcon(0x402, [this](u8) { ++sent_; });
    config.add_debug_exit();
    config.audio.push_back({"snd", std::make_shared<Deaf>()});
    config.speaker_audio = "snd";
    const auto card = [&config](const char* type, const char* slot) {
      DeviceConfig device{.type = type, .properties = {{"audiodev", "snd"}}};
      if (*slot) device.properties.emplace_back("addr", slot);
      config.devices.push_back(std::move(device));
    };
    card("sb16", ""), card("gus", ""), card("ES1370", "4"), card("AC97", "5");
    config.devices.push_back(
        {.type = rng_() % 4 ? "lsi53c895a" : "lsi53c810", .properties = {{"addr", "6"}}, .id = "scsi"});
    for (const auto& [type, file, target] :
         {std::tuple{"scsi-hd", "disk", "0"}, {"scsi-hd", "odd", "2"}, {"scsi-cd", "cd", "3"}}) {
      const std::string id = std::string("scsi") + target;
      config.drives.push_back(
          {.path = files / file, .cdrom = std::string_view(type) == "scsi-cd", .snapshot = true, .id = id});
      config.devices.push_back({.type = type, .properties = {{"drive", id}, {"scsi-id", target}}});
    }
    auto made = Machine::create(config);
    if (!made) FAIL(made.error().message);
    machine_ = std::move(*made);
    for (u8& byte : pc().ram->bytes()) byte = static_cast<u8>(rng_());
    map_bars();
  }

  Pc& pc() { return machine_->pc(); }
  u32 random() { return static_cast<u32>(rng_()); }

  void run(int steps) {
    for (int n = 0; n < steps; ++n) step();
  }

  // Saves, damages, loads.
  void reload() {
    Archive saved = Archive::saver();
    for (Device* d : pc().devices()) d->serialize(saved);
    std::vector<u8> bytes = saved.bytes();
    // The video memory is most of it; the interesting bytes come before and after.
    for (u32 n = random() % 12; n > 0; --n) {
      const std::size_t at =
          random() % 2 ? random() % bytes.size() : random() % std::min<std::size_t>(bytes.size(), 8192);
      bytes[at] ^= static_cast<u8>(random() % 3 ? 1 << random() % 8 : random());
    }
    if (random() % 8 == 0) bytes.resize(random() % bytes.size());
    Archive loader = Archive::loader(std::move(bytes));
    for (Device* d : pc().devices()) d->serialize(loader);
  }

 private:
  void config_write(unsigned device, unsigned function, unsigned reg, u32 value) {
    pc().ports.write(0xcf8, 4, 0x80000000 | device << 11 | function << 8 | reg);
    pc().ports.write(0xcfc, 4, value);
  }

  // Puts the BARs where step() looks for them.
  void map_bars() {
    config_write(1, 1, 0x20, 0xc001);
    config_write(1, 1, 0x04, 5);
    config_write(1, 3, 0x40, 0x601);
    config_write(1, 3, 0x90, 0x701);
    config_write(2, 0, 0x10, 0xe0000000);
    config_write(2, 0, 0x18, 0xe2000000);
    config_write(2, 0, 0x30, 0xe3000001);
    config_write(2, 0, 0x04, 3);
    config_write(4, 0, 0x10, 0xc101);
    config_write(4, 0, 0x04, 5);
    config_write(5, 0, 0x10, 0xc201);
    config_write(5, 0, 0x14, 0xc301);
    config_write(5, 0, 0x04, 5);
    config_write(6, 0, 0x10, 0xc401);
    config_write(6, 0, 0x14, 0xe4000000);
    config_write(6, 0, 0x18, 0xe4002000);
    config_write(6, 0, 0x04, 7);
  }

  u16 port() {
    static constexpr struct {
      u16 first, count;
    } kPorts[] = {{0x00, 16},   {0x20, 2},    {0x40, 4},    {0x60, 5},    {0x70, 2},    {0x80, 16},    {0x92, 1},
                  {0xa0, 2},    {0xb2, 2},    {0xc0, 32},   {0x170, 8},   {0x1ce, 3},   {0x1f0, 8},    {0x2e8, 8},
                  {0x2f8, 8},   {0x376, 1},   {0x3b4, 7},   {0x3c0, 16},  {0x3d4, 7},   {0x3e8, 8},    {0x3f0, 8},
                  {0x3f8, 8},   {0x402, 1},   {0x4d0, 2},   {0x501, 2},   {0x510, 12},  {0x600, 64},   {0x700, 16},
                  {0xaf00, 8},  {0xafe0, 16}, {0xb100, 16}, {0xc000, 16}, {0xcf8, 8},   {0x220, 16},   {0x240, 16},
                  {0x340, 8},   {0x22c, 1},   {0x330, 2},   {0x388, 4},   {0xc100, 64}, {0xc200, 128}, {0xc300, 64},
                  {0xc400, 256}};
    if (random() % 32 == 0) return static_cast<u16>(random());
    const auto& range = kPorts[random() % std::size(kPorts)];
    return static_cast<u16>(range.first + random() % range.count);
  }

  u64 address() {
    static constexpr u32 kAreas[] = {0xa0000,    0xb0000,    0xb8000,    0xc0000,    0xf0000,
                                     0x0,        0xe0000000, 0xe0ffff00, 0xe2000400, 0xe2000500,
                                     0xe3000000, 0xe4000000, 0xe4002000, 0xfffe0000};
    if (random() % 32 == 0) return u64{random()} << (random() % 4);
    return kAreas[random() % std::size(kAreas)] + random() % (random() % 2 ? 64 : 65536);
  }

  u32 value() {
    switch (random() % 4) {
      case 0: return random() % 4;
      case 1: return ~(random() % 4);
      default: return random();
    }
  }

  // A command as a driver would give it, with numbers that a driver would not.
  void ide_command() {
    static constexpr u8 kCommands[] = {0x00, 0x08, 0x10, 0x20, 0x24, 0x25, 0x29, 0x30, 0x34, 0x35, 0x39,
                                       0x40, 0x70, 0x90, 0x91, 0xa0, 0xa1, 0xc4, 0xc5, 0xc6, 0xc8, 0xca,
                                       0xe0, 0xe1, 0xe5, 0xe6, 0xe7, 0xea, 0xec, 0xef, 0xf8, 0x27, 0x37};
    static constexpr u8 kPackets[] = {0x00, 0x03, 0x12, 0x1b, 0x1e, 0x23, 0x25, 0x28, 0x2b, 0x42, 0x43,
                                      0x44, 0x46, 0x4a, 0x51, 0x55, 0x5a, 0xa8, 0xad, 0xb9, 0xbd, 0xbe};
    const u16 base = random() % 2 ? 0x1f0 : 0x170;
    PortBus& ports = pc().ports;
    ports.write(static_cast<u16>(base + 6), 1, 0xa0 | (random() & 0x5f));
    for (unsigned n = 2; n < 6; ++n) {
      if (random() % 2) ports.write(static_cast<u16>(base + n), 1, random());
      ports.write(static_cast<u16>(base + n), 1, random() % 4 ? random() % 8 : random());
    }
    ports.write(static_cast<u16>(base + 1), 1, value());
    ports.write(static_cast<u16>(base + 7), 1, kCommands[random() % std::size(kCommands)]);
    for (unsigned n = random() % 4; n > 0; --n) pass_time();
    if (random() % 2) {
      u8 packet[12];
      for (u8& byte : packet) byte = static_cast<u8>(random() % 4 ? random() % 4 : random());
      packet[0] = kPackets[random() % std::size(kPackets)];
      for (unsigned n = 0; n < 12; n += 2) ports.write(base, 2, packet[n] | packet[n + 1] << 8);
      pass_time();
    }
    // Bus master: a table somewhere in memory or beyond it.
    const u16 master = base == 0x1f0 ? 0xc000 : 0xc008;
    if (random() % 2) {
      ports.write(static_cast<u16>(master + 4), 4, random() % 4 ? random() % (1 << 20) : random());
      ports.write(master, 1, 1 | (random() & 8));
    }
    for (unsigned n = random() % 600; n > 0; --n) {
      const unsigned width = 1u << random() % 3;
      if (random() % 2) {
        ports.read(base, width);
      } else {
        ports.write(base, width, random());
      }
    }
  }

  void floppy_command() {
    static constexpr u8 kCommands[] = {0x02, 0x03, 0x04, 0x05, 0x06, 0x07, 0x08, 0x09, 0x0a, 0x0c, 0x0d, 0x0e,
                                       0x0f, 0x10, 0x11, 0x12, 0x13, 0x14, 0x16, 0x18, 0x19, 0x1d, 0x8f, 0xcf};
    PortBus& ports = pc().ports;
    if (random() % 4 == 0) ports.write(0x3f2, 1, 0x14 | (random() & 0x3b));
    if (random() % 8 == 0) ports.write(0x3f7, 1, random());
    if (random() % 2) {  // DMA channel 2 to somewhere
      ports.write(0x0a, 1, 6);
      ports.write(0x0c, 1, 0);
      for (const u16 at : {0x04, 0x04, 0x05, 0x05, 0x81}) ports.write(at, 1, random());
      ports.write(0x0b, 1, 0x42 | (random() & 0xbc));
      ports.write(0x0a, 1, 2);
    }
    ports.write(0x3f5, 1, kCommands[random() % std::size(kCommands)] | (random() & 0xe0));
    for (unsigned n = 0; n < 9; ++n) {
      ports.write(0x3f5, 1, random() % 4 ? random() % 4 : random());
      if (random() % 4 == 0) pass_time();
    }
    for (unsigned n = random() % 4; n > 0; --n) pass_time();
    for (unsigned n = random() % 600; n > 0; --n) {
      ports.read(0x3f4, 1);
      if (random() % 2) {
        ports.read(0x3f5, 1);
      } else {
        ports.write(0x3f5, 1, random());
      }
    }
  }

  // A script as a driver would write it, with instructions in any order.
  void scsi_script() {
    static constexpr u32 kInstructions[] = {0x41000000, 0x41020000, 0x41030000, 0x48000000, 0x50000000, 0x60000040,
                                            0x58000008, 0x08000000, 0x09000000, 0x0a000006, 0x0a00000a, 0x0b000001,
                                            0x0e000001, 0x0e000003, 0x0f000001, 0x19000040, 0x18000040, 0x80080000,
                                            0x830b0000, 0x870b0000, 0x98080000, 0x72340000, 0x7a3f0100, 0xc0000200,
                                            0xe1340004, 0xe0340004, 0x88080000, 0x90080000};
    static constexpr u8 kCommands[] = {0x00, 0x03, 0x04, 0x08, 0x0a, 0x12, 0x15, 0x1a, 0x1b, 0x1e,
                                       0x25, 0x28, 0x2a, 0x2f, 0x35, 0x41, 0x42, 0x43, 0x46, 0x4a,
                                       0x51, 0x55, 0x5a, 0x88, 0x8a, 0x93, 0x9e, 0xa0, 0xbe};
    constexpr u32 kScript = 0x4000, kData = 0x5000;
    for (u32 at = kScript; at < kScript + 0x100; at += 8) {
      u32 instruction = kInstructions[random() % std::size(kInstructions)];
      if (random() % 4 == 0) instruction ^= u32{1} << random() % 32;
      if (instruction >> 30 == 0 && !(instruction & 0xffffff)) instruction |= random() % 2048;
      const bool jumps = instruction >> 30 == 2;
      pc().memory.write(at, 4, instruction);
      pc().memory.write(
          at + 4, 4, random() % 16 == 0 ? random() : (jumps ? kScript + random() % 32 * 8 : kData + random() % 64 * 4));
    }
    for (u32 at = kData; at < kData + 256; ++at) {
      const u32 byte = random() % 3 == 0 ? kCommands[random() % std::size(kCommands)]
                       : random() % 2    ? 0x80 | random() % 0x50
                                         : random() % 8;
      pc().memory.write(at, 1, byte);
    }
    PortBus& ports = pc().ports;
    ports.write(0xc410, 4, kData);
    if (random() % 2) ports.write(0xc404, 1, 0x47), ports.write(0xc44a, 1, 0x80);
    ports.write(0xc42c, 4, kScript + random() % 32 * 8);
    for (unsigned n = random() % 8; n > 0; --n) pass_time();
  }

  void pass_time() {
    Clock& clock = pc().clock;
    clock.skip_to(clock.now() + random() % (random() % 8 ? 100'000 : 100'000'000));
    clock.run_due();
  }

  void step() {
    const unsigned width = 1u << random() % 3;
    switch (random() % 32) {
      case 0: pass_time(); break;
      case 1: pc().kbc.key(static_cast<KeyCode>(random() % (key_count() + 4)), random() % 2); break;
      case 2:
        pc().kbc.mouse_move(static_cast<i32>(random()), static_cast<i32>(value()), static_cast<i32>(value()));
        pc().kbc.mouse_buttons(static_cast<u8>(random()));
        break;
      case 3:
        if (Uart16550* uart = pc().uart(random() % 4)) uart->receive(static_cast<u8>(random()));
        break;
      case 4: pc().pic.acknowledge(); break;
      case 5:
        switch (random() % 3) {
          case 0: ide_command(); break;
          case 1: floppy_command(); break;
          default: scsi_script(); break;
        }
        break;
      case 6:
      case 7: {
        u32 config = 0x80000000 | (random() % 4) << 11 | (random() % 4) << 8 | (random() & 0xfc);
        if (random() % 64 == 0) config = random();
        pc().ports.write(0xcf8, 4, config);
        // Moving a 16 MiB BAR takes its time: not often.
        const bool bar = (config & 0xfc) >= 0x04 && (config & 0xfc) < 0x34;
        if (!bar || random() % 64 == 0) pc().ports.write(static_cast<u16>(0xcfc + random() % 4), width, value());
        pc().ports.read(static_cast<u16>(0xcfc + random() % 4), width);
        break;
      }
      case 8:
        if (random() % 512 == 0) {
          pc().reset();
          map_bars();
        } else if (random() % 64 == 0) {
          map_bars();
        }
        break;
      case 9:
        if (VgaCore* vga = pc().vga(); vga && random() % 64 == 0) {
          const Picture picture = vga->render();
          CHECK((picture.rgb.empty() || picture.rgb.size() == std::size_t{picture.width} * picture.height * 3));
          const auto screen = vga->text_screen();
          CHECK(screen.cells.size() == std::size_t{screen.rows} * screen.columns);
          (void)vga->text_cursor();
        }
        break;
      case 10:
      case 11:
      case 12:
      case 13:
      case 14:
      case 15: {
        const u64 at = address();
        const unsigned wide = 1u << random() % 4;
        if (random() % 2) {
          pc().memory.write(at, wide, u64{random()} << 32 | random());
        } else {
          pc().memory.read(at, wide);
        }
        break;
      }
      default: {
        const u16 at = port();
        if (random() % 3) {
          pc().ports.write(at, width, value());
        } else {
          pc().ports.read(at, width);
        }
      }
    }
    pc().clock.run_due();
    pc().requests = {};
  }

  std::mt19937 rng_;
  u64 sent_ = 0;
  std::unique_ptr<Machine> machine_;
};

}  // namespace

TEST_CASE("the PC survives random accesses to all devices") {
  const Files files;
  const u32 first = test_setting("XLAT_SEED", 1), rounds = test_setting("XLAT_FUZZ", 20);
  for (u32 seed = first; seed < first + rounds; ++seed) {
    INFO("XLAT_SEED=" << seed);
    const auto start = std::chrono::steady_clock::now();
    Torment torment(seed, files);
    torment.run(20'000);
    CHECK(std::chrono::steady_clock::now() - start < std::chrono::seconds(60));
  }
}

TEST_CASE("the PC survives damaged snapshots of all devices") {
  const Files files;
  const u32 first = test_setting("XLAT_SEED", 1), rounds = test_setting("XLAT_FUZZ", 20);
  for (u32 seed = first; seed < first + rounds; ++seed) {
    INFO("XLAT_SEED=" << seed);
    const auto start = std::chrono::steady_clock::now();
    Torment torment(seed ^ 0x5eed0000, files);
    for (int n = 0; n < 4; ++n) {
      torment.run(500);
      torment.reload();
      torment.run(500);
    }
    CHECK(std::chrono::steady_clock::now() - start < std::chrono::seconds(60));
  }
}
