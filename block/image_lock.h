// Keeps two programs from writing one image, by the byte-range locks that QEMU and qemu-img use as well.
#pragma once

#include <string>

#include "base/result.h"

namespace xlat {

// Each of QEMU's block permissions has two bytes of the file, far behind where locks of other programs are: a read lock
// on 100 + n says "I use permission n", one on 200 + n "nobody else may use it". Whoever opens the file sets its locks
// first and looks for those that speak against them afterwards, so that of two at least one sees the other. The locks
// belong to the open file and go when it is closed.
//
// Takes the locks on `fd`: to read and write, with other writers kept out; or to read what does not change meanwhile.
// Nothing is locked on file systems without such locks.
Status lock_image(int fd, const std::string& path, bool writes);

}  // namespace xlat
