// In place of nbd.cpp where libnbd is not installed.
#include "block/protocol.h"

namespace xlat {

Result<std::unique_ptr<Storage>> open_nbd(StorageRequest&) {
  return error("nbd: this xlat was built without libnbd; install libnbd-dev and build it again");
}

}  // namespace xlat
