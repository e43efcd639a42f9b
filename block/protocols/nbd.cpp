// nbd: a server's export, through libnbd. Nothing waits for a server for ever.
#include <libnbd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>

#include "base/spelling.h"
#include "block/open_image.h"
#include "block/protocol.h"

namespace xlat {

namespace {

constexpr int kPatience = 30'000;            // ms without an answer
constexpr u64 kMostRequest = u64{16} << 20;  // bytes; what every server takes is 32 MiB

class NbdStorage final : public Storage {
 public:
  NbdStorage(nbd_handle* nbd, std::string path, bool read_only)
      : nbd_(nbd), path_(std::move(path)), read_only_(read_only) {}
  ~NbdStorage() override {
    if (nbd_) nbd_close(nbd_);
  }

  Status connect(const ImageOptions& where, const std::string& uri) {
    const auto get = [&](std::string_view name) {
      const auto found = where.find(name);
      return found == where.end() ? std::string() : found->second;
    };
    nbd_add_meta_context(nbd_, LIBNBD_CONTEXT_BASE_ALLOCATION);
    nbd_set_uri_allow_local_file(nbd_, false);
    const std::string unix_path = get("path"), host = get("host");
    int started = -1;
    if (!uri.empty()) {
      started = nbd_aio_connect_uri(nbd_, uri.c_str());
    } else {
      if (nbd_set_export_name(nbd_, get("export").c_str()) != 0) return failed("name the export");
      const std::string port = get("port").empty() ? "10809" : get("port");
      started = unix_path.empty() ? nbd_aio_connect_tcp(nbd_, host.c_str(), port.c_str())
                                  : nbd_aio_connect_unix(nbd_, unix_path.c_str());
    }
    if (started != 0) return failed("connect");
    while (nbd_aio_is_connecting(nbd_)) {
      const int polled = nbd_poll(nbd_, kPatience);
      if (polled < 0) return failed("connect");
      if (polled == 0) return Error{fmt::format("'{}': the server does not answer", path_), ETIMEDOUT};
    }
    if (!nbd_aio_is_ready(nbd_)) return failed("connect");
    const i64 bytes = nbd_get_size(nbd_);
    if (bytes < 0) return failed("ask for the size");
    size_ = static_cast<u64>(bytes);
    if (!read_only_ && nbd_is_read_only(nbd_) == 1) {
      return error("'{}': the server's export is read-only; use readonly=on or -snapshot", path_);
    }
    return {};
  }

  u64 size() const override { return size_; }
  bool read_only() const override { return read_only_; }
  const std::string& path() const override { return path_; }
  std::string_view protocol() const override { return "nbd"; }
  u64 allocated() const override { return kUnknownBytes; }
  Status resize(u64 bytes) override {
    return bytes <= size_ ? Status() : Error{fmt::format("'{}' has a fixed size of {} bytes", path_, size_), ENOSPC};
  }

  Status read(u64 offset, std::span<u8> to) override {
    while (!to.empty()) {
      const u64 n = std::min({to.size(), kMostRequest, offset < size_ ? size_ - offset : u64{0}});
      if (n == 0) {
        std::fill(to.begin(), to.end(), u8{0});
        return {};
      }
      if (Status s = wait([&] { return nbd_aio_pread(nbd_, to.data(), n, offset, NBD_NULL_COMPLETION, 0); }, "read");
          !s)
        return s;
      to = to.subspan(n);
      offset += n;
    }
    return {};
  }
  Status write(u64 offset, std::span<const u8> from) override {
    if (Status s = check_write(offset, from.size()); !s) return s;
    while (!from.empty()) {
      const u64 n = std::min<u64>(from.size(), kMostRequest);
      if (Status s =
              wait([&] { return nbd_aio_pwrite(nbd_, from.data(), n, offset, NBD_NULL_COMPLETION, 0); }, "write");
          !s)
        return s;
      from = from.subspan(n);
      offset += n;
    }
    return {};
  }
  Status write_zeroes(u64 offset, u64 bytes, bool unmap) override {
    if (Status s = check_write(offset, bytes); !s) return s;
    if (!nbd_ || nbd_can_zero(nbd_) != 1) return write_zeroes_slowly(*this, offset, bytes);
    while (bytes > 0) {
      const u64 n = std::min(bytes, u64{1} << 30);
      const u32 flags = unmap ? 0 : LIBNBD_CMD_FLAG_NO_HOLE;
      if (Status s = wait([&] { return nbd_aio_zero(nbd_, n, offset, NBD_NULL_COMPLETION, flags); }, "write zeros"); !s)
        return s;
      offset += n;
      bytes -= n;
    }
    return {};
  }
  Status flush() override {
    if (read_only_ || !nbd_ || nbd_can_flush(nbd_) != 1) return {};
    return wait([&] { return nbd_aio_flush(nbd_, NBD_NULL_COMPLETION, 0); }, "flush");
  }
  Extent status(u64 offset, u64 bytes) override {
    Extent extent{.bytes = bytes, .at = offset};
    if (offset >= size_) return {.bytes = bytes, .data = false, .zero = true, .at = offset};
    if (!nbd_ || nbd_can_meta_context(nbd_, LIBNBD_CONTEXT_BASE_ALLOCATION) != 1) return extent;
    bytes = std::min({bytes, size_ - offset, u64{1} << 30});
    const nbd_extent_callback each{.callback =
                                       [](void* data, const char*, uint64_t, uint32_t* entries, size_t count, int*) {
                                         auto& e = *static_cast<Extent*>(data);
                                         if (count < 2 || entries[0] == 0) return 0;
                                         e.bytes = std::min<u64>(e.bytes, entries[0]);
                                         e.data = !(entries[1] & LIBNBD_STATE_HOLE);
                                         e.zero = entries[1] & LIBNBD_STATE_ZERO;
                                         return 0;
                                       },
                                   .user_data = &found_,
                                   .free = nullptr};
    found_ = extent;
    found_.bytes = bytes;
    const Status s = wait(
        [&] { return nbd_aio_block_status(nbd_, bytes, offset, each, NBD_NULL_COMPLETION, LIBNBD_CMD_FLAG_REQ_ONE); },
        "status");
    return s ? found_ : Extent{.bytes = bytes, .at = offset};
  }

 private:
  Status check_write(u64 offset, u64 bytes) const {
    if (read_only_) return error("'{}' is open read-only; nothing was written", path_);
    return bytes == 0 || (offset <= size_ && bytes <= size_ - offset)
               ? Status()
               : Error{fmt::format("'{}' has a fixed size of {} bytes", path_, size_), ENOSPC};
  }
  Status failed(const char* what) const {
    const int e = nbd_get_errno();
    return Error{fmt::format("'{}': cannot {}: {}", path_, what, nbd_get_error() ? nbd_get_error() : "no reason"),
                 e ? e : EIO};
  }
  template <class Start>
  Status wait(Start start, const char* what) {
    if (!nbd_) return Error{fmt::format("'{}': the connection is lost", path_), ENOTCONN};
    const i64 cookie = start();
    if (cookie < 0) return failed(what);
    for (;;) {
      const int done = nbd_aio_command_completed(nbd_, static_cast<u64>(cookie));
      if (done > 0) return {};
      if (done < 0) return failed(what);
      const int polled = nbd_poll(nbd_, kPatience);
      if (polled > 0) continue;
      const Status s =
          polled < 0 ? failed(what) : Status(Error{fmt::format("'{}': the server does not answer", path_), ETIMEDOUT});
      // The library still knows our buffer.
      nbd_close(nbd_);
      nbd_ = nullptr;
      return s;
    }
  }

  nbd_handle* nbd_;
  std::string path_;
  bool read_only_;
  u64 size_ = 0;
  Extent found_;
};

// "nbd:HOST:PORT", "nbd:unix:PATH", both with ":exportname=NAME" behind.
Status old_syntax(std::string name, ImageOptions& where) {
  name.erase(0, 4);
  constexpr std::string_view kExport = ":exportname=";
  if (const auto at = name.find(kExport); at != std::string::npos) {
    where["export"] = name.substr(at + kExport.size());
    name.erase(at);
  }
  if (name.starts_with("unix:")) {
    where["path"] = name.substr(5);
    return {};
  }
  const auto colon = name.rfind(':');
  if (colon == std::string::npos) return error("nbd:{}: write nbd:HOST:PORT or nbd:unix:PATH", name);
  where["host"] = name.substr(0, colon);
  where["port"] = name.substr(colon + 1);
  return {};
}

}  // namespace

Result<std::unique_ptr<Storage>> open_nbd(StorageRequest& request) {
  ImageOptions where;
  std::string uri, shown = take_option(request.options, "filename").value_or("");
  if (const std::string_view rest =
          std::string_view(shown).substr(std::min<std::size_t>(shown.find(':') + 1, shown.size()));
      rest.starts_with("//")) {
    uri = shown;
  } else if (!shown.empty()) {
    if (Status s = old_syntax(shown, where); !s) return s.error();
  }
  for (const std::string_view name : {"host", "port", "path", "export"}) {
    if (auto value = take_option(request.options, name)) where[std::string(name)] = *value;
    if (auto value = take_option(request.options, fmt::format("server.{}", name))) where[std::string(name)] = *value;
  }
  take_option(request.options, "server.type");
  take_option(request.options, "reconnect-delay");
  take_option(request.options, "open-timeout");
  if (uri.empty() && !where.contains("host") && !where.contains("path")) return error("NBD server address missing");
  if (shown.empty()) {
    shown = where.contains("path") ? fmt::format("nbd+unix:///{}?socket={}", where["export"], where["path"])
                                   : fmt::format("nbd://{}:{}/{}", where["host"], where["port"], where["export"]);
  }
  nbd_handle* nbd = nbd_create();
  if (!nbd) return error("'{}': {}", shown, nbd_get_error());
  auto storage = std::make_unique<NbdStorage>(nbd, shown, request.access != ImageAccess::kReadWrite);
  if (Status s = storage->connect(where, uri); !s) return s.error();
  return std::unique_ptr<Storage>(std::move(storage));
}

}  // namespace xlat
