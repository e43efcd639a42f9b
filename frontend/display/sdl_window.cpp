// The window by SDL2. All of SDL is done in one thread, which is not the program's first: on Linux SDL asks for no more
// than that. The picture is drawn by the processor into the window's own surface, and only where it has changed: no
// graphics driver lives in this process, whose system calls are filtered. The filter refuses new memory shared with the
// X server as well; SDL then sends the picture through the connection.
#define SDL_MAIN_HANDLED
#include <SDL.h>

#include <array>
#include <cstdlib>
#include <future>
#include <mutex>
#include <thread>

#include "frontend/display/console_font.h"
#include "frontend/display/terminal_keys.h"
#include "frontend/display/window.h"
#include "frontend/input/keymap.h"

namespace xlat {

namespace {

std::optional<KeyCode> key_of(SDL_Scancode code) {
  switch (code) {
#define XLAT_SDL_KEY(scancode, key) \
  case SDL_SCANCODE_##scancode:     \
    return KeyCode::key;
#include "frontend/display/sdl_keys.inc"
#undef XLAT_SDL_KEY
    default: return std::nullopt;
  }
}

SpecialKey special_of(SDL_Keycode code) {
  if (code >= SDLK_F1 && code <= SDLK_F12) {
    return static_cast<SpecialKey>(static_cast<int>(SpecialKey::kF1) + (code - SDLK_F1));
  }
  switch (code) {
    case SDLK_UP: return SpecialKey::kUp;
    case SDLK_DOWN: return SpecialKey::kDown;
    case SDLK_LEFT: return SpecialKey::kLeft;
    case SDLK_RIGHT: return SpecialKey::kRight;
    case SDLK_HOME: return SpecialKey::kHome;
    case SDLK_END: return SpecialKey::kEnd;
    case SDLK_PAGEUP: return SpecialKey::kPageUp;
    case SDLK_PAGEDOWN: return SpecialKey::kPageDown;
    case SDLK_INSERT: return SpecialKey::kInsert;
    case SDLK_DELETE: return SpecialKey::kDelete;
    case SDLK_BACKSPACE: return SpecialKey::kBackspace;
    case SDLK_KP_ENTER: return SpecialKey::kEnter;
    default: return SpecialKey::kNone;
  }
}

u8 button_of(u8 sdl) {
  switch (sdl) {
    case SDL_BUTTON_LEFT: return kLeftButton;
    case SDL_BUTTON_MIDDLE: return kMiddleButton;
    case SDL_BUTTON_RIGHT: return kRightButton;
    case SDL_BUTTON_X1: return kSideButton;
    case SDL_BUTTON_X2: return kExtraButton;
    default: return 0;
  }
}

bool named(const char* variable) {
  const char* const value = std::getenv(variable);
  return value && *value;
}

// SDL's texts are UTF-8 and well-formed; what is not is left out.
std::u32string from_utf8(std::string_view text) {
  std::u32string out;
  for (std::size_t n = 0; n < text.size();) {
    const u8 first = static_cast<u8>(text[n++]);
    unsigned more = first >= 0xf0 ? 3 : first >= 0xe0 ? 2 : first >= 0xc0 ? 1 : 0;
    char32_t c = more ? first & (0x3fu >> more) : first;
    for (; more > 0 && n < text.size(); --more) c = c << 6 | (static_cast<u8>(text[n++]) & 0x3f);
    if (first < 0x80 || first >= 0xc0) out += c;
  }
  return out;
}

class SdlWindow final : public Display {
 public:
  SdlWindow(WindowSetup setup, ConsoleFont font) : setup_(std::move(setup)), font_(std::move(font)) {
    *paused_ = setup_.machine.paused();
    setup_.machine.watch_state(
        [paused = paused_](Machine::RunState state) { *paused = state != Machine::RunState::kRunning; });
  }
  ~SdlWindow() override { stop(); }

  Status start() override {
    setup_.feed.attach(shared_);
    std::promise<Status> opened;
    auto result = opened.get_future();
    thread_ = std::thread([this, opened = std::move(opened)]() mutable { run(std::move(opened)); });
    return result.get();
  }
  void stop() override {
    stopping_ = true;
    if (thread_.joinable()) thread_.join();
  }

 private:
  static constexpr unsigned kMostZoom = 8;

  void run(std::promise<Status> opened);
  Status open();
  // From any thread: there is a new picture.
  void wake();
  void handle(const SDL_Event& event);
  void window_event(const SDL_WindowEvent& event);
  bool hotkey_held() const;
  bool hotkey(SDL_Scancode code);
  void key(const SDL_KeyboardEvent& event);
  void console_key(const SDL_Keysym& key);
  void motion(const SDL_MouseMotionEvent& event);
  void button(const SDL_MouseButtonEvent& event);
  void pointer(i32 wheel);
  void grab(bool on);
  void hide(bool on);
  void show(unsigned console);
  void zoom(unsigned factor);
  void toggle_full_screen();
  void release_all();
  void take_picture();
  void draw_shown_console();
  void draw();
  void draw_part(SDL_Surface* from, SDL_Surface* to, const Rect& part);
  void update_title_and_pointer();
  bool absolute() const { return setup_.machine.pc().input.absolute(); }
  InputGate& gate() { return setup_.machine.gate(); }
  VirtualConsole* console() const { return shown_ ? setup_.consoles[shown_ - 1] : nullptr; }

  WindowSetup setup_;
  ConsoleFont font_;
  SharedPicture shared_{[this] { wake(); }};
  std::thread thread_;
  std::atomic<bool> stopping_ = false;
  std::shared_ptr<std::atomic<bool>> paused_ = std::make_shared<std::atomic<bool>>(false);

  std::mutex wake_mutex_;
  u32 wake_event_ = 0;  // 0: SDL is not there to be woken
  std::atomic<bool> woken_ = false;

  // The window's thread's.
  SDL_Window* window_ = nullptr;
  std::string title_;
  unsigned guest_width_ = 0, guest_height_ = 0;
  std::vector<u32> guest_pixels_;
  unsigned console_width_ = 0, console_height_ = 0;
  std::vector<u32> console_pixels_;
  std::vector<Rect> changed_;
  bool all_changed_ = true;
  Viewport view_;
  unsigned zoom_ = 1;  // the window is so many times as large as the picture; 0: the user chose another size
  bool full_screen_ = false, grabbed_ = false, hidden_ = false;
  unsigned shown_ = 0;  // 0: the screen; n: consoles[n - 1]
  unsigned back_ = 0;   // lines scrolled back in a console
  u64 shown_version_ = 0;
  std::array<bool, 256> held_{};
  u8 buttons_ = 0;
  i32 pointer_x_ = 0, pointer_y_ = 0;  // in pixels of the window
};

Status SdlWindow::open() {
  // Signals are the program's, screen savers the user's, and surfaces are drawn without OpenGL.
  SDL_SetHint(SDL_HINT_NO_SIGNAL_HANDLERS, "1");
  SDL_SetHint(SDL_HINT_VIDEO_ALLOW_SCREENSAVER, "1");
  SDL_SetHint(SDL_HINT_FRAMEBUFFER_ACCELERATION, "0");
  SDL_SetHint(SDL_HINT_VIDEO_X11_NET_WM_BYPASS_COMPOSITOR, "0");
  // The servers that are named, and no others: SDL would fall back on windows that nobody sees.
  const bool x11 = named("DISPLAY"), wayland = named("WAYLAND_DISPLAY");
  SDL_SetHint(SDL_HINT_VIDEODRIVER, x11 && wayland ? "x11,wayland" : wayland ? "wayland" : "x11");
  SDL_SetMainReady();
  if (SDL_InitSubSystem(SDL_INIT_VIDEO) != 0) {
    return error("-display sdl: no display server can be reached: {}; use -display curses, -vnc :0 or -nographic",
                 SDL_GetError());
  }
  window_ = SDL_CreateWindow("xlat", SDL_WINDOWPOS_UNDEFINED, SDL_WINDOWPOS_UNDEFINED, static_cast<int>(guest_width_),
                             static_cast<int>(guest_height_), SDL_WINDOW_RESIZABLE | SDL_WINDOW_ALLOW_HIGHDPI);
  if (!window_ || !SDL_GetWindowSurface(window_)) {
    return error("-display sdl: cannot open a window: {}", SDL_GetError());
  }
  SDL_StopTextInput();
  {
    const std::lock_guard lock(wake_mutex_);
    const u32 event = SDL_RegisterEvents(1);
    wake_event_ = event == ~u32{0} ? 0 : event;
  }
  update_title_and_pointer();
  if (setup_.options.full_screen) toggle_full_screen();
  return {};
}

void SdlWindow::wake() {
  const std::lock_guard lock(wake_mutex_);
  if (wake_event_ == 0 || woken_.exchange(true)) return;
  SDL_Event event{};
  event.type = wake_event_;
  SDL_PushEvent(&event);
}

void SdlWindow::run(std::promise<Status> opened) {
  take_picture();
  Status status = open();
  const bool open = status.ok();
  opened.set_value(std::move(status));
  while (open && !stopping_) {
    SDL_Event event;
    // A new picture wakes this thread. A console's output does not, nor does what the title and the pointer tell.
    if (SDL_WaitEventTimeout(&event, console() ? 15 : 100)) {
      do handle(event);
      while (SDL_PollEvent(&event));
    }
    woken_ = false;
    take_picture();
    if (console()) draw_shown_console();
    update_title_and_pointer();
    draw();
  }
  {
    const std::lock_guard lock(wake_mutex_);
    wake_event_ = 0;
  }
  if (window_) SDL_DestroyWindow(window_);
  SDL_QuitSubSystem(SDL_INIT_VIDEO);
}

void SdlWindow::take_picture() {
  const unsigned width = guest_width_, height = guest_height_;
  shared_.take([&](const SharedPicture::View& view) {
    if (view.width != guest_width_ || view.height != guest_height_) {
      guest_width_ = view.width;
      guest_height_ = view.height;
      guest_pixels_.assign(view.pixels.begin(), view.pixels.end());
      all_changed_ = true;
      return;
    }
    view.copy_changed(guest_pixels_);
    if (!shown_) changed_.insert(changed_.end(), view.changed.begin(), view.changed.end());
  });
  if (window_ && (width != guest_width_ || height != guest_height_)) zoom(zoom_);
}

// The window gets `factor` times the size of the guest's picture, unless that is not ours to say.
void SdlWindow::zoom(unsigned factor) {
  zoom_ = factor;
  all_changed_ = true;
  if (factor == 0 || full_screen_ || (SDL_GetWindowFlags(window_) & SDL_WINDOW_MAXIMIZED)) return;
  SDL_SetWindowSize(window_, static_cast<int>(guest_width_ * factor), static_cast<int>(guest_height_ * factor));
}

void SdlWindow::toggle_full_screen() {
  full_screen_ = !full_screen_;
  SDL_SetWindowFullscreen(window_, full_screen_ ? SDL_WINDOW_FULLSCREEN_DESKTOP : 0);
  SDL_SetWindowKeyboardGrab(window_, full_screen_ || grabbed_ ? SDL_TRUE : SDL_FALSE);
  all_changed_ = true;
}

void SdlWindow::update_title_and_pointer() {
  std::string title = setup_.name.empty() ? "xlat" : fmt::format("xlat ({})", setup_.name);
  if (console()) title += " - " + console()->label();
  if (*paused_) title += " [Paused]";
  if (grabbed_) {
    using Hotkey = WindowOptions::Hotkey;
    const Hotkey keys = setup_.options.hotkey;
    title += fmt::format(" - Press {}-G to exit grab", keys == Hotkey::kCtrlAlt        ? "Ctrl-Alt"
                                                       : keys == Hotkey::kCtrlAltShift ? "Ctrl-Alt-Shift"
                                                                                       : "Right-Ctrl");
  }
  if (title != title_) SDL_SetWindowTitle(window_, title.c_str());
  title_ = std::move(title);
  // The guest's driver for a tablet may come and go while the window has the mouse.
  SDL_SetRelativeMouseMode(grabbed_ && !absolute() ? SDL_TRUE : SDL_FALSE);
  const bool own_pointer = !console() && absolute() && view_.contains(pointer_x_, pointer_y_);
  SDL_ShowCursor(own_pointer && !setup_.options.show_cursor ? SDL_DISABLE : SDL_ENABLE);
}

void SdlWindow::handle(const SDL_Event& event) {
  switch (event.type) {
    case SDL_WINDOWEVENT: return window_event(event.window);
    case SDL_QUIT:
      if (setup_.options.close) setup_.closed();
      return;
    case SDL_KEYDOWN:
    case SDL_KEYUP: return key(event.key);
    case SDL_TEXTINPUT:
      if (console() && !hotkey_held()) console()->type(event.text.text);
      return;
    case SDL_MOUSEMOTION: return motion(event.motion);
    case SDL_MOUSEBUTTONDOWN:
    case SDL_MOUSEBUTTONUP: return button(event.button);
    case SDL_MOUSEWHEEL: {
      const i32 up = event.wheel.direction == SDL_MOUSEWHEEL_FLIPPED ? -event.wheel.y : event.wheel.y;
      if (console()) {
        back_ = static_cast<unsigned>(std::max(0, static_cast<i32>(back_) + 3 * up));
        shown_version_ = ~u64{0};
      } else {
        pointer(-up);
      }
      return;
    }
    default: return;
  }
}

void SdlWindow::window_event(const SDL_WindowEvent& event) {
  switch (event.event) {
    case SDL_WINDOWEVENT_EXPOSED: all_changed_ = true; return;
    case SDL_WINDOWEVENT_SIZE_CHANGED: {
      all_changed_ = true;
      if (full_screen_ || console()) return;
      const unsigned width = static_cast<unsigned>(event.data1), height = static_cast<unsigned>(event.data2);
      const unsigned factor = guest_width_ ? width / guest_width_ : 0;
      zoom_ = factor * guest_width_ == width && factor * guest_height_ == height ? factor : 0;
      return;
    }
    case SDL_WINDOWEVENT_FOCUS_LOST:
      release_all();
      grab(false);
      return;
    case SDL_WINDOWEVENT_HIDDEN:
    case SDL_WINDOWEVENT_MINIMIZED: return hide(true);
    case SDL_WINDOWEVENT_SHOWN:
    case SDL_WINDOWEVENT_RESTORED:
    case SDL_WINDOWEVENT_MAXIMIZED: all_changed_ = true; return hide(false);
    default: return;
  }
}

void SdlWindow::hide(bool on) {
  hidden_ = on;
  shared_.set_watched(!on);
  if (!on) setup_.machine.post([&feed = setup_.feed] { feed.look(); });
}

bool SdlWindow::hotkey_held() const {
  const SDL_Keymod held = SDL_GetModState();
  // Not the right Alt, which is AltGr on many keyboards.
  const bool ctrl_alt = (held & KMOD_CTRL) && (held & KMOD_LALT);
  switch (setup_.options.hotkey) {
    case WindowOptions::Hotkey::kCtrlAlt: return ctrl_alt;
    case WindowOptions::Hotkey::kCtrlAltShift: return ctrl_alt && (held & KMOD_SHIFT);
    case WindowOptions::Hotkey::kRightCtrl: return (held & KMOD_RCTRL) != 0;
  }
  return false;
}

bool SdlWindow::hotkey(SDL_Scancode code) {
  if (code >= SDL_SCANCODE_1 && code <= SDL_SCANCODE_9) {
    const unsigned number = static_cast<unsigned>(code - SDL_SCANCODE_1);
    if (number <= setup_.consoles.size()) show(number);
    return true;
  }
  switch (code) {
    case SDL_SCANCODE_F: toggle_full_screen(); return true;
    case SDL_SCANCODE_G:
      if (!console()) grab(!grabbed_);
      return true;
    case SDL_SCANCODE_U:
      if (full_screen_) toggle_full_screen();
      zoom(1);
      return true;
    case SDL_SCANCODE_EQUALS:
    case SDL_SCANCODE_KP_PLUS: zoom(std::min(std::max(zoom_, 1u) + 1, kMostZoom)); return true;
    case SDL_SCANCODE_MINUS:
    case SDL_SCANCODE_KP_MINUS: zoom(std::max(zoom_, 2u) - 1); return true;
    case SDL_SCANCODE_V: {
      char* const text = SDL_GetClipboardText();
      if (!text) return true;
      release_all();  // Ctrl and Alt are not part of the text
      if (console()) {
        console()->type(text);
      } else {
        setup_.type(from_utf8(text));
      }
      SDL_free(text);
      return true;
    }
    default: return false;
  }
}

void SdlWindow::key(const SDL_KeyboardEvent& event) {
  const bool down = event.type == SDL_KEYDOWN;
  const SDL_Scancode code = event.keysym.scancode;
  if (down && !event.repeat && hotkey_held() && hotkey(code)) return;
  if (console()) {
    if (down) console_key(event.keysym);
    return;
  }
  const auto pc_key = key_of(code);
  if (!pc_key) return;
  bool& held = held_[static_cast<u8>(*pc_key)];
  if (std::exchange(held, down) != down) gate().post(KeyInput{*pc_key, down});
}

void SdlWindow::console_key(const SDL_Keysym& key) {
  TerminalKey typed{.special = special_of(key.sym),
                    .shift = (key.mod & KMOD_SHIFT) != 0,
                    .ctrl = (key.mod & KMOD_CTRL) != 0,
                    .alt = (key.mod & KMOD_LALT) != 0};
  if (typed.shift && (typed.special == SpecialKey::kPageUp || typed.special == SpecialKey::kPageDown)) {
    const unsigned page = console_height_ / ConsoleFont::kHeight / 2;
    back_ = typed.special == SpecialKey::kPageUp ? back_ + page : back_ - std::min(back_, page);
    shown_version_ = ~u64{0};
    return;
  }
  if (typed.special == SpecialKey::kNone) {
    if (key.sym == SDLK_RETURN || key.sym == SDLK_TAB || key.sym == SDLK_ESCAPE) {
      typed.character = static_cast<char32_t>(key.sym);
    } else if (typed.ctrl && key.sym >= SDLK_a && key.sym <= SDLK_z) {
      typed.character = static_cast<char32_t>(key.sym - SDLK_a + 1);
      typed.ctrl = false;
    } else {
      return;  // a character: it comes as text
    }
  }
  back_ = 0;
  console()->type(terminal_bytes(typed));
}

void SdlWindow::motion(const SDL_MouseMotionEvent& event) {
  int width = 1, height = 1;
  SDL_GetWindowSize(window_, &width, &height);
  const SDL_Surface* surface = SDL_GetWindowSurface(window_);
  if (surface && width > 0 && height > 0) {  // the window's points may be several pixels
    pointer_x_ = event.x * surface->w / width;
    pointer_y_ = event.y * surface->h / height;
  }
  if (console() || *paused_) return;  // where the machine stands still, motion would wait without end
  if (absolute()) return pointer(0);
  if (grabbed_) gate().post(MouseInput{event.xrel, event.yrel, 0, buttons_});
}

// Buttons, the wheel, and where the pointer is if the guest wants to know.
void SdlWindow::pointer(i32 wheel) {
  if (absolute()) {
    const u16 full = AbsolutePointer::kFullScale;
    gate().post(PointerInput{{view_.across(pointer_x_, full), view_.down(pointer_y_, full),
                              static_cast<u16>(guest_width_), static_cast<u16>(guest_height_)},
                             wheel,
                             buttons_});
  } else if (grabbed_) {
    gate().post(MouseInput{0, 0, wheel, buttons_});
  }
}

void SdlWindow::button(const SDL_MouseButtonEvent& event) {
  const u8 bit = button_of(event.button);
  const bool down = event.type == SDL_MOUSEBUTTONDOWN;
  if (!bit || console()) return;
  if (down && !absolute() && !grabbed_) return grab(true);  // this click is for the window
  buttons_ = static_cast<u8>(down ? buttons_ | bit : buttons_ & ~bit);
  pointer(0);
}

void SdlWindow::grab(bool on) {
  if (grabbed_ == on) return;
  grabbed_ = on;
  SDL_SetWindowKeyboardGrab(window_, on || full_screen_ ? SDL_TRUE : SDL_FALSE);
}

void SdlWindow::release_all() {
  for (unsigned n = 0; n < held_.size(); ++n) {
    if (std::exchange(held_[n], false)) gate().post(KeyInput{static_cast<KeyCode>(n), false});
  }
  if (std::exchange(buttons_, u8{0})) pointer(0);
}

void SdlWindow::show(unsigned number) {
  release_all();
  grab(false);
  shown_ = number;
  back_ = 0;
  shown_version_ = ~u64{0};
  all_changed_ = true;
  if (console()) {
    SDL_StartTextInput();
  } else {
    SDL_StopTextInput();
  }
}

// A console is as large as the window allows.
void SdlWindow::draw_shown_console() {
  const SDL_Surface* surface = SDL_GetWindowSurface(window_);
  int points = 1;
  SDL_GetWindowSize(window_, &points, nullptr);
  if (!surface || points <= 0) return;
  const unsigned ratio = static_cast<unsigned>(std::max(1, surface->w / points));
  const unsigned columns = std::clamp(static_cast<unsigned>(surface->w) / ratio / ConsoleFont::kWidth, 10u, 500u);
  const unsigned rows = std::clamp(static_cast<unsigned>(surface->h) / ratio / ConsoleFont::kHeight, 3u, 300u);
  const unsigned width = columns * ConsoleFont::kWidth, height = rows * ConsoleFont::kHeight;
  const u64 version = console()->version();
  if (version == shown_version_ && width == console_width_ && height == console_height_) return;
  shown_version_ = version;
  console_width_ = width;
  console_height_ = height;
  console_pixels_.assign(std::size_t{width} * height, 0);
  console()->with_screen([&](VtScreen& screen) {
    screen.resize(columns, rows);
    back_ = std::min(back_, screen.history());
    draw_console(screen, back_, font_, console_pixels_, width);
  });
  all_changed_ = true;
}

void SdlWindow::draw_part(SDL_Surface* from, SDL_Surface* to, const Rect& part) {
  const auto factor = static_cast<int>(view_.width / static_cast<unsigned>(from->w));
  const SDL_Rect source{static_cast<int>(part.x), static_cast<int>(part.y), static_cast<int>(part.width),
                        static_cast<int>(part.height)};
  SDL_Rect target{static_cast<int>(view_.x) + source.x * factor, static_cast<int>(view_.y) + source.y * factor,
                  source.w * factor, source.h * factor};
  SDL_BlitScaled(from, &source, to, &target);
}

void SdlWindow::draw() {
  if (!all_changed_ && changed_.empty()) return;
  std::vector<u32>& pixels = console() ? console_pixels_ : guest_pixels_;
  const unsigned width = console() ? console_width_ : guest_width_;
  const unsigned height = console() ? console_height_ : guest_height_;
  SDL_Surface* const to = SDL_GetWindowSurface(window_);
  if (!to || pixels.empty()) return;
  SDL_Surface* const from =
      SDL_CreateRGBSurfaceWithFormatFrom(pixels.data(), static_cast<int>(width), static_cast<int>(height), 32,
                                         static_cast<int>(width * sizeof(u32)), SDL_PIXELFORMAT_RGB888);
  if (!from) return;
  view_ = Viewport::fit(width, height, static_cast<unsigned>(to->w), static_cast<unsigned>(to->h),
                        console() ? Scaling::kInteger : setup_.options.scaling);
  const bool whole = view_.whole_factor(width, height);
  if (all_changed_ || !whole || changed_.size() > 64) {
    SDL_FillRect(to, nullptr, SDL_MapRGB(to->format, 0, 0, 0));
    SDL_Rect target{static_cast<int>(view_.x), static_cast<int>(view_.y), static_cast<int>(view_.width),
                    static_cast<int>(view_.height)};
    if (whole || from->format->format != to->format->format) {
      SDL_BlitScaled(from, nullptr, to, &target);
    } else {
      SDL_SoftStretchLinear(from, nullptr, to, &target);
    }
    SDL_UpdateWindowSurface(window_);
  } else {
    std::vector<SDL_Rect> areas;
    const auto factor = static_cast<int>(view_.width / width);
    for (const Rect& part : changed_) {
      draw_part(from, to, part);
      areas.push_back({static_cast<int>(view_.x) + static_cast<int>(part.x) * factor,
                       static_cast<int>(view_.y) + static_cast<int>(part.y) * factor,
                       static_cast<int>(part.width) * factor, static_cast<int>(part.height) * factor});
    }
    SDL_UpdateWindowSurfaceRects(window_, areas.data(), static_cast<int>(areas.size()));
  }
  SDL_FreeSurface(from);
  changed_.clear();
  all_changed_ = false;
}

}  // namespace

bool window_built() { return true; }

bool display_server_named() { return named("DISPLAY") || named("WAYLAND_DISPLAY"); }

Result<std::unique_ptr<Display>> make_window(WindowSetup setup) {
  if (!display_server_named() && !named("SDL_VIDEODRIVER")) {
    return error(
        "-display sdl: there is no display server, as neither DISPLAY nor WAYLAND_DISPLAY is set; use -display "
        "curses, -vnc :0 or -nographic");
  }
  auto font = ConsoleFont::load(setup.vga_bios);
  if (!font) return font.error();
  return std::unique_ptr<Display>(std::make_unique<SdlWindow>(std::move(setup), std::move(*font)));
}

}  // namespace xlat
