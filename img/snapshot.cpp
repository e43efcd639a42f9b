// snapshot
#include <cstdio>
#include <ctime>

#include "img/commands.h"

namespace xlat::img {

namespace {

bool is_there(const SnapshotStore& store, const std::string& which) {
  for (const SnapshotInfo& s : store.list()) {
    if (s.id == which || s.name == which) return true;
  }
  return false;
}

}  // namespace

int snapshot(const Words& words) {
  const Arguments a(words, "la:c:d:qU", {"image-opts", "force-share"});
  if (!a.wrong().empty()) return fail_usage(a.wrong());
  if (a.has("l") + a.has("a") + a.has("c") + a.has("d") > 1) {
    return fail_usage("Cannot mix '-l', '-a', '-c', '-d'");
  }
  if (a.files().size() != 1) return fail_usage("Expecting one image file name");
  const bool changes = a.has("a") || a.has("c") || a.has("d");
  auto image = open_or_fail(a, a.files()[0], "", changes ? ImageAccess::kReadWrite : ImageAccess::kReadOnly);
  if (!image) return 1;
  SnapshotStore* store = image->snapshots();
  if (!changes) {
    if (store && !store->list().empty())
      std::fputs(("Snapshot list:\n" + snapshot_table(store->list())).c_str(), stdout);
    return 0;
  }
  const std::string which = a.get("a", a.get("c", a.get("d")));
  if (a.has("c")) {
    if (!store) return fail(fmt::format("Could not create snapshot '{}': -95 (Operation not supported)", which));
    std::timespec now{};
    std::timespec_get(&now, TIME_UTC);
    const Status made = store->create({.name = which,
                                       .date_seconds = static_cast<u32>(now.tv_sec),
                                       .date_nanoseconds = static_cast<u32>(now.tv_nsec),
                                       .icount = 0},
                                      {});
    return made ? 0 : fail(fmt::format("Could not create snapshot '{}': {}", which, made.error().message));
  }
  if (a.has("a")) {
    const std::string head = fmt::format("Could not apply snapshot '{}'", which);
    if (!store) return fail(head + ": Block format does not support internal snapshots");
    if (!is_there(*store, which)) return fail(head + ": Failed to load snapshot: No such file or directory");
    const Status done = store->apply(which);
    return done ? 0 : fail(fmt::format("{}: {}", head, done.error().message));
  }
  const std::string head = fmt::format("Could not delete snapshot '{}'", which);
  if (!store || !is_there(*store, which)) return fail(head + ": snapshot not found");
  const Status done = store->remove(which);
  return done ? 0 : fail(fmt::format("{}: {}", head, done.error().message));
}

}  // namespace xlat::img
