// Files for the frontend's tests: a directory that goes away, images, and a kernel small enough to write by hand.
#pragma once

#include <unistd.h>

#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <string>
#include <vector>

#include "base/bits.h"

namespace xlat {

class TempDir {
 public:
  TempDir() {
    std::string name = (std::filesystem::temp_directory_path() / "xlat-test-XXXXXX").string();
    if (!mkdtemp(name.data())) std::abort();
    path_ = name;
  }
  ~TempDir() {
    std::error_code ignored;
    std::filesystem::remove_all(path_, ignored);
  }
  std::string operator/(const std::string& name) const { return (path_ / name).string(); }

  std::string write(const std::string& name, const std::vector<u8>& bytes) const {
    std::ofstream(path_ / name, std::ios::binary)
        .write(reinterpret_cast<const char*>(bytes.data()), static_cast<std::streamsize>(bytes.size()));
    return *this / name;
  }

 private:
  std::filesystem::path path_;
};

// A Multiboot kernel at 1 MiB that runs `code` (32-bit), which starts at 100020h.
inline std::vector<u8> multiboot_kernel(const std::vector<u8>& code) {
  const u32 magic = 0x1badb002, flags = 0x10000;
  const u32 header[8] = {magic, flags, 0u - magic - flags, 0x100000, 0x100000, 0, 0, 0x100020};
  std::vector<u8> bytes(32);
  for (unsigned n = 0; n < 8; ++n) store_le(&bytes[4 * n], header[n]);
  bytes.insert(bytes.end(), code.begin(), code.end());
  return bytes;
}

// mov eax, 12345678h; mov [200000h], eax; hlt; jmp $-1
inline const std::vector<u8> kHaltCode = {0xb8, 0x78, 0x56, 0x34, 0x12, 0xa3, 0x00, 0x00, 0x20, 0x00, 0xf4, 0xeb, 0xfd};
// Sets COM1 to eight bits (LCR = 3), then sends back every character that arrives, plus one.
inline const std::vector<u8> kEchoCode = {0xb0, 0x03, 0x66, 0xba, 0xfb, 0x03, 0xee, 0x66, 0xba, 0xfd, 0x03, 0xec, 0xa8,
                                          0x01, 0x74, 0xfb, 0x66, 0xba, 0xf8, 0x03, 0xec, 0xfe, 0xc0, 0xee, 0xeb, 0xed};

inline std::vector<u8> disk_image(u64 bytes) {
  std::vector<u8> image(bytes);
  image[510] = 0x55;
  image[511] = 0xaa;
  return image;
}

inline std::vector<u8> iso_image(u32 sectors_claimed, u64 bytes) {
  std::vector<u8> image(bytes);
  image[0x8000] = 1;
  std::copy_n("CD001", 5, image.begin() + 0x8001);
  store_le(&image[0x8000 + 80], sectors_claimed);
  return image;
}

}  // namespace xlat
