// Counting how often each cluster is used, and comparing with what the refcounts say.
#include <algorithm>
#include <unordered_map>

#include "base/bits.h"
#include "block/formats/qcow2/image.h"

namespace xlat::qcow2 {

class Image::Checker {
 public:
  Checker(Image& image, CheckReport& report, Repair repair) : image_(image), report_(report), repair_(repair) {}

  Status run() {
    const u64 cluster = image_.cluster_bytes();
    Header& h = image_.header_;
    file_bytes_ = image_.file_->size();
    report_.total_clusters = (image_.size() + cluster - 1) / cluster;
    count(0, cluster, 1);
    count_l1(h.l1_offset, image_.l1_, true);
    for (const Snapshot& snapshot : image_.snapshots_) {
      auto l1 = image_.read_l1(snapshot.l1_offset, snapshot.l1_entries);
      if (!l1) {
        wrong(fmt::format("ERROR snapshot {} ({}) l1_offset={:#x}: {}", snapshot.info.id, snapshot.info.name,
                          snapshot.l1_offset, l1.error().message));
        continue;
      }
      count_l1(snapshot.l1_offset, *l1, false);
    }
    for (const auto& [offset, uses] : l2_tables_) {
      if (Status s = count_l2(offset, uses); !s) return s;
    }
    count(h.snapshots_offset, image_.snapshots_bytes_, 1);
    count(h.refcount_table_offset, h.refcount_table_clusters * cluster, 1);
    for (u64 n = 0; n < image_.refcount_table_.size(); ++n) {
      u64& block = image_.refcount_table_[n];
      if (block == 0) continue;
      if (block % cluster || block >= file_bytes_) {
        wrong(fmt::format(
            "ERROR refcount block {} {}", n,
            block % cluster ? "is not cluster aligned; refcount table entry corrupted" : "is outside image"));
        if (repair_ == Repair::kAll) {
          block = 0;
          image_.refcount_table_changed_ = true;
        }
        continue;
      }
      count(block, cluster, 1);
    }
    if (Status s = compare(); !s) return s;
    return check_flags();
  }

 private:
  static constexpr u64 kPage = 4096;

  void wrong(std::string line) {
    ++report_.corruptions;
    say(std::move(line));
  }
  void say(std::string line) {
    constexpr std::size_t kMostLines = 100'000;
    if (report_.lines.size() < kMostLines) report_.lines.push_back(std::move(line));
  }

  void count(u64 offset, u64 bytes, u64 times) {
    const u64 cluster = image_.cluster_bytes();
    if (bytes == 0) return;
    if (offset + bytes > file_bytes_ + cluster - 1) {
      return wrong(
          fmt::format("ERROR: counting reference for region exceeding the end of the file by one cluster or more: "
                      "offset {:#x} size {:#x}",
                      offset, bytes));
    }
    for (u64 n = offset / cluster; n <= (offset + bytes - 1) / cluster; ++n) {
      auto& page = used_[n / kPage];
      if (page.empty()) page.resize(kPage);
      page[n % kPage] += times;
      last_ = std::max(last_, n + 1);
    }
  }
  u64 used(u64 n) const {
    const auto page = used_.find(n / kPage);
    return page == used_.end() ? 0 : page->second[n % kPage];
  }

  void count_l1(u64 offset, const L1& l1, bool active) {
    count(offset, l1.size() * 8, 1);
    for (const u64 entry : l1) {
      const u64 at = entry & kOffsetMask;
      if (at == 0) continue;
      if (at % image_.cluster_bytes()) {
        wrong(fmt::format("ERROR l2_offset={:x}: Table is not cluster aligned; L1 entry corrupted", at));
        continue;
      }
      count(at, image_.cluster_bytes(), 1);
      if (at >= file_bytes_) continue;
      Uses& uses = l2_tables_[at];
      ++uses.all;
      uses.active += active;
    }
  }

  struct Uses {
    u64 all = 0, active = 0;
  };

  // A table that several L1 tables share is looked at once.
  Status count_l2(u64 offset, Uses uses) {
    const auto table = image_.l2_.get(*image_.file_, offset);
    if (!table) return table.error();
    u64 last_end = 0;
    for (u64 n = 0; n < image_.l2_entries(); ++n) {
      const u64 entry = load_be<u64>(&table.value()[n * 8]);
      const Kind kind = image_.kind_of(entry);
      if (kind == Kind::kCompressed) {
        const Packed where = image_.packed(entry);
        if (entry & kFlagCopied)
          wrong(
              fmt::format("ERROR: coffset={:#x}: copied flag must never be set for compressed clusters", where.offset));
        count(where.offset, where.bytes, uses.all);
        if (uses.active) {
          ++report_.allocated_clusters;
          ++report_.compressed_clusters;
          // Compressed clusters are fragmented by their nature, as they share clusters of the file.
          ++report_.fragmented_clusters;
        }
        continue;
      }
      const u64 at = entry & kOffsetMask;
      if (at == 0) continue;
      if (at % image_.cluster_bytes()) {
        wrong(fmt::format("ERROR offset={:x}: Cluster is not properly aligned; L2 entry corrupted.", at));
        continue;
      }
      if (uses.active) {
        ++report_.allocated_clusters;
        if (last_end != 0 && last_end != at) ++report_.fragmented_clusters;
        last_end = at + image_.cluster_bytes();
      }
      count(at, image_.cluster_bytes(), uses.all);
    }
    return {};
  }

  Status compare() {
    const u64 cluster = image_.cluster_bytes(), clusters = std::max((file_bytes_ + cluster - 1) / cluster, last_);
    for (u64 n = 0; n < clusters;) {
      // Where there is no refcount block nothing is counted.
      const u64 block = n / image_.block_entries();
      const bool counted = block < image_.refcount_table_.size() && image_.refcount_table_[block] != 0;
      if (!counted && !used_.contains(n / kPage)) {
        n = (n / kPage + 1) * kPage;
        continue;
      }
      if (Status s = compare(n); !s) return s;
      ++n;
    }
    report_.end_offset = std::max(report_.end_offset, last_ * cluster);
    return {};
  }

  Status compare(u64 n) {
    const u64 right = used(n);
    const auto said = image_.references(n);
    if (!said) {
      ++report_.errors;
      say(fmt::format("Can't get refcount for cluster {}: {}", n, said.error().message));
      return {};
    }
    if (said.value() != 0) report_.end_offset = (n + 1) * image_.cluster_bytes();
    if (said.value() == right) return {};
    const bool leak = said.value() > right, fix = repair_ == Repair::kAll || (leak && repair_ == Repair::kLeaks);
    say(fmt::format("{} cluster {} refcount={} reference={}",
                    fix    ? "Repairing"
                    : leak ? "Leaked"
                           : "ERROR",
                    n, said.value(), right));
    ++(leak ? report_.leaks : report_.corruptions);
    if (!fix) return {};
    if (Status s = give_block(n); !s) return s;
    if (Status s = image_.set_references(n, right); !s) return s;
    ++(leak ? report_.leaks_fixed : report_.corruptions_fixed);
    return {};
  }

  // A refcount block that was lost is made again, in a cluster that it counts and that nobody uses.
  Status give_block(u64 n) {
    const u64 block = n / image_.block_entries();
    while (block >= image_.refcount_table_.size()) {
      if (Status s = image_.grow_refcount_table(block + 1); !s) return s;
    }
    if (image_.refcount_table_[block] != 0) return {};
    for (u64 k = block * image_.block_entries(); k < (block + 1) * image_.block_entries(); ++k) {
      if (used(k) == 0) return image_.add_block(block, k);
    }
    return image_.damaged("there is no room for a refcount block where one is missing");
  }

  // "Copied" must say of every cluster in use whether it is used once.
  Status check_flags() {
    const auto look = [this](const char* what, u64 entry, u64 at) {
      const u64 uses = used(at / image_.cluster_bytes());
      const auto said = image_.references(at / image_.cluster_bytes());
      const u64 n = said ? said.value() : uses;
      if ((n == 1) == ((entry & kFlagCopied) != 0)) return false;
      wrong(fmt::format("{} OFLAG_COPIED {}={:x} refcount={}", repair_ == Repair::kAll ? "Repairing" : "ERROR", what,
                        entry, n));
      return true;
    };
    u64 found = 0;
    for (const u64 l1_entry : image_.l1_) {
      const u64 at = l1_entry & kOffsetMask;
      if (at == 0 || at % image_.cluster_bytes() || at >= file_bytes_) continue;
      found += look("L2 cluster: l1_entry", l1_entry, at);
      const auto table = image_.l2_.get(*image_.file_, at);
      if (!table) return table.error();
      for (u64 n = 0; n < image_.l2_entries(); ++n) {
        const u64 entry = load_be<u64>(&table.value()[n * 8]);
        if ((entry & kFlagCompressed) || !(entry & kOffsetMask) || (entry & kOffsetMask) % image_.cluster_bytes())
          continue;
        found += look("data cluster: l2_entry", entry, entry & kOffsetMask);
      }
    }
    if (found == 0 || repair_ != Repair::kAll) return {};
    report_.corruptions_fixed += found;
    return image_.set_copied_flags();
  }

  Image& image_;
  CheckReport& report_;
  Repair repair_;
  u64 file_bytes_ = 0, last_ = 0;
  std::unordered_map<u64, std::vector<u64>> used_;
  std::map<u64, Uses> l2_tables_;
};

Result<CheckReport> Image::check(Repair repair) {
  if (repair != Repair::kNone && read_only_) return error("'{}' is open read-only and cannot be repaired", path());
  if (Status s = flush(); !s) return s.error();  // what waits to be given back is no leak
  CheckReport report;
  if (Status s = Checker(*this, report, repair).run(); !s) return s.error();
  if (repair == Repair::kNone) return report;
  if (Status s = flush(); !s) return s.error();
  const bool whole = report.corruptions == report.corruptions_fixed && report.errors == 0;
  const u64 marks = repair == Repair::kAll ? u64{kDirty | kCorrupt} : u64{kDirty};
  if (whole && (header_.incompatible & marks)) {
    if (Status s = write_refcounts(); !s) return s.error();
    header_.incompatible &= ~marks;
    u8 field[8];
    store_be<u64>(field, header_.incompatible);
    if (Status s = write_field(kIncompatibleAt, field); !s) return s.error();
  }
  return report;
}

}  // namespace xlat::qcow2
