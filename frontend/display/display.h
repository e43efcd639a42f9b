// What shows the guest and takes the user's input: a window, a terminal, a server for remote viewers.
#pragma once

#include "base/result.h"

namespace xlat {

class Display {
 public:
  virtual ~Display() = default;
  // Begins to show, with a thread of its own.
  virtual Status start() = 0;
  // Ends the thread.
  virtual void stop() = 0;
};

}  // namespace xlat
