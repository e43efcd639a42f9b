// Receiving a state in the background.
#include "frontend/states/incoming.h"

#include <thread>

namespace xlat {

Incoming::Incoming(Machine& machine, StateSource source, std::function<void(Status)> done)
    : shared_(std::make_shared<Shared>()) {
  shared_->machine = &machine;
  std::thread([shared = shared_, from = std::make_shared<StateSource>(std::move(source)), done = std::move(done)] {
    auto state = std::make_shared<Result<StateReader>>(from->receive());
    const std::lock_guard lock(shared->mutex);
    if (!shared->machine) return;
    shared->machine->post([machine = shared->machine, state, done] {
      done(*state ? machine->load_state(state->value()) : Status(state->error()));
    });
  }).detach();
}

Incoming::~Incoming() {
  const std::lock_guard lock(shared_->mutex);
  shared_->machine = nullptr;
}

}  // namespace xlat
