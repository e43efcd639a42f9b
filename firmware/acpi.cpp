// Building of ACPI 1.0 tables: revision 1 everywhere, which every system from Windows 2000 on accepts.
#include "firmware/acpi.h"

#include <algorithm>
#include <cstring>
#include <string>

#include "base/bits.h"
#include "firmware/dsdt_aml.h"
#include "firmware/e820.h"

namespace xlat {

namespace {

constexpr u32 kHeaderBytes = 36;
constexpr u32 kChecksumOffset = 9;
constexpr u32 kPmBase = 0x600;  // PIIX4 power management, where SeaBIOS places it
constexpr const char* kRsdpFile = "etc/acpi/rsdp";
constexpr const char* kTablesFile = "etc/acpi/tables";

// Replaces the DWordConst operand `placeholder` in AML.
void patch_dword(std::span<u8> aml, u32 placeholder, u32 value) {
  u8 pattern[5] = {0x0c};  // DWordPrefix
  store_le(&pattern[1], placeholder);
  const auto at = std::search(aml.begin(), aml.end(), std::begin(pattern), std::end(pattern));
  ASSERT(at != aml.end());
  store_le(&*at + 1, value);
}

// One 128-byte command of the BIOS linker/loader.
class LoaderScript {
 public:
  enum Zone : u8 { kHigh = 1, kFseg = 2 };
  void allocate(const char* file, u32 align, Zone zone) {
    u8* c = command(1);
    text(c + 4, file);
    store_le(c + 60, align);
    c[64] = zone;
  }
  void add_pointer(const char* file, u32 offset, const char* target) {
    u8* c = command(2);
    text(c + 4, file);
    text(c + 60, target);
    store_le(c + 116, offset);
    c[120] = 4;
  }
  void add_checksum(const char* file, u32 offset, u32 start, u32 bytes) {
    u8* c = command(3);
    text(c + 4, file);
    store_le(c + 60, offset);
    store_le(c + 64, start);
    store_le(c + 68, bytes);
  }
  std::vector<u8> take() { return std::move(bytes_); }

 private:
  u8* command(u32 code) {
    bytes_.resize(bytes_.size() + 128);
    u8* c = &bytes_[bytes_.size() - 128];
    store_le(c, code);
    return c;
  }
  static void text(u8* to, const char* s) { std::memcpy(to, s, std::min<std::size_t>(std::strlen(s), 55)); }
  std::vector<u8> bytes_;
};

}  // namespace

AcpiTables::AcpiTables(const AcpiConfig& config) {
  const u32 facs = 0;
  add_facs();
  const u32 dsdt = static_cast<u32>(tables_.size());
  add_dsdt(config);
  const u32 fadt = static_cast<u32>(tables_.size());
  add_fadt(facs, dsdt);
  const u32 rsdt = static_cast<u32>(tables_.size());
  add_rsdt(fadt);
  add_rsdp(rsdt);
}

u32 AcpiTables::begin(const char* signature, u8 revision) {
  const u32 at = static_cast<u32>(tables_.size());
  tables_.resize(at + kHeaderBytes);
  u8* h = &tables_[at];
  std::memcpy(h, signature, 4);
  h[8] = revision;
  std::memcpy(h + 10, "XLAT  ", 6);
  std::memcpy(h + 16, "XLAT", 4);
  std::memcpy(h + 20, signature, 4);
  store_le<u32>(h + 24, 1);
  std::memcpy(h + 28, "XLAT", 4);
  store_le<u32>(h + 32, 1);
  return at;
}

void AcpiTables::end(u32 table) {
  const u32 bytes = static_cast<u32>(tables_.size()) - table;
  store_le(&tables_[table + 4], bytes);
  checksums_.push_back({Blob::kTables, table + kChecksumOffset, table, bytes});
  tables_.resize(align_up(tables_.size(), 16));
}

void AcpiTables::add_facs() {
  tables_.resize(64);
  std::memcpy(tables_.data(), "FACS", 4);
  store_le<u32>(&tables_[4], 64);
}

void AcpiTables::add_dsdt(const AcpiConfig& config) {
  const u32 at = static_cast<u32>(tables_.size());
  tables_.insert(tables_.end(), std::begin(kDsdtAml), std::end(kDsdtAml));
  const std::span<u8> aml = std::span(tables_).subspan(at);
  patch_dword(aml, 0xc0d0e0f0, pci_window_start(config.ram_bytes));
  patch_dword(aml, 0xa5b6c7d8, config.serial_ports | (config.floppies ? 0x100u : 0));
  tables_[at + kChecksumOffset] = 0;
  end(at);
}

void AcpiTables::add_fadt(u32 facs, u32 dsdt) {
  const u32 at = begin("FACP", 1);
  tables_.resize(at + 116);
  u8* t = &tables_[at];
  store_le(t + 36, facs);
  store_le(t + 40, dsdt);
  pointers_.push_back({Blob::kTables, at + 36});
  pointers_.push_back({Blob::kTables, at + 40});
  store_le<u16>(t + 46, 9);            // SCI_INT
  store_le<u32>(t + 48, 0xb2);         // SMI_CMD: the APM control port; the PIIX4 sets SCI_EN on the two values below
  t[52] = 0xf1;                        // ACPI_ENABLE
  t[53] = 0xf0;                        // ACPI_DISABLE
  store_le<u32>(t + 56, kPmBase);      // PM1a_EVT_BLK
  store_le<u32>(t + 64, kPmBase + 4);  // PM1a_CNT_BLK
  store_le<u32>(t + 76, kPmBase + 8);  // PM_TMR_BLK
  t[88] = 4;
  t[89] = 2;
  t[91] = 4;
  store_le<u16>(t + 96, 0xfff);  // no C2, no C3
  store_le<u16>(t + 98, 0xfff);
  t[108] = 0x32;                                              // CMOS index of the century
  store_le<u32>(t + 112, 1 << 0 | 1 << 2 | 1 << 5 | 1 << 7);  // WBINVD, PROC_C1, no sleep button, RTC not for S4
  end(at);
}

void AcpiTables::add_rsdt(u32 fadt) {
  const u32 at = begin("RSDT", 1);
  tables_.resize(at + kHeaderBytes + 4);
  store_le(&tables_[at + kHeaderBytes], fadt);
  pointers_.push_back({Blob::kTables, at + kHeaderBytes});
  end(at);
}

void AcpiTables::add_rsdp(u32 rsdt) {
  rsdp_.resize(20);
  std::memcpy(rsdp_.data(), "RSD PTR ", 8);
  std::memcpy(&rsdp_[9], "XLAT  ", 6);
  store_le(&rsdp_[16], rsdt);
  pointers_.push_back({Blob::kRsdp, 16});
  checksums_.push_back({Blob::kRsdp, 8, 0, 20});
}

std::vector<FwCfgFile> AcpiTables::files() const {
  const auto name = [](Blob b) { return b == Blob::kRsdp ? kRsdpFile : kTablesFile; };
  LoaderScript script;
  script.allocate(kTablesFile, 64, LoaderScript::kHigh);
  script.allocate(kRsdpFile, 16, LoaderScript::kFseg);
  for (const Pointer& p : pointers_) script.add_pointer(name(p.blob), p.offset, kTablesFile);
  for (const Checksum& c : checksums_) script.add_checksum(name(c.blob), c.offset, c.start, c.bytes);
  return {{kRsdpFile, rsdp_}, {kTablesFile, tables_}, {"etc/table-loader", script.take()}};
}

}  // namespace xlat
