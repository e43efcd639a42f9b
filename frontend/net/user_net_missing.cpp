// Builds without libslirp.
#include "frontend/net/net_backend.h"

namespace xlat {

std::string_view user_net_missing() { return "this build has no libslirp; install libslirp-dev and build again"; }

std::unique_ptr<NetBackend> make_user_net(const NetSpec&) { return nullptr; }

}  // namespace xlat
