// Messages, sizes, tables: said as qemu-img says them, so that scripts that read it read us.
#include <fmt/printf.h>

#include <algorithm>
#include <cstdio>
#include <ctime>

#include "base/spelling.h"
#include "base/suboptions.h"
#include "block/create_image.h"
#include "img/commands.h"

namespace xlat::img {

namespace {

struct Command {
  std::string_view name, arguments;
  int (*run)(const Words&);
};

constexpr Command kCommands[] = {
    {"check", "[-q] [-f fmt] [--output=ofmt] [-r [leaks | all]] [-U] filename", check},
    {"commit", "[-q] [-f fmt] [-b base] [-d] [-p] filename", commit},
    {"compare", "[-f fmt] [-F fmt] [-p] [-q] [-s] [-U] filename1 filename2", compare},
    {"convert",
     "[--target-is-zero] [-U] [-c] [-p] [-q] [-n] [-f fmt] [-O output_fmt] [-B backing_file [-F backing_fmt]] [-o "
     "options] "
     "[-l snapshot_param] [-S sparse_size] filename [filename2 [...]] output_filename",
     convert},
    {"create", "[-q] [-f fmt] [-b backing_file [-F backing_fmt]] [-u] [-o options] filename [size]", create},
    {"info", "[-f fmt] [--output=ofmt] [--backing-chain] [-U] filename", info},
    {"map", "[-f fmt] [--start-offset=offset] [--max-length=len] [--output=ofmt] [-U] filename", map},
    {"measure", "[--output=ofmt] [-O output_fmt] [-o options] [--size N | [-f fmt] [-l snapshot_param] filename]",
     measure},
    {"rebase", "[-U] [-q] [-f fmt] [-p] [-u] -b backing_file [-F backing_fmt] filename", rebase},
    {"resize", "[-f fmt] [--preallocation=prealloc] [-q] [--shrink] filename [+ | -]size", resize},
    {"snapshot", "[-U] [-q] [-l | -a snapshot | -c snapshot | -d snapshot] filename", snapshot},
};

int help() {
  std::string text =
      "xlat-img version 0.1\nusage: xlat-img [standard options] command [command options]\nxlat disk image utility\n\n"
      "    '-h', '--help'       display this help and exit\n"
      "    '-V', '--version'    output version information and exit\n\nCommand syntax:\n";
  for (const Command& command : kCommands) text += fmt::format("  {} {}\n", command.name, command.arguments);
  text += "\nCommands, options and output are qemu-img's; docs/disks.md says what differs.\n\nSupported formats: ";
  text += image_driver_names() + "\n";
  std::fputs(text.c_str(), stdout);
  return 0;
}

}  // namespace

int run(const Words& words) {
  if (words.empty()) return fail_usage("Not enough arguments");
  const std::string& first = words[0];
  if (first == "-h" || first == "--help") return help();
  if (first == "-V" || first == "--version") {
    std::puts("xlat-img version 0.1");
    return 0;
  }
  for (const Command& command : kCommands) {
    if (command.name != first) continue;
    for (const std::string& word : words) {
      if (word == "-h" || word == "--help") return help();
    }
    return command.run({words.begin() + 1, words.end()});
  }
  if (first.starts_with('-')) return fail_usage(fmt::format("unrecognized option '{}'", first));
  return fail_usage(fmt::format("Command not found: {}", first));
}

int fail(const std::string& message) {
  std::fflush(stdout);
  std::fprintf(stderr, "xlat-img: %s\n", message.c_str());
  return 1;
}

int fail_usage(const std::string& message) { return fail(message + "\nTry 'xlat-img --help' for more information"); }

std::string plain(const Error& e, const std::string& file) {
  std::string text = e.message;
  const std::string own = fmt::format("'{}': ", file);
  if (text.starts_with(own)) text.erase(0, own.size());
  constexpr std::string_view kOurs = "cannot open image";
  if (const auto at = text.find(kOurs); at != std::string::npos) {
    text.replace(at, kOurs.size(), "Could not open");
    // Without the advice that is given for a machine's drives.
    if (const auto advice = text.find("; "); advice != std::string::npos) text.erase(advice);
    for (const std::string_view purpose : {" for reading", " for writing"}) {
      if (const auto found = text.find(purpose); found != std::string::npos) text.erase(found, purpose.size());
    }
  }
  return text;
}

ImageSpec spec_of(const Arguments& arguments, const std::string& file, const std::string& format,
                  const char* options_switch) {
  if (!arguments.has(options_switch)) return {.file = file, .format = format};
  ImageSpec spec{.file = {}, .format = format};
  for (const SubOption& part : split_suboptions(file)) spec.options[part.name] = part.value;
  return spec;
}

std::unique_ptr<BlockImage> open_or_fail(const Arguments& arguments, const std::string& file, const std::string& format,
                                         ImageAccess access, OpenFlags flags) {
  if (!format.empty() && !find_image_driver(format) && format != "vhd") {
    fail(fmt::format("Could not open '{}': Unknown driver '{}'", file, format));
    return nullptr;
  }
  flags.lock = !arguments.has("U");
  const ImageSpec spec = spec_of(arguments, file, format);
  auto image = open_image(spec, access, flags);
  if (!image) {
    fail(fmt::format("Could not open '{}': {}", file, plain(image.error(), file)));
    return nullptr;
  }
  const bool guessed = format.empty() && !spec.options.contains("driver") && (*image)->format() == "raw";
  if (guessed && access == ImageAccess::kReadWrite && protocol_of(file).empty()) {
    std::fprintf(
        stderr,
        "WARNING: Image format was not specified for '%s' and probing guessed raw.\n"
        "         Automatically detecting the format is dangerous for raw images, write operations on block 0 will "
        "be restricted.\n"
        "         Specify the 'raw' format explicitly to remove the restrictions.\n",
        file.c_str());
  }
  return std::move(*image);
}

std::optional<u64> size_or_fail(const std::string& text) {
  const std::string_view number = text.ends_with('b') ? std::string_view(text).substr(0, text.size() - 1) : text;
  auto size = parse_size(number, 1);
  if (!size && (number.ends_with('P') || number.ends_with('E'))) {
    // Larger suffixes than memory needs.
    if (const auto n = parse_number(number.substr(0, number.size() - 1))) {
      const unsigned shift = number.ends_with('P') ? 50 : 60;
      if (*n < (u64{1} << (63 - shift))) size = *n << shift;
    }
  }
  if (size && *size <= ~u64{0} >> 1) return size;
  if (size || number.ends_with('E')) {
    fail("Invalid image size specified. Must be between 0 and 9223372036854775807.");
    return std::nullopt;
  }
  fail(
      "Invalid image size specified. You may use k, M, G, T, P or E suffixes for\n"
      "xlat-img: kilobytes, megabytes, gigabytes, terabytes, petabytes and exabytes.");
  return std::nullopt;
}

std::optional<ImageOptions> options_or_fail(const Arguments& arguments) {
  ImageOptions options;
  for (const std::string& text : arguments.all("o")) {
    if (text.empty() || text.starts_with(',') || (text.ends_with(',') && !text.ends_with(",,"))) {
      fail(fmt::format("Invalid option list: {}", text));
      return std::nullopt;
    }
    for (const SubOption& part : split_suboptions(text)) {
      options[part.name] = part.has_value ? part.value : "on";
    }
  }
  return options;
}

bool help_for_options(const Arguments& arguments, const ImageDriver& driver) {
  const auto asked = arguments.all("o");
  const auto is_help = [](const std::string& text) {
    const auto parts = split_suboptions(text);
    return std::any_of(parts.begin(), parts.end(),
                       [](const SubOption& p) { return p.name == "help" || p.name == "?"; });
  };
  if (std::none_of(asked.begin(), asked.end(), is_help)) return false;
  std::vector<const CreateOption*> sorted;
  for (const CreateOption& option : driver.options) sorted.push_back(&option);
  std::sort(sorted.begin(), sorted.end(), [](const auto* a, const auto* b) { return a->name < b->name; });
  std::printf("Supported %s options:\n", std::string(driver.name).c_str());
  static constexpr const char* kKinds[] = {"str", "size", "num", "bool (on/off)"};
  for (const CreateOption* option : sorted) {
    const std::string head = fmt::format("{}=<{}>", option->name, kKinds[static_cast<unsigned>(option->kind)]);
    std::puts(fmt::format("  {:<22} - {}", head, option->help).c_str());
  }
  return true;
}

int create_and_say(const std::string& format, CreateRequest request, bool quiet) {
  const ImageDriver* driver = find_image_driver(format);
  if (!driver) return fail(fmt::format("{}: Unknown file format '{}'", request.path, format));
  if (!driver->create) return fail(fmt::format("Format driver '{}' does not support image creation", format));
  std::string line = fmt::format("Formatting '{}', fmt={}", request.path, format);
  for (const CreateOption& option : driver->options) {
    std::string value(option.otherwise);
    const auto given = request.options.find(option.name);
    if (given != request.options.end()) {
      value = given->second;
      if (option.kind == CreateOption::Kind::kSize) value = fmt::format("{}", parse_size(value, 1).value_or(0));
      if (option.kind == CreateOption::Kind::kSwitch) value = parse_switch(value).value_or(false) ? "on" : "off";
    }
    if (option.name == "size") value = fmt::format("{}", request.bytes);
    if (option.name == "backing_file") value = request.backing_file;
    if (option.name == "backing_fmt") value = request.backing_format;
    if (!value.empty()) line += fmt::format(" {}={}", option.name, value);
  }
  for (const auto& [name, value] : request.options) {
    if (!find_create_option(*driver, name)) return fail(fmt::format("{}: Invalid parameter '{}'", request.path, name));
  }
  if (!request.backing_file.empty() && !driver->has_backing) {
    return fail(fmt::format("{}: Backing file not supported for file format '{}'", request.path, format));
  }
  if (!quiet) std::puts(line.c_str());
  if (Status s = create_image(format, request); !s) {
    return fail(fmt::format("{}: {}", request.path, plain(s.error(), request.path)));
  }
  return 0;
}

std::string readable_size(u64 bytes) {
  static constexpr const char* kSuffixes[] = {"", "Ki", "Mi", "Gi", "Ti", "Pi", "Ei"};
  // From 1000 on it is written in the next larger unit.
  unsigned n = 0;
  double value = static_cast<double>(bytes);
  for (; value >= 1000 && n < 6; ++n) value /= 1024;
  return fmt::format("{} {}B", fmt::sprintf("%0.3g", value), kSuffixes[n]);
}

std::optional<bool> wants_json(const Arguments& arguments) {
  const std::string output = arguments.get("output", "human");
  if (output == "json" || output == "human") return output == "json";
  fail("--output must be used with human or json as argument.");
  return std::nullopt;
}

std::string json_text(std::string_view text) {
  std::string out = "\"";
  for (const char c : text) {
    if (c == '"' || c == '\\') {
      out += '\\';
      out += c;
    } else if (c == '\n') {
      out += "\\n";
    } else if (c == '\t') {
      out += "\\t";
    } else if (static_cast<unsigned char>(c) < 0x20 || c == 0x7f) {
      out += fmt::format("\\u{:04x}", static_cast<unsigned char>(c));
    } else {
      out += c;
    }
  }
  return out + "\"";
}

std::string snapshot_table(const std::vector<SnapshotInfo>& snapshots) {
  std::string out =
      fmt::format("{:<9} {:<16} {:>8}{:>20}{:>13}{:>11}\n", "ID", "TAG", "VM SIZE", "DATE", "VM CLOCK", "ICOUNT");
  for (const SnapshotInfo& s : snapshots) {
    const std::time_t when = s.date_seconds;
    std::tm parts{};
    localtime_r(&when, &parts);
    char date[32];
    std::strftime(date, sizeof date, "%Y-%m-%d %H:%M:%S", &parts);
    const u64 seconds = s.vm_clock_ns / 1'000'000'000;
    const std::string clock = fmt::format("{:02}:{:02}:{:02}.{:03}", seconds / 3600, seconds / 60 % 60, seconds % 60,
                                          s.vm_clock_ns / 1'000'000 % 1000);
    const std::string icount = s.icount == ~u64{0} ? "" : fmt::format("{}", s.icount);
    out += fmt::format("{:<9} {:<16} {:>8}{:>20}{:>13}{:>11}\n", s.id, s.name, readable_size(s.vm_state_bytes), date,
                       clock, icount);
  }
  return out;
}

Progress::Progress(bool shown) : shown_(shown) { tell(0); }

Progress::~Progress() {
  if (shown_) std::fputs("\n", stdout);
}

void Progress::tell(double part) {
  const double percent = part * 100;
  if (!shown_ || (percent < told_ + 1 && percent != 100)) return;
  told_ = percent;
  std::printf("    (%3.2f/100%%)\r", percent);
  std::fflush(stdout);
}

}  // namespace xlat::img
