// What becomes of a command whose image could not be read or written.
#pragma once

#include <functional>

#include "base/result.h"
#include "base/types.h"

namespace xlat {

enum class IoErrorAction : u8 {
  kReport,  // the guest gets an error
  kIgnore,  // the guest is told that all went well
  kRetry,   // the command goes on later, with what failed: the machine stands still meanwhile
};

// Asked for each failure of a drive's image.
using IoErrorHook = std::function<IoErrorAction(bool write, const Error& error)>;

}  // namespace xlat
