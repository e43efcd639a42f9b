// A file or block device of the host's as storage.
#pragma once

#include "block/image_access.h"
#include "block/storage.h"

namespace xlat {

// Nothing is mapped, so that a file cut off by somebody else reads as zeros. The file stays locked against a second
// writer while it is open unless `lock` is false. `direct`: past the host's page cache; fails where the file system
// cannot.
Result<std::unique_ptr<Storage>> open_host_file(const std::string& path, ImageAccess access, bool lock = true,
                                                bool direct = false);
// Makes a file, or empties one that is there and that nobody uses.
Result<std::unique_ptr<Storage>> create_host_file(const std::string& path);
// An unlinked file in $TMPDIR or /var/tmp that goes with the object.
Result<std::unique_ptr<Storage>> make_temporary_file(const std::string& what_for);

}  // namespace xlat
