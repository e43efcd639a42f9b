// A machine saved at random moments of its run: what is loaded goes on to the same bytes of state and output, with the
// same engine and with the other one.
// usage: state_points [POINTS [SEED]] -- OPTIONS OF XLAT; with -icount shift=N,sleep=off, and disks with snapshot=on.
#include <cstdio>
#include <random>

#include "frontend/options/command_line.h"
#include "machine/state_store.h"

using namespace xlat;

namespace {

constexpr u64 kRunOn = 6'000'000;     // instructions that both go on for
constexpr u64 kAllOf = 3'000'000'000;  // of the run, in which the moments are

// What is heard, as part of what was printed.
class Listener final : public AudioSink {
 public:
  explicit Listener(std::string& to) : to_(to) {}
  u32 rate() const override { return 44100; }
  void play(std::span<const AudioFrame> frames) override {
    for (const AudioFrame& frame : frames) to_ += fmt::format("{},{} ", frame.left, frame.right);
  }
  void silence(u64 frames) override { to_ += fmt::format("silence {} ", frames); }

 private:
  std::string& to_;
};

struct Run {
  Run(const Settings& settings, EngineKind engine) {
    MachineConfig config = settings.machine;
    config.engine = engine;
    for (const ChannelSettings& c : settings.channels) {
      config.channels.push_back({c.id, [this](u8 value) { printed += static_cast<char>(value); }});
    }
    for (const AudioSettings& audio : settings.audio)
      config.audio.push_back({audio.id, std::make_shared<Listener>(heard)});
    config.speaker_audio = settings.speaker_audio;
    auto made = Machine::create(config);
    if (!made) {
      fmt::print(stderr, "state_points: {}\n", made.error().message);
      std::exit(2);
    }
    machine = std::move(*made);
  }
  bool to(u64 count) { return machine->run_until(count) == Machine::Exit::kCount; }
  std::vector<u8> save() {
    std::vector<u8> bytes;
    StateWriter out([&bytes](std::span<const u8> more) {
      bytes.insert(bytes.end(), more.begin(), more.end());
      return Status{};
    });
    std::vector<BlockDevice> disks = machine->pc().block_devices();
    std::erase_if(disks, [](const BlockDevice& d) { return !d.image || d.image->read_only(); });
    if (Status s = machine->save_state(out, disks); !s) {
      fmt::print(stderr, "state_points: {}\n", s.error().message);
      std::exit(2);
    }
    return bytes;
  }
  std::unique_ptr<Machine> machine;
  std::string printed, heard;
};

// The first section that differs.
std::string difference(const std::vector<u8>& a, const std::vector<u8>& b, Machine& machine) {
  if (a == b) return {};
  auto one = StateReader::open(a), other = StateReader::open(b);
  if (!one || !other) return "a state cannot be read";
  for (const Pc::StatePart& part : machine.pc().state_parts()) {
    auto x = one->section(part.name), y = other->section(part.name);
    if (x && y && *x == *y) continue;
    if (!x || !y || x->size() != y->size()) return fmt::format("section {} in its length", part.name);
    const auto at = std::mismatch(x->begin(), x->end(), y->begin()).first - x->begin();
    return fmt::format("section {} at byte {} of {}", part.name, at, x->size());
  }
  return "memory or disks";
}

}  // namespace

int main(int argc, char** argv) {
  std::vector<std::string> own, options;
  bool theirs = false;
  for (int n = 1; n < argc; ++n) {
    if (!theirs && std::string_view(argv[n]) == "--") {
      theirs = true;
    } else {
      (theirs ? options : own).emplace_back(argv[n]);
    }
  }
  auto settings = parse_command_line(options);
  if (!settings || !settings->machine.time.deterministic) {
    fmt::print(stderr, "state_points: {}\n",
               settings ? "-icount shift=N,sleep=off is missing" : settings.error().message);
    return 2;
  }
  const unsigned points = own.empty() ? 20 : static_cast<unsigned>(std::stoul(own[0]));
  std::mt19937_64 random(own.size() < 2 ? 1 : std::stoul(own[1]));
  std::vector<u64> moments;
  for (unsigned n = 0; n < points; ++n) moments.push_back(1 + random() % kAllOf);
  std::sort(moments.begin(), moments.end());

  Run first(*settings, EngineKind::kDefault);
  unsigned wrong = 0, done = 0;
  for (const u64 moment : moments) {
    if (moment <= first.machine->pc().clock.count()) continue;  // the last one ran on past it
    if (!first.to(moment)) break;
    const std::vector<u8> state = first.save();
    const std::size_t printed = first.printed.size(), heard = first.heard.size();
    const bool ended = !first.to(moment + kRunOn);
    const std::vector<u8> later = first.save();
    for (const EngineKind engine : {EngineKind::kDefault, EngineKind::kInterp}) {
      Run other(*settings, engine);
      auto reader = StateReader::open(state);
      const Status loaded = reader ? other.machine->load_state(*reader) : Status(reader.error());
      if (!loaded) {
        fmt::print("at {}: {}\n", moment, loaded.error().message);
        ++wrong;
        continue;
      }
      other.to(moment + kRunOn);
      std::string what = difference(later, other.save(), *other.machine);
      if (what.empty() && other.heard != first.heard.substr(heard)) what = "what was heard";
      if (what.empty() && other.printed != first.printed.substr(printed)) what = "what was printed";
      if (what.empty()) continue;
      fmt::print("at {}, engine {}: {} differs\n", moment, engine == EngineKind::kInterp ? "interp" : "jit", what);
      ++wrong;
    }
    ++done;
    if (ended) break;
  }
  fmt::print("{} moments, {} wrong\n", done, wrong);
  return wrong || done == 0 ? 1 : 0;
}
