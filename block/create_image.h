// Making image files.
#pragma once

#include "block/image_driver.h"

namespace xlat {

// Makes, or makes anew, the file of an image. Options that the format does not have, and values that it cannot have,
// are errors.
Status create_image(std::string_view format, const CreateRequest& request);

// The format's option of this name, or an error as qemu-img says it.
Result<const CreateOption*> find_create_option(const ImageDriver& driver, std::string_view name);

}  // namespace xlat
