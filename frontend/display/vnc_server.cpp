// The VNC server by libvncserver. The library has two threads for each viewer, and none of them touches the machine:
// the picture comes by a copy, keys and pointer go through the gate. We listen and accept ourselves, so that a plain
// VNC port takes no WebSocket: any page in the user's browser could open one.
#include "frontend/display/vnc_server.h"

#include <poll.h>
#include <pthread.h>
#include <rfb/rfb.h>
#include <sys/mman.h>
#include <unistd.h>
extern "C" {  // which this header leaves to others
#include <rfb/rfbregion.h>
}

#include <algorithm>
#include <cstdlib>
#include <cstring>
#include <ctime>
#include <map>
#include <shared_mutex>

#include "frontend/display/listener.h"
#include "frontend/input/key_queue.h"
#include "frontend/input/keysym_keys.h"

namespace xlat {

namespace {

// The library reads its frame buffer without a lock while we change the size. A mapping that never moves, of which a
// picture touches what it needs, makes that harmless.
constexpr unsigned kMostSide = 8192;
constexpr std::size_t kBufferBytes = std::size_t{kMostSide} * kMostSide * 4;

class RfbServer;

// How a connection came in.
struct Arrival {
  std::string peer;
  bool websocket = false;  // may be one
  bool browser = false;    // of -display web: let in without a password, what it pastes is typed
};

struct Viewer {
  RfbServer& server;
  Arrival arrival;
  KeysymKeys keys;
  int buttons = 0;  // as RFB has them
  bool started = false;
};

class RfbServer final : public VncServer {
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

  // ---- By the library, in its threads ----
  rfbNewClientAction arrived(rfbClientPtr client);
  void gone(rfbClientPtr client);
  bool let_in(rfbClientPtr client, std::span<const char> response) const;
  void serve(rfbClientPtr client);
  void send(const std::vector<KeyInput>& keys);
  void point(Viewer& viewer, int buttons, int x, int y);
  void pasted(const Viewer& viewer, std::string_view latin1);

 private:
  static constexpr std::size_t kMostViewers = 64;
  static constexpr int kMostKeysPosted = 4096;
  static constexpr int kFrameMs = 15;  // between two looks at the picture

  void adopt(int fd, Arrival arrival);
  void watch(bool on);
  bool join_finished();
  void pump();
  void resize(unsigned width, unsigned height);
  template <class Visit>
  void each_client(Visit visit) const;

  VncSetup setup_;
  std::string title_;
  std::optional<VncSettings> settings_;
  rfbScreenInfoPtr screen_ = nullptr;
  u32* buffer_ = nullptr;
  Listener listener_, websocket_;
  SharedPicture picture_;
  ReaderThread pump_;
  bool attached_ = false;
  KeyQueue keys_;
  std::atomic<int> keys_posted_ = 0;
  std::shared_ptr<std::atomic<bool>> running_ = std::make_shared<std::atomic<bool>>(true);

  std::shared_mutex size_;    // of the picture: shared by who reads it
  mutable std::mutex mutex_;  // what follows
  std::map<int, Arrival> arriving_;
  std::string password_;
  bool password_set_ = false;
  std::optional<i64> expires_;
  std::vector<pthread_t> finished_;  // threads of viewers that have gone, which the library waits for nowhere
  unsigned started_ = 0;             // such threads, finished or not
};

RfbServer& server_of(rfbScreenInfoPtr screen) { return *static_cast<RfbServer*>(screen->screenData); }
Viewer* viewer_of(rfbClientPtr client) { return static_cast<Viewer*>(client->clientData); }

// ---- QEMU's extension: keys by number. Pseudo-encoding -258, message 255 (rfbproto, "QEMU Extended Key Event
// Message").
constexpr int kExtendedKeys = -258;
constexpr u8 kQemuMessage = 255, kQemuKeyEvent = 0;

rfbBool enable_extended_keys(rfbClientPtr client, void**, int encoding) {
  if (encoding != kExtendedKeys) return FALSE;
  // The viewer learns that we know it by an update of one empty rectangle of this encoding.
  char update[16] = {rfbFramebufferUpdate, 0, 0, 1};
  const u32 number = static_cast<u32>(kExtendedKeys);
  for (int n = 0; n < 4; ++n) update[12 + n] = static_cast<char>(number >> (24 - 8 * n));
  pthread_mutex_lock(&client->sendMutex);
  rfbWriteExact(client, update, sizeof update);
  pthread_mutex_unlock(&client->sendMutex);
  return TRUE;
}

rfbBool handle_extended_key(rfbClientPtr client, void*, const rfbClientToServerMsg* message) {
  if (message->type != kQemuMessage) return FALSE;
  u8 rest[11];  // kind, down (16 bits), keysym, number
  if (rfbReadExact(client, reinterpret_cast<char*>(rest), sizeof rest) <= 0 || rest[0] != kQemuKeyEvent) {
    rfbCloseClient(client);
    return TRUE;
  }
  const auto word = [&](unsigned at) {
    return u32{rest[at]} << 24 | u32{rest[at + 1]} << 16 | u32{rest[at + 2]} << 8 | rest[at + 3];
  };
  Viewer* const viewer = viewer_of(client);
  const bool down = rest[1] || rest[2];
  if (viewer) viewer->server.send(word(7) ? viewer->keys.number(word(7), down) : viewer->keys.keysym(word(3), down));
  return TRUE;
}

int extended_encodings[] = {kExtendedKeys, 0};
rfbProtocolExtension extended_keys = {
    .newClient = nullptr,
    .init = nullptr,
    .pseudoEncodings = extended_encodings,
    .enablePseudoEncoding = enable_extended_keys,
    .handleMessage = handle_extended_key,
    .close = nullptr,
    .usage = nullptr,
    .processArgument = nullptr,
    .next = nullptr,
};

void prepare_library() {
  static std::once_flag once;
  std::call_once(once, [] {
    rfbLogEnable(FALSE);  // it writes to the user's terminal
    rfbRegisterProtocolExtension(&extended_keys);
  });
}

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
  if (screen_) {
    // A viewer's thread that hangs in the host still needs what it looks at.
    for (int tries = 0; tries < 300 && !join_finished(); ++tries) usleep(10'000);
    if (!join_finished()) return;
    screen_->frameBuffer = nullptr;
    rfbScreenCleanup(screen_);
  }
  if (buffer_) munmap(buffer_, kBufferBytes);
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
  prepare_library();
  void* const mapped =
      mmap(nullptr, kBufferBytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
  if (mapped == MAP_FAILED) return error("-vnc: the host has no room for a picture: {}", std::strerror(errno));
  buffer_ = static_cast<u32*>(mapped);
  screen_ = rfbGetScreen(nullptr, nullptr, 640, 480, 8, 3, 4);
  if (!screen_) return error("-vnc: the host has no memory left");
  screen_->screenData = this;
  screen_->frameBuffer = reinterpret_cast<char*>(buffer_);
  screen_->serverFormat.redShift = 16;
  screen_->serverFormat.greenShift = 8;
  screen_->serverFormat.blueShift = 0;
  screen_->desktopName = title_.c_str();
  screen_->port = screen_->ipv6port = -1;
  screen_->cursor = nullptr;
  screen_->backgroundLoop = TRUE;  // a viewer is closed by its thread
  screen_->deferUpdateTime = 0;
  screen_->maxClientWait = 5000;  // ms; who takes nothing for so long is dropped
  screen_->alwaysShared = !settings_ || settings_->shared;
  screen_->newClientHook = [](rfbClientPtr client) { return server_of(client->screen).arrived(client); };
  // The guest's pointer is part of the picture, and the viewer's own stays as it is.
  screen_->displayHook = [](rfbClientPtr client) { client->cursorWasChanged = client->cursorWasMoved = FALSE; };
  screen_->kbdAddEvent = [](rfbBool down, rfbKeySym keysym, rfbClientPtr client) {
    if (Viewer* v = viewer_of(client)) v->server.send(v->keys.keysym(keysym, down != 0));
  };
  screen_->ptrAddEvent = [](int buttons, int x, int y, rfbClientPtr client) {
    if (Viewer* v = viewer_of(client)) v->server.point(*v, buttons, x, y);
  };
  screen_->setXCutText = [](char* text, int length, rfbClientPtr client) {
    Viewer* const v = viewer_of(client);
    if (v && length > 0) v->server.pasted(*v, {text, static_cast<std::size_t>(length)});
  };
  if (asks_for_password()) {
    screen_->authPasswdData = this;  // not null: ask
    screen_->passwordCheck = [](rfbClientPtr client, const char* response, int length) -> rfbBool {
      return server_of(client->screen).let_in(client, {response, static_cast<std::size_t>(std::max(length, 0))});
    };
  }
  picture_.set_watched(false);
  setup_.feed.attach(picture_);
  attached_ = true;
  pump();
  pump_.start([this] {
    while (!pump_.stopping()) {
      pump_.wait(-1, 0);
      join_finished();
      pump();
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
  disconnect_viewers();
}

template <class Visit>
void RfbServer::each_client(Visit visit) const {
  if (!screen_) return;
  const rfbClientIteratorPtr clients = rfbGetClientIterator(screen_);
  while (const rfbClientPtr client = rfbClientIteratorNext(clients)) visit(client);
  rfbReleaseClientIterator(clients);
}

// Somebody looks, or nobody does any more.
void RfbServer::watch(bool on) {
  picture_.set_watched(on);
  if (on) setup_.machine.post([&feed = setup_.feed] { feed.look(); });
}

// Returns whether no viewer's thread is left.
bool RfbServer::join_finished() {
  std::vector<pthread_t> finished;
  unsigned left;
  {
    const std::lock_guard lock(mutex_);
    finished.swap(finished_);
    left = started_ -= static_cast<unsigned>(finished.size());
  }
  for (const pthread_t thread : finished) pthread_join(thread, nullptr);
  return left == 0;
}

// Takes over what has changed of the picture.
void RfbServer::pump() {
  picture_.take([this](const SharedPicture::View& view) {
    const unsigned width = std::min(view.width, kMostSide), height = std::min(view.height, kMostSide);
    if (width == 0 || height == 0) return;
    const bool resized =
        width != static_cast<unsigned>(screen_->width) || height != static_cast<unsigned>(screen_->height);
    for (const Rect& r : view.changed) {
      const unsigned right = std::min(r.x + r.width, width), bottom = std::min(r.y + r.height, height);
      if (r.x >= right) continue;
      for (unsigned y = r.y; y < bottom; ++y) {
        const auto row = view.pixels.subspan(std::size_t{y} * view.width + r.x, right - r.x);
        std::copy(row.begin(), row.end(), buffer_ + std::size_t{y} * width + r.x);
      }
      if (!resized && r.y < bottom) {
        rfbMarkRectAsModified(screen_, static_cast<int>(r.x), static_cast<int>(r.y), static_cast<int>(right),
                              static_cast<int>(bottom));
      }
    }
    if (resized) resize(width, height);
  });
}

// The library's rfbNewFramebuffer() waits for every viewer that is being sent something, and one that leaves meanwhile
// is left with a lock. The buffer stays where it is, so all there is to do is to tell of the size.
void RfbServer::resize(unsigned width, unsigned height) {
  const std::lock_guard lock(size_);
  screen_->width = static_cast<int>(width);
  screen_->height = static_cast<int>(height);
  screen_->paddedWidthInBytes = static_cast<int>(width * 4);
  screen_->sizeInBytes = static_cast<int>(width * height * 4);
  each_client([&](rfbClientPtr client) {
    pthread_mutex_lock(&client->updateMutex);
    sraRgnDestroy(client->modifiedRegion);
    client->modifiedRegion = sraRgnCreateRect(0, 0, static_cast<int>(width), static_cast<int>(height));
    sraRgnMakeEmpty(client->copyRegion);
    if (client->useNewFBSize) client->newFBSizePending = TRUE;
    pthread_cond_signal(&client->updateCond);
    pthread_mutex_unlock(&client->updateMutex);
  });
}

// In the thread of a listener: the library says hello and, on a WebSocket, shakes hands.
void RfbServer::adopt(int fd, Arrival arrival) {
  {
    const std::lock_guard lock(mutex_);
    arriving_[fd] = std::move(arrival);
  }
  watch(true);
  const rfbClientPtr client = rfbNewClient(screen_, fd);
  {
    const std::lock_guard lock(mutex_);
    arriving_.erase(fd);
  }
  if (!client) return watch(has_viewers());
  viewer_of(client)->started = true;
  {
    const std::lock_guard lock(mutex_);
    ++started_;
  }
  client->onHold = FALSE;
  pthread_t thread;
  if (pthread_create(
          &thread, nullptr,
          [](void* c) -> void* {
            const auto served = static_cast<rfbClientPtr>(c);
            server_of(served->screen).serve(served);
            return nullptr;
          },
          client) != 0) {  // no more threads
    viewer_of(client)->started = false;
    {
      const std::lock_guard lock(mutex_);
      --started_;
    }
    rfbCloseClient(client);
    rfbClientConnectionGone(client);
  }
}

// The thread of a viewer. The library would have two, one of which changes the encoding and the format of pixels while
// the other sends some.
void RfbServer::serve(rfbClientPtr client) {
  while (client->sock != RFB_INVALID_SOCKET && client->state != rfbClientRec::RFB_SHUTDOWN) {
    pollfd input{client->sock, POLLIN, 0};
    const int ready = poll(&input, 1, kFrameMs);
    const std::shared_lock lock(size_);
    if (ready > 0) {
      do rfbProcessClientMessage(client);
      while (client->state != rfbClientRec::RFB_SHUTDOWN && webSocketsHasDataInBuffer(client));
    }
    if (client->state == rfbClientRec::RFB_NORMAL) rfbUpdateClient(client);
  }
  rfbClientConnectionGone(client);
}

rfbNewClientAction RfbServer::arrived(rfbClientPtr client) {
  // The library frees this each time it closes the client, which its two threads may both do.
  std::free(std::exchange(client->wspath, nullptr));
  std::size_t viewers = 0;
  each_client([&](rfbClientPtr) { ++viewers; });
  client->clientGoneHook = [](rfbClientPtr c) { server_of(c->screen).gone(c); };
  const std::lock_guard lock(mutex_);
  const auto known = arriving_.find(client->sock);
  if (known == arriving_.end() || viewers > kMostViewers) return RFB_CLIENT_REFUSE;
  const Arrival& arrival = known->second;
  if (arrival.websocket != (client->wsctx != nullptr)) return RFB_CLIENT_REFUSE;
  client->clientData = new Viewer{*this, arrival, KeysymKeys(setup_.keymap)};
  // The library asks nobody for a password whom it has called itself.
  if (arrival.browser) client->reverseConnection = TRUE;
  return RFB_CLIENT_ON_HOLD;
}

void RfbServer::gone(rfbClientPtr client) {
  std::free(std::exchange(client->wsctx, nullptr));  // which the library does nowhere
  const std::unique_ptr<Viewer> viewer(viewer_of(client));
  client->clientData = nullptr;
  watch(has_viewers());
  if (!viewer) return;
  send(viewer->keys.release_all());
  if (!viewer->started) return;
  {
    const std::lock_guard lock(mutex_);
    finished_.push_back(pthread_self());
  }
  pump_.wake();
}

bool RfbServer::let_in(rfbClientPtr client, std::span<const char> response) const {
  u8 expected[CHALLENGESIZE];
  char password[9] = {};  // the protocol takes eight letters
  {
    const std::lock_guard lock(mutex_);
    if (!password_set_ || (expires_ && std::time(nullptr) >= *expires_)) return false;
    password_.copy(password, 8);
  }
  std::memcpy(expected, client->authChallenge, sizeof expected);
  rfbEncryptBytes(expected, password);
  if (response.size() != sizeof expected) return false;
  u8 differs = 0;
  for (std::size_t n = 0; n < sizeof expected; ++n) differs |= expected[n] ^ static_cast<u8>(response[n]);
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

void RfbServer::point(Viewer& viewer, int buttons, int x, int y) {
  const int pressed = buttons & ~std::exchange(viewer.buttons, buttons);
  if (!*running_) return;  // they would wait without end
  // RFB: left, middle, right, wheel up, wheel down, wheel left and right, side, extra.
  const u8 held = static_cast<u8>((buttons & 1 ? kLeftButton : 0) | (buttons & 2 ? kMiddleButton : 0) |
                                  (buttons & 4 ? kRightButton : 0) | (buttons & 0x80 ? kSideButton : 0) |
                                  (buttons & 0x100 ? kExtraButton : 0));
  const i32 wheel = (pressed & 16 ? 1 : 0) - (pressed & 8 ? 1 : 0);
  const int width = screen_->width, height = screen_->height;
  const auto scale = [](int at, int size) {
    return static_cast<u16>(size < 2 ? 0 : i64{std::clamp(at, 0, size - 1)} * AbsolutePointer::kFullScale / (size - 1));
  };
  setup_.machine.gate().post(PointerInput{
      {scale(x, width), scale(y, height), static_cast<u16>(width), static_cast<u16>(height)}, wheel, held});
}

void RfbServer::pasted(const Viewer& viewer, std::string_view latin1) {
  if (!viewer.arrival.browser) return;  // other viewers send each change of their clipboard
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
  each_client([&](rfbClientPtr client) {
    const Viewer* const viewer = viewer_of(client);
    if (!viewer) return;
    const std::string& peer = viewer->arrival.peer;
    const char* const family = peer == "local" ? "unix" : peer.starts_with('[') ? "ipv6" : "ipv4";
    text += fmt::format("  Client: {} ({}{})\n    x509_dname: none\n    sasl_username: none\n", peer, family,
                        viewer->arrival.websocket ? ", Websocket" : "");
  });
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
  bool any = false;
  each_client([&](rfbClientPtr) { any = true; });
  return any;
}

void RfbServer::disconnect_viewers() {
  each_client([](rfbClientPtr client) { rfbCloseClient(client); });
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
