// Saved states in files.
#include "machine/state_store.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstring>
#include <filesystem>

#include "base/fd.h"
#include "base/spelling.h"

namespace xlat {

namespace {

constexpr std::string_view kInfo = "info", kSuffix = ".state";
constexpr std::size_t kMaxName = 128;
// More than the largest memory and disks that anybody would save so.
constexpr u64 kMostBytes = u64{1} << 40;

// The renaming itself is on the disk when its folder is.
void sync_folder_of(const std::string& path) {
  std::string folder = std::filesystem::path(path).parent_path().string();
  const Fd fd(open(folder.empty() ? "." : folder.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  if (fd.get() >= 0) fsync(fd.get());
}

// A name as that of a file: what a path or a shell would take otherwise is written %XX.
std::string escape(std::string_view name) {
  std::string out;
  for (const char c : name) {
    const bool plain = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
                       std::string_view("-_+@,").find(c) != std::string_view::npos || (c == '.' && !out.empty());
    out += plain ? std::string(1, c) : fmt::format("%{:02x}", static_cast<u8>(c));
  }
  return out;
}

std::string info_text(const SavedState& state) {
  return fmt::format("{}\n{}\n{}\n{}\n", state.name, state.date, state.clock_ns,
                     state.count ? std::to_string(*state.count) : "");
}

std::optional<SavedState> parse_info(const std::vector<u8>& bytes) {
  std::array<std::string, 4> lines;
  std::size_t line = 0;
  for (const u8 c : bytes) {
    if (c == '\n') {
      ++line;
    } else if (line < lines.size()) {
      lines[line] += static_cast<char>(c);
    }
  }
  const auto date = parse_number(lines[1]), clock = parse_number(lines[2]);
  if (!date || !clock) return std::nullopt;
  return SavedState{lines[0], 0, static_cast<i64>(*date), *clock, parse_number(lines[3])};
}

bool has_snapshot(const BlockDevice& disk, std::string_view name) {
  const auto all = disk.image->snapshots()->list();
  return std::any_of(all.begin(), all.end(), [name](const SnapshotInfo& s) { return s.name == name; });
}

Error no_such(std::string_view name) { return error("Snapshot '{}' does not exist in one or more devices", name); }

}  // namespace

Status write_all(int fd, std::span<const u8> bytes) {
  while (!bytes.empty()) {
    const ssize_t n = write(fd, bytes.data(), bytes.size());
    if (n < 0 && errno == EINTR) continue;
    if (n < 0) return Error{std::strerror(errno), errno};
    bytes = bytes.subspan(static_cast<std::size_t>(n));
  }
  return {};
}

Status save_state_to_file(const std::string& path, const std::function<Status(StateWriter&)>& save) {
  const std::string unfinished = fmt::format("{}.{}.part", path, getpid());
  const auto failed = [&](const std::string& why) -> Status {
    unlink(unfinished.c_str());
    return error("cannot save to '{}': {}", path, why);
  };
  const Fd fd(open(unfinished.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600));
  if (fd.get() < 0) return error("cannot save to '{}': {}", path, std::strerror(errno));
  StateWriter writer([&fd](std::span<const u8> bytes) { return write_all(fd.get(), bytes); });
  if (Status s = save(writer); !s) return failed(s.error().message);
  if (fsync(fd.get()) != 0 || rename(unfinished.c_str(), path.c_str()) != 0) return failed(std::strerror(errno));
  sync_folder_of(path);
  return {};
}

Result<StateReader> read_state(int fd) {
  std::vector<u8> bytes;
  struct stat st {};
  if (fstat(fd, &st) == 0 && S_ISREG(st.st_mode)) bytes.reserve(static_cast<std::size_t>(st.st_size) + 1);
  for (;;) {
    const std::size_t had = bytes.size();
    bytes.resize(std::max<std::size_t>(bytes.capacity(), had + (std::size_t{1} << 20)));
    const ssize_t n = read(fd, bytes.data() + had, bytes.size() - had);
    bytes.resize(had + static_cast<std::size_t>(std::max<ssize_t>(n, 0)));
    if (n < 0 && errno == EINTR) continue;
    if (n < 0) return error("cannot read the saved state: {}", std::strerror(errno));
    if (n == 0) return StateReader::open(std::move(bytes));
    if (bytes.size() > kMostBytes) return error("this is longer than any saved state");
  }
}

Result<StateReader> read_state_file(const std::string& path) {
  const Fd fd(open(path.c_str(), O_RDONLY | O_CLOEXEC));
  if (fd.get() < 0) return error("cannot open the saved state '{}': {}", path, std::strerror(errno));
  auto reader = read_state(fd.get());
  return reader ? std::move(reader) : Result<StateReader>(error("'{}': {}", path, reader.error().message));
}

Result<StateStore> StateStore::of(Machine& machine) {
  StateStore store(machine);
  std::string beside;
  for (const BlockDevice& drive : machine.pc().block_devices()) {
    if (!drive.image) continue;
    const bool writable = !drive.image->read_only();
    if (beside.empty() || (writable && store.others_.empty())) beside = drive.image->path();
    if (writable) (drive.image->snapshots() ? store.with_snapshots_ : store.others_).push_back(drive);
  }
  if (beside.empty()) return error("no block device can store vmstate for snapshot");
  store.folder_ = beside + ".states";
  return store;
}

std::string StateStore::path_of(std::string_view name) const {
  return folder_ + "/" + escape(name) + std::string(kSuffix);
}

Result<std::vector<SavedState>> StateStore::list() const {
  if (with_snapshots_.empty()) return list_folder();
  std::vector<SavedState> all;
  for (const SnapshotInfo& info : with_snapshots_.front().image->snapshots()->list()) {
    // Those that every disk has, as nothing else can be gone back to.
    const bool everywhere = std::all_of(with_snapshots_.begin(), with_snapshots_.end(),
                                        [&info](const BlockDevice& d) { return has_snapshot(d, info.name); });
    if (info.vm_state_bytes == 0 || !everywhere) continue;
    all.push_back({info.name, info.vm_state_bytes, i64{info.date_seconds}, info.vm_clock_ns,
                   info.icount == ~u64{0} ? std::nullopt : std::optional(info.icount)});
  }
  return all;
}

Result<std::vector<SavedState>> StateStore::list_folder() const {
  std::vector<SavedState> all;
  std::error_code failed;
  for (const auto& entry : std::filesystem::directory_iterator(folder_, failed)) {
    if (entry.path().extension() != kSuffix) continue;
    const Fd fd(open(entry.path().c_str(), O_RDONLY | O_CLOEXEC));
    std::vector<u8> beginning(4096);
    const ssize_t n = fd.get() < 0 ? -1 : read(fd.get(), beginning.data(), beginning.size());
    if (n < 0) continue;
    beginning.resize(static_cast<std::size_t>(n));
    auto info = StateReader::peek(beginning, kInfo, beginning.size());
    auto state = info ? parse_info(*info) : std::nullopt;
    if (!state) continue;  // something else that lies there
    state->bytes = entry.file_size(failed);
    all.push_back(std::move(*state));
  }
  std::sort(all.begin(), all.end(), [](const SavedState& a, const SavedState& b) {
    return std::tie(a.date, a.clock_ns, a.name) < std::tie(b.date, b.clock_ns, b.name);
  });
  return all;
}

Status StateStore::save(const std::string& name, i64 date, const StateWriter::Progress& progress) {
  if (name.empty() || name.size() > kMaxName) return error("a state's name has 1 to {} characters", kMaxName);
  if (name.find('\n') != std::string::npos) return error("a state's name is one line");
  for (const auto& disks : {others_, with_snapshots_}) {
    for (const BlockDevice& disk : disks) {
      if (Status s = disk.image->flush(); !s) return s;
    }
  }
  const Clock& clock = machine_.pc().clock;
  const SavedState info{name, 0, date, clock.now(),
                        machine_.deterministic() ? std::optional(clock.count()) : std::nullopt};
  return with_snapshots_.empty() ? save_in_folder(info, progress) : save_in_images(info, progress);
}

Status StateStore::save_in_folder(const SavedState& info, const StateWriter::Progress& progress) {
  if (mkdir(folder_.c_str(), 0700) != 0 && errno != EEXIST) {
    return error("cannot make the folder '{}' for saved states: {}", folder_, std::strerror(errno));
  }
  return save_state_to_file(path_of(info.name), [&](StateWriter& out) -> Status {
    if (Status s = out.section(kInfo, info_text(info)); !s) return s;
    return machine_.save_state(out, others_, progress);
  });
}

Status StateStore::save_in_images(const SavedState& info, const StateWriter::Progress& progress) {
  std::vector<u8> state;
  StateWriter writer([&state](std::span<const u8> bytes) {
    state.insert(state.end(), bytes.begin(), bytes.end());
    return Status{};
  });
  if (Status s = machine_.save_state(writer, others_, progress); !s) return s;
  // The old ones of that name go when all new ones are there. The state itself comes last: a snapshot without one is
  // not listed.
  std::vector<std::pair<SnapshotStore*, std::string>> old, made;
  Status done;
  for (std::size_t n = with_snapshots_.size(); n-- > 0 && done;) {
    SnapshotStore& store = *with_snapshots_[n].image->snapshots();
    std::vector<std::string> before;
    for (const SnapshotInfo& s : store.list()) {
      before.push_back(s.id);
      if (s.name == info.name) old.emplace_back(&store, s.id);
    }
    const SnapshotInfo snapshot{.name = info.name,
                                .date_seconds = static_cast<u32>(info.date),
                                .vm_clock_ns = info.clock_ns,
                                .icount = info.count.value_or(~u64{0})};
    done = store.create(snapshot, n == 0 ? std::span<const u8>(state) : std::span<const u8>());
    if (!done) break;
    for (const SnapshotInfo& s : store.list()) {
      if (std::find(before.begin(), before.end(), s.id) == before.end()) made.emplace_back(&store, s.id);
    }
  }
  Status removed;
  for (const auto& [store, id] : done ? old : made) {
    if (Status s = store->remove(id); !s) removed = s;
  }
  return done ? removed : done;
}

Status StateStore::load(const std::string& name) {
  if (!with_snapshots_.empty()) return load_from_images(name);
  const std::string path = path_of(name);
  if (access(path.c_str(), F_OK) != 0) return no_such(name);
  auto reader = read_state_file(path);
  if (!reader) return reader.error();
  return machine_.load_state(*reader);
}

Status StateStore::load_from_images(const std::string& name) {
  for (const BlockDevice& disk : with_snapshots_) {
    if (!has_snapshot(disk, name)) return no_such(name);
  }
  auto state = with_snapshots_.front().image->snapshots()->load_state(name);
  if (!state) return state.error();
  if (state->empty()) return error("This is a disk-only snapshot. Revert to it offline using xlat-img");
  auto reader = StateReader::open(std::move(*state));
  if (!reader) return reader.error();
  return machine_.load_state(*reader, [&]() -> Status {
    for (const BlockDevice& disk : with_snapshots_) {
      if (Status s = disk.image->snapshots()->apply(name); !s) return s;
    }
    return {};
  });
}

Status StateStore::remove(const std::string& name) {
  bool found = false;
  for (const BlockDevice& disk : with_snapshots_) {
    while (has_snapshot(disk, name)) {
      if (Status s = disk.image->snapshots()->remove(name); !s) return s;
      found = true;
    }
  }
  if (!with_snapshots_.empty()) return found ? Status{} : no_such(name);
  if (unlink(path_of(name).c_str()) == 0) return {};
  if (errno == ENOENT) return no_such(name);
  return error("cannot remove the saved state '{}': {}", path_of(name), std::strerror(errno));
}

}  // namespace xlat
