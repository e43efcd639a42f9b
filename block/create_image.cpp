// What is checked for every format before one makes its file.
#include "block/create_image.h"

#include "base/spelling.h"

namespace xlat {

Result<const CreateOption*> find_create_option(const ImageDriver& driver, std::string_view name) {
  for (const CreateOption& option : driver.options) {
    if (option.name == name) return &option;
  }
  return error("Invalid parameter '{}'", name);
}

Status create_image(std::string_view format, const CreateRequest& request) {
  const ImageDriver* driver = find_image_driver(format);
  if (!driver) return error("Unknown file format '{}'", format);
  if (!driver->create) return error("Format driver '{}' does not support image creation", format);
  if (request.bytes > ~u64{0} >> 1) return error("Image size must be less than 8 EiB!");
  if (!request.backing_file.empty() && !driver->has_backing) {
    return error("Backing file not supported for file format '{}'", format);
  }
  for (const auto& [name, value] : request.options) {
    const auto option = find_create_option(*driver, name);
    if (!option) return option.error();
    const bool is_switch = option.value()->kind == CreateOption::Kind::kSwitch;
    if (is_switch && !parse_switch(value)) return error("Parameter '{}' expects 'on' or 'off'", name);
    if (option.value()->kind == CreateOption::Kind::kNumber && !parse_number(value)) {
      return error("Parameter '{}' expects a number", name);
    }
    if (option.value()->kind == CreateOption::Kind::kSize && !parse_size(value, 1)) {
      return error("Parameter '{}' expects a non-negative number below 2^64", name);
    }
  }
  return driver->create(request);
}

}  // namespace xlat
