// Bringing what the channel's thread reads to the machine's thread.
#include "frontend/gdb/server.h"

#include <atomic>

#include "frontend/monitor/monitor.h"

namespace xlat {

// Outlives its channel while input of it still waits in the machine's queue.
struct GdbServer::Session {
  static constexpr i64 kMostWaiting = 4 * static_cast<i64>(GdbPackets::kMostBytes);

  std::unique_ptr<CharBackend> channel;  // null: given up
  std::optional<GdbStub> stub;
  std::atomic<i64> waiting = 0;  // bytes read, but not yet with the stub
};

Result<CharSpec> parse_gdb_device(std::string_view text, std::string_view option) {
  std::string full(text);
  // Whatever is asked for, a TCP port is listened on.
  if (text.starts_with("tcp:")) full += ",server=on,wait=off";
  if (text.starts_with("unix:")) {
    if (text.find(",server") == std::string_view::npos) full += ",server=on";
    if (text.find("wait") == std::string_view::npos && text.find(",server=off") == std::string_view::npos) {
      full += ",wait=off";
    }
  }
  auto spec = parse_char_spec(full, option);
  if (!spec) return spec.error();
  switch (spec->kind) {
    case CharSpec::Kind::kTcp:
      // Whoever connects can do everything to the guest: other hosts only if the user says so.
      if (spec->host.empty()) spec->host = "127.0.0.1";
      break;
    case CharSpec::Kind::kNone:
    case CharSpec::Kind::kUnix:
    case CharSpec::Kind::kPty: break;
    case CharSpec::Kind::kStdio:
      if (!spec->with_monitor) break;
      [[fallthrough]];
    default:
      return error("{} {}: a debugger comes by tcp:[HOST]:PORT, unix:PATH, stdio or pty; none turns it off", option,
                   text);
  }
  return spec;
}

GdbServer::GdbServer(Machine& machine, Terminal& terminal, std::string machine_name, std::function<void()> quit)
    : machine_(machine),
      terminal_(terminal),
      monitor_(std::make_unique<Monitor>(
          machine, std::move(machine_name), [](std::string_view) {}, quit)),
      quit_(std::move(quit)) {}

GdbServer::~GdbServer() { close(); }

void GdbServer::close() {
  if (!session_) return;
  session_->stub->disconnected();
  // The channel's thread ends here; what it has left in the queue finds nobody connected.
  session_->channel.reset();
  session_.reset();
}

Status GdbServer::open(const CharSpec& device) {
  // A port that the same server has is free only when it is closed.
  close();
  if (device.kind == CharSpec::Kind::kNone) return {};
  auto channel = make_char_backend(device, "gdb", terminal_);
  if (Status s = channel->open(); !s) return s;
  session_ = std::make_shared<Session>();
  session_->channel = std::move(channel);
  session_->stub.emplace(GdbStub::Wiring{.machine = machine_,
                                         .monitor = [this](std::string_view line) { return monitor_->execute(line); },
                                         .send =
                                             [session = session_.get()](std::string_view bytes) {
                                               if (session->channel) session->channel->write_text(bytes);
                                             },
                                         .quit = quit_});
  return {};
}

Status GdbServer::start(int cancel_fd) {
  if (!session_) return {};
  const auto post = [this, session = session_](auto work) {
    machine_.post([session, work = std::move(work)] {
      if (session->channel) work(*session);
    });
  };
  CharHandlers handlers;
  handlers.connected = [post] { post([](Session& s) { s.stub->connected(); }); };
  handlers.disconnected = [post] { post([](Session& s) { s.stub->disconnected(); }); };
  handlers.ready = [session = session_.get()] { return session->waiting < Session::kMostWaiting; };
  handlers.input = [post, session = session_.get()](std::span<const u8> bytes) {
    session->waiting += static_cast<i64>(bytes.size());
    post([copy = std::vector<u8>(bytes.begin(), bytes.end())](Session& s) {
      s.waiting -= static_cast<i64>(copy.size());
      s.stub->feed(copy);
    });
  };
  return session_->channel->start(std::move(handlers), cancel_fd);
}

void GdbServer::exited(int status) {
  if (session_) session_->stub->exited(status);
}

}  // namespace xlat
