// -incoming: a thread that waits for a state and hands it to the machine.
#pragma once

#include <functional>
#include <memory>
#include <mutex>

#include "frontend/states/migration.h"

namespace xlat {

class Incoming {
 public:
  // `done` is called on the machine's thread with what came of it; the machine stands still until then.
  Incoming(Machine& machine, StateSource source, std::function<void(Status)> done);
  // Who never sends does not keep the program: the thread is left alone, and has nobody to tell any more.
  ~Incoming();

 private:
  struct Shared {
    std::mutex mutex;
    Machine* machine;
  };
  std::shared_ptr<Shared> shared_;
};

}  // namespace xlat
