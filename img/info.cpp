// info
#include <algorithm>
#include <cstdio>

#include "block/storage.h"
#include "img/commands.h"

namespace xlat::img {

namespace {

std::string value_text(const ImageDetails::Value& value, bool json) {
  if (const bool* on = std::get_if<bool>(&value)) return *on ? "true" : "false";
  if (const u64* number = std::get_if<u64>(&value)) return fmt::format("{}", *number);
  const std::string& text = std::get<std::string>(value);
  return json ? json_text(text) : text;
}

std::string backing_path(const std::string& file, const ImageDetails& d) { return combine_paths(file, d.backing_file); }

std::string human(const std::string& file, BlockImage& image) {
  const ImageDetails d = image.details();
  std::string out =
      fmt::format("image: {}\nfile format: {}\nvirtual size: {} ({} bytes)\ndisk size: {}\n", file, image.format(),
                  readable_size(image.size()), image.size(), image.allocated_bytes() == kUnknownBytes ? "unavailable" : readable_size(image.allocated_bytes()));
  if (d.cluster_bytes) out += fmt::format("cluster_size: {}\n", d.cluster_bytes);
  if (d.dirty.value_or(false)) out += "cleanly shut down: no\n";
  if (!d.backing_file.empty()) {
    const std::string path = backing_path(file, d);
    out += fmt::format("backing file: {}{}\n", d.backing_file,
                       path == d.backing_file ? "" : fmt::format(" (actual path: {})", path));
    if (!d.backing_format.empty()) out += fmt::format("backing file format: {}\n", d.backing_format);
  }
  if (SnapshotStore* store = image.snapshots(); store && !store->list().empty()) {
    out += "Snapshot list:\n" + snapshot_table(store->list());
  }
  if (d.specific.empty()) return out;
  out += "Format specific information:\n";
  for (const auto& [name, value] : d.specific) out += fmt::format("    {}: {}\n", name, value_text(value, false));
  if (!d.parts.empty()) out += "    extents:\n";
  for (std::size_t n = 0; n < d.parts.size(); ++n) {
    const ImageDetails::Part& part = d.parts[n];
    out += fmt::format("        [{}]:\n", n);
    if (part.compressed) out += "            compressed: true\n";
    out += fmt::format("            virtual size: {}\n", part.virtual_bytes);
    out += fmt::format("            filename: {}\n", part.file);
    if (part.cluster_bytes) out += fmt::format("            cluster size: {}\n", part.cluster_bytes);
    out += fmt::format("            format: {}\n", part.format);
  }
  return out;
}

// Objects and lists, indented by four.
class Json {
 public:
  explicit Json(unsigned depth) : depth_(depth) {}
  void open(const std::string& key, char bracket) {
    begin(key);
    out_ += bracket;
    ++depth_;
    first_ = true;
  }
  void close(char bracket) {
    --depth_;
    newline();
    out_ += bracket;
    first_ = false;
  }
  void put(const std::string& key, const std::string& value) {
    begin(key);
    out_ += value;
  }
  const std::string& text() const { return out_; }

 private:
  void newline() { out_ += "\n" + std::string(depth_ * 4, ' '); }
  void begin(const std::string& key) {
    if (!out_.empty()) {
      if (!first_) out_ += ',';
      newline();
    }
    first_ = false;
    if (!key.empty()) out_ += json_text(key) + ": ";
  }
  std::string out_;
  unsigned depth_;
  bool first_ = true;
};

// Keys in the order in which qemu-img has them.
std::string json(const std::string& file, BlockImage& image, unsigned depth) {
  const ImageDetails d = image.details();
  const auto number = [](u64 n) { return fmt::format("{}", n); };
  Json j(depth);
  j.open("", '{');
  if (!d.backing_format.empty()) j.put("backing-filename-format", json_text(d.backing_format));
  if (SnapshotStore* store = image.snapshots(); store && !store->list().empty()) {
    j.open("snapshots", '[');
    for (const SnapshotInfo& s : store->list()) {
      j.open("", '{');
      if (s.icount != ~u64{0}) j.put("icount", number(s.icount));
      j.put("vm-clock-nsec", number(s.vm_clock_ns % 1'000'000'000));
      j.put("name", json_text(s.name));
      j.put("date-sec", number(s.date_seconds));
      j.put("date-nsec", number(s.date_nanoseconds));
      j.put("vm-clock-sec", number(s.vm_clock_ns / 1'000'000'000));
      j.put("id", json_text(s.id));
      j.put("vm-state-size", number(s.vm_state_bytes));
      j.close('}');
    }
    j.close(']');
  }
  j.put("virtual-size", number(image.size()));
  j.put("filename", json_text(file));
  if (d.cluster_bytes) j.put("cluster-size", number(d.cluster_bytes));
  j.put("format", json_text(image.format()));
  if (image.allocated_bytes() != kUnknownBytes) j.put("actual-size", number(image.allocated_bytes()));
  if (!d.specific.empty()) {
    j.open("format-specific", '{');
    j.put("type", json_text(image.format()));
    j.open("data", '{');
    for (auto [name, value] : d.specific) {
      for (char& c : name) c = c == ' ' ? '-' : c;
      j.put(name, value_text(value, true));
    }
    if (!d.parts.empty()) j.open("extents", '[');
    for (const ImageDetails::Part& part : d.parts) {
      j.open("", '{');
      if (part.compressed) j.put("compressed", "true");
      j.put("virtual-size", number(part.virtual_bytes));
      j.put("filename", json_text(part.file));
      if (part.cluster_bytes) j.put("cluster-size", number(part.cluster_bytes));
      j.put("format", json_text(part.format));
      j.close('}');
    }
    if (!d.parts.empty()) j.close(']');
    j.close('}');
    j.close('}');
  }
  if (!d.backing_file.empty()) {
    j.put("full-backing-filename", json_text(backing_path(file, d)));
    j.put("backing-filename", json_text(d.backing_file));
  }
  if (d.dirty) j.put("dirty-flag", *d.dirty ? "true" : "false");
  j.close('}');
  return j.text();
}

}  // namespace

int info(const Words& words) {
  const Arguments a(words, "f:U", {"output=", "backing-chain", "image-opts", "force-share"});
  if (!a.wrong().empty()) return fail_usage(a.wrong());
  if (a.files().size() != 1) return fail_usage("Expecting one image file name");
  const auto as_json = wants_json(a);
  if (!as_json) return 1;
  std::string out;
  std::string file = a.files()[0], format = a.get("f");
  std::vector<std::string> seen;
  for (unsigned n = 0; n == 0 || (a.has("backing-chain") && !file.empty()); ++n) {
    if (std::find(seen.begin(), seen.end(), file) != seen.end()) {
      return fail(fmt::format("Backing file '{}' creates an infinite loop.", file));
    }
    seen.push_back(file);
    auto image = open_or_fail(a, file, format, ImageAccess::kReadOnly, {.backing = false});
    if (!image) return 1;
    if (*as_json) {
      out += n ? "," : a.has("backing-chain") ? "[" : "";
      out += a.has("backing-chain") ? "\n    " + json(file, *image, 1) : json(file, *image, 0);
    } else {
      out += (n ? "\n" : "") + human(file, *image);
    }
    const ImageDetails d = image->details();
    file = d.backing_file.empty() ? std::string() : backing_path(file, d);
    format = d.backing_format;
  }
  if (*as_json) out += a.has("backing-chain") ? "\n]\n" : "\n";
  std::fputs(out.c_str(), stdout);
  return 0;
}

}  // namespace xlat::img
