// The command line: what each spelling means, and what is said about wrong ones.
#include "frontend/options/command_line.h"

#include <catch2/catch.hpp>

#include "block/create_image.h"
#include "frontend/options/image_probe.h"
#include "frontend/options/values.h"
#include "machine/machine.h"
#include "tests/frontend/temp_dir.h"

namespace xlat {

namespace {

Result<Settings> parse(std::vector<std::string> args) { return parse_command_line(args); }

Settings good(std::vector<std::string> args) {
  auto settings = parse(std::move(args));
  if (!settings) FAIL(settings.error().message);
  return *settings;
}

std::string bad(std::vector<std::string> args) {
  const auto settings = parse(std::move(args));
  if (settings) return "accepted";
  CHECK(settings.error().message.find('\n') == std::string::npos);
  return settings.error().message;
}

using Kind = CharSpec::Kind;

// The machine of a command line, with channels that lead nowhere.
Result<std::unique_ptr<Machine>> build(std::initializer_list<std::string> args) {
  const Settings settings = good(args);
  MachineConfig config = settings.machine;
  for (const ChannelSettings& c : settings.channels) config.channels.push_back({c.id, nullptr});
  return Machine::create(config);
}

}  // namespace

TEST_CASE("memory sizes", "[frontend]") {
  CHECK(good({}).machine.ram_bytes == u64{128} << 20);
  CHECK(good({"-m", "64"}).machine.ram_bytes == u64{64} << 20);
  CHECK(good({"-m", "1G"}).machine.ram_bytes == u64{1} << 30);
  CHECK(good({"-m", "size=512M"}).machine.ram_bytes == u64{512} << 20);
  CHECK(good({"-m", "2048k"}).machine.ram_bytes == u64{2} << 20);
  CHECK(good({"--m", "3G"}).machine.ram_bytes == MachineConfig::kMaxRam);
  CHECK(good({"-m", "0.5G"}).machine.ram_bytes == u64{512} << 20);
  CHECK(good({"-m", "1.25M"}).machine.ram_bytes == u64{1280} << 10);
  CHECK(good({"-m", "640K"}).machine.ram_bytes == u64{640} << 10);
  CHECK(good({"-m", "256,slots=2,maxmem=1G"}).machine.ram_bytes == u64{256} << 20);
  for (const char* wrong : {"", "x", "64Q", "-1", "0", "512k", "3073", "4G", "99999999999G", "size=", "1.5.2G", "0.5",
                            ".5G", "64,slots=x"}) {
    INFO(wrong);
    CHECK(bad({"-m", wrong}).starts_with("-m: "));
  }
}

TEST_CASE("unknown options name the nearest one", "[frontend]") {
  CHECK(bad({"-hdaa", "x"}) == "-hdaa: no such option; the nearest is -hda");
  CHECK(bad({"--serail", "x"}) == "--serail: no such option; the nearest is -serial");
  CHECK(bad({"-no-rebot"}) == "-no-rebot: no such option; the nearest is -no-reboot");
  CHECK(bad({"-kernel"}).find("argument is missing") != std::string::npos);
}

TEST_CASE("drives", "[frontend]") {
  TempDir dir;
  const std::string a = dir.write("a.img", disk_image(1 << 20)), b = dir.write("b,c.img", disk_image(1 << 20));
  const std::string cd = dir.write("cd.iso", iso_image(20, 20 * 2048));
  const std::string commas = dir / "b,,c.img";

  const Settings s =
      good({"-hda", a, "-drive", "file=" + commas + ",if=ide,index=1,format=raw,snapshot=on,media=disk", "-cdrom", cd});
  REQUIRE(s.machine.ide(0));
  CHECK(s.machine.ide(0)->path == a);
  REQUIRE(s.machine.ide(1));
  CHECK(s.machine.ide(1)->path == b);
  CHECK(s.machine.ide(1)->snapshot);
  REQUIRE(s.machine.ide(2));
  CHECK(s.machine.ide(2)->cdrom);
  CHECK_FALSE(s.machine.ide(3));

  CHECK(good({"-drive", "file=" + a + ",bus=1,unit=1,readonly=on"}).machine.ide(3)->read_only);
  CHECK(good({"-hda", a, "-snapshot"}).machine.ide(0)->snapshot);
  CHECK(good({"-drive", "media=cdrom"}).machine.ide(2)->path.empty());
  // An empty CD-ROM drive is there by default.
  CHECK(good({}).machine.ide(2)->cdrom);
  CHECK_FALSE(good({"-nodefaults"}).machine.ide(2));

  CHECK(bad({"-hda", a, "-hda", a}).find("already") != std::string::npos);
  CHECK(bad({"-drive", "fil=" + a}) == "-drive: no sub-option 'fil'; the nearest is file");
  CHECK(bad({"-drive", "file=" + a + ",format=qcow2"}).find("not in qcow2 format") != std::string::npos);
  CHECK(bad({"-drive", "file=" + a + ",index=4"}).find("index=4") != std::string::npos);
  CHECK(bad({"-drive", "file=" + a + ",snapshot=maybe"}).find("snapshot=maybe") != std::string::npos);
  CHECK(bad({"-drive", "if=virtio,file=" + a}).find("if=virtio") != std::string::npos);
  CHECK(bad({"-drive", "media=disk"}).find("file= is missing") != std::string::npos);
  CHECK(bad({"-hda", dir / "none.img"}).find("none.img") != std::string::npos);
  CHECK(bad({"-hda", dir / ""}).find("directory") != std::string::npos);
  CHECK(bad({"-hda", ""}).find("-hda: give a file name") != std::string::npos);
}

TEST_CASE("floppy drives", "[frontend]") {
  TempDir dir;
  const std::string a = dir.write("a", disk_image(1440 * 1024)), b = dir.write("b", disk_image(360 * 1024));
  const Settings s = good({"-fda", a, "-fdb", b});
  CHECK(s.machine.floppy(0)->path == a);
  CHECK(s.machine.floppy(1)->path == b);
  const std::size_t others = s.warnings.size();
  const Settings d =
      good({"-drive", "if=floppy,format=raw,readonly=on,file=" + a, "-drive", "file=" + b + ",if=floppy"});
  CHECK(d.machine.floppy(0)->read_only);
  CHECK(d.machine.floppy(1)->path == b);
  CHECK(good({"-drive", "if=floppy,index=1,file=" + a, "-snapshot"}).machine.floppy(1)->snapshot);
  // Drive A is there by default, empty.
  CHECK(good({}).machine.floppy(0)->path.empty());
  CHECK_FALSE(good({}).machine.floppy(1));
  CHECK_FALSE(good({"-nodefaults"}).machine.floppy(0));
  // The beginning of a disk, with a warning.
  CHECK(good({"-fda", dir.write("boot.bin", disk_image(512))}).warnings.size() == others + 1);

  CHECK(bad({"-fda", a, "-drive", "if=floppy,index=0,file=" + b}).find("drive A is already") != std::string::npos);
  CHECK(bad({"-drive", "if=floppy,index=2,file=" + a}).find("index=2") != std::string::npos);
  CHECK(bad({"-drive", "if=floppy,media=cdrom,file=" + a}).find("media=cdrom") != std::string::npos);
  CHECK(good({"-drive", "if=floppy", "-display", "none"}).machine.floppy(0)->path.empty());
  CHECK(good({"-drive", "if=floppy,file=file:" + a}).machine.floppy(0)->path == a);
  CHECK(bad({"-fda", "nbd+unix:///export?socket=/nonexistent"}).find("cannot connect") != std::string::npos);
  CHECK(bad({"-fda", "ssh://host/file"}) == "Unknown protocol 'ssh'");
  CHECK(bad({"-hda", "fat:rw:folder"}).find("cannot open folder 'folder'") != std::string::npos);
  CHECK(bad({"-fda", dir / "none"}).find("No such file") != std::string::npos);
  // Any size is a part of a disk, or more than one.
  for (const std::size_t size : {1u, 511u, 513u, 13188u, 5u << 20}) {
    CHECK(good({"-fda", dir.write("odd", std::vector<u8>(size, 'x'))}).warnings.size() == others + 1);
  }
  CHECK(bad({"-fda", dir.write("none", {})}).find("is empty") != std::string::npos);
}

TEST_CASE("caches, discards and zeros", "[frontend]") {
  TempDir dir;
  const std::string file = "file=" + dir.write("a", disk_image(1 << 20)) + ",format=raw";
  const auto drive = [&](const std::string& tuning) { return *good({"-drive", file + tuning}).machine.ide(0); };
  struct Mode {
    const char* tuning;
    bool write_cache, direct, ignore_flush;
  };
  constexpr Mode kModes[] = {
      {"", true, false, false},
      {",cache=writeback", true, false, false},
      {",cache=none", true, true, false},
      {",cache=writethrough", false, false, false},
      {",cache=directsync", false, true, false},
      {",cache=unsafe", true, false, true},
      {",cache=none,cache.direct=off", true, false, false},
      {",cache.no-flush=on,cache.writeback=off", false, false, true},
  };
  for (const Mode& m : kModes) {
    const DriveConfig d = drive(m.tuning);
    CHECK(d.policy.write_cache == m.write_cache);
    CHECK(d.options.contains("cache.direct") == m.direct);
    CHECK(d.policy.ignore_flush == m.ignore_flush);
  }
  CHECK_FALSE(drive("").policy.discard);
  CHECK(drive(",discard=on").policy.discard);
  CHECK(drive(",detect-zeroes=on").policy.zeroes == DiskPolicy::Zeroes::kDetect);
  CHECK(drive(",discard=unmap,detect-zeroes=unmap").policy.zeroes == DiskPolicy::Zeroes::kUnmap);
  CHECK(bad({"-drive", file + ",detect-zeroes=unmap"}).find("without setting discard") != std::string::npos);
  CHECK(bad({"-drive", file + ",aio=native"}).find("requires cache.direct=on") != std::string::npos);
  CHECK(good({"-drive", file + ",aio=io_uring"}).machine.ide(0));

  // A node that says nothing of discards passes none on.
  const std::string node = "driver=file,node-name=f,filename=" + (dir / "a");
  const auto raw = [&](const std::string& below, const std::string& above) {
    const Settings s = good({"-blockdev", node + below, "-blockdev", "driver=raw,node-name=r,file=f" + above});
    return s.machine.drives.back();
  };
  CHECK_FALSE(raw("", ",discard=unmap").policy.discard);
  CHECK(raw(",discard=unmap", ",discard=unmap").policy.discard);
  CHECK(raw(",cache.direct=on", "").options.at("file.cache.direct") == "on");
  CHECK(raw("", ",cache.no-flush=on").policy.ignore_flush);
  CHECK(bad({"-blockdev", node + ",cache.writeback=on"}).find("'cache.writeback' is unexpected") != std::string::npos);
}

TEST_CASE("what -drive takes", "[frontend]") {
  TempDir dir;
  const std::string a = dir.write("a", disk_image(1 << 20)), file = "file=" + a + ",format=raw";
  const Settings s = good({"-drive", file + ",aio=native,cache=none,discard=unmap,detect-zeroes=on,id=d0,node-name=n"});
  CHECK(s.machine.ide(0)->format == "raw");
  CHECK(good({"-drive", file + ",readonly"}).machine.ide(0)->read_only);
  CHECK(good({"-drive", file + ",serial=WD-1"}).machine.ide(0)->serial == "WD-1");
  CHECK_FALSE(good({"-drive", file + ",file.locking=off"}).machine.ide(0)->locking);
  const DriveConfig usual = *good({"-drive", file}).machine.ide(0);
  CHECK(usual.on_write_error == IoErrorPolicy::kStopIfFull);
  CHECK(usual.on_read_error == IoErrorPolicy::kReport);
  const DriveConfig d = *good({"-drive", file + ",werror=stop,rerror=ignore"}).machine.ide(0);
  CHECK(d.on_write_error == IoErrorPolicy::kStop);
  CHECK(d.on_read_error == IoErrorPolicy::kIgnore);

  CHECK(bad({"-drive", file + ",aio=foo"}).find("aio=foo: give one of threads") != std::string::npos);
  CHECK(bad({"-drive", file + ",rerror=enospc"}).find("rerror=enospc") != std::string::npos);
  CHECK(bad({"-drive", file + ",werror=maybe"}).find("werror=maybe") != std::string::npos);
  CHECK(bad({"-drive", file + ",serial=123456789012345678901"}).find("at most 20") != std::string::npos);
  CHECK(bad({"-drive", file + ",if=floppy,werror=stop"}).find("werror does not go with") != std::string::npos);
  CHECK(bad({"-drive", file + ",format"}).find("has no value") != std::string::npos);
}

TEST_CASE("bootindex: the list the firmware boots by", "[frontend]") {
  TempDir dir;
  const std::string a = "if=none,format=raw,id=a,file=" + dir.write("a", disk_image(1 << 20)),
                    b = "if=none,format=raw,id=b,file=" + dir.write("b", disk_image(1 << 20)),
                    c = "if=none,format=raw,id=c,file=" + dir.write("c", disk_image(1 << 20));
  const auto order = [](std::initializer_list<std::string> args) {
    auto machine = build(args);
    if (!machine) return "refused: " + machine.error().message;
    const auto* file = (*machine)->pc().fw_cfg.file("bootorder");
    return file ? std::string(file->begin(), file->end()) : "none";
  };
  const auto zero = [](std::string text) { return text + '\0'; };
  CHECK(order({}) == "none");
  CHECK(order({"-device", "ide-cd,bus=ide.1,unit=0,bootindex=-1"}) == "none");
  // As QEMU's, byte by byte.
  CHECK(order({"-drive",
               a,
               "-drive",
               b,
               "-drive",
               c,
               "-usb",
               "-device",
               "ahci,id=ahci",
               "-device",
               "lsi,id=s",
               "-device",
               "ide-hd,drive=a,unit=1,bootindex=5",
               "-device",
               "ide-cd,bus=ahci.2,bootindex=1",
               "-device",
               "scsi-hd,drive=b,scsi-id=3,bootindex=0",
               "-device",
               "scsi-cd,bootindex=9",
               "-device",
               "e1000,bootindex=6",
               "-device",
               "ne2k_isa,bootindex=12",
               "-device",
               "usb-hub,port=1",
               "-device",
               "usb-storage,drive=c,port=1.2,bootindex=4",
               "-device",
               "floppy,bootindex=7",
               "-vga",
               "none",
               "-net",
               "none"}) == zero("/pci@i0cf8/scsi@3/channel@0/disk@3,0\n"
                                "/pci@i0cf8/pci8086,2922@2/drive@2/disk@0\n"
                                "/pci@i0cf8/usb@1,2/hub@1/storage@2/channel@0/disk@0,0\n"
                                "/pci@i0cf8/ide@1,1/drive@0/disk@1\n"
                                "/pci@i0cf8/ethernet@4/ethernet-phy@0\n"
                                "/pci@i0cf8/isa@1/fdc@03f0/floppy@0\n"
                                "/pci@i0cf8/scsi@3/channel@0/disk@0,0"));
  CHECK(order({"-option-rom", "vgabios-stdvga.bin,bootindex=4", "-boot", "strict=on"}) ==
        "/rom@genroms/vgabios-stdvga.bin\nHALT");
  CHECK(order({"-boot", "strict=on"}) == "none");
  CHECK(order({"-device", "ide-cd,bootindex=1", "-device", "e1000,bootindex=1"}) ==
        "refused: -device e1000: The bootindex 1 has already been used");
  CHECK(bad({"-device", "ide-cd,bootindex=x"}).find("bootindex=x: give a number") != std::string::npos);
}

TEST_CASE("drives that -device plugs in", "[frontend]") {
  TempDir dir;
  const std::string a = dir.write("a", disk_image(1 << 20)), b = dir.write("b", iso_image(20, 20 * 2048));
  const std::string hd = "if=none,format=raw,id=hd,file=" + a, cd = "if=none,id=cd,format=raw,file=" + b;
  const auto built = [](std::initializer_list<std::string> args) {
    auto machine = build(args);
    if (!machine) FAIL(machine.error().message);
    return std::move(*machine);
  };
  // What is wrong with the machine of a command line that is right in itself.
  const auto refused = [](std::initializer_list<std::string> args) {
    auto machine = build(args);
    return machine ? std::string() : machine.error().message;
  };
  {
    auto machine = build({"-device", "ide-hd,drive=hd,bus=ide.0", "-drive", hd, "-drive", cd, "-device",
                          "ide-cd,drive=cd,bus=ide.1,unit=0"});
    REQUIRE(machine.ok());
    CHECK((*machine)->pc().disk(0)->image()->path() == a);
    CHECK((*machine)->pc().cdrom(2)->image()->path() == b);
    CHECK((*machine)->pc().block_devices().front().name == "floppy0");
    CHECK((*machine)->pc().block_devices().back().name == "cd");
  }
  CHECK(built({"-hda", a, "-drive", cd, "-device", "ide-cd,drive=cd"})->pc().cdrom(1)->image());
  CHECK(good({"-hda", a, "-drive", cd, "-device", "ide-cd,drive=cd", "-boot", "c"}).machine.boot_order == "c");
  CHECK(built({"-drive", hd, "-device", "floppy,drive=hd,unit=1"})->pc().fdc.drive(1)->image()->path() == a);
  CHECK_FALSE(built({"-device", "ide-cd,bus=ide.1,unit=1"})->pc().cdrom(3)->image());
  // Not plugged in, not there.
  CHECK_FALSE(built({"-drive", hd})->pc().disk(0));

  CHECK(bad({"-drive", "if=none,file=" + a}).find("give an id") != std::string::npos);
  CHECK(bad({"-drive", hd, "-drive", hd}).find("id=hd is there already") != std::string::npos);
  CHECK(refused({"-device", "ide-hd"}).find("-device ide-hd: no drive specified") == 0);
  CHECK(bad({"-device", "ide-hd,drive=none"}).find("no -drive if=none or -blockdev") != std::string::npos);
  CHECK(bad({"-drive", hd, "-device", "ide-hd,drive=hd", "-device", "ide-hd,drive=hd"}).find("another device") !=
        std::string::npos);
  CHECK(refused({"-hda", a, "-drive", hd, "-device", "ide-hd,drive=hd,bus=ide.0,unit=0"}).find("is taken") !=
        std::string::npos);
  CHECK(refused({"-drive", hd, "-device", "ide-hd,drive=hd,bus=ide.2"}).find("no bus 'ide.2'") != std::string::npos);
  CHECK(bad({"-drive", hd, "-device", "ide-hd,drive=hd,unit=2"}).find("unit=2") != std::string::npos);
  CHECK(bad({"-drive", hd, "-device", "ide-hd,driv=hd"}).find("the nearest is drive") != std::string::npos);
}

TEST_CASE("images of other formats are never taken for raw", "[frontend]") {
  TempDir dir;
  std::vector<u8> bytes = disk_image(1 << 20);
  std::copy_n("QED\0", 4, bytes.begin());
  const std::string q = dir.write("a disk.qed", bytes);
  const auto refused = [&](std::vector<std::string> args) {
    const std::string message = bad(std::move(args));
    CHECK(message.find("a QED image") != std::string::npos);
    CHECK(message.find("format=raw") != std::string::npos);
  };
  for (const char* option : {"-hda", "-hdb", "-hdc", "-hdd", "-cdrom", "-fda", "-fdb"}) refused({option, q});
  refused({q});
  for (const char* kind : {"", ",if=floppy", ",media=cdrom", ",readonly=on", ",snapshot=on"}) {
    refused({"-drive", "file=" + q + kind});
    CHECK(good({"-drive", "file=" + q + kind + ",format=raw"}).machine.ide(2));
  }
  CHECK(bad({"-drive", "format=qcow2,file=" + q}).find("not in qcow2 format") != std::string::npos);
  CHECK(bad({"-drive", "format=foo,file=" + q}).find("no such format; there are: ") != std::string::npos);
}

TEST_CASE("images of other formats, with options about them", "[frontend]") {
  TempDir dir;
  const std::string base = dir.write("base", disk_image(1 << 20)), top = dir / "top";
  REQUIRE(create_image(
      "qcow2", {.path = top, .bytes = 1 << 20, .options = {}, .backing_file = "base", .backing_format = "raw"}));
  CHECK(good({"-hda", top}).machine.ide(0)->path == top);
  CHECK(good({top}).machine.ide(0)->path == top);
  CHECK(good({"-drive", "format=qcow2,file=" + top}).machine.ide(0)->format == "qcow2");
  const Settings dotted = good({"-drive", "driver=qcow2,file.driver=file,file.filename=" + top});
  CHECK(dotted.machine.ide(0)->image().format == "qcow2");
  CHECK(good({"-drive", "file=" + top + ",backing.driver=raw,backing.file.filename=" + base}).machine.ide(0));
  CHECK(good({"-hda", "json:{\"driver\": \"qcow2\", \"file\": {\"driver\": \"file\", \"filename\": \"" + top + "\"}}"})
            .machine.ide(0));
  const std::string node = "driver=file,node-name=f,filename=" + top;
  const Settings b = good({"-blockdev", node, "-blockdev", "qcow2,node-name=d,file=f", "-device", "ide-hd,drive=d"});
  CHECK(b.machine.drives.back().options.at("file.filename") == top);
  CHECK(bad({"-blockdev", node}) == "accepted");
  CHECK(bad({"-blockdev", "qcow2,node-name=d,file=f"}).find("node-name='f'") != std::string::npos);
  CHECK(bad({"-blockdev", node, "-blockdev", node}).find("Duplicate") != std::string::npos);
  CHECK(bad({"-blockdev", "raw,file=f"}).find("'node-name' must") != std::string::npos);
  CHECK(bad({"-blockdev", "{"}).find("not JSON") != std::string::npos);
  CHECK(bad({"-hda", "json:{"}).find("not JSON") != std::string::npos);
  CHECK(bad({"-hda", "gopher:x"}).find("Unknown protocol 'gopher'") != std::string::npos);
  CHECK(bad({"-drive", "file=" + top + ",file.driver=foo"}).find("driver 'foo'") != std::string::npos);
  CHECK(bad({"-drive", "file=" + top + ",backing.driver=foo"}).find("Unknown driver 'foo'") != std::string::npos);
  CHECK(bad({"-drive", "file=" + base + ",format=raw,file.foo=1"}).find("'foo'") != std::string::npos);
  REQUIRE(create_image(
      "qcow2",
      {.path = dir / "orphan", .bytes = 1 << 20, .options = {}, .backing_file = "nobody", .backing_format = "raw"}));
  CHECK(bad({"-hda", dir / "orphan"}).find("Could not open backing file") != std::string::npos);
  REQUIRE(create_image(
      "qcow2", {.path = dir / "self", .bytes = 1 << 20, .options = {}, .backing_file = "self", .backing_format = {}}));
  CHECK(bad({"-hda", dir / "self"}).find("circle") != std::string::npos);
}

TEST_CASE("a bare image is recognised by its contents", "[frontend]") {
  TempDir dir;
  CHECK(good({dir.write("disk", disk_image(1 << 20))}).machine.ide(0));
  CHECK(good({dir.write("iso", iso_image(32, 32 * 2048))}).machine.ide(2)->path == dir / "iso");
  CHECK(good({dir.write("mb", multiboot_kernel(kHaltCode))}).machine.kernel == dir / "mb");
  std::vector<u8> linux_image = disk_image(4096);
  std::copy_n("HdrS", 4, linux_image.begin() + 0x202);
  store_le<u16>(&linux_image[0x206], 0x20f);
  CHECK(good({dir.write("bz", linux_image)}).machine.kernel == dir / "bz");

  CHECK(bad({dir.write("zeros", std::vector<u8>(1 << 20))}).find("not bootable") != std::string::npos);
  CHECK(bad({dir.write("empty", {})}).find("is empty") != std::string::npos);
  CHECK(bad({dir / "missing"}).find("No such file") != std::string::npos);
  CHECK(good({dir.write("floppy", disk_image(1440 * 1024))}).machine.floppy(0)->path == dir / "floppy");
  CHECK(bad({dir / "disk", dir / "iso"}).find("give one image") != std::string::npos);
}

TEST_CASE("truncated images are noticed", "[frontend]") {
  TempDir dir;
  std::vector<u8> disk = disk_image(1 << 20);
  disk[446 + 4] = 0x83;
  store_le<u32>(&disk[446 + 8], 63);
  store_le<u32>(&disk[446 + 12], 2048 - 63);
  CHECK(good({dir.write("whole", disk)}).machine.ide(0));
  store_le<u32>(&disk[446 + 12], 8192);
  // A warning is enough: what looks like a partition table may be code, and any file can be a disk.
  const auto warned = [](std::vector<std::string> args, const char* about) {
    const Settings settings = good(std::move(args));
    CHECK(std::any_of(settings.warnings.begin(), settings.warnings.end(),
                      [about](const std::string& warning) { return warning.find(about) != std::string::npos; }));
  };
  warned({dir.write("cut", disk)}, "partition 1 ends at");
  warned({"-hda", dir / "cut"}, "truncated");
  warned({"-cdrom", dir.write("iso", iso_image(1000, 32 * 2048))}, "truncated");
  const std::size_t usual = good({dir / "whole"}).warnings.size();
  disk[446] = 0x33;  // code, not a partition table
  CHECK(good({dir.write("code", disk)}).warnings.size() == usual);
  CHECK(good({"-hda", dir.write("tiny", {1, 2, 3})}).machine.ide(0));
}

TEST_CASE("serial ports and monitor", "[frontend]") {
  CHECK(good({}).channel("serial0").kind == Kind::kNull);
  CHECK(good({"-nodefaults"}).channel("serial0").kind == Kind::kNone);
  const Settings nographic = good({"-nographic"});
  CHECK(nographic.channel("serial0").kind == Kind::kStdio);
  CHECK(nographic.channel("serial0").with_monitor);
  CHECK(nographic.monitor.kind == Kind::kNone);
  const Settings both = good({"-nographic", "-serial", "stdio"});
  CHECK_FALSE(both.channel("serial0").with_monitor);
  CHECK(both.monitor.kind == Kind::kNone);
  CHECK(good({"-nographic", "-serial", "null"}).monitor.kind == Kind::kStdio);
  CHECK_FALSE(good({"-nographic", "-monitor", "none"}).channel("serial0").with_monitor);
  CHECK(good({"-monitor", "stdio"}).channel("serial0").kind == Kind::kNull);

  const Settings four = good({"-serial", "file:/tmp/a,b", "-serial", "unix:/tmp/s,server=on,wait=off", "-serial",
                              "tcp:localhost:4444,server,nowait", "-serial", "tcp::5"});
  CHECK(four.channel("serial0").path == "/tmp/a,b");
  CHECK(four.channel("serial1") == CharSpec{.kind = Kind::kUnix, .path = "/tmp/s", .server = true, .wait = false});
  CHECK(four.channel("serial2") ==
        CharSpec{.kind = Kind::kTcp, .host = "localhost", .port = "4444", .server = true, .wait = false});
  CHECK(four.channel("serial3") == CharSpec{.kind = Kind::kTcp, .host = "", .port = "5"});
  CHECK(good({"-serial", "tcp:[::1]:80"}).channel("serial0").host == "::1");

  CHECK(bad({"-serial", "stdio", "-monitor", "stdio"}).find("used by both") != std::string::npos);
  CHECK(bad({"-serial", "mon:stdio", "-monitor", "pty"}).find("one monitor") != std::string::npos);
  CHECK(bad({"-serial", "null", "-serial", "null", "-serial", "null", "-serial", "null", "-serial", "null"})
            .find("four") != std::string::npos);
  CHECK(bad({"-serial", "stdoi"}).find("nearest is stdio") != std::string::npos);
  for (const char* wrong : {"", "file:", "unix:", "tcp:", "tcp:localhost", "tcp:h:99999", "tcp:h:x", "unix:/a,servr",
                            "unix:/a,wait=off", "mon:file:/a", "mon:null", "tcp:h:1,server=maybe"}) {
    INFO(wrong);
    CHECK(bad({"-serial", wrong}).starts_with("-serial "));
  }
  CHECK(bad({"-monitor", "file:/tmp/x"}).starts_with("-monitor "));
}

TEST_CASE("parallel port", "[frontend]") {
  using Kind = CharSpec::Kind;
  CHECK(good({}).channel("parallel0").kind == Kind::kNull);
  CHECK(good({"-nodefaults"}).channel("parallel0").kind == Kind::kNone);
  CHECK(good({"-parallel", "none"}).channel("parallel0").kind == Kind::kNone);
  CHECK(good({"-parallel", "none", "-parallel", "file:/tmp/x"}).channel("parallel0").kind == Kind::kFile);
  CHECK(good({"-parallel", "stdio", "-nographic"}).channel("serial0").kind == Kind::kNull);
  CHECK(bad({"-parallel", "null", "-parallel", "null"}).find("one parallel port") != std::string::npos);
  CHECK(bad({"-parallel", "mon:stdio"}).find("cannot share") != std::string::npos);
  CHECK(bad({"-parallel", "stdio", "-serial", "stdio"}).find("stdio is used by both") != std::string::npos);
}

TEST_CASE("machine, processor, accelerator", "[frontend]") {
  CHECK(good({"-M", "pc,accel=tcg", "-cpu", "pentium", "-smp", "1"}).machine.cpu.name == "pentium");
  CHECK(good({"-machine", "type=pc-i440fx-7.2", "-smp", "cpus=1,cores=1"}).warnings.empty());
  CHECK(good({"-display", "none", "-accel", "kvm"}).warnings == std::vector<std::string>{"-accel: xlat needs no kvm"});
  CHECK(good({"-display", "none", "-enable-kvm", "-accel", "kvm"}).warnings.size() == 1);
  CHECK(good({"-display", "none", "-M", "pc,accel=kvm:tcg"}).warnings.size() == 1);
  CHECK(good({"-cpu", "help"}).print->find("pentium3") != std::string::npos);
  CHECK(good({"-d", "help"}).print->find("in_asm") != std::string::npos);
  CHECK(good({"-help"}).print->find("-nographic") != std::string::npos);
  CHECK(good({"-version"}).print == "xlat version 0.1.0\n");
  CHECK(good({"-d", "int,exec"}).log_items == "int,exec");
  CHECK(bad({"-cpu", "8086"}).find("there are") != std::string::npos);
  CHECK(bad({"-M", "q35"}).find("q35") != std::string::npos);
  CHECK(bad({"-M", "pc,foo=1"}).find("'foo'") != std::string::npos);
  CHECK(bad({"-smp", "2"}).find("-smp 1") != std::string::npos);
  CHECK(bad({"-accel", "xen"}).find("xen") != std::string::npos);
  CHECK(bad({"-d", "nothing"}).find("in_asm") != std::string::npos);
  CHECK(bad({"-vga", "qxl"}).find("qxl") != std::string::npos);
  CHECK(bad({"-display", "egl-headless"}).find("-display none") != std::string::npos);
  CHECK(bad({"-display", "curse"}).find("the nearest is curses") != std::string::npos);
  CHECK(bad({"-display", "curses,charset=latin1"}).find("charset=latin1") != std::string::npos);
  CHECK(bad({"-display", "none,charset=CP437"}).find("'charset'") != std::string::npos);
  CHECK(bad({"-curses", "-nographic"}).find("exclude each other") != std::string::npos);
  CHECK(bad({"-curses", "-serial", "stdio"}).find("stdio is used by both -display curses and -serial") == 0);
  CHECK(good({"-curses"}).channel("serial0").kind == Kind::kVc);
  CHECK(good({"-curses"}).monitor.kind == Kind::kVc);
  CHECK(good({"-curses", "-nodefaults"}).monitor.kind == Kind::kNone);
  CHECK(good({"-display", "curses,charset=CP437", "-serial", "vc:80Cx24C", "-monitor", "null"}).warnings.empty());
  CHECK(bad({"-append", "x"}).find("-kernel") != std::string::npos);
}

TEST_CASE("displays", "[frontend]") {
  Settings s = good({"-display", "sdl,scale=smooth,window-close=off,full-screen=on,grab-mod=rctrl"});
  CHECK(s.display == DisplayKind::kWindow);
  CHECK(s.window.scaling == Scaling::kSmooth);
  CHECK_FALSE(s.window.close);
  CHECK(s.window.full_screen);
  CHECK(s.window.hotkey == WindowOptions::Hotkey::kRightCtrl);
  CHECK(s.monitor.kind == Kind::kVc);
  CHECK(s.channel("serial0").kind == Kind::kVc);
  CHECK(s.channel("parallel0").kind == Kind::kVc);
  CHECK(good({"-display", "sdl", "-serial", "null"}).channel("serial0").kind == Kind::kNull);
  CHECK(good({"-sdl", "-no-quit", "-alt-grab"}).window.hotkey == WindowOptions::Hotkey::kCtrlAltShift);
  CHECK(good({"-display", "gtk,zoom-to-fit=on,show-menubar=off"}).warnings.size() == 1);
  CHECK(bad({"-display", "sdl,scal=smooth"}).find("the nearest is scale") != std::string::npos);
  CHECK(bad({"-display", "sdl,scale=3"}) == "-display sdl: scale=3: give integer or smooth");
  CHECK(bad({"-display", "vnc"}).find("vnc=:0") != std::string::npos);

  s = good({"-vnc", ":1"});
  REQUIRE(s.vnc);
  CHECK(s.display == DisplayKind::kNone);
  CHECK(s.vnc->address == ListenAddress{.host = "127.0.0.1", .port = 5901, .last_port = 5901});
  CHECK(s.channel("serial0").kind == Kind::kNull);
  s = good({"-display", "vnc=0.0.0.0:2,to=9,password,share=force-shared,key-delay-ms=0,websocket=127.0.0.1:5800"});
  REQUIRE(s.vnc);
  CHECK(s.vnc->address == ListenAddress{.host = "0.0.0.0", .port = 5902, .last_port = 5909});
  CHECK(s.vnc->password);
  CHECK(s.vnc->shared);
  CHECK(s.vnc->websocket_address.port == 5800);
  CHECK(good({"-vnc", "[::1]:0"}).vnc->address.host == "::1");
  CHECK(good({"-vnc", "unix:/tmp/x,lossy=on,non-adaptive=on"}).vnc->address.unix_path == "/tmp/x");
  CHECK_FALSE(good({"-vnc", "none"}).vnc);
  CHECK(good({"-vnc", ":0", "-display", "sdl"}).display == DisplayKind::kWindow);
  for (const char* wrong : {"", "0", ":", ":x", ":-1", ":70000", "unix:", ":1,to=0", ":1,passwor=on", ":1,websocket=x",
                            ":1,share=x", ":1,key-delay-ms=x", ":1,tls-creds=x"}) {
    INFO(wrong);
    CHECK(bad({"-vnc", wrong}).starts_with("-vnc"));
  }
  CHECK(bad({"-vnc", ":0", "-vnc", ":1"}).find("one VNC server") != std::string::npos);
  CHECK(good({"-display", "web"}).web->address.port == 6080);
  CHECK(good({"-display", "web=0.0.0.0:80"}).web->address ==
        ListenAddress{.host = "0.0.0.0", .port = 80, .last_port = 80});
  CHECK(bad({"-display", "web=x"}).find("HOST:") != std::string::npos);
  CHECK(good({"-k", "fr"}).keymap->name == "fr");
  CHECK(good({"-k", "ru", "-display", "none"}).warnings.size() == 1);
  CHECK_FALSE(good({"-nographic"}).vnc);
  CHECK_FALSE(good({"-vga", "none"}).vnc);
}

TEST_CASE("consoles that no display shows, channels that are not there, lists", "[frontend]") {
  const Settings hidden = good({"-display", "none", "-serial", "vc", "-monitor", "vc", "-parallel", "vc:80Cx24C"});
  CHECK(hidden.channel("serial0").kind == Kind::kNull);
  CHECK(hidden.channel("parallel0").kind == Kind::kNull);
  CHECK(hidden.monitor.kind == Kind::kNone);
  CHECK(bad({"-serial", "udp::4555@:4556"}) == "-serial udp::4555@:4556: this kind of channel: not in this version");
  CHECK(bad({"-serial", "/dev/ttyS0"}).find("not in this version") != std::string::npos);
  CHECK(good({"-M", "pc,kernel-irqchip=off", "-display", "none"}).warnings.empty());
  CHECK(good({"-M", "pc,help"}).print);
  CHECK(good({"-accel", "tcg,help"}).print);
  CHECK(good({"-L", "help"}).print);
}

TEST_CASE("processors and their features", "[frontend]") {
  const auto cpu = [](const char* value) { return good({"-display", "none", "-cpu", value}).machine.cpu; };
  CHECK(cpu("host").features == cpu("max").features);
  CHECK(cpu("qemu32").name == "qemu32");
  CHECK(cpu("kvm32").leaf(1).eax == 0xf61);
  CHECK_FALSE(cpu("max,-pae").has(kCpuidPae));
  CHECK(cpu("486,+tsc").has(kCpuidTsc));
  CHECK_FALSE(cpu("max,pse=off,nx=off").has(kCpuidPse));
  CHECK_FALSE(cpu("max,nx=off").nx);
  CHECK(cpu("pentium3,nx").nx);
  CHECK(cpu("host,kvm=off,hv_relaxed,migratable=no").name == "host");
  CHECK(cpu("host,hv_spinlocks=0x1fff,hv-vapic=on,+hv_time").name == "host");
  const Settings s = good({"-display", "none", "-cpu", "qemu32,+sse2,-apic"});
  CHECK(s.warnings ==
        std::vector<std::string>{"-cpu qemu32,+sse2,-apic: sse2: not in this version; the guest sees none"});
  CHECK(bad({"-cpu", "max,+mmy"}).find("the nearest is mmx") != std::string::npos);
  CHECK(bad({"-cpu", "max,+frobnicate"}).find("nearest") == std::string::npos);
  CHECK(bad({"-cpu", "max,mmx=maybe"}).find("on or off") != std::string::npos);
  for (const char* later : {"qemu64", "Nehalem", "EPYC-Rome-v2", "core2duo"}) {
    CHECK(bad({"-cpu", later}).find("not in this version") != std::string::npos);
  }
}

TEST_CASE("options of QEMU's are known by name, and far-fetched guesses are not made", "[frontend]") {
  CHECK(bad({"-spice", "port=1"}) == "-spice: SPICE: not in this version");
  CHECK(bad({"-netdev", "vde,id=n"}) == "-netdev vde,id=n: vde: not in this version");
  CHECK(bad({"-device", "e1000e"}) == "-device e1000e: this network card: not in this version");
  CHECK(bad({"-device", "qemu-xhci"}) == "-device qemu-xhci: this USB controller: not in this version");
  CHECK(bad({"-M", "q35"}).find("not in this version") != std::string::npos);
  CHECK(bad({"-frobnicate"}) == "-frobnicate: no such option; -help lists all");
  CHECK(bad({"-xyzzy"}) == "-xyzzy: no such option; -help lists all");
  CHECK(bad({"-device", "frobnicator"}).find("nearest") == std::string::npos);
  CHECK(nearest("hdx", std::vector<std::string_view>{"hda"}) == "hda");
  CHECK(nearest("q", std::vector<std::string_view>{"s", "S"}).empty());
}

TEST_CASE("what QEMU's users write is taken", "[frontend]") {
  const Settings s = good({"-localtime", "-no-acpi",
                           "-no-hpet",   "-no-fd-bootchk",
                           "-boot",      "order=c,once=d,splash-time=500,strict=on",
                           "-d",         "cpu_reset,guest_errors,unimp",
                           "-uuid",      "550e8400-e29b-41d4-a716-446655440000",
                           "-name",      "a,debug-threads=on",
                           "-k",         "de",
                           "-smp",       "1,sockets=1,cores=1,threads=1",
                           "-serial",    "/dev/null",
                           "-L",         "/usr/share/seabios",
                           "-display",   "none",
                           "-action",    "reboot=shutdown,shutdown=pause"});
  CHECK_FALSE(s.machine.acpi);
  CHECK(s.machine.boot_once == "d");
  CHECK(s.machine.boot_menu_wait == 500u);
  CHECK(s.machine.uuid[0] == 0x55);
  CHECK(s.machine.uuid[15] == 0x00);
  CHECK(s.name == "a");
  CHECK(s.channel("serial0").kind == Kind::kNull);
  CHECK(s.machine.no_reboot);
  CHECK(s.no_shutdown);
  CHECK(s.warnings.empty());
  CHECK(good({"-monitor", "telnet:127.0.0.1:0,server,nowait", "-display", "none"}).monitor.telnet);
  CHECK(good({"-machine", "none"}).machine.paused);
  CHECK(good({"-machine", "pc,graphics=off,acpi=off"}).machine.console_on_serial);
  CHECK(good({"-vga", "none", "-device", "VGA"}).machine.devices.back().type == "VGA");
  CHECK(good({"-bios", "bios-256k.bin"}).machine.bios == "/usr/share/seabios/bios-256k.bin");
  CHECK(good({"-option-rom", "vgabios-stdvga.bin"}).machine.option_roms.at(0).path ==
        "/usr/share/seabios/vgabios-stdvga.bin");
  CHECK(bad({"-uuid", "550e8400"}).find("550e8400-e29b") != std::string::npos);
  CHECK(bad({"-k", "xx"}).find("-k help") != std::string::npos);
  CHECK(bad({"-boot", "once=z"}).find("'z'") != std::string::npos);
}

TEST_CASE("channels by name", "[frontend]") {
  Settings s = good({"-chardev", "file,id=log,path=/tmp/x", "-device", "isa-debugcon,iobase=0x402,chardev=log",
                     "-chardev", "null,id=n", "-serial", "chardev:n", "-display", "none"});
  CHECK(*s.machine.devices.back().find("iobase") == "0x402");
  CHECK(s.channel("log").kind == Kind::kFile);
  CHECK(s.channel("serial0").kind == Kind::kNull);
  s = good({"-chardev", "stdio,id=c,mux=on", "-serial", "chardev:c", "-mon", "chardev=c", "-display", "none"});
  CHECK(s.channel("serial0").kind == Kind::kStdio);
  CHECK(s.channel("serial0").with_monitor);
  CHECK(s.monitor.kind == Kind::kNone);
  s = good({"-chardev", "socket,id=c,host=127.0.0.1,port=7,server=on,wait=off,telnet=on", "-monitor", "chardev:c",
            "-display", "none"});
  CHECK(s.monitor.kind == Kind::kTcp);
  CHECK(s.monitor.telnet);
  s = good({"-nodefaults", "-chardev", "null,id=a", "-device", "isa-serial,chardev=a,index=1", "-display", "none"});
  CHECK(s.channel("a").kind == Kind::kNull);
  CHECK(*s.machine.devices.back().find("index") == "1");
  CHECK(bad({"-serial", "chardev:x"}).find("id=x") != std::string::npos);
  CHECK(
      bad({"-chardev", "null,id=a", "-serial", "chardev:a", "-serial", "chardev:a"}).find("used by -serial already") !=
      std::string::npos);
  CHECK(bad({"-chardev", "null,id=a", "-chardev", "null,id=a"}).find("id=a") != std::string::npos);
  CHECK(bad({"-chardev", "null"}).find("id=") != std::string::npos);
  CHECK(bad({"-chardev", "fil,id=a"}).find("nearest is file") != std::string::npos);
  CHECK(build({"-device", "isa-debugcon"}).error().message.find("chardev=") != std::string::npos);
}

TEST_CASE("help, everywhere", "[frontend]") {
  for (const char* option :
       {"-machine", "-cpu",    "-accel",   "-smp",     "-m",      "-drive",    "-boot",     "-vga",
        "-display", "-serial", "-monitor", "-chardev", "-device", "-audiodev", "-rtc",      "-icount",
        "-d",       "-k",      "-engine",  "-net",     "-nic",    "-gdb",      "-parallel", "-global"}) {
    INFO(option);
    const auto settings = parse({option, "help"});
    REQUIRE(settings);
    REQUIRE(settings.value().print);
    CHECK(!settings.value().print->empty());
  }
  CHECK(good({"-device", "isa-debugcon,help"}).print->find("chardev") != std::string::npos);
  std::string line;
  for (const char c : help_text()) {
    line = c == '\n' ? "" : line + c;
    if (line.size() > 100) FAIL(line);
  }
}

TEST_CASE("boot order, devices, debug console", "[frontend]") {
  CHECK(good({"-boot", "d"}).machine.boot_order == "d");
  CHECK(good({"-boot", "order=dc,menu=on"}).machine.boot_menu);
  CHECK(bad({"-boot", "z"}).find("'z'") != std::string::npos);
  CHECK(bad({"-boot", "cc"}).find("twice") != std::string::npos);
  CHECK(bad({"-boot", "orde=c"}).find("nearest is order") != std::string::npos);
  const Settings s = good({"-device", "isa-debug-exit,iobase=0xf4,iosize=0x04", "-debugcon", "null", "-global",
                           "isa-debugcon.iobase=0x402"});
  CHECK(*s.machine.devices.back().find("iobase") == "0xf4");
  CHECK(s.channel("debugcon").kind == Kind::kNull);
  REQUIRE(s.machine.globals.size() == 1);
  CHECK(s.machine.globals[0].value == "0x402");
  CHECK(bad({"-device", "isa-debug-exti"}).find("nearest is isa-debug-exit") != std::string::npos);
  CHECK(bad({"-device", "isa-debug-exit,iobas=1"}).find("nearest is iobase") != std::string::npos);
  CHECK(bad({"-device", "isa-debug-exit,iobase=0x10000"}).find("0xffff") != std::string::npos);
  CHECK(bad({"-global", "a.b=c"}).find("a.b=c") != std::string::npos);
}

TEST_CASE("sound", "[frontend]") {
  const Settings s = good({"-display", "none", "-audiodev", "wav,id=a,path=x,,y.wav,out.frequency=22050,out.channels=1",
                           "-audiodev", "driver=none,id=b", "-machine", "pc,pcspk-audiodev=a"});
  REQUIRE(s.audio.size() == 2);
  CHECK(s.audio[0].path == "x,y.wav");
  CHECK(s.audio[0].rate == 22050);
  CHECK(s.audio[0].channels == 1);
  CHECK(s.audio[0].driver == AudioDriver::kWav);
  CHECK(s.audio[1].driver == AudioDriver::kNone);
  CHECK(s.speaker_audio == "a");
  CHECK(s.warnings.empty());
  CHECK(good({"-display", "none", "-audiodev", "wav,id=a"}).warnings.size() == 1);
  CHECK(good({"-audiodev", "help"}).print->find("wav") != std::string::npos);
  CHECK(bad({"-audiodev", "alsaa,id=a"}).find("no driver 'alsaa'; the nearest is alsa") != std::string::npos);
  CHECK(bad({"-audio", "none"}).find("model= is missing") != std::string::npos);
  CHECK(bad({"-audio", "none,model=sb17"}).find("nearest is sb16") != std::string::npos);
  CHECK(good({"-audio", "none,model=pcspk", "-display", "none"}).speaker_audio == "audiodev0");
  CHECK(good({"-soundhw", "help"}).print->find("sb16") != std::string::npos);
  CHECK(bad({"-audiodev", "id=a"}).find("driver") != std::string::npos);
  CHECK(bad({"-audiodev", ""}).find("no driver ''") != std::string::npos);
  CHECK(bad({"-audiodev", "wav"}).find("id= is missing") != std::string::npos);
  CHECK(bad({"-audiodev", "wav,id=a,pth=x"}).find("nearest is path") != std::string::npos);
  CHECK(bad({"-audiodev", "wav,id=a,path="}).find("file name") != std::string::npos);
  CHECK(bad({"-audiodev", "wav,id=a,out.frequency=1"}).find("4000") != std::string::npos);
  CHECK(bad({"-audiodev", "wav,id=a,out.channels=6"}).find("1 or 2") != std::string::npos);
  CHECK(bad({"-audiodev", "wav,id=a,out.format=f32"}).find("'f32'") != std::string::npos);
  CHECK(bad({"-audiodev", "wav,id=a", "-audiodev", "none,id=a"}).find("already") != std::string::npos);
  CHECK(bad({"-M", "pc,pcspk-audiodev=a"}).find("there is no -audiodev") != std::string::npos);
  CHECK(bad({"-audiodev", "wav,id=a", "-M", "pcspk-audiodev=b"}).find("there are: a") != std::string::npos);
  CHECK(bad({"-M", "pc,pcspk-audiodev="}).find("give the id") != std::string::npos);
}

TEST_CASE("time", "[frontend]") {
  CHECK_FALSE(good({}).machine.time.deterministic);
  CHECK(std::abs(good({}).machine.time.rtc_base - time(nullptr)) <= 2);
  const TimeConfig fixed = good({"-icount", "shift=4,sleep=off"}).machine.time;
  CHECK(fixed.deterministic);
  CHECK(fixed.shift == 4);
  CHECK(fixed.rtc_base == 946684800);
  CHECK(good({"-icount", "3,sleep=off", "-rtc", "base=2006-06-17T16:01:21"}).machine.time.rtc_base == 1150560081);
  CHECK(good({"-rtc", "base=1999-12-31,clock=vm"}).machine.time.rtc_base == 946598400);
  CHECK_FALSE(good({"-icount", "shift=5"}).machine.time.deterministic);
  CHECK_FALSE(good({"-icount", "auto"}).machine.time.deterministic);
  CHECK(bad({"-icount", "shift=auto,sleep=off"}).find("sleep=off") != std::string::npos);
  CHECK(bad({"-icount", "shift=11"}).find("shift=11") != std::string::npos);
  CHECK(bad({"-icount", "shfit=1"}).find("nearest is shift") != std::string::npos);
  CHECK(bad({"-rtc", "base=2001-02-30"}).find("2001-02-30") != std::string::npos);
  CHECK(bad({"-rtc", "base=yesterday"}).find("yesterday") != std::string::npos);
}

TEST_CASE("a serial mouse, and the backdoor of VMware", "[frontend][input]") {
  Settings s = good({"-serial", "msmouse", "-display", "none"});
  CHECK(s.channels[0].spec.kind == Kind::kMsmouse);
  CHECK(describe(s.channels[0].spec) == "msmouse");
  s = good({"-chardev", "msmouse,id=m", "-device", "isa-serial,chardev=m", "-display", "none"});
  CHECK(s.channel("m").kind == Kind::kMsmouse);
  CHECK(bad({"-serial", "mon:msmouse"}).find("type into") != std::string::npos);
  CHECK(bad({"-monitor", "msmouse"}).find("type into") != std::string::npos);
  CHECK(s.machine.vmport);
  CHECK(good({"-machine", "pc,vmport=auto"}).machine.vmport);
  CHECK_FALSE(good({"-machine", "vmport=off"}).machine.vmport);
  CHECK(bad({"-machine", "vmport=2"}).find("vmport=2") != std::string::npos);
}

TEST_CASE("engines", "[frontend]") {
  CHECK(good({}).machine.engine == EngineKind::kDefault);
  CHECK(good({"-engine", "interp"}).machine.engine == EngineKind::kInterp);
  CHECK(good({"-engine", "lockstep"}).machine.engine == EngineKind::kLockstep);
  const MachineConfig m = good({"-engine", "lockstep,window=500,memory=1000000,inject=7"}).machine;
  CHECK(m.engine == EngineKind::kLockstep);
  CHECK(m.time.deterministic);
  CHECK(m.time.shift == 5);
  CHECK_FALSE(good({"-icount", "auto", "-engine", "lockstep"}).machine.time.deterministic);
  CHECK(m.lockstep.window == 500u);
  CHECK_FALSE(good({"-engine", "lockstep"}).machine.lockstep.window.has_value());
  CHECK(m.lockstep.memory_every == 1'000'000);
  CHECK(m.lockstep.inject == 7);
  CHECK(bad({"-engine", "locksetp"}).find("lockstep") != std::string::npos);
  CHECK(bad({"-engine", "lockstep,windw=1"}).find("window, memory, inject") != std::string::npos);
  CHECK(bad({"-engine", "lockstep,memory=0"}).find("memory=0") != std::string::npos);
  CHECK(bad({"-engine", "lockstep,window=all"}).find("window=all") != std::string::npos);
  CHECK(good({"-perfmap"}).machine.perf_map);
  CHECK(bad({"-engine", "interp", "-perfmap"}).find("-perfmap") != std::string::npos);
}

TEST_CASE("debugger channels", "[frontend][gdb]") {
  CHECK(good({}).gdb.kind == Kind::kNone);
  const CharSpec standard = good({"-s"}).gdb;
  CHECK(standard.kind == Kind::kTcp);
  CHECK(standard.host == "127.0.0.1");
  CHECK(standard.port == "1234");
  CHECK((standard.server && !standard.wait));
  CHECK(good({"-gdb", "tcp::1234"}).gdb == standard);
  CHECK(good({"-gdb", "tcp::1234,server,nowait"}).gdb == standard);
  CHECK(good({"-gdb", "tcp:0.0.0.0:9000"}).gdb.host == "0.0.0.0");
  const CharSpec socket = good({"-gdb", "unix:/tmp/gdb.sock"}).gdb;
  CHECK((socket.kind == Kind::kUnix && socket.server && !socket.wait));
  CHECK_FALSE(good({"-gdb", "unix:/tmp/gdb.sock,server=off"}).gdb.server);
  CHECK(good({"-gdb", "unix:/tmp/gdb.sock,server=on,wait=on"}).gdb.wait);
  CHECK(good({"-gdb", "stdio"}).gdb.kind == Kind::kStdio);
  CHECK(good({"-gdb", "pty"}).gdb.kind == Kind::kPty);
  CHECK(good({"-s", "-gdb", "none"}).gdb.kind == Kind::kNone);
  CHECK(bad({"-gdb", "mon:stdio"}).starts_with("-gdb mon:stdio: a debugger comes by"));
  CHECK(bad({"-gdb", "file:/tmp/x"}).starts_with("-gdb file:/tmp/x: a debugger comes by"));
  CHECK(bad({"-gdb", "tcp:"}).starts_with("-gdb "));
  CHECK(bad({"-gdb", "stdio", "-serial", "stdio"}).find("stdio is used by both") != std::string::npos);
}

}  // namespace xlat
