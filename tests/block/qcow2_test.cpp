// qcow2: written by us and read by QEMU, written by QEMU and read by us, snapshots, damage, repair.
#include <fstream>

#include "tests/block/with_qemu.h"

using namespace xlat;
using namespace xlat::test;

namespace {

struct Variant {
  const char* options;
  u64 bytes;
};

// Every size of clusters and counters that behaves differently.
const Variant kVariants[] = {
    {"cluster_size=65536", 5 << 20},
    {"cluster_size=512", (3 << 20) + 512},
    {"cluster_size=4096,refcount_bits=1", (3 << 20) + 1024},
    {"cluster_size=1024,refcount_bits=64", 2 << 20},
    {"cluster_size=2M,refcount_bits=8", 9 << 20},
    {"compat=0.10", 4 << 20},
    {"compat=0.10,cluster_size=512", 1 << 20},
    {"cluster_size=16k,lazy_refcounts=on,refcount_bits=4", 5 << 20},
    {"preallocation=metadata,cluster_size=8k", 3 << 20},
    {"compression_type=zstd", 4 << 20},
};

void check_with_qemu(const std::string& path, Model& model, const std::string& raw) {
  if (!have_qemu_img()) return;
  must("qemu-img check -q -f qcow2 " + path);
  model.save(raw);
  must("qemu-img compare -f qcow2 -F raw " + path + " " + raw);
}

void check_by_us(BlockImage& image) {
  const auto report = image.check(Repair::kNone);
  REQUIRE(report);
  for (const std::string& line : report.value().lines) UNSCOPED_INFO(line);
  CHECK(report.value().corruptions == 0);
  CHECK(report.value().leaks == 0);
  CHECK(report.value().errors == 0);
}

}  // namespace

TEST_CASE("qcow2: random writes, made by us and by QEMU", "[qcow2]") {
  const Folder folder;
  unsigned seed = 1;
  for (const bool theirs : {false, true}) {
    if (theirs && !have_qemu_img()) break;
    for (const Variant& variant : kVariants) {
      INFO(variant.options << (theirs ? " by qemu-img" : ""));
      const std::string path = folder / "a.qcow2";
      if (theirs) {
        must(fmt::format("qemu-img create -q -f qcow2 -o {} {} {}", variant.options, path, variant.bytes));
      } else {
        make("qcow2", path, variant.bytes, options_of(variant.options));
      }
      Model model(variant.bytes, seed++);
      for (int round = 0; round < 3; ++round) {
        auto image = opened(path, "qcow2");
        model.check(*image);
        model.change(*image, 60);
        model.check(*image);
        image.reset();
        check_with_qemu(path, model, folder / "raw");
        image = opened(path, "", ImageAccess::kReadOnly);
        check_by_us(*image);
      }
    }
  }
}

TEST_CASE("qcow2: over a backing file, shorter or longer", "[qcow2]") {
  const Folder folder;
  for (const u64 below : {u64{1} << 20, u64{4} << 20}) {
    Model model(below, 7);
    model.change(
        *[&] {
          make("raw", folder / "base", below);
          return opened(folder / "base", "raw");
        }(),
        40);
    REQUIRE(create_image(
        "qcow2",
        {.path = folder / "top", .bytes = 2 << 20, .options = {}, .backing_file = "base", .backing_format = "raw"}));
    model.bytes().resize(2 << 20);
    for (int round = 0; round < 2; ++round) {
      auto image = opened(folder / "top", "qcow2");
      REQUIRE(image->backing());
      model.check(*image);
      model.change(*image, 25, 90'000);
      model.check(*image);
      image.reset();
      check_with_qemu(folder / "top", model, folder / "flat");
    }
    auto image = opened(folder / "top", "qcow2");
    REQUIRE(image->resize(5 << 20));
    model.bytes().resize(5 << 20);
    model.check(*image);
    REQUIRE(image->resize(1 << 20));
    model.bytes().resize(1 << 20);
    model.check(*image);
    image.reset();
    check_with_qemu(folder / "top", model, folder / "flat");
  }
}

TEST_CASE("qcow2: compressed clusters", "[qcow2]") {
  const Folder folder;
  for (const char* options : {"cluster_size=64k", "cluster_size=4k,compression_type=zstd", "cluster_size=512"}) {
    INFO(options);
    const ImageOptions o = options_of(options);
    make("qcow2", folder / "c", 1 << 20, o);
    Model model(1 << 20, 3);
    {
      auto image = opened(folder / "c", "qcow2");
      const u64 cluster = image->details().cluster_bytes;
      for (u64 at = 0; at < model.bytes().size(); at += cluster) {
        const bool noise = model.rng()() % 4 == 0;
        for (u64 k = 0; k < cluster; ++k)
          model.bytes()[at + k] = noise ? static_cast<u8>(model.rng()()) : static_cast<u8>(k / 9 + at);
        REQUIRE(image->write_compressed(at, {&model.bytes()[at], cluster}));
      }
      model.check(*image);
    }
    check_with_qemu(folder / "c", model, folder / "raw");
    auto image = opened(folder / "c", "qcow2");
    model.change(*image, 30);
    model.check(*image);
    check_by_us(*image);
    image.reset();
    check_with_qemu(folder / "c", model, folder / "raw");
    if (!have_qemu_img()) continue;
    must(fmt::format("qemu-img convert -q -c -f raw -O qcow2 -o {} {} {}", options, folder / "raw", folder / "theirs"));
    model.check(*opened(folder / "theirs", "qcow2"));
  }
}

TEST_CASE("qcow2: internal snapshots with the state of a machine", "[qcow2]") {
  const Folder folder;
  for (const char* options : {"cluster_size=64k", "cluster_size=512", "compat=0.10,cluster_size=4k"}) {
    INFO(options);
    make("qcow2", folder / "s", 3 << 20, options_of(options));
    auto image = opened(folder / "s", "qcow2");
    Model now(3 << 20, 11);
    now.change(*image, 30);
    SnapshotStore& store = *image->snapshots();
    std::vector<u8> state(300'001);
    for (std::size_t n = 0; n < state.size(); ++n) state[n] = static_cast<u8>(n * 13 >> 3);
    REQUIRE(store.create(
        {.name = "first", .date_seconds = 1700000000, .date_nanoseconds = 5, .vm_clock_ns = 1234567890, .icount = 77},
        state));
    Model first = now;
    now.change(*image, 20);
    now.check(*image);
    REQUIRE(store.create({.name = "second"}, {}));
    Model second = now;
    now.change(*image, 20);
    now.check(*image);
    check_by_us(*image);
    image = nullptr;
    check_with_qemu(folder / "s", now, folder / "raw");
    image = opened(folder / "s", "qcow2");
    SnapshotStore& again = *image->snapshots();
    const auto list = again.list();
    REQUIRE(list.size() == 2);
    CHECK(list[0].id == "1");
    CHECK(list[0].name == "first");
    CHECK(list[0].vm_state_bytes == state.size());
    CHECK(list[0].date_seconds == 1700000000);
    CHECK(list[0].vm_clock_ns == 1234567890);
    CHECK(list[0].icount == 77);
    CHECK(list[0].disk_bytes == 3 << 20);
    auto loaded = again.load_state("first");
    REQUIRE(loaded);
    CHECK(*loaded == state);
    REQUIRE(again.apply("1"));
    first.check(*image);
    check_by_us(*image);
    CHECK(*again.load_state("1") == state);
    REQUIRE(again.apply("second"));
    second.check(*image);
    REQUIRE(again.remove("first"));
    CHECK_FALSE(again.load_state("first"));
    second.check(*image);
    check_by_us(*image);
    second.change(*image, 10);
    second.check(*image);
    check_by_us(*image);
    image = nullptr;
    check_with_qemu(folder / "s", second, folder / "raw");
    if (!have_qemu_img()) continue;
    // QEMU's snapshots beside ours.
    must("qemu-img snapshot -c theirs " + (folder / "s"));
    must("qemu-img snapshot -d second " + (folder / "s"));
    image = opened(folder / "s", "qcow2");
    second.check(*image);
    Model third = second;
    third.change(*image, 10);
    REQUIRE(image->snapshots()->apply("theirs"));
    second.check(*image);
    image = nullptr;
    check_with_qemu(folder / "s", second, folder / "raw");
  }
}

TEST_CASE("qcow2: refcounts that are wrong are found and repaired", "[qcow2]") {
  const Folder folder;
  make("qcow2", folder / "r", 2 << 20);
  Model model(2 << 20, 5);
  model.change(*opened(folder / "r", "qcow2"), 20);
  {
    std::fstream file(folder / "r", std::ios::in | std::ios::out | std::ios::binary);
    const char wrong[] = {0, 3, 0, 0};  // too many, and too few
    file.seekp(2 * 65536 + 2 * 5);
    file.write(wrong, 4);
  }
  {
    auto image = opened(folder / "r", "qcow2", ImageAccess::kReadWrite, {.repair = true});
    const auto found = image->check(Repair::kNone);
    REQUIRE(found);
    CHECK(found.value().leaks == 1);
    CHECK(found.value().corruptions >= 1);
    const auto repaired = image->check(Repair::kAll);
    REQUIRE(repaired);
    CHECK(repaired.value().corruptions == repaired.value().corruptions_fixed);
    check_by_us(*image);
    model.check(*image);
  }
  check_with_qemu(folder / "r", model, folder / "raw");
}
