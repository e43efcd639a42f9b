// The way to an image: by a name with its protocol or by options, of a format that is said or found out, with all it is
// based on.
#pragma once

#include "block/image_driver.h"

namespace xlat {

struct ImageSpec {
  std::string file;           // a path, "PROTOCOL:...", "json:{...}"; may be empty where the options say it
  std::string format = {};    // empty: found out
  ImageOptions options = {};  // more of them: "file.locking", "backing.driver", "offset"
};

struct OpenFlags {
  bool lock = true;     // as image_lock.h says
  bool backing = true;  // what it is based on is opened, too
  bool backing_writable = false;
  bool repair = false;        // it may be damaged
  std::string snapshot = {};  // the disk as an internal snapshot has it; read-only
  bool guest = false;         // a guest's: what looks like another format by its end is refused if nobody said raw
};

Result<std::unique_ptr<BlockImage>> open_image(const ImageSpec& spec, ImageAccess access, OpenFlags flags = {});

// The format that a file would be opened as, without opening it as that.
Result<const ImageDriver*> find_format(const ImageSpec& spec, bool lock);

// The bytes that an image lies in, without a look at their format.
Result<std::unique_ptr<Storage>> open_storage(const ImageSpec& spec, ImageAccess access, bool lock);

// "json:{...}" as options.
Result<ImageOptions> parse_json_options(std::string_view json);
// What begins with `prefix`, without it.
ImageOptions options_below(const ImageOptions& options, std::string_view prefix);
// A name that a header has, seen from the file with that header.
std::string combine_paths(const std::string& of, const std::string& name);
// "nbd" of "nbd:...", nothing of a path.
std::string_view protocol_of(std::string_view name);

}  // namespace xlat
