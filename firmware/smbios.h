// SMBIOS 2.8 tables: what the machine says it is.
#pragma once

#include <array>
#include <span>
#include <string>
#include <vector>

#include "base/result.h"
#include "firmware/fw_cfg_file.h"

namespace xlat {

struct SmbiosConfig {
  u64 ram_bytes = 0;
  unsigned cpus = 1;
  std::string manufacturer = "xlat";
  std::string product = "Standard PC (i440FX + PIIX)";
  std::string version = "1.0";
  u32 processor_signature = 0x000006b1;  // CPUID leaf 1 EAX and EDX
  u32 processor_features = 0;
  std::array<u8, 16> uuid{};  // in the order it is written down
};

class SmbiosTables {
 public:
  explicit SmbiosTables(const SmbiosConfig& config);

  // etc/smbios/smbios-tables and etc/smbios/smbios-anchor; the firmware fills in the address.
  std::vector<FwCfgFile> files() const;

 private:
  // A structure: its formatted part after the 4-byte header, and its strings.
  void add(u8 type, u16 handle, std::vector<u8> formatted, std::vector<std::string> strings = {});
  std::vector<u8> anchor() const;

  std::vector<u8> tables_;
  u16 count_ = 0, largest_ = 0;
};

}  // namespace xlat
