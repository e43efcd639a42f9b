// Every format and subformat that can be written, by us and by QEMU, each read by the other.
#include <fstream>

#include "tests/block/with_qemu.h"

using namespace xlat;
using namespace xlat::test;

namespace {

struct Variant {
  const char *format, *options;
  u64 bytes;
  bool check = true;  // qemu-img check knows the format
};

const Variant kVariants[] = {
    {"raw", "", 3 << 20, false},
    {"vdi", "", (5 << 20) + 512},
    {"vdi", "static=on", 3 << 20},
    {"vmdk", "", 5 << 20},
    {"vmdk", "subformat=monolithicFlat", 3 << 20},
    {"vmdk", "subformat=twoGbMaxExtentSparse", 5 << 20},
    {"vmdk", "subformat=twoGbMaxExtentFlat", 3 << 20},
    {"vmdk", "zeroed_grain=on,adapter_type=lsilogic", 5 << 20},
    {"vpc", "force_size=on", 5 << 20, false},
    {"vpc", "", 5013504, false},
    {"vpc", "subformat=fixed,force_size=on", 3 << 20, false},
    {"vhdx", "", 5 << 20},
    {"vhdx", "block_size=1M", (5 << 20) + 512},
    {"vhdx", "subformat=fixed,block_size=2M", 5 << 20},
    {"vhdx", "block_state_zero=off,log_size=2M,block_size=1M", 5 << 20},
    {"parallels", "", 5 << 20},
    {"parallels", "cluster_size=64k", 3 << 20},
};

void compare_with_qemu(const Variant& v, const std::string& path, const Model& model, const std::string& raw) {
  if (!have_qemu_img()) return;
  if (v.check) must(fmt::format("qemu-img check -q -f {} {}", v.format, path));
  model.save(raw);
  must(fmt::format("qemu-img compare -f {} -F raw {} {}", v.format, path, raw));
}

}  // namespace

TEST_CASE("formats: random writes, made by us and by QEMU", "[formats]") {
  unsigned seed = 1;
  for (const bool theirs : {false, true}) {
    if (theirs && !have_qemu_img()) break;
    for (const Variant& v : kVariants) {
      const Folder folder;
      INFO(v.format << " " << v.options << (theirs ? " by qemu-img" : ""));
      const std::string path = folder / "a.img";
      if (theirs) {
        must(fmt::format("qemu-img create -q -f {} {} {} {} {}", v.format, *v.options ? "-o" : "", v.options, path,
                         v.bytes));
      } else {
        make(v.format, path, v.bytes, options_of(v.options));
      }
      Model model(v.bytes, seed++);
      for (int round = 0; round < 3; ++round) {
        auto image = opened(path, v.format);
        CHECK(image->format() == v.format);
        model.check(*image);
        model.change(*image, 40);
        model.check(*image);
        image.reset();
        compare_with_qemu(v, path, model, folder / "raw");
        if (!have_qemu_img()) continue;
        // And QEMU's writes in between.
        const u64 at = model.rng()() % (v.bytes - 70'000) / 512 * 512;
        must(fmt::format("qemu-io -f {} -c 'write -P {} {} 65536' {}", v.format, round + 1, at, path));
        std::fill_n(model.bytes().begin() + static_cast<std::ptrdiff_t>(at), 65536, static_cast<u8>(round + 1));
      }
      auto image = opened(path, v.format, ImageAccess::kReadOnly);
      model.check(*image);
      if (auto report = image->check(Repair::kNone)) {
        for (const std::string& line : report->lines) UNSCOPED_INFO(line);
        CHECK(report->corruptions + report->leaks + report->errors == 0);
      }
    }
  }
}

TEST_CASE("formats: what qemu-img converts to each is what we read", "[formats]") {
  if (!have_qemu_img()) return;
  const Folder folder;
  Model model(3 << 20, 9);
  make("raw", folder / "raw", 3 << 20);
  model.change(*opened(folder / "raw", "raw"), 40);
  for (const char* how : {"vmdk -o subformat=streamOptimized", "vmdk -o subformat=twoGbMaxExtentSparse", "qcow2 -c",
                          "vdi", "vhdx", "vpc -o force_size=on", "parallels"}) {
    INFO(how);
    const std::string format = std::string(how).substr(0, std::string_view(how).find(' '));
    must(fmt::format("qemu-img convert -f raw -O {} {} {}", how, folder / "raw", folder / "theirs"));
    auto image = opened(folder / "theirs", format == "vpc" ? format : "", ImageAccess::kReadOnly);
    CHECK(image->format() == format);
    model.check(*image);
  }
}

TEST_CASE("vmdk: compressed by us, over a parent, and parts that are missing", "[formats]") {
  const Folder folder;
  make("vmdk", folder / "c.vmdk", 3 << 20, {{"subformat", "streamOptimized"}});
  Model model(3 << 20, 21);
  {
    auto image = opened(folder / "c.vmdk", "vmdk");
    for (u64 at = 0; at < model.bytes().size(); at += 65536) {
      if (model.rng()() % 3 == 0) continue;
      for (u64 k = 0; k < 65536; ++k) model.bytes()[at + k] = static_cast<u8>(k % 7 == 0 ? model.rng()() : at);
      REQUIRE(image->write_compressed(at, {&model.bytes()[at], 65536}));
    }
    model.check(*image);
    CHECK_FALSE(image->write_compressed(model.bytes().size(), {&model.bytes()[0], 65536}));
  }
  model.check(*opened(folder / "c.vmdk", "vmdk"));
  model.save(folder / "raw");
  if (have_qemu_img()) must("qemu-img compare -F raw " + (folder / "c.vmdk") + " " + (folder / "raw"));
  REQUIRE(create_image("vmdk", {.path = folder / "top.vmdk",
                                .bytes = 3 << 20,
                                .options = {},
                                .backing_file = "c.vmdk",
                                .backing_format = "vmdk"}));
  {
    auto top = opened(folder / "top.vmdk", "");
    model.check(*top);
    model.change(*top, 30);
    model.check(*top);
  }
  model.save(folder / "raw");
  if (have_qemu_img()) must("qemu-img compare -F raw " + (folder / "top.vmdk") + " " + (folder / "raw"));
  make("vmdk", folder / "flat.vmdk", 1 << 20, {{"subformat", "monolithicFlat"}});
  std::filesystem::remove(folder / "flat-flat.vmdk");
  const auto missing = open_image({.file = folder / "flat.vmdk"}, ImageAccess::kReadOnly);
  REQUIRE_FALSE(missing);
  CHECK(missing.error().message.find("flat-flat.vmdk") != std::string::npos);
}

TEST_CASE("vmdk: a content ID is changed in the room it has", "[formats]") {
  for (const std::string id : {"7", "12", "123456", "1234567", "12345678"}) {
    INFO(id);
    const Folder folder;
    const std::string path = folder / "a.vmdk";
    make("vmdk", path, 1 << 20, {{"subformat", "monolithicFlat"}});
    std::string text;
    {
      std::ifstream file(path);
      text.assign(std::istreambuf_iterator<char>(file), {});
    }
    const auto at = text.find("\nCID=") + 5;
    text.replace(at, 8, id);
    std::ofstream(path) << text;
    const u8 byte = 1;
    REQUIRE(opened(path, "vmdk")->write(0, {&byte, 1}));
    std::string changed;
    {
      std::ifstream file(path);
      changed.assign(std::istreambuf_iterator<char>(file), {});
    }
    CHECK(changed.substr(at, id.size()) != id);
    changed.replace(at, id.size(), id);
    CHECK(changed == text);
    if (have_qemu_img()) must("qemu-img check -q -f vmdk " + path);
  }
}

TEST_CASE("vpc: a difference to another image, by sectors", "[formats]") {
  const Folder folder;
  make("vpc", folder / "base.vhd", 5 << 20, {{"force_size", "on"}});
  Model model(5 << 20, 31);
  model.change(*opened(folder / "base.vhd", "vpc"), 40);
  REQUIRE(create_image(
      "vpc",
      {.path = folder / "top.vhd", .bytes = 5 << 20, .options = {}, .backing_file = "base.vhd", .backing_format = {}}));
  for (int round = 0; round < 3; ++round) {
    auto top = opened(folder / "top.vhd", "");
    REQUIRE(top->backing());
    CHECK(top->details().backing_file == "base.vhd");
    model.check(*top);
    model.change(*top, 40, 9000);
    model.check(*top);
  }
}

TEST_CASE("vhdx: a log that was left is applied", "[formats]") {
  // Such a log comes of a writer that was ended; QEMU's leaves one when it is killed between two writes.
  if (!have_qemu_img()) return;
  const Folder folder;
  make("vhdx", folder / "a.vhdx", 5 << 20, {{"block_size", "1M"}});
  for (int n = 0; n < 5; ++n) {
    must(fmt::format("qemu-io -f vhdx -c 'write -P {} {}M 64k' -c 'abort' {} || true", n + 1, n, folder / "a.vhdx"));
    auto image = opened(folder / "a.vhdx", "vhdx");
    std::vector<u8> bytes(65536);
    REQUIRE(image->read(static_cast<u64>(n) << 20, bytes));
  }
}
