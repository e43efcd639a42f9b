// States of a whole machine kept inside a disk image, as qcow2 does with its internal snapshots.
#pragma once

#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "base/types.h"

namespace xlat {

struct SnapshotInfo {
  std::string id = {};  // unique in the image; empty for create(): the next free number
  std::string name = {};
  u64 vm_state_bytes = 0;
  u32 date_seconds = 0, date_nanoseconds = 0;  // since 1970, by whoever makes it
  u64 vm_clock_ns = 0;                         // the guest's time
  u64 icount = ~u64{0};                        // instructions run; all ones: nobody counted
  u64 disk_bytes = 0;                          // how large the disk was; create() sets it
};

class SnapshotStore {
 public:
  virtual ~SnapshotStore() = default;
  virtual std::vector<SnapshotInfo> list() const = 0;
  // Keeps the disk as it is now, and `vm_state` with it. Names need not be unique; ids must.
  virtual Status create(SnapshotInfo info, std::span<const u8> vm_state) = 0;
  // `which` is an id, or else the name of the first one that has it.
  virtual Result<std::vector<u8>> load_state(std::string_view which) = 0;
  // The disk becomes what it was; what it is now is gone.
  virtual Status apply(std::string_view which) = 0;
  virtual Status remove(std::string_view which) = 0;
};

}  // namespace xlat
