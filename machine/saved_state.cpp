// The machine as a saved state: which sections it has, what it goes with, and loading it.
#include <algorithm>

#include "machine/machine.h"

namespace xlat {

namespace {

constexpr const char* kContent = "disk content";  // an option of none's: the state has it
constexpr std::string_view kConfig = "config", kMemory = "memory", kBios = "bios", kDisk = "disk ";

std::string lines(const std::vector<std::pair<std::string, std::string>>& config) {
  std::string text;
  for (const auto& [option, value] : config) text += option + "\t" + value + "\n";
  return text;
}

Result<std::string> text_of(const StateReader& in, std::string_view section) {
  const auto bytes = in.section(section);
  if (!bytes) return bytes.error();
  return std::string(bytes.value().begin(), bytes.value().end());
}

std::string_view next_line(std::string_view& text) {
  const auto end = std::min(text.find('\n'), text.size());
  const std::string_view line = text.substr(0, end);
  text.remove_prefix(std::min(end + 1, text.size()));
  return line;
}

// A line for a user: "-m 131072 KiB", or that there is none.
std::string readable(std::string_view line) {
  if (line.empty()) return "nothing";
  std::string text(line);
  std::replace(text.begin(), text.end(), '\t', ' ');
  return "'" + text + "'";
}

// Makes [from, from + bytes) of the image what `content` says, without writing what is so already.
Status restore(BlockImage& image, u64 offset, std::span<const u8> content) {
  std::vector<u8> now(content.size());
  if (Status s = image.read(offset, now); !s) return s;
  return std::equal(now.begin(), now.end(), content.begin()) ? Status{} : image.write(offset, content);
}

Status restore_disk(const StateReader& in, const BlockDevice& disk) {
  u64 at = 0;
  const std::vector<u8> zeros(std::size_t{1} << 20);
  const auto clear_to = [&](u64 end) -> Status {
    for (; at < end; at += std::min<u64>(zeros.size(), end - at)) {
      const auto part = std::span(zeros).first(std::min<u64>(zeros.size(), end - at));
      if (Status s = restore(*disk.image, at, part); !s) return s;
    }
    return {};
  };
  const auto take = [&](u64 offset, std::span<const u8> piece) -> Status {
    if (Status s = clear_to(offset); !s) return s;
    at = offset + piece.size();
    return restore(*disk.image, offset, piece);
  };
  Status s = in.memory(std::string(kDisk) + disk.name, disk.image->size(), take);
  if (s) s = clear_to(disk.image->size());
  return s ? disk.image->flush() : s;
}

}  // namespace

Status Machine::save_state(StateWriter& out, std::span<const BlockDevice> disks,
                           const StateWriter::Progress& progress) {
  if (lockstep_) return error("a machine in lockstep cannot be saved; use -engine jit or interp");
  drain();  // what has been posted enters here, and is part of what is saved
  pc_->settle_disks();
  auto config = pc_->state_config();
  for (const BlockDevice& disk : disks) config.emplace_back(kContent, disk.name);
  if (Status s = out.section(kConfig, lines(config)); !s) return s;
  for (Pc::StatePart& part : pc_->state_parts()) {
    Archive ar = Archive::saver();
    part.serialize(ar);
    if (Status s = out.section(part.name, ar.bytes()); !s) return s;
  }
  if (Status s = out.section(kBios, pc_->bios()); !s) return s;
  if (Status s = out.memory(kMemory, pc_->ram->bytes(), progress); !s) return s;
  for (const BlockDevice& disk : disks) {
    const auto read = [&disk](u64 offset, std::span<u8> to) { return disk.image->read(offset, to); };
    if (Status s = out.memory(std::string(kDisk) + disk.name, disk.image->size(), read, progress); !s) return s;
  }
  return out.end();
}

// Whether the state is one of such a machine, and has all its sections.
Status Machine::fits(const StateReader& in, std::string_view config) {
  const std::string ours = lines(pc_->state_config());
  std::string_view there = config, here = ours;
  while (!there.empty() || !here.empty()) {
    const std::string_view a = next_line(there), b = next_line(here);
    if (a == b || (b.empty() && a.starts_with(kContent))) continue;
    return error("the saved state is of another machine: it has {} where this one has {}", readable(a), readable(b));
  }
  for (const Pc::StatePart& part : pc_->state_parts()) {
    if (!in.has(part.name)) return error("the saved state has no section '{}'", part.name);
  }
  return {};
}

Status Machine::load_state(const StateReader& in, const std::function<Status()>& load_disks) {
  if (lockstep_) return error("a machine in lockstep cannot be loaded; use -engine jit or interp");
  const auto config = text_of(in, kConfig);
  if (!config) return config.error();
  if (Status s = fits(in, config.value()); !s) return s;
  const auto load = [&]() -> Status {
    for (Pc::StatePart& part : pc_->state_parts()) {
      auto bytes = in.section(part.name);
      if (!bytes) return bytes.error();
      Archive ar = Archive::loader(std::move(*bytes));
      part.serialize(ar);
      if (!ar.ok()) return error("section '{}' of the saved state cannot be used: {}", part.name, ar.error());
      if (!ar.at_end()) return error("section '{}' of the saved state is longer than it should be", part.name);
    }
    auto bios = in.section(kBios);
    if (!bios) return bios.error();
    if (bios->size() != pc_->bios().size()) return error("section 'bios' of the saved state has another size");
    std::copy(bios->begin(), bios->end(), pc_->bios().begin());
    if (Status s = in.memory(kMemory, pc_->ram->bytes()); !s) return s;
    for (const BlockDevice& disk : pc_->block_devices()) {
      if (config.value().find(lines({{kContent, disk.name}})) == std::string::npos) continue;
      if (!disk.image || disk.image->read_only()) {
        return error("the saved state has the content of {}, which cannot be written here", disk.name);
      }
      if (Status s = restore_disk(in, disk); !s) return s;
    }
    return load_disks ? load_disks() : Status{};
  };
  const Status done = load();
  pc_->loaded();
  pacer_.part();  // its virtual time begins anew beside the host's
  brief_until_ = 0;
  if (done) {
    pc_->resume_disks();
    return done;
  }
  pc_->reset();
  change_state(RunState::kInternalError);
  return error("{}; the machine has been reset and stands still", done.error().message);
}

}  // namespace xlat
