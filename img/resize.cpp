// resize
#include <cstdio>

#include "base/bits.h"
#include "img/commands.h"

namespace xlat::img {

int resize(const Words& input) {
  if (input.size() < 2) return fail_usage("Not enough arguments");
  // The size may begin with '-' and is no option then.
  Words words = input;
  std::string size = words.back();
  words.pop_back();
  const Arguments a(words, "f:q", {"preallocation=", "shrink", "image-opts"});
  if (!a.wrong().empty()) return fail_usage(a.wrong());
  if (a.files().size() != 1) return fail_usage("Expecting image file name and size");
  const std::string mode = a.get("preallocation", "off");
  if (mode != "off") return fail(fmt::format("Preallocation mode '{}' is not there; give off", mode));
  const int sign = size.starts_with('+') ? 1 : size.starts_with('-') ? -1 : 0;
  if (sign) size.erase(0, 1);
  const auto number = size_or_fail(size);
  if (!number) return 1;
  auto image = open_or_fail(a, a.files()[0], a.get("f"), ImageAccess::kReadWrite);
  if (!image) return 1;
  const u64 now = image->size();
  if (sign < 0 && *number >= now) return fail("New image size must be positive");
  const u64 wanted = align_up(sign == 0 ? *number : sign > 0 ? now + *number : now - *number, 512);
  if (wanted == 0) return fail("New image size must be positive");
  if (wanted < now && !a.has("shrink")) {
    fail("Use the --shrink option to perform a shrink operation.");
    fail(
        "warning: Shrinking an image will delete all data beyond the shrunken image's end. Before performing such an "
        "operation, make sure there is no important data there.");
    return 1;
  }
  if (Status s = image->resize(wanted); !s) return fail(plain(s.error(), a.files()[0]));
  if (Status s = image->flush(); !s) return fail(plain(s.error(), a.files()[0]));
  if (!a.has("q")) std::puts("Image resized.");
  return 0;
}

}  // namespace xlat::img
