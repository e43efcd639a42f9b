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

#include "base/spelling.h"

namespace xlat {

namespace {

constexpr std::string_view kInfo = "info", kSuffix = ".state";
constexpr std::size_t kMaxName = 128;
// More than the largest memory and disks that anybody would save so.
constexpr u64 kMostBytes = u64{1} << 40;

class Fd {
 public:
  explicit Fd(int fd) : fd_(fd) {}
  ~Fd() {
    if (fd_ >= 0) close(fd_);
  }
  Fd(const Fd&) = delete;
  Fd& operator=(const Fd&) = delete;
  int get() const { return fd_; }

 private:
  int fd_;
};

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
  const auto drives = machine.pc().block_devices();
  for (const bool writable : {true, false}) {
    for (const BlockDevice& drive : drives) {
      if (!drive.image || (writable && drive.image->read_only())) continue;
      return StateStore(machine, drive.image->path() + ".states");
    }
  }
  return error("no block device can store vmstate for snapshot");
}

std::string StateStore::path_of(std::string_view name) const {
  return folder_ + "/" + escape(name) + std::string(kSuffix);
}

Result<std::vector<SavedState>> StateStore::list() const {
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
  if (mkdir(folder_.c_str(), 0700) != 0 && errno != EEXIST) {
    return error("cannot make the folder '{}' for saved states: {}", folder_, std::strerror(errno));
  }
  Pc& pc = machine_.pc();
  std::vector<BlockDevice> disks = pc.block_devices();
  std::erase_if(disks, [](const BlockDevice& d) { return !d.image || d.image->read_only(); });
  for (const BlockDevice& disk : disks) {
    if (Status s = disk.image->flush(); !s) return s;
  }
  const SavedState info{name, 0, date, pc.clock.now(),
                        machine_.deterministic() ? std::optional(pc.clock.count()) : std::nullopt};
  return save_state_to_file(path_of(name), [&](StateWriter& out) -> Status {
    if (Status s = out.section(kInfo, info_text(info)); !s) return s;
    return machine_.save_state(out, disks, progress);
  });
}

Status StateStore::load(const std::string& name) {
  const std::string path = path_of(name);
  if (access(path.c_str(), F_OK) != 0) {
    return error("Snapshot '{}' does not exist in one or more devices", name);
  }
  auto reader = read_state_file(path);
  if (!reader) return reader.error();
  return machine_.load_state(*reader);
}

Status StateStore::remove(const std::string& name) {
  if (unlink(path_of(name).c_str()) == 0) return {};
  if (errno == ENOENT) return error("Snapshot '{}' does not exist in one or more devices", name);
  return error("cannot remove the saved state '{}': {}", path_of(name), std::strerror(errno));
}

}  // namespace xlat
