// Sockets that listen, for channels and for displays.
#pragma once

#include <netdb.h>

#include <string>

#include "base/result.h"

namespace xlat {

// Errors are "WHO: cannot listen on WHERE: why", with errno in Error::host.
Error cannot_listen(std::string_view who, std::string_view where, int e);

// The first of these addresses that can be had. The descriptor does not block.
Result<int> listen_on(const addrinfo* addresses, int backlog, std::string_view who, std::string_view where);
// A Unix socket at `path`, at most 107 bytes long; the caller removes it in the end. One that a program has left behind
// makes room; anything else at that path stays, and is an error.
Result<int> listen_on(const std::string& path, int backlog, std::string_view who, std::string_view where);

}  // namespace xlat
