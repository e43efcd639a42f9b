// Stands for the VNC server where there is no libvncserver.
#include "frontend/display/vnc_server.h"

namespace xlat {

bool vnc_built() { return false; }

Result<std::unique_ptr<VncServer>> make_vnc_server(VncSetup, const std::optional<VncSettings>&) {
  return error("-vnc: this xlat was built without libvncserver; install libvncserver-dev and build it again");
}

}  // namespace xlat
