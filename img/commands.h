// What the commands share, and their functions by file.
#pragma once

#include <map>
#include <string>
#include <vector>

#include "block/open_image.h"

namespace xlat::img {

using Words = std::vector<std::string>;

// Runs a command line without the program's name; returns the exit status.
int run(const Words& words);

// A command line that is taken apart as getopt does.
class Arguments {
 public:
  // `letters` as for getopt: "f:O:pq"; `names`: of long options, with '=' behind those that have an argument.
  Arguments(const Words& words, std::string_view letters, std::vector<std::string_view> names);

  bool has(const std::string& option) const { return options_.contains(option); }
  // The last one counts; `otherwise` if there is none.
  std::string get(const std::string& option, std::string otherwise = {}) const;
  std::vector<std::string> all(const std::string& option) const;
  const Words& files() const { return files_; }
  // Empty if all is well.
  const std::string& wrong() const { return wrong_; }

 private:
  void take_long(const Words& words, std::size_t& n, const std::vector<std::string_view>& names);
  void take_short(const Words& words, std::size_t& n, std::string_view letters);

  std::map<std::string, std::vector<std::string>> options_;  // "f", "output"
  Words files_;
  std::string wrong_;
};

// "xlat-img: ..." on stderr; returns 1.
int fail(const std::string& message);
// The same for a command line that is wrong.
int fail_usage(const std::string& message);

// Where QEMU would say it so.
std::string plain(const Error& e, const std::string& file);
// Says what is wrong and returns null.
std::unique_ptr<BlockImage> open_or_fail(const Arguments& arguments, const std::string& file, const std::string& format,
                                         ImageAccess access, OpenFlags flags = {});
// A file name and a format, or options if --image-opts is given.
ImageSpec spec_of(const Arguments& arguments, const std::string& file, const std::string& format,
                  const char* options_switch = "image-opts");
// A size with its suffix; nothing after a message.
std::optional<u64> size_or_fail(const std::string& text);
// -o of every occurrence, one map. Nothing after a message.
std::optional<ImageOptions> options_or_fail(const Arguments& arguments);
// True after help was printed.
bool help_for_options(const Arguments& arguments, const ImageDriver& driver);
// "Formatting ..." and the file.
int create_and_say(const std::string& format, CreateRequest request, bool quiet);
// "10 MiB"
std::string readable_size(u64 bytes);
// --output=; nothing after a message.
std::optional<bool> wants_json(const Arguments& arguments);
std::string json_text(std::string_view text);
std::string snapshot_table(const std::vector<SnapshotInfo>& snapshots);

// -p: percents on one line.
class Progress {
 public:
  explicit Progress(bool shown);
  ~Progress();
  void tell(double part);

 private:
  bool shown_;
  double told_ = -1;
};

int create(const Words&);
int info(const Words&);
int check(const Words&);
int convert(const Words&);
int compare(const Words&);
int snapshot(const Words&);
int resize(const Words&);
int rebase(const Words&);
int commit(const Words&);
int map(const Words&);
int measure(const Words&);

}  // namespace xlat::img
