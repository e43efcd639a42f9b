// Loading of firmware images.
#include "firmware/rom.h"

#include <sys/stat.h>

#include <cerrno>
#include <cstdio>
#include <cstring>
#include <memory>

namespace xlat {

Result<std::vector<u8>> read_whole_file(const std::string& path, const char* what, u64 limit) {
  struct stat st {};
  if (stat(path.c_str(), &st) != 0) return error("cannot open {} '{}': {}", what, path, std::strerror(errno));
  if (S_ISDIR(st.st_mode)) return error("{} '{}' is a directory; give a file", what, path);
  if (!S_ISREG(st.st_mode)) return error("{} '{}' is not a regular file", what, path);
  const std::unique_ptr<std::FILE, int (*)(std::FILE*)> file(std::fopen(path.c_str(), "rb"), std::fclose);
  if (!file) return error("cannot open {} '{}': {}", what, path, std::strerror(errno));
  const u64 size = static_cast<u64>(st.st_size);
  if (size > limit) return error("{} '{}' is too large: {} bytes, at most {} fit", what, path, size, limit);
  std::vector<u8> bytes(size);
  if (size > 0 && std::fread(bytes.data(), 1, size, file.get()) != size) {
    return error("cannot read {} '{}': {}", what, path,
                 std::ferror(file.get()) ? std::strerror(errno) : "it shrank while being read");
  }
  return bytes;
}

Result<FirmwareRom> FirmwareRom::load(const std::string& path) {
  auto bytes = read_whole_file(path, "BIOS", kMaxBytes);
  if (!bytes) return bytes.error();
  return from_bytes(std::move(*bytes), path);
}

Result<FirmwareRom> FirmwareRom::from_bytes(std::vector<u8> bytes, const std::string& name) {
  if (bytes.empty() || bytes.size() % 0x10000 != 0 || bytes.size() > kMaxBytes) {
    return error("BIOS '{}' has {} bytes; a BIOS image is a multiple of 65536 bytes, at most {}", name, bytes.size(),
                 u64{kMaxBytes});
  }
  return FirmwareRom(std::move(bytes));
}

void FirmwareRom::map_below_4g(AddressSpace& memory) {
  memory.map_rom(AddressSpace::kSize - bytes_.size(), bytes_.size(), bytes_.data());
}

}  // namespace xlat
