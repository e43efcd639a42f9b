// The saved states of a machine by name: where they are kept, and with which disks.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "machine/machine.h"

namespace xlat {

struct SavedState {
  std::string name;
  u64 bytes = 0;  // without the disks' content where an image keeps that itself
  i64 date = 0;   // seconds since 1970
  u64 clock_ns = 0;
  std::optional<u64> count;  // instructions, where they measure time
};

// Where a disk's format keeps snapshots (qcow2), the state is in the first such image, and each of them has a snapshot
// of its own; other disks that can be written have their content in the state. Without such a disk states lie in a
// folder beside the machine's first image, IMAGE.states: a file each. On the machine's thread.
class StateStore {
 public:
  // An error if the machine has no image.
  static Result<StateStore> of(Machine& machine);

  // By date.
  Result<std::vector<SavedState>> list() const;
  // A state of that name is replaced, at once and only when the new one is whole.
  Status save(const std::string& name, i64 date, const StateWriter::Progress& progress = {});
  // Leaves the machine as it was if there is no such state, or if it does not fit; see Machine::load_state.
  Status load(const std::string& name);
  Status remove(const std::string& name);

 private:
  explicit StateStore(Machine& machine) : machine_(machine) {}
  std::string path_of(std::string_view name) const;
  Result<std::vector<SavedState>> list_folder() const;
  Status save_in_folder(const SavedState& info, const StateWriter::Progress& progress);
  Status save_in_images(const SavedState& info, const StateWriter::Progress& progress);
  Status load_from_images(const std::string& name);

  Machine& machine_;
  std::vector<BlockDevice> with_snapshots_, others_;  // that can be written
  std::string folder_;                                // where there are no images with snapshots
};

// A whole state in one file, which appears under its name only when it is complete.
Status save_state_to_file(const std::string& path, const std::function<Status(StateWriter&)>& save);
// All that comes from the descriptor, as a state; an error also if that is more than any state.
Result<StateReader> read_state(int fd);
Result<StateReader> read_state_file(const std::string& path);
// All of `bytes`, to a file or a pipe.
Status write_all(int fd, std::span<const u8> bytes);

}  // namespace xlat
