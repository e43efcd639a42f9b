// PPM by hand, PNG by libpng.
#include "frontend/display/screenshot.h"

#include <png.h>

#include <cerrno>
#include <cstdio>
#include <cstring>

namespace xlat {

Status save_picture(const Picture& picture, const std::string& path, PictureFormat format) {
  if (picture.width == 0 || picture.height == 0) return error("the screen shows nothing");
  if (format == PictureFormat::kPng) {
    png_image image{};
    image.version = PNG_IMAGE_VERSION;
    image.width = picture.width;
    image.height = picture.height;
    image.format = PNG_FORMAT_RGB;
    if (!png_image_write_to_file(&image, path.c_str(), 0, picture.rgb.data(), 0, nullptr)) {
      return error("cannot write '{}': {}", path, image.message);
    }
    return {};
  }
  std::FILE* file = std::fopen(path.c_str(), "wb");
  if (!file) return error("cannot write '{}': {}", path, std::strerror(errno));
  fmt::print(file, "P6\n{} {}\n255\n", picture.width, picture.height);
  const bool written = std::fwrite(picture.rgb.data(), 1, picture.rgb.size(), file) == picture.rgb.size();
  const int e = errno;
  if (std::fclose(file) != 0 || !written)
    return error("cannot write '{}': {}", path, std::strerror(written ? errno : e));
  return {};
}

}  // namespace xlat
