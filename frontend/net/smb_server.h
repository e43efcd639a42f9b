// smb=: Samba's server on a folder of the host's, started anew for each connection of the guest's.
#pragma once

#include <memory>
#include <string>

#include "base/result.h"

namespace xlat {

class SmbServer {
 public:
  // `who` begins error messages.
  static Result<std::unique_ptr<SmbServer>> make(const std::string& share, const std::string& who);
  // Removes what the server has left.
  ~SmbServer();
  SmbServer(const SmbServer&) = delete;
  SmbServer& operator=(const SmbServer&) = delete;

  // What serves a connection on its standard input.
  std::string command() const;

 private:
  explicit SmbServer(std::string folder) : folder_(std::move(folder)) {}
  std::string folder_;
};

}  // namespace xlat
