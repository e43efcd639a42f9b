// savevm, loadvm, delvm, migrate and what is shown of them.
#include <chrono>
#include <ctime>

#include "frontend/monitor/commands.h"
#include "frontend/states/migration.h"
#include "machine/state_store.h"

namespace xlat {

namespace {

using HostClock = std::chrono::steady_clock;

std::string failed(const Error& e) { return fmt::format("Error: {}\n", e.message); }

// How far it has come, for those who wait longer than this.
StateWriter::Progress progress_of(MonitorContext& context) {
  static constexpr auto kPatience = std::chrono::seconds(2);
  return [&context, begin = HostClock::now(), shown = u64{101}](u64 done, u64 all) mutable {
    if (!context.print || all == 0 || HostClock::now() - begin < kPatience) return;
    const u64 per_cent = done * 100 / all;
    if (per_cent / 10 == shown / 10) return;
    shown = per_cent;
    context.print(fmt::format("saving: {} %\n", per_cent));
  };
}

// As QEMU writes it: four significant digits.
std::string human_size(u64 bytes) {
  static constexpr std::string_view kUnits[] = {"B", "KiB", "MiB", "GiB", "TiB"};
  double value = static_cast<double>(bytes);
  unsigned unit = 0;
  for (; value >= 1000 && unit + 1 < std::size(kUnits); ++unit) value /= 1024;
  return fmt::format("{:.3g} {}", value, kUnits[unit]);
}

std::string local_time(i64 seconds, const char* format) {
  const std::time_t time = static_cast<std::time_t>(seconds);
  std::tm parts{};
  localtime_r(&time, &parts);
  char text[64];
  return {text, std::strftime(text, sizeof text, format, &parts)};
}

// The machine stands still and then goes on, if it ran. One that a state was loaded into in vain does not.
class StandStill {
 public:
  explicit StandStill(Machine& machine) : machine_(machine), before_(machine.run_state()) {
    if (before_ == Machine::RunState::kRunning) machine.stop();
  }
  ~StandStill() {
    if (before_ == Machine::RunState::kRunning && machine_.run_state() == Machine::RunState::kPaused) machine_.cont();
  }
  void end(Machine::RunState state) {
    before_ = state;
    machine_.stop(state);
  }

 private:
  Machine& machine_;
  Machine::RunState before_;
};

std::string one_word(std::string_view command, std::string_view arguments, std::string& word, bool needed) {
  const auto words = monitor_words(arguments);
  if (words.size() > 1) {
    return fmt::format("{0}: extraneous characters at the end of line\nTry \"help {0}\" for more information\n",
                       command);
  }
  if (words.empty() && needed) {
    return fmt::format("{0}: string expected\nTry \"help {0}\" for more information\n", command);
  }
  if (!words.empty()) word = words[0];
  return {};
}

}  // namespace

std::string monitor_savevm(MonitorContext& context, std::string_view arguments) {
  std::string name;
  if (std::string wrong = one_word("savevm", arguments, name, false); !wrong.empty()) return wrong;
  const i64 now = static_cast<i64>(std::time(nullptr));
  if (name.empty()) name = local_time(now, "vm-%Y%m%d%H%M%S");
  auto store = StateStore::of(context.machine);
  if (!store) return failed(store.error());
  const StandStill still(context.machine);
  const Status done = store->save(name, now, progress_of(context));
  return done ? std::string() : failed(done.error());
}

std::string monitor_loadvm(MonitorContext& context, std::string_view arguments) {
  std::string name;
  if (std::string wrong = one_word("loadvm", arguments, name, true); !wrong.empty()) return wrong;
  auto store = StateStore::of(context.machine);
  if (!store) return failed(store.error());
  const StandStill still(context.machine);
  const Status done = store->load(name);
  return done ? std::string() : failed(done.error());
}

std::string monitor_delvm(MonitorContext& context, std::string_view arguments) {
  std::string name;
  if (std::string wrong = one_word("delvm", arguments, name, true); !wrong.empty()) return wrong;
  auto store = StateStore::of(context.machine);
  if (!store) return failed(store.error());
  const Status done = store->remove(name);
  return done ? std::string() : failed(done.error());
}

std::string info_snapshots(MonitorContext& context, std::string_view) {
  auto store = StateStore::of(context.machine);
  if (!store) return store.error().message + "\n";
  auto states = store->list();
  if (!states) return states.error().message + "\n";
  if (states->empty()) return "There is no snapshot available.\n";
  std::string out = "List of snapshots present on all disks:\n";
  out += fmt::format("{:<10}{:<17}{:>8}{:>20}{:>13}{:>11}\n", "ID", "TAG", "VM SIZE", "DATE", "VM CLOCK", "ICOUNT");
  for (const SavedState& s : *states) {
    const u64 seconds = s.clock_ns / 1'000'000'000;
    const std::string clock = fmt::format("{:02}:{:02}:{:02}.{:03}", seconds / 3600, seconds / 60 % 60, seconds % 60,
                                          s.clock_ns / 1'000'000 % 1000);
    out += fmt::format("{:<9} {:<16} {:>8}{:>20}{:>13}{:>11}\n", "--", s.name, human_size(s.bytes),
                       local_time(s.date, "%Y-%m-%d %H:%M:%S"), clock, s.count ? std::to_string(*s.count) : "");
  }
  return out;
}

std::string monitor_migrate(MonitorContext& context, std::string_view arguments) {
  auto words = monitor_words(arguments);
  // It is over within a second or so: nothing is gained by waiting for it elsewhere.
  if (!words.empty() && words[0] == "-d") words.erase(words.begin());
  if (words.size() != 1) return "migrate: [-d] uri expected\n";
  if (words[0].starts_with('-')) return fmt::format("migrate: unknown option '{}'; there is -d\n", words[0]);
  Machine& machine = context.machine;
  StandStill still(machine);
  const auto begin = HostClock::now();
  u64 sent = 0;
  for (const BlockDevice& drive : machine.pc().block_devices()) {
    if (!drive.image) continue;
    if (Status s = drive.image->flush(); !s) return failed(s.error());
  }
  const Status done = send_state(words[0], [&](StateWriter& out) {
    const Status saved = machine.save_state(out, {}, progress_of(context));
    sent = out.written();
    return saved;
  });
  const auto ms = std::chrono::duration_cast<std::chrono::milliseconds>(HostClock::now() - begin).count();
  context.migrated = fmt::format("Migration status: {}\n", done ? "completed" : "failed");
  if (!done) return failed(done.error());
  context.migrated +=
      fmt::format("total time: {0} ms\ndowntime: {0} ms\ntransferred ram: {1} kbytes\ntotal ram: {2} kbytes\n", ms,
                  sent >> 10, machine.pc().ram->size() >> 10);
  still.end(Machine::RunState::kPostMigrate);
  return {};
}

std::string monitor_migrate_incoming(MonitorContext& context, std::string_view arguments) {
  std::string uri;
  if (std::string wrong = one_word("migrate_incoming", arguments, uri, true); !wrong.empty()) return wrong;
  if (context.machine.run_state() != Machine::RunState::kInMigrate || !context.receive) {
    return "Error: 'migrate_incoming' needs -incoming defer, once\n";
  }
  const Status done = context.receive(uri);
  return done ? std::string() : failed(done.error());
}

std::string info_migrate(MonitorContext& context, std::string_view) { return context.migrated; }

}  // namespace xlat
