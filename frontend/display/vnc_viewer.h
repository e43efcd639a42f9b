// One viewer of the VNC server: its connection, its thread, its copy of the picture. It shares nothing that
// libvncserver changes with another, so that what one does or leaves undone is felt by no other.
#pragma once

#include <rfb/rfb.h>

#include <array>
#include <chrono>
#include <string>

#include "frontend/channels/reader_thread.h"
#include "frontend/display/screen_feed.h"
#include "frontend/input/keysym_keys.h"

namespace xlat {

class VncViewer {
 public:
  // How a connection came in.
  struct Arrival {
    std::string peer;        // "127.0.0.1:41234"
    bool websocket = false;  // must be one
    bool browser = false;    // of -display web: let in without a password, what it pastes is typed
  };

  using Challenge = std::array<u8, 16>;

  // What viewers ask of their server, each in its thread.
  class Host {
   public:
    virtual ~Host() = default;
    virtual bool asks_for_password() const = 0;
    virtual bool let_in(const Challenge& challenge, const Challenge& response) const = 0;
    // It has got in; `alone` if it wants nobody else to look.
    virtual void logged_in(VncViewer& viewer, bool alone) = 0;
    virtual void send(const std::vector<KeyInput>& keys) = 0;
    virtual void point(const PointerInput& pointer) = 0;
    virtual void pasted(const VncViewer& viewer, std::string_view latin1) = 0;
    virtual void over() = 0;
  };

  // Owns `fd`. `screen` is copied: how viewers are served, and its first size.
  VncViewer(Host& host, const rfbScreenInfo& screen, const Keymap& keymap, int fd, Arrival arrival);
  ~VncViewer();
  VncViewer(const VncViewer&) = delete;
  VncViewer& operator=(const VncViewer&) = delete;

  // ---- From any thread ----
  // False if the host has no thread for it.
  bool start();
  // Ends the connection, also while something waits for it.
  void disconnect();
  bool over() const { return over_; }
  bool logged_in() const { return logged_in_; }
  // Whether it takes too long to say who it is.
  bool loiters() const;
  const Arrival& arrival() const { return arrival_; }
  SharedPicture& picture() { return picture_; }

 private:
  static constexpr auto kPatience = std::chrono::seconds(60);  // with somebody who types a password

  void run();
  rfbClientPtr begin_plain();
  rfbClientPtr begin_websocket();
  void serve();
  bool shake_hands();
  bool prove(unsigned minor, unsigned type);
  bool refuse(unsigned minor, std::string_view why);
  bool read(std::span<u8> bytes);
  bool write(std::span<const u8> bytes);
  void take_picture();
  void resize(unsigned width, unsigned height);
  void greet_by_number();
  void point(int buttons, int x, int y);
  bool open() const { return client_->sock != RFB_INVALID_SOCKET; }

  static VncViewer& of(rfbClientPtr client) { return *static_cast<VncViewer*>(client->screen->screenData); }
  static rfbNewClientAction arrived(rfbClientPtr client);
  static void gone(rfbClientPtr client);
  static rfbBool enable_numbers(rfbClientPtr client, void** data, int encoding);
  static rfbBool key_by_number(rfbClientPtr client, void* data, const rfbClientToServerMsg* message);
  static void prepare_library();
  static int kNumberEncodings[];
  static rfbProtocolExtension kKeysByNumber;

  Host& host_;
  rfbScreenInfo screen_;
  const int fd_;
  const int line_;  // the same connection, to end it by
  const Arrival arrival_;
  const std::chrono::steady_clock::time_point since_ = std::chrono::steady_clock::now();
  KeysymKeys keys_;
  rfbClientPtr client_ = nullptr;
  std::vector<u32> pixels_;
  int told_width_ = 0, told_height_ = 0;
  int buttons_ = 0;  // as RFB has them
  bool knows_numbers_ = false;
  std::atomic<bool> logged_in_ = false, over_ = false;
  SharedPicture picture_;
  ReaderThread thread_;
};

}  // namespace xlat
