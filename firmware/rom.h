// Firmware images: SeaBIOS or what -bios names, and where they appear in memory.
#pragma once

#include <algorithm>
#include <span>
#include <string>
#include <vector>

#include "base/result.h"
#include "mmu/address_space.h"

namespace xlat {

inline constexpr const char* kDefaultBios = "/usr/share/seabios/bios-256k.bin";
inline constexpr const char* kDefaultVgaBios = "/usr/share/seabios/vgabios-stdvga.bin";

// The whole of a file, at most `limit` bytes; `what` names it in errors ("kernel", "BIOS").
Result<std::vector<u8>> read_whole_file(const std::string& path, const char* what, u64 limit);

class FirmwareRom {
 public:
  static constexpr u64 kMaxBytes = 16 << 20;

  // The size must be a multiple of 64 KiB, at most 16 MiB.
  static Result<FirmwareRom> load(const std::string& path);
  static Result<FirmwareRom> from_bytes(std::vector<u8> bytes, const std::string& name);

  std::span<u8> bytes() { return bytes_; }
  std::size_t size() const { return bytes_.size(); }
  // What ISA decoding shows below 1 MiB: the image's last 128 KiB (64 KiB for such an image), ending at FFFFFh.
  std::span<u8> low_window() { return std::span(bytes_).last(std::min<std::size_t>(bytes_.size(), 0x20000)); }
  u32 low_window_address() const { return static_cast<u32>(0x100000 - std::min<std::size_t>(bytes_.size(), 0x20000)); }

  // Maps the image to end at 4 GiB. The object must outlive the mapping.
  void map_below_4g(AddressSpace& memory);

 private:
  explicit FirmwareRom(std::vector<u8> bytes) : bytes_(std::move(bytes)) {}
  std::vector<u8> bytes_;
};

}  // namespace xlat
