// The table of protocols: where an image's bytes can be.
#pragma once

#include "block/image_driver.h"

namespace xlat {

struct StorageRequest {
  // "filename" may have the protocol in front. What is known is taken out.
  ImageOptions options;
  ImageAccess access = ImageAccess::kReadOnly;
  bool lock = true;
  bool direct = false;  // past the host's page cache
};

struct ProtocolDriver {
  std::string_view name;      // driver=
  std::string_view prefixes;  // of names, with blanks between them; empty: none
  Result<std::unique_ptr<Storage>> (*open)(StorageRequest& request);
};

std::span<const ProtocolDriver> protocol_drivers();
const ProtocolDriver* find_protocol(std::string_view driver);
const ProtocolDriver* find_protocol_by_prefix(std::string_view prefix);

Result<std::unique_ptr<Storage>> open_nbd(StorageRequest& request);
Result<std::unique_ptr<Storage>> open_fat(StorageRequest& request);
Result<std::unique_ptr<Storage>> open_null(StorageRequest& request);

}  // namespace xlat
