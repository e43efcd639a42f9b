// The VNC server: who listens, who may look, and what its viewers have in common. Each viewer is served by a thread of
// its own (vnc_viewer.h), and none of them touches the machine: the picture comes by copies, keys and pointer go
// through the gate. We listen and accept ourselves, so that a plain VNC port takes no WebSocket: any page in the user's
// browser could open one.
#include "frontend/display/vnc_server.h"

#include <unistd.h>

#include <algorithm>
#include <cstring>
#include <ctime>
#include <list>

#include "frontend/display/listener.h"
#include "frontend/display/vnc_viewer.h"
#include "frontend/input/key_queue.h"

namespace xlat {

namespace {

class RfbServer final : public VncServer, public VncViewer::Host {
 public:
  explicit RfbServer(VncSetup setup);
  ~RfbServer() override;

  Status open(const VncSettings& settings);
  Status start() override;
  void stop() override;
  void adopt_browser(int fd, const std::string& peer) override { adopt(fd, {peer, true, true}); }

  std::string info() const override;
  bool asks_for_password() const override { return settings_ && settings_->password; }
  void set_password(std::string password) override;
  void expire_password(std::optional<i64> at) override;
  bool has_viewers() const override;
  void disconnect_viewers() override;

 private:
  static constexpr std::size_t kMostViewers = 64;
  static constexpr int kMostKeysPosted = 4096;

  // ---- Viewers, in their threads ----
  bool let_in(const VncViewer::Challenge& challenge, const VncViewer::Challenge& response) const override;
  void logged_in(VncViewer& viewer, bool alone) override;
  void send(const std::vector<KeyInput>& keys) override;
  void point(const PointerInput& pointer) override;
  void pasted(const VncViewer& viewer, std::string_view latin1) override;
  void over() override { pump_.wake(); }

  void adopt(int fd, VncViewer::Arrival arrival);
  void pump();
  bool look_after();

  VncSetup setup_;
  std::string title_;
  std::optional<VncSettings> settings_;
  rfbScreenInfoPtr screen_ = nullptr;  // the model for those of the viewers
  Listener listener_, websocket_;
  SharedPicture picture_;
  ReaderThread pump_;
  bool attached_ = false;
  KeyQueue keys_;
  std::atomic<int> keys_posted_ = 0;
  std::shared_ptr<std::atomic<bool>> running_ = std::make_shared<std::atomic<bool>>(true);

  mutable std::mutex mutex_;  // what follows
  std::list<VncViewer> viewers_;
  bool closed_ = false;
  std::string password_;
  bool password_set_ = false;
  std::optional<i64> expires_;
};

RfbServer::RfbServer(VncSetup setup)
    : setup_(std::move(setup)),
      title_(setup_.name.empty() ? "xlat" : fmt::format("xlat ({})", setup_.name)),
      picture_([this] { pump_.wake(); }),
      keys_(setup_.machine) {
  *running_ = !setup_.machine.paused();
  setup_.machine.watch_state(
      [running = running_](Machine::RunState state) { *running = state == Machine::RunState::kRunning; });
}

RfbServer::~RfbServer() {
  stop();
  if (screen_) rfbScreenCleanup(screen_);
}

Status RfbServer::open(const VncSettings& settings) {
  settings_ = settings;
  if (Status s = listener_.open(settings.address, "-vnc"); !s) return s;
  if (!settings.websocket) return {};
  ListenAddress address = settings.websocket_address;
  if (address.port == 0) {
    const unsigned display = settings.address.port >= 5900 ? settings.address.port - 5900 : 0;
    address = {.host = settings.address.host, .port = 5700 + display, .last_port = 5700 + display};
  }
  return websocket_.open(address, "-vnc websocket");
}

Status RfbServer::start() {
  rfbLogEnable(FALSE);  // it writes to the user's terminal
  screen_ = rfbGetScreen(nullptr, nullptr, ScreenFeed::kBlankWidth, ScreenFeed::kBlankHeight, 8, 3, 4);
  if (!screen_) return error("-vnc: the host has no memory left");
  screen_->serverFormat.redShift = 16;
  screen_->serverFormat.greenShift = 8;
  screen_->serverFormat.blueShift = 0;
  screen_->desktopName = title_.c_str();
  screen_->port = screen_->ipv6port = -1;
  screen_->cursor = nullptr;
  picture_.set_watched(false);
  setup_.feed.attach(picture_);
  attached_ = true;
  pump_.start([this] {
    while (!pump_.stopping()) {
      pump();
      pump_.wait(-1, 0, look_after() ? 1000 : -1);
    }
  });
  if (!settings_) return {};
  listener_.start([this](int fd, const std::string& peer) { adopt(fd, {peer, false, false}); });
  if (settings_->websocket) {
    websocket_.start([this](int fd, const std::string& peer) { adopt(fd, {peer, true, false}); });
  }
  if (settings_->announce) {
    fmt::print("VNC server running on {}\n", listener_.where());
    std::fflush(stdout);
  }
  return {};
}

void RfbServer::stop() {
  listener_.stop();
  websocket_.stop();
  if (std::exchange(attached_, false)) setup_.feed.detach(picture_);
  pump_.stop();
  std::list<VncViewer> viewers;
  {
    const std::lock_guard lock(mutex_);
    closed_ = true;
    viewers.swap(viewers_);
  }
}

// Hands on what has changed of the picture.
void RfbServer::pump() {
  picture_.take([this](const SharedPicture::View& view) {
    const std::lock_guard lock(mutex_);
    for (VncViewer& viewer : viewers_) {
      if (viewer.logged_in()) viewer.picture().show(view);
    }
  });
}

// Sends away who takes too long to log in, and forgets who has gone. Returns whether somebody is still to log in.
bool RfbServer::look_after() {
  std::list<VncViewer> finished;
  bool watched = false, waiting = false;
  {
    const std::lock_guard lock(mutex_);
    for (auto v = viewers_.begin(); v != viewers_.end();) {
      const auto next = std::next(v);
      if (v->over()) {
        finished.splice(finished.end(), viewers_, v);
      } else {
        if (v->loiters()) v->disconnect();
        watched |= v->logged_in();
        waiting |= !v->logged_in();
      }
      v = next;
    }
    picture_.set_watched(watched);
  }
  return waiting;
}

void RfbServer::adopt(int fd, VncViewer::Arrival arrival) {
  {
    const std::lock_guard lock(mutex_);
    if (closed_ || viewers_.size() >= kMostViewers) {
      close(fd);
      return;
    }
    if (!viewers_.emplace_back(*this, *screen_, setup_.keymap, fd, std::move(arrival)).start()) viewers_.pop_back();
  }
  pump_.wake();  // which looks whether it logs in
}

void RfbServer::logged_in(VncViewer& viewer, bool alone) {
  alone &= !viewer.arrival().browser && settings_ && !settings_->shared;
  picture_.look([&](const SharedPicture::View& view) { viewer.picture().show(view); });
  {
    const std::lock_guard lock(mutex_);
    picture_.set_watched(true);
    for (VncViewer& other : viewers_) {
      if (alone && &other != &viewer && other.logged_in()) other.disconnect();
    }
  }
  setup_.machine.post([&feed = setup_.feed] { feed.look(); });
}

bool RfbServer::let_in(const VncViewer::Challenge& challenge, const VncViewer::Challenge& response) const {
  VncViewer::Challenge expected = challenge;
  char password[9] = {};  // the protocol takes eight letters
  {
    const std::lock_guard lock(mutex_);
    if (!password_set_ || (expires_ && std::time(nullptr) >= *expires_)) return false;
    password_.copy(password, 8);
  }
  rfbEncryptBytes(expected.data(), password);
  u8 differs = 0;
  for (std::size_t n = 0; n < expected.size(); ++n) differs |= expected[n] ^ response[n];
  return differs == 0;
}

void RfbServer::send(const std::vector<KeyInput>& keys) {
  if (keys.empty()) return;
  if (keys_posted_ >= kMostKeysPosted) return;  // faster than the machine looks
  ++keys_posted_;
  const u64 pause = u64{settings_ ? settings_->key_delay_ms : 10} * 1'000'000;
  setup_.machine.post([this, keys, pause] {
    --keys_posted_;
    for (const KeyInput& key : keys) {
      // What no guest has taken for so long is lost, but nothing stays pressed.
      if (key.down && keys_.waiting() >= KeyQueue::kMostSteps) continue;
      keys_.add(key, pause);
    }
  });
}

void RfbServer::point(const PointerInput& pointer) {
  if (*running_) setup_.machine.gate().post(pointer);  // else it would wait without end
}

void RfbServer::pasted(const VncViewer& viewer, std::string_view latin1) {
  if (!viewer.arrival().browser) return;  // other viewers send each change of their clipboard
  std::u32string text;
  for (const char c : latin1) text += static_cast<u8>(c);
  setup_.type(std::move(text));
}

std::string RfbServer::info() const {
  const char* const auth = asks_for_password() ? "vnc" : "none";
  std::string text = "default:\n";
  if (settings_) {
    text += fmt::format("  Server: {} ({})\n    Auth: {} (Sub: none)\n", listener_.where(), listener_.family(), auth);
    if (settings_->websocket) {
      text += fmt::format("  Server: {} ({}, Websocket)\n    Auth: {} (Sub: none)\n", websocket_.where(),
                          websocket_.family(), auth);
    }
  }
  const std::lock_guard lock(mutex_);
  for (const VncViewer& viewer : viewers_) {
    if (viewer.over()) continue;
    const std::string& peer = viewer.arrival().peer;
    const char* const family = peer == "local" ? "unix" : peer.starts_with('[') ? "ipv6" : "ipv4";
    text += fmt::format("  Client: {} ({}{})\n    x509_dname: none\n    sasl_username: none\n", peer, family,
                        viewer.arrival().websocket ? ", Websocket" : "");
  }
  return text;
}

void RfbServer::set_password(std::string password) {
  const std::lock_guard lock(mutex_);
  password_ = std::move(password);
  password_set_ = true;
}

void RfbServer::expire_password(std::optional<i64> at) {
  const std::lock_guard lock(mutex_);
  expires_ = at;
}

bool RfbServer::has_viewers() const {
  const std::lock_guard lock(mutex_);
  return std::any_of(viewers_.begin(), viewers_.end(), [](const VncViewer& viewer) { return !viewer.over(); });
}

void RfbServer::disconnect_viewers() {
  const std::lock_guard lock(mutex_);
  for (VncViewer& viewer : viewers_) viewer.disconnect();
}

}  // namespace

bool vnc_built() { return true; }

Result<std::unique_ptr<VncServer>> make_vnc_server(VncSetup setup, const std::optional<VncSettings>& settings) {
  auto server = std::make_unique<RfbServer>(std::move(setup));
  if (settings) {
    if (Status s = server->open(*settings); !s) return s.error();
  }
  return std::unique_ptr<VncServer>(std::move(server));
}

}  // namespace xlat
