// create
#include <cstdio>

#include "block/create_image.h"
#include "img/commands.h"

namespace xlat::img {

int create(const Words& words) {
  const Arguments a(words, "F:b:f:o:qu", {});
  if (!a.wrong().empty()) return fail_usage(a.wrong());
  const std::string format = a.get("f", "raw");
  auto options = options_or_fail(a);
  if (!options) return 1;
  const ImageDriver* driver = find_image_driver(format);
  if (driver && help_for_options(a, *driver)) {
    std::puts(
        "\nThe protocol level may support further options.\nSpecify the target filename to include those options.");
    return 0;
  }
  if (a.files().empty()) return fail_usage("Expecting image file name");
  if (a.files().size() > 2) return fail_usage(fmt::format("Unexpected argument: {}", a.files()[2]));
  CreateRequest request{.path = a.files()[0]};
  if (!driver) return fail(fmt::format("{}: Unknown file format '{}'", request.path, format));

  request.backing_file = a.get("b", take_option(*options, "backing_file").value_or(""));
  request.backing_format = a.get("F", take_option(*options, "backing_fmt").value_or(""));
  std::optional<u64> size;
  if (a.files().size() == 2) {
    size = size_or_fail(a.files()[1]);
    if (!size) return 1;
  } else if (const auto text = take_option(*options, "size")) {
    size = size_or_fail(*text);
    if (!size) return 1;
  }
  if (!request.backing_file.empty() && !driver->has_backing) {
    return fail(fmt::format("{}: Backing file not supported for file format '{}'", request.path, format));
  }
  if (!request.backing_format.empty() && !find_image_driver(request.backing_format)) {
    return fail(fmt::format("{}: Unknown backing file format '{}'", request.path, request.backing_format));
  }
  if (!request.backing_file.empty() && !a.has("u")) {
    const std::string path = combine_paths(request.path, request.backing_file);
    auto backing = open_image({.file = path, .format = request.backing_format}, ImageAccess::kReadOnly);
    if (!backing) {
      return fail(fmt::format("{}: {}\nCould not open backing image.", request.path, plain(backing.error(), path)));
    }
    if (request.backing_format.empty()) {
      return fail(fmt::format("{}: Backing file specified without backing format\nDetected format of {}.", request.path,
                              (*backing)->format()));
    }
    if (!size) size = (*backing)->size();
  }
  if (!size) return fail(fmt::format("{}: Image creation needs a size parameter", request.path));
  request.bytes = *size;
  request.options = std::move(*options);
  return create_and_say(format, std::move(request), a.has("q"));
}

}  // namespace xlat::img
