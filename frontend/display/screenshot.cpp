// PPM by hand, PNG by libpng.
#include "frontend/display/screenshot.h"

#include <png.h>

#include <cerrno>
#include <cstdio>
#include <cstring>

namespace xlat {

Status save_picture(const Surface& picture, const std::string& path, PictureFormat format) {
  if (picture.width() == 0 || picture.height() == 0) return error("the screen shows nothing");
  std::vector<unsigned char> rgb;
  rgb.reserve(picture.pixels().size() * 3);
  for (const u32 pixel : picture.pixels()) {
    for (const int shift : {16, 8, 0}) rgb.push_back(static_cast<unsigned char>(pixel >> shift));
  }
  if (format == PictureFormat::kPng) {
    png_image image{};
    image.version = PNG_IMAGE_VERSION;
    image.width = picture.width();
    image.height = picture.height();
    image.format = PNG_FORMAT_RGB;
    if (!png_image_write_to_file(&image, path.c_str(), 0, rgb.data(), 0, nullptr)) {
      return error("cannot write '{}': {}", path, image.message);
    }
    return {};
  }
  std::FILE* file = std::fopen(path.c_str(), "wb");
  if (!file) return error("cannot write '{}': {}", path, std::strerror(errno));
  fmt::print(file, "P6\n{} {}\n255\n", picture.width(), picture.height());
  const bool written = std::fwrite(rgb.data(), 1, rgb.size(), file) == rgb.size();
  const int e = errno;
  if (std::fclose(file) != 0 || !written)
    return error("cannot write '{}': {}", path, std::strerror(written ? errno : e));
  return {};
}

}  // namespace xlat
