// The machine's ACPI tables, for SeaBIOS through fw_cfg with loader commands.
#pragma once

#include <span>
#include <vector>

#include "base/result.h"
#include "firmware/fw_cfg_file.h"

namespace xlat {

struct AcpiConfig {
  u64 ram_bytes = 0;
  u8 serial_ports = 1;  // bit n: COM(n + 1) exists
  bool floppies = false;
};

class AcpiTables {
 public:
  explicit AcpiTables(const AcpiConfig& config);

  // etc/acpi/rsdp, etc/acpi/tables and etc/table-loader.
  std::vector<FwCfgFile> files() const;

 private:
  enum class Blob : u8 { kRsdp, kTables };
  // A 32-bit field holding an offset into tables_, to which the address of tables_ is added.
  struct Pointer {
    Blob blob;
    u32 offset;
  };
  struct Checksum {
    Blob blob;
    u32 offset, start, bytes;
  };

  u32 begin(const char* signature, u8 revision);
  void end(u32 table);
  void add_facs();
  void add_dsdt(const AcpiConfig& config);
  void add_fadt(u32 facs, u32 dsdt);
  void add_rsdt(u32 fadt);
  void add_rsdp(u32 rsdt);

  std::vector<u8> rsdp_, tables_;
  std::vector<Pointer> pointers_;
  std::vector<Checksum> checksums_;
};

}  // namespace xlat
