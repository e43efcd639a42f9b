// check
#include <cstdio>

#include "img/commands.h"

namespace xlat::img {

namespace {

std::string human(const CheckReport& r) {
  std::string out;
  if (r.corruptions + r.leaks + r.errors == 0) out += "No errors were found on the image.\n";
  if (r.corruptions) {
    out += fmt::format(
        "\n{} errors were found on the image.\n"
        "Data may be corrupted, or further writes to the image may corrupt it.\n",
        r.corruptions);
  }
  if (r.leaks) {
    out += fmt::format(
        "\n{} leaked clusters were found on the image.\nThis means waste of disk space, but no harm to data.\n",
        r.leaks);
  }
  if (r.errors) out += fmt::format("\n{} internal errors have occurred during the check.\n", r.errors);
  if (r.total_clusters && r.allocated_clusters) {
    const auto percent = [](u64 n, u64 of) { return 100.0 * static_cast<double>(n) / static_cast<double>(of); };
    out += fmt::format("{}/{} = {:.2f}% allocated, {:.2f}% fragmented, {:.2f}% compressed clusters\n",
                       r.allocated_clusters, r.total_clusters, percent(r.allocated_clusters, r.total_clusters),
                       percent(r.fragmented_clusters, r.allocated_clusters),
                       percent(r.compressed_clusters, r.allocated_clusters));
  }
  if (r.end_offset) out += fmt::format("Image end offset: {}\n", r.end_offset);
  return out;
}

// Keys in the order in which qemu-img has them.
std::string json(const CheckReport& r, const std::string& file, std::string_view format) {
  std::string out = "{\n";
  const auto put = [&out](std::string_view key, u64 n, bool always = false) {
    if (n || always) out += fmt::format("    \"{}\": {},\n", key, n);
  };
  put("image-end-offset", r.end_offset);
  put("leaks-fixed", r.leaks_fixed);
  put("corruptions-fixed", r.corruptions_fixed);
  put("total-clusters", r.total_clusters);
  put("check-errors", r.errors, true);
  put("fragmented-clusters", r.fragmented_clusters);
  put("allocated-clusters", r.allocated_clusters);
  out += fmt::format("    \"filename\": {},\n", json_text(file));
  put("compressed-clusters", r.compressed_clusters);
  put("corruptions", r.corruptions);
  put("leaks", r.leaks);
  return out + fmt::format("    \"format\": {}\n}}\n", json_text(format));
}

}  // namespace

int check(const Words& words) {
  const Arguments a(words, "f:r:T:qU", {"output=", "repair=", "image-opts", "force-share"});
  if (!a.wrong().empty()) return fail_usage(a.wrong());
  Repair repair = Repair::kNone;
  const std::string what = a.get("r", a.get("repair"));
  if (what == "leaks") {
    repair = Repair::kLeaks;
  } else if (what == "all") {
    repair = Repair::kAll;
  } else if (!what.empty()) {
    return fail_usage(fmt::format("Unknown option value for -r (expecting 'leaks' or 'all'): {}", what));
  }
  if (a.files().size() != 1) return fail_usage("Expecting one image file name");
  const auto as_json = wants_json(a);
  if (!as_json) return 1;
  const std::string& file = a.files()[0];
  const ImageAccess access = repair == Repair::kNone ? ImageAccess::kReadOnly : ImageAccess::kReadWrite;
  auto image = open_or_fail(a, file, a.get("f"), access, {.backing = false, .repair = true});
  if (!image) return 1;
  constexpr int kUnsupported = 63;
  auto report = image->check(repair);
  if (!report) {
    if (report.error().message != "This image format does not support checks") return fail(report.error().message);
    if (!*as_json) fail(report.error().message);
    return kUnsupported;
  }
  for (const std::string& line : report->lines) {
    if (!a.has("q")) std::fprintf(stderr, "%s\n", line.c_str());
  }
  if (report->corruptions_fixed + report->leaks_fixed > 0) {
    const CheckReport first = *report;
    if (!*as_json && !a.has("q")) {
      std::printf(
          "The following inconsistencies were found and repaired:\n\n    %llu leaked clusters\n    %llu corruptions\n\n"
          "Double checking the fixed image now...\n",
          static_cast<unsigned long long>(first.leaks_fixed), static_cast<unsigned long long>(first.corruptions_fixed));
    }
    report = image->check(Repair::kNone);
    if (!report) return fail(report.error().message);
    report->leaks_fixed = first.leaks_fixed;
    report->corruptions_fixed = first.corruptions_fixed;
  }
  if (!a.has("q")) {
    std::fputs((*as_json ? json(*report, file, image->format()) : human(*report)).c_str(), stdout);
  }
  return report->errors ? 1 : report->corruptions ? 2 : report->leaks ? 3 : 0;
}

}  // namespace xlat::img
