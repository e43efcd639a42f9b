// The table of image formats: how each is known, opened and made. Add one: docs/disks.md.
#pragma once

#include <array>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>

#include "block/block_image.h"
#include "block/storage.h"

namespace xlat {

// Options by name as QEMU spells them, with dots: "driver", "file.filename", "backing.driver".
using ImageOptions = std::map<std::string, std::string, std::less<>>;

// Takes an option out, so that in the end those are left that nobody knows.
std::optional<std::string> take_option(ImageOptions& options, std::string_view name);
Result<bool> take_switch(ImageOptions& options, std::string_view name, bool otherwise);

// How much of a file's start is looked at; what a guest may not make of sector 0 of a disk whose format was guessed.
inline constexpr std::size_t kImageHeadBytes = 512;

// An image that is being opened.
struct ImageRequest {
  std::unique_ptr<Storage> file;
  ImageAccess access = ImageAccess::kReadOnly;
  ImageOptions options = {};  // of the row's open_options
  bool guessed = false;       // nobody said that it is raw
  std::string snapshot = {};  // the disk as it was then, read-only; empty: as it is
  bool repair = false;        // opened to be checked: it may be damaged or not closed properly
  // Opens the file that this one is based on, by the name and the format in its header. A null image: nobody needs it.
  std::function<Result<std::unique_ptr<BlockImage>>(const std::string& file, const std::string& format)> open_backing;
  // Opens a file that holds a part of the disk. The name is relative to this file's.
  std::function<Result<std::unique_ptr<Storage>>(const std::string& file)> open_part;

  bool read_only() const { return access != ImageAccess::kReadWrite; }
};

// An image that is to be made.
struct CreateRequest {
  std::string path;
  u64 bytes = 0;
  ImageOptions options = {};  // those of the format's list, and no others
  std::string backing_file = {}, backing_format = {};
};

struct CreateOption {
  enum class Kind : u8 { kText, kSize, kNumber, kSwitch };
  std::string_view name;
  Kind kind;
  std::string_view help;
  std::string_view otherwise = {};  // empty: nothing is said of it
};

struct ImageDriver {
  std::string_view name;      // as qemu-img spells it
  std::string_view describe;  // for a user
  // By the first bytes (up to kImageHeadBytes), and by its name where there is nothing else.
  bool (*probe)(std::span<const u8> head, std::string_view file) = nullptr;
  // Null: known only in order not to be taken for raw.
  Result<std::unique_ptr<BlockImage>> (*open)(ImageRequest request) = nullptr;
  Status (*create)(const CreateRequest& request) = nullptr;  // null: cannot be made
  std::span<const CreateOption> options = {};                // of create
  std::span<const std::string_view> open_options = {};       // by name
  bool has_backing = false;
  bool read_only = false;
};

// All of them, as they are probed.
std::span<const ImageDriver* const> image_drivers();
const ImageDriver* find_image_driver(std::string_view name);
// "qcow2, raw, ...", those that can be opened.
std::string image_driver_names();
// Null: raw, as far as anybody can tell. `file` is the file's name, or empty where only the bytes count.
const ImageDriver* probe_image(std::span<const u8> head, std::string_view file);
// The format whose footer the last 512 bytes of a file are. QEMU takes such files for raw.
const ImageDriver* format_of_tail(std::span<const u8> tail);

// The helpers that drivers share.
bool has_magic(std::span<const u8> head, std::size_t at, std::string_view magic);
// A random version 4 UUID, of what is made new.
std::array<u8, 16> make_uuid();
// Reads exactly this much from the start; an error if the file is shorter, which says what is missing.
Status read_header(Storage& file, std::string_view what, u64 offset, std::span<u8> to);

}  // namespace xlat
