// The text that says what a VMDK consists of, by VMware's "Virtual Disk Format" 5.0.
#pragma once

#include <string>
#include <vector>

#include "base/result.h"
#include "base/types.h"

namespace xlat::vmdk {

inline constexpr u32 kNoParent = 0xffffffff;

struct ExtentLine {
  std::string access, kind, file;  // "RW", "SPARSE", ...
  u64 sectors = 0, start = 0;      // start: in the file, of FLAT
};

struct Descriptor {
  u32 cid = 0, parent_cid = kNoParent;
  std::string create_type, parent_file;
  std::vector<ExtentLine> extents;

  static Result<Descriptor> parse(std::string_view text, const std::string& path);
};

// Whether it is the beginning of one: comments and blank lines, then the version.
bool looks_like_descriptor(std::string_view text);

}  // namespace xlat::vmdk
