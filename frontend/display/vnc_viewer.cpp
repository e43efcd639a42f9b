// libvncserver for one viewer, without its threads: those change the format of pixels while others are being sent. The
// handshake is ours, as the library keeps one list of security types for all connections, so that a browser, which
// needs no password, would open the door for others.
#include "frontend/display/vnc_viewer.h"

#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/random.h>
#include <sys/select.h>
#include <sys/socket.h>
#include <unistd.h>
extern "C" {  // which this header leaves to others
#include <rfb/rfbregion.h>
}

#include <algorithm>
#include <cstdlib>

#include "base/bits.h"

namespace xlat {

namespace {

constexpr u8 kNoPassword = 1, kVncPassword = 2;  // RFC 6143, 7.1.2
// QEMU's extension: keys by number (rfbproto, "QEMU Extended Key Event Message").
constexpr int kExtendedKeys = -258;
constexpr u8 kQemuMessage = 255, kQemuKeyEvent = 0;

}  // namespace

int VncViewer::kNumberEncodings[] = {kExtendedKeys, 0};
rfbProtocolExtension VncViewer::kKeysByNumber = {
    .newClient = nullptr,
    .init = nullptr,
    .pseudoEncodings = kNumberEncodings,
    .enablePseudoEncoding = enable_numbers,
    .handleMessage = key_by_number,
    .close = nullptr,
    .usage = nullptr,
    .processArgument = nullptr,
    .next = nullptr,
};

// The library has one list of extensions for all.
void VncViewer::prepare_library() {
  static std::once_flag once;
  std::call_once(once, [] { rfbRegisterProtocolExtension(&kKeysByNumber); });
}

VncViewer::VncViewer(Host& host, const rfbScreenInfo& screen, const Keymap& keymap, int fd, Arrival arrival)
    : host_(host),
      screen_(screen),
      fd_(fd),
      line_(fcntl(fd, F_DUPFD_CLOEXEC, 3)),
      arrival_(std::move(arrival)),
      keys_(keymap),
      pixels_(std::size_t{static_cast<unsigned>(screen.width)} * static_cast<unsigned>(screen.height)),
      picture_([this] { thread_.wake(); }) {
  prepare_library();
  pthread_mutex_init(&screen_.cursorMutex, nullptr);
  screen_.screenData = this;
  screen_.frameBuffer = reinterpret_cast<char*>(pixels_.data());
  screen_.backgroundLoop = FALSE;
  screen_.deferUpdateTime = 0;
  screen_.alwaysShared = TRUE;   // others are on other screens
  screen_.maxClientWait = 5000;  // ms; who takes nothing for so long is dropped
  screen_.newClientHook = arrived;
  // The guest's pointer is part of the picture, and the viewer's own stays as it is.
  screen_.displayHook = [](rfbClientPtr client) { client->cursorWasChanged = client->cursorWasMoved = FALSE; };
  screen_.kbdAddEvent = [](rfbBool down, rfbKeySym keysym, rfbClientPtr client) {
    of(client).host_.send(of(client).keys_.keysym(keysym, down != 0));
  };
  screen_.ptrAddEvent = [](int buttons, int x, int y, rfbClientPtr client) { of(client).point(buttons, x, y); };
  screen_.setXCutText = [](char* text, int length, rfbClientPtr client) {
    if (length > 0) of(client).host_.pasted(of(client), {text, static_cast<std::size_t>(length)});
  };
}

VncViewer::~VncViewer() {
  disconnect();
  thread_.stop();
  if (!over_) close(fd_);  // it has never begun
  if (line_ >= 0) close(line_);
  pthread_mutex_destroy(&screen_.cursorMutex);
}

bool VncViewer::start() {
  // The library waits by select().
  if (line_ < 0 || fd_ >= FD_SETSIZE) return false;
  try {
    thread_.start([this] { run(); });
  } catch (const std::system_error&) {
    return false;
  }
  return true;
}

void VncViewer::disconnect() {
  if (!over_) shutdown(line_, SHUT_RDWR);
}

bool VncViewer::loiters() const { return !logged_in_ && std::chrono::steady_clock::now() > since_ + kPatience; }

void VncViewer::run() {
  client_ = arrival_.websocket ? begin_websocket() : begin_plain();
  if (client_) {
    serve();
    rfbClientConnectionGone(client_);
    host_.send(keys_.release_all());
  }
  while (rfbScreenInfoPtr scaled = screen_.scaledScreenNext) {
    screen_.scaledScreenNext = scaled->scaledScreenNext;
    std::free(scaled->frameBuffer);
    std::free(scaled);
  }
  disconnect();  // the library has closed its descriptor; the other one is still there
  over_ = true;
  host_.over();
}

// The library looks at the first four bytes for a WebSocket's, and turns round without end while there are fewer. A
// stand-in has them at once, and no page in a browser can make one of this connection.
rfbClientPtr VncViewer::begin_plain() {
  int pair[2];
  if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair) != 0) {
    close(fd_);
    return nullptr;
  }
  const bool sent = pair[0] < FD_SETSIZE && send(pair[1], "RFB ", 4, MSG_NOSIGNAL) == 4;
  const rfbClientPtr client = sent ? rfbNewClient(&screen_, pair[0]) : nullptr;
  if (!sent || client) close(pair[0]);
  close(pair[1]);
  if (!client) {
    close(fd_);
    return nullptr;
  }
  const int on = 1;
  setsockopt(fd_, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);  // fails where it is no TCP
  fcntl(fd_, F_SETFL, fcntl(fd_, F_GETFL) | O_NONBLOCK);
  client->sock = fd_;
  static constexpr std::string_view kVersion = "RFB 003.008\n";
  if (rfbWriteExact(client, kVersion.data(), static_cast<int>(kVersion.size())) <= 0) rfbCloseClient(client);
  return client;
}

rfbClientPtr VncViewer::begin_websocket() {
  char start[4];
  ssize_t got = 0;
  while (!loiters() && thread_.wait(fd_, POLLIN, 1000 * 5) && (got = recv(fd_, start, sizeof start, MSG_PEEK)) > 0 &&
         got < 4) {
    usleep(20'000);  // what was looked at stays, so wait() does not wait for more
  }
  if (got == 4) return rfbNewClient(&screen_, fd_);  // shakes hands and says hello
  close(fd_);
  return nullptr;
}

void VncViewer::serve() {
  if (!shake_hands()) return;
  while (open() && !thread_.stopping()) {
    take_picture();
    // Also to a viewer that says only now that it can follow.
    if (client_->useNewFBSize && (told_width_ != screen_.width || told_height_ != screen_.height)) {
      client_->newFBSizePending = TRUE;
      told_width_ = screen_.width, told_height_ = screen_.height;
    }
    rfbUpdateClient(client_);
    if (!open() || (!webSocketsHasDataInBuffer(client_) && !thread_.wait(client_->sock, POLLIN))) continue;
    rfbProcessClientMessage(client_);
    if (knows_numbers_) greet_by_number();
    // A scaled picture would have to be made anew with each size; viewers scale for themselves.
    if (client_->scaledScreen != &screen_) return;
  }
}

bool VncViewer::read(std::span<u8> bytes) {
  if (!webSocketsHasDataInBuffer(client_) && !thread_.wait(client_->sock, POLLIN)) return false;
  return rfbReadExact(client_, reinterpret_cast<char*>(bytes.data()), static_cast<int>(bytes.size())) > 0;
}

bool VncViewer::write(std::span<const u8> bytes) {
  return rfbWriteExact(client_, reinterpret_cast<const char*>(bytes.data()), static_cast<int>(bytes.size())) > 0;
}

// RFC 6143, 7.1. The library's ClientInit is the end of it.
bool VncViewer::shake_hands() {
  if (!open()) return false;
  std::array<u8, 12> version;
  if (!read(version)) return false;
  const std::string_view text(reinterpret_cast<const char*>(version.data()), version.size());
  const auto digit = [](char c) { return c >= '0' && c <= '9'; };
  if (!text.starts_with("RFB 003.") || !std::all_of(text.begin() + 8, text.begin() + 11, digit)) return false;
  const int said = (text[8] - '0') * 100 + (text[9] - '0') * 10 + (text[10] - '0');
  const unsigned minor = said >= 8 ? 8 : said == 7 ? 7 : 3;
  client_->protocolMajorVersion = 3;
  client_->protocolMinorVersion = static_cast<int>(minor);

  const u8 type = host_.asks_for_password() && !arrival_.browser ? kVncPassword : kNoPassword;
  if (minor < 7) {
    const u8 told[] = {0, 0, 0, type};
    if (!write(told)) return false;
  } else {
    const u8 offered[] = {1, type};
    std::array<u8, 1> chosen;
    if (!write(offered) || !read(chosen)) return false;
    if (chosen[0] != type) return refuse(minor, "no such security type");
  }
  if (!prove(minor, type)) return false;

  std::array<u8, 1> shared;
  if (!read(shared)) return false;
  logged_in_ = true;
  host_.logged_in(*this, shared[0] == 0);
  take_picture();                                            // whose size ServerInit tells
  client_->state = rfbClientRec::RFB_INITIALISATION_SHARED;  // what follows ClientInit
  rfbProcessClientMessage(client_);
  told_width_ = screen_.width, told_height_ = screen_.height;
  return open();
}

bool VncViewer::prove(unsigned minor, unsigned type) {
  const u8 fine[4] = {};
  if (type == kNoPassword) return minor < 8 || write(fine);
  Challenge challenge, response;
  for (std::size_t n = 0; n < challenge.size();) {
    const ssize_t got = getrandom(challenge.data() + n, challenge.size() - n, 0);
    if (got > 0) n += static_cast<std::size_t>(got);
  }
  if (!write(challenge) || !read(response)) return false;
  return host_.let_in(challenge, response) ? write(fine) : refuse(minor, "wrong password");
}

bool VncViewer::refuse(unsigned minor, std::string_view why) {
  std::vector<u8> answer = {0, 0, 0, 1};
  if (minor >= 8) {
    answer.resize(8);
    store_be<u32>(&answer[4], static_cast<u32>(why.size()));
    answer.insert(answer.end(), why.begin(), why.end());
  }
  write(answer);
  return false;
}

// Takes over what has changed of the picture.
void VncViewer::take_picture() {
  picture_.take([this](const SharedPicture::View& view) {
    if (view.width == 0 || view.height == 0) return;
    if (view.width != static_cast<unsigned>(screen_.width) || view.height != static_cast<unsigned>(screen_.height)) {
      resize(view.width, view.height);
    }
    view.copy_changed(pixels_);
    for (const Rect& r : view.changed) {
      const sraRegionPtr region = sraRgnCreateRect(static_cast<int>(r.x), static_cast<int>(r.y),
                                                   static_cast<int>(r.x + r.width), static_cast<int>(r.y + r.height));
      sraRgnOr(client_->modifiedRegion, region);
      sraRgnDestroy(region);
    }
  });
}

void VncViewer::resize(unsigned width, unsigned height) {
  pixels_.assign(std::size_t{width} * height, 0);
  screen_.frameBuffer = reinterpret_cast<char*>(pixels_.data());
  screen_.width = static_cast<int>(width);
  screen_.height = static_cast<int>(height);
  screen_.paddedWidthInBytes = static_cast<int>(width * 4);
  screen_.sizeInBytes = static_cast<int>(width * height * 4);
  sraRgnMakeEmpty(client_->modifiedRegion);
  sraRgnMakeEmpty(client_->copyRegion);
}

void VncViewer::point(int buttons, int x, int y) {
  const int pressed = buttons & ~std::exchange(buttons_, buttons);
  // RFB: left, middle, right, wheel up, wheel down, wheel left and right, side, extra.
  const u8 held = static_cast<u8>((buttons & 1 ? kLeftButton : 0) | (buttons & 2 ? kMiddleButton : 0) |
                                  (buttons & 4 ? kRightButton : 0) | (buttons & 0x80 ? kSideButton : 0) |
                                  (buttons & 0x100 ? kExtraButton : 0));
  const i32 wheel = (pressed & 16 ? 1 : 0) - (pressed & 8 ? 1 : 0);
  const int width = screen_.width, height = screen_.height;
  const auto scale = [](int at, int size) {
    return static_cast<u16>(size < 2 ? 0 : i64{std::clamp(at, 0, size - 1)} * AbsolutePointer::kFullScale / (size - 1));
  };
  host_.point({{scale(x, width), scale(y, height), static_cast<u16>(width), static_cast<u16>(height)}, wheel, held});
}

rfbNewClientAction VncViewer::arrived(rfbClientPtr client) {
  // The library frees this when it closes a client and not when one is gone otherwise.
  std::free(std::exchange(client->wspath, nullptr));
  client->clientGoneHook = gone;
  return of(client).arrival_.websocket == (client->wsctx != nullptr) ? RFB_CLIENT_ACCEPT : RFB_CLIENT_REFUSE;
}

// What the library frees nowhere.
void VncViewer::gone(rfbClientPtr client) {
  std::free(std::exchange(client->wsctx, nullptr));
  while (rfbExtensionData* extension = client->extensions) {
    client->extensions = extension->next;
    std::free(extension);
  }
}

// The library holds a lock that all viewers need, so nothing may be sent here.
rfbBool VncViewer::enable_numbers(rfbClientPtr client, void**, int encoding) {
  if (encoding != kExtendedKeys) return FALSE;
  of(client).knows_numbers_ = true;
  return TRUE;
}

// The viewer learns that we know the extension by an update of one empty rectangle of this encoding.
void VncViewer::greet_by_number() {
  knows_numbers_ = false;
  if (!open()) return;
  u8 update[16] = {rfbFramebufferUpdate, 0, 0, 1};
  store_be<u32>(update + 12, static_cast<u32>(kExtendedKeys));
  if (!write(update)) rfbCloseClient(client_);
}

rfbBool VncViewer::key_by_number(rfbClientPtr client, void*, const rfbClientToServerMsg* message) {
  if (message->type != kQemuMessage) return FALSE;
  u8 rest[11];  // kind, down (16 bits), keysym, number
  if (rfbReadExact(client, reinterpret_cast<char*>(rest), sizeof rest) <= 0 || rest[0] != kQemuKeyEvent) {
    rfbCloseClient(client);
    return TRUE;
  }
  VncViewer& viewer = of(client);
  const bool down = rest[1] || rest[2];
  const u32 keysym = load_be<u32>(rest + 3), number = load_be<u32>(rest + 7);
  viewer.host_.send(number ? viewer.keys_.number(number, down) : viewer.keys_.keysym(keysym, down));
  return TRUE;
}

}  // namespace xlat
