// SMBIOS structures (DMTF DSP0134 2.8) and the 2.1-style entry point.
#include "firmware/smbios.h"

#include <algorithm>
#include <cstring>

#include "base/bits.h"

namespace xlat {

namespace {

// Appends little-endian fields.
class Fields {
 public:
  Fields& b(u64 v) { return n(v, 1); }
  Fields& w(u64 v) { return n(v, 2); }
  Fields& d(u64 v) { return n(v, 4); }
  Fields& q(u64 v) { return n(v, 8); }
  std::vector<u8> take() { return std::move(bytes_); }

 private:
  Fields& n(u64 v, unsigned bytes) {
    for (unsigned i = 0; i < bytes; ++i) bytes_.push_back(static_cast<u8>(v >> (8 * i)));
    return *this;
  }
  std::vector<u8> bytes_;
};

}  // namespace

SmbiosTables::SmbiosTables(const SmbiosConfig& c) {
  // Type 0, BIOS: vendor, version, E800h, date, 64 KiB, "characteristics not supported", targeted content distribution.
  add(0, 0x0000, Fields().b(1).b(2).w(0xe800).b(3).b(0).q(0x08).b(0).b(0x14).b(0).b(0).b(0xff).b(0xff).take(),
      {"SeaBIOS", c.version, "04/01/2014"});
  // Type 1, system: UUID, its first three fields with the low byte first (7.2.1); woken by the power switch.
  Fields system;
  system.b(1).b(2).b(3).b(0);
  for (const unsigned n : {3, 2, 1, 0, 5, 4, 7, 6, 8, 9, 10, 11, 12, 13, 14, 15}) system.b(c.uuid[n]);
  add(1, 0x0100, system.b(6).b(0).b(0).take(), {c.manufacturer, c.product, c.version});
  // Type 3, chassis: other, states safe.
  add(3, 0x0300, Fields().b(1).b(1).b(2).b(0).b(0).b(3).b(3).b(3).b(2).d(0).b(0).b(0).b(0).b(0).b(0).take(),
      {c.manufacturer, c.version});
  for (unsigned i = 0; i < c.cpus; ++i) {  // type 4, processor
    add(4, static_cast<u16>(0x0400 + i),
        Fields()
            .b(1)
            .b(3)
            .b(1)
            .b(2)  // socket, central processor, family other, manufacturer
            .d(c.processor_signature)
            .d(c.processor_features)
            .b(3)
            .b(0)
            .w(0)
            .w(0)
            .w(0)  // version, voltage, clocks unknown
            .b(0x41)
            .b(1)  // populated and enabled; upgrade other
            .w(0xffff)
            .w(0xffff)
            .w(0xffff)  // caches not described
            .b(0)
            .b(0)
            .b(0)
            .b(1)
            .b(1)
            .b(1)
            .w(2)
            .w(1)  // strings; cores, threads; characteristics unknown
            .take(),
        {"CPU " + std::to_string(i), c.manufacturer, c.version});
  }
  const u64 kib = c.ram_bytes / 1024, mib = c.ram_bytes >> 20;
  // Type 16, memory array: other location, system memory, error correction unknown.
  add(16, 0x1000, Fields().b(1).b(3).b(2).d(kib).w(0xfffe).w(1).q(0).take());
  // Type 17, one DIMM with all of it; sizes from 32 GiB on do not occur.
  add(17, 0x1100,
      Fields()
          .w(0x1000)
          .w(0xfffe)
          .w(0xffff)
          .w(0xffff)
          .w(mib < 0x7fff ? mib : 0x7fff)
          .b(9)
          .b(0)
          .b(1)
          .b(0)
          .b(7)
          .w(2)  // DIMM, set none, locator, RAM, detail other
          .w(0)
          .b(2)
          .b(0)
          .b(0)
          .b(0)
          .b(0)
          .d(0)
          .w(0)
          .w(0)
          .w(0)
          .w(0)
          .take(),
      {"DIMM 0", c.manufacturer});
  // Type 19, the array's addresses.
  add(19, 0x1300, Fields().d(0).d(kib ? kib - 1 : 0).w(0x1000).b(1).q(0).q(0).take());
  // Type 32, boot status: no error.
  add(32, 0x2000, Fields().d(0).w(0).b(0).take());
  add(127, 0x7f00, {});
}

void SmbiosTables::add(u8 type, u16 handle, std::vector<u8> formatted, std::vector<std::string> strings) {
  const std::size_t start = tables_.size();
  tables_.push_back(type);
  tables_.push_back(static_cast<u8>(4 + formatted.size()));
  tables_.push_back(static_cast<u8>(handle));
  tables_.push_back(static_cast<u8>(handle >> 8));
  tables_.insert(tables_.end(), formatted.begin(), formatted.end());
  for (const std::string& s : strings) {
    // An empty string would end the list early.
    const std::string text = s.empty() ? " " : s.substr(0, 64);
    tables_.insert(tables_.end(), text.begin(), text.end());
    tables_.push_back(0);
  }
  if (strings.empty()) tables_.push_back(0);
  tables_.push_back(0);
  ++count_;
  largest_ = std::max(largest_, static_cast<u16>(tables_.size() - start));
}

std::vector<u8> SmbiosTables::anchor() const {
  std::vector<u8> a(31);
  std::memcpy(&a[0], "_SM_", 4);
  a[5] = 31;
  a[6] = 2;
  a[7] = 8;
  store_le(&a[8], largest_);
  std::memcpy(&a[16], "_DMI_", 5);
  store_le<u16>(&a[22], static_cast<u16>(tables_.size()));
  store_le(&a[28], count_);
  a[30] = 0x28;
  const auto checksum = [&a](unsigned at, unsigned start, unsigned bytes) {
    u8 sum = 0;
    for (unsigned i = 0; i < bytes; ++i) sum = static_cast<u8>(sum + a[start + i]);
    a[at] = static_cast<u8>(-sum);
  };
  checksum(21, 16, 15);
  checksum(4, 0, 31);
  return a;
}

std::vector<FwCfgFile> SmbiosTables::files() const {
  return {{"etc/smbios/smbios-tables", tables_}, {"etc/smbios/smbios-anchor", anchor()}};
}

}  // namespace xlat
