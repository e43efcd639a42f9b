// Pictures of the screen as files.
#pragma once

#include <string>

#include "base/result.h"
#include "devices/display/display_adapter.h"

namespace xlat {

enum class PictureFormat : unsigned char { kPpm, kPng };

Status save_picture(const Surface& picture, const std::string& path, PictureFormat format);

}  // namespace xlat
