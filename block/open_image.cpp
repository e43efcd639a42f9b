// Names become options, options become a file, a file's first bytes tell its format.
#include "block/open_image.h"

#include <algorithm>
#include <array>
#include <nlohmann/json.hpp>

#include "base/spelling.h"
#include "block/protocol.h"

namespace xlat {

namespace {

constexpr unsigned kMostDeep = 200;  // images based on images

// What is said of an image and changes nothing here.
constexpr std::string_view kTuning[] = {"cache.no-flush", "cache.writeback", "cache",     "discard",
                                        "detect-zeroes",  "auto-read-only",  "node-name", "aio",
                                        "copy-on-read",   "force-share",     "read-only"};

// But for this: whether the host's page cache is passed by. What is below does as what is above if nothing is said.
void drop_tuning(ImageOptions& options, bool& direct) {
  if (const auto said = take_option(options, "cache.direct")) direct = parse_switch(*said).value_or(false);
  for (const std::string_view name : kTuning) take_option(options, name);
}

void flatten(const nlohmann::json& json, const std::string& prefix, ImageOptions& to) {
  if (json.is_object()) {
    for (const auto& [name, value] : json.items()) flatten(value, prefix.empty() ? name : prefix + "." + name, to);
  } else if (json.is_array()) {
    for (std::size_t n = 0; n < json.size(); ++n) flatten(json[n], fmt::format("{}.{}", prefix, n), to);
  } else if (json.is_string()) {
    to[prefix] = json.get<std::string>();
  } else if (json.is_boolean()) {
    to[prefix] = json.get<bool>() ? "on" : "off";
  } else if (json.is_null()) {
    to[prefix] = "";
  } else {
    to[prefix] = json.dump();
  }
}

class Opener {
 public:
  Opener(ImageAccess access, OpenFlags flags) : access_(access), flags_(flags) {}

  // `options` of one image with those of what is below.
  Result<std::unique_ptr<BlockImage>> open(ImageOptions options, ImageAccess access, unsigned depth,
                                           bool direct = false) {
    if (depth > kMostDeep) return error("images are based on each other more than {} deep; is it a circle?", kMostDeep);
    if (Status s = take_json(options); !s) return s.error();
    const std::string driver = take_option(options, "driver").value_or("");
    drop_tuning(options, direct);
    ImageOptions backing = options_below(options, "backing.");
    const auto backing_name = take_option(options, "backing");
    std::erase_if(options, [](const auto& o) { return o.first.starts_with("backing."); });

    const ProtocolDriver* protocol = find_protocol(driver);
    const ImageDriver* format =
        protocol ? find_image_driver("raw") : find_image_driver(driver == "vhd" ? "vpc" : driver);
    if (!driver.empty() && !format) return error("Unknown driver '{}'", driver);
    auto file = protocol ? open_bytes(std::move(options), driver, access, direct) : below(options, access, direct);
    if (!file) return file.error();
    if (protocol) options.clear();

    const bool guessed = !format;
    if (!format) {
      auto found = find(**file);
      if (!found) return found.error();
      format = *found;
    }
    const std::string path = (*file)->path();
    if (!format->open) {
      return error(
          "image '{}' is {}, which this version cannot open; say format=raw if these bytes themselves are the disk, "
          "else make a raw one: qemu-img convert -O raw",
          path, format->describe);
    }
    if (format->read_only && access == ImageAccess::kReadWrite) {
      return error("image '{}' is {}, which can only be read; use readonly=on or -snapshot", path, format->describe);
    }
    ImageRequest request{.file = std::move(*file),
                         .access = access,
                         .options = std::move(options),
                         .guessed = guessed && format->name == "raw",
                         .snapshot = depth == 0 ? flags_.snapshot : std::string(),
                         .repair = flags_.repair,
                         .open_backing = {},
                         .open_part = {}};
    if (Status s = check_options(request.options, *format); !s) return s.error();
    if (flags_.backing && !(backing_name && backing_name->empty() && backing.empty())) {
      request.open_backing = [this, backing, backing_name, path, depth, direct](const std::string& of_header,
                                                                                const std::string& of_format) {
        ImageOptions below = backing;
        if (backing_name) below["filename"] = *backing_name;
        const bool named =
            below.contains("filename") || below.contains("file.filename") || below.contains("file.driver");
        if (!named) below["filename"] = combine_paths(path, of_header);
        if (!of_format.empty() && !below.contains("driver") && !named) below["driver"] = of_format;
        const bool writable = flags_.backing_writable && access_ == ImageAccess::kReadWrite;
        const ImageAccess how = access_ == ImageAccess::kBeside ? access_
                                : writable                      ? ImageAccess::kReadWrite
                                                                : ImageAccess::kReadOnly;
        auto opened = open(std::move(below), how, depth + 1, direct);
        constexpr std::string_view kWhat = "Could not open backing file: ";
        if (opened || opened.error().message.starts_with(kWhat)) return opened;
        return Result<std::unique_ptr<BlockImage>>(
            Error{fmt::format("{}{}", kWhat, opened.error().message), opened.error().host});
      };
    }
    request.open_part = [this, path, access, direct](const std::string& part) {
      return open_bytes({{"filename", combine_paths(path, part)}}, "", access, direct);
    };
    return format->open(std::move(request));
  }

  // The bytes of an image with these options, whose "file" says where they are.
  Result<std::unique_ptr<Storage>> below(ImageOptions& options, ImageAccess access, bool direct = false) {
    ImageOptions file = options_below(options, "file.");
    std::erase_if(options, [](const auto& o) { return o.first.starts_with("file."); });
    for (const std::string_view name : {"filename", "file"}) {
      if (auto value = take_option(options, name)) file["filename"] = std::move(*value);
    }
    return open_bytes(std::move(file), "", access, direct);
  }

  Result<std::unique_ptr<Storage>> open_bytes(ImageOptions options, std::string driver, ImageAccess access,
                                              bool direct) {
    if (driver.empty()) driver = take_option(options, "driver").value_or("");
    drop_tuning(options, direct);
    const auto name = options.find("filename");
    if (driver.empty()) {
      const std::string_view prefix = name == options.end() ? std::string_view() : protocol_of(name->second);
      const ProtocolDriver* found = prefix.empty() ? find_protocol("file") : find_protocol_by_prefix(prefix);
      if (!found) return error("Unknown protocol '{}'", prefix);
      driver = found->name;
    }
    const ProtocolDriver* protocol = find_protocol(driver);
    if (!protocol) {
      return error("driver '{}': it is no protocol of this version; there are: file, host_device, nbd, vvfat, null-co",
                   driver);
    }
    StorageRequest request{std::move(options), access, flags_.lock && access != ImageAccess::kBeside, direct};
    auto storage = protocol->open(request);
    if (storage && !request.options.empty()) {
      return error("Block protocol '{}' doesn't support the option '{}'", driver, request.options.begin()->first);
    }
    return storage;
  }

  Result<const ImageDriver*> find(Storage& file) {
    std::array<u8, kImageHeadBytes> head{};
    const u64 size = file.size();
    const std::span<u8> part = std::span(head).first(std::min<u64>(head.size(), size));
    if (Status s = file.read(0, part); !s) return s.error();
    if (const ImageDriver* format = probe_image(part, file.path())) return format;
    if (flags_.guest && size > head.size()) {
      if (Status s = file.read(size - head.size(), head); !s) return s.error();
      if (const ImageDriver* format = format_of_tail(head)) {
        return error(
            "image '{}' ends like {}; say format={} if it is one, or format=raw if these bytes themselves are the disk",
            file.path(), format->describe, format->name);
      }
    }
    return find_image_driver("raw");
  }

  static Status take_json(ImageOptions& options) {
    for (const std::string_view name : {"filename", "file"}) {
      const auto found = options.find(name);
      if (found == options.end() || !found->second.starts_with("json:")) continue;
      auto json = parse_json_options(std::string_view(found->second).substr(5));
      if (!json) return json.error();
      options.erase(found);
      for (auto& [key, value] : *json) options.try_emplace(key, std::move(value));
    }
    return {};
  }

 private:
  static Status check_options(const ImageOptions& options, const ImageDriver& format) {
    const auto& known = format.open_options;
    for (const auto& [name, value] : options) {
      if (std::find(known.begin(), known.end(), name) != known.end()) continue;
      return error("Block format '{}' does not support the option '{}'", format.name, name);
    }
    return {};
  }

  ImageAccess access_;
  OpenFlags flags_;
};

ImageOptions options_of(const ImageSpec& spec) {
  ImageOptions options = spec.options;
  if (!spec.file.empty()) options["filename"] = spec.file;
  if (!spec.format.empty()) options["driver"] = spec.format;
  return options;
}

}  // namespace

Result<std::unique_ptr<BlockImage>> open_image(const ImageSpec& spec, ImageAccess access, OpenFlags flags) {
  return Opener(access, flags).open(options_of(spec), access, 0);
}

Result<const ImageDriver*> find_format(const ImageSpec& spec, bool lock) {
  ImageOptions options = options_of(spec);
  if (Status s = Opener::take_json(options); !s) return s.error();
  const auto driver = options.find("driver");
  if (driver != options.end() && !find_protocol(driver->second)) {
    const ImageDriver* format = find_image_driver(driver->second == "vhd" ? "vpc" : driver->second);
    if (!format) return error("Unknown driver '{}'", driver->second);
    return format;
  }
  if (driver != options.end()) return find_image_driver("raw");
  Opener opener(ImageAccess::kReadOnly, {.lock = lock});
  auto file = opener.below(options, ImageAccess::kReadOnly);
  if (!file) return file.error();
  return opener.find(**file);
}

Result<std::unique_ptr<Storage>> open_storage(const ImageSpec& spec, ImageAccess access, bool lock) {
  ImageOptions options = options_of(spec);
  options.erase("driver");
  if (Status s = Opener::take_json(options); !s) return s.error();
  return Opener(access, {.lock = lock}).below(options, access);
}

Result<ImageOptions> parse_json_options(std::string_view json) {
  const auto parsed = nlohmann::json::parse(json, nullptr, false);
  if (parsed.is_discarded()) return error("json:{}: this is not JSON", json);
  if (!parsed.is_object()) return error("Invalid JSON object given");
  ImageOptions options;
  flatten(parsed, "", options);
  return options;
}

ImageOptions options_below(const ImageOptions& options, std::string_view prefix) {
  ImageOptions below;
  for (const auto& [name, value] : options) {
    if (name.starts_with(prefix)) below.emplace(name.substr(prefix.size()), value);
  }
  return below;
}

std::string_view protocol_of(std::string_view name) {
  const auto colon = name.find_first_of(":/");
  return colon == std::string_view::npos || name[colon] != ':' ? std::string_view() : name.substr(0, colon);
}

std::string combine_paths(const std::string& of, const std::string& name) {
  if (name.starts_with('/') || !protocol_of(name).empty()) return name;
  const auto slash = of.rfind('/');
  return slash == std::string::npos ? name : of.substr(0, slash + 1) + name;
}

}  // namespace xlat
