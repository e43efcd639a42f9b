// The text display by ncurses (wide characters). One thread draws and reads keys; a mutex keeps it apart from those who
// give the terminal back.
#include "frontend/display/curses_display.h"

#define NCURSES_NOMACROS
#include <curses.h>
#include <langinfo.h>
#include <poll.h>
#include <signal.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include <clocale>
#include <cstring>
#include <cwchar>
#include <map>

#include "frontend/channels/reader_thread.h"
#include "frontend/display/cp437.h"
#include "frontend/display/terminal_info.h"
#include "frontend/display/text_view.h"
#include "frontend/host/terminal.h"

namespace xlat {

namespace {

// What the machine's thread leaves for the display's.
struct Mailbox {
  std::mutex mutex;
  ScreenShot shot;
  bool fresh = false, asked = false;
};

constexpr struct {
  int code;
  SpecialKey key;
  bool shift;
} kPlainKeys[] = {
    {KEY_UP, SpecialKey::kUp, false},
    {KEY_DOWN, SpecialKey::kDown, false},
    {KEY_LEFT, SpecialKey::kLeft, false},
    {KEY_RIGHT, SpecialKey::kRight, false},
    {KEY_HOME, SpecialKey::kHome, false},
    {KEY_END, SpecialKey::kEnd, false},
    {KEY_PPAGE, SpecialKey::kPageUp, false},
    {KEY_NPAGE, SpecialKey::kPageDown, false},
    {KEY_IC, SpecialKey::kInsert, false},
    {KEY_DC, SpecialKey::kDelete, false},
    {KEY_BACKSPACE, SpecialKey::kBackspace, false},
    {KEY_ENTER, SpecialKey::kEnter, false},
    {KEY_A1, SpecialKey::kHome, false},
    {KEY_A3, SpecialKey::kPageUp, false},
    {KEY_B2, SpecialKey::kCentre, false},
    {KEY_C1, SpecialKey::kEnd, false},
    {KEY_C3, SpecialKey::kPageDown, false},
    {KEY_SR, SpecialKey::kUp, true},
    {KEY_SF, SpecialKey::kDown, true},
    {KEY_SLEFT, SpecialKey::kLeft, true},
    {KEY_SRIGHT, SpecialKey::kRight, true},
    {KEY_SHOME, SpecialKey::kHome, true},
    {KEY_SEND, SpecialKey::kEnd, true},
    {KEY_SPREVIOUS, SpecialKey::kPageUp, true},
    {KEY_SNEXT, SpecialKey::kPageDown, true},
    {KEY_SIC, SpecialKey::kInsert, true},
    {KEY_SDC, SpecialKey::kDelete, true},
};

// Extended capabilities of the same keys with modifiers: kUP3 is Alt-Up and so on (user_caps(5)).
constexpr struct {
  const char* name;
  SpecialKey key;
} kExtendedKeys[] = {
    {"kUP", SpecialKey::kUp},      {"kDN", SpecialKey::kDown},      {"kLFT", SpecialKey::kLeft},
    {"kRIT", SpecialKey::kRight},  {"kHOM", SpecialKey::kHome},     {"kEND", SpecialKey::kEnd},
    {"kPRV", SpecialKey::kPageUp}, {"kNXT", SpecialKey::kPageDown}, {"kIC", SpecialKey::kInsert},
    {"kDC", SpecialKey::kDelete},
};

class CursesDisplay final : public Display {
 public:
  CursesDisplay(CursesSetup setup, std::string exit_sequence)
      : setup_(std::move(setup)), exit_sequence_(std::move(exit_sequence)) {}
  ~CursesDisplay() override {
    stop();
    if (screen_) {
      setup_.terminal.restore();
      delscreen(screen_);
    }
  }

  Status start() override;
  void stop() override { thread_.stop(); }

 private:
  static constexpr auto kFrame = std::chrono::milliseconds(33);

  // With the mutex held, from any thread.
  void leave();
  void enter();

  // In the display's thread.
  void run();
  void look();
  void follow_size();
  void ask_for_shot();
  void read_keys();
  std::optional<TerminalKey> read_key();
  std::optional<TerminalKey> special_key(int code) const;
  void take(const TerminalKey& key);
  void show(unsigned console);
  void draw();
  void draw_screen();
  void draw_console(VirtualConsole& console);
  void put(unsigned y, unsigned x, const ShownCell& cell);
  attr_t style(const ShownCell& cell, short& pair) const;
  void learn_keys();
  void prepare_colours();

  CursesSetup setup_;
  std::string exit_sequence_;
  ReaderThread thread_;
  std::timed_mutex curses_;  // held around every call of the library
  SCREEN* screen_ = nullptr;
  bool away_ = false;  // the terminal is not ours at the moment
  bool wide_ = false;
  int colours_ = 0;
  std::map<int, TerminalKey> extended_;

  std::shared_ptr<Mailbox> mailbox_ = std::make_shared<Mailbox>();
  ScreenShot shot_;
  std::chrono::steady_clock::time_point asked_at_{};
  unsigned shown_ = 0;  // 0: the screen; n: consoles[n - 1]
  unsigned back_ = 0;   // lines scrolled back in a console
  u64 shown_version_ = 0;
  bool changed_ = true;
  Pan across_, down_;
};

Status CursesDisplay::start() {
  setlocale(LC_CTYPE, "");
  wide_ = std::strcmp(nl_langinfo(CODESET), "UTF-8") == 0;
  setup_.terminal.hand_over(
      {.leave = [this] { leave(); }, .enter = [this] { enter(); }, .exit_sequence = exit_sequence_});
  screen_ = newterm(nullptr, stdout, stdin);
  if (!screen_) {
    setup_.terminal.restore();
    return error("-display curses: the terminal cannot be used; set TERM to its type");
  }
  set_term(screen_);
  signal(SIGWINCH, SIG_DFL);  // the size is looked at for every frame; no system call of ours is to be interrupted
  set_escdelay(25);
  ::raw();
  noecho();
  nonl();
  keypad(stdscr, TRUE);
  nodelay(stdscr, TRUE);
  intrflush(stdscr, FALSE);
  prepare_colours();
  learn_keys();
  thread_.start([this] { run(); });
  return {};
}

// Who ends the program cannot wait for a display that hangs in a write.
void CursesDisplay::leave() {
  const bool locked = curses_.try_lock_for(std::chrono::milliseconds(500));
  if (screen_ && !away_) endwin();
  away_ = true;
  if (locked) curses_.unlock();
}

void CursesDisplay::enter() {
  const std::lock_guard lock(curses_);
  away_ = false;
  changed_ = true;
  clearok(curscr, TRUE);
}

void CursesDisplay::prepare_colours() {
  if (!has_colors() || start_color() == ERR) return;
  // Terminals number colours with red in bit 0, the PC with blue there.
  constexpr short kTerminal[8] = {0, 4, 2, 6, 1, 5, 3, 7};
  const auto number = [&](int pc) { return static_cast<short>(kTerminal[pc & 7] + (pc & 8)); };
  colours_ = COLORS >= 16 && COLOR_PAIRS > 256 ? 16 : COLORS >= 8 && COLOR_PAIRS >= 64 ? 8 : 0;
  for (int fore = 0; fore < colours_; ++fore) {
    for (int back = 0; back < colours_; ++back) {
      const int pair = fore * colours_ + back + (colours_ == 16 ? 1 : 0);
      if (pair > 0) init_pair(static_cast<short>(pair), number(fore), number(back));
    }
  }
  // With 64 pairs, number 0 cannot be set; black on black is then the terminal's own pair.
}

attr_t CursesDisplay::style(const ShownCell& cell, short& pair) const {
  attr_t attributes = (cell.blink ? A_BLINK : A_NORMAL) | (cell.underline ? A_UNDERLINE : A_NORMAL);
  if (colours_ == 16) {
    pair = static_cast<short>(cell.fore * 16 + cell.back + 1);
  } else if (colours_ == 8) {
    pair = static_cast<short>((cell.fore & 7) * 8 + (cell.back & 7));
    if (cell.fore & 8) attributes |= A_BOLD;
  } else {
    pair = 0;
    if (cell.back & 7) attributes |= A_REVERSE;
    if (cell.fore & 8) attributes |= A_BOLD;
  }
  return attributes;
}

void CursesDisplay::learn_keys() {
  for (const auto& known : kExtendedKeys) {
    for (unsigned modifiers = 3; modifiers <= 8; ++modifiers) {
      const std::string name = fmt::format("{}{}", known.name, modifiers);
      const char* text = tigetstr(name.c_str());
      if (!text || text == reinterpret_cast<const char*>(-1)) continue;
      const int code = key_defined(text);
      if (code <= 0) continue;
      const unsigned bits = modifiers - 1;
      extended_[code] = {
          .special = known.key, .shift = (bits & 1) != 0, .ctrl = (bits & 4) != 0, .alt = (bits & 2) != 0};
    }
  }
}

void CursesDisplay::run() {
  while (!thread_.stopping()) {
    const short events = thread_.wait(STDIN_FILENO, POLLIN, static_cast<int>(kFrame.count()));
    if (thread_.stopping()) return;
    if (events & (POLLHUP | POLLERR | POLLNVAL)) {
      setup_.gone();
      return;
    }
    if (shown_ == 0) ask_for_shot();
    bool away;
    {
      const std::lock_guard lock(curses_);
      away = away_;
      if (!away) look();
    }
    if (away) thread_.wait(-1, 0, 50);  // stopped by job control: the terminal's input is not ours either
  }
}

void CursesDisplay::look() {
  follow_size();
  read_keys();
  {
    const std::lock_guard mail(mailbox_->mutex);
    if (mailbox_->fresh && mailbox_->shot != shot_) {
      shot_ = mailbox_->shot;
      changed_ |= shown_ == 0;
    }
    mailbox_->fresh = false;
  }
  if (shown_ > 0) changed_ |= setup_.consoles[shown_ - 1]->version() != shown_version_;
  if (changed_) draw();
}

void CursesDisplay::follow_size() {
  winsize size{};
  if (ioctl(STDOUT_FILENO, TIOCGWINSZ, &size) != 0 || size.ws_row == 0 || size.ws_col == 0) return;
  if (size.ws_row == LINES && size.ws_col == COLS) return;
  resizeterm(size.ws_row, size.ws_col);
  clearok(curscr, TRUE);
  changed_ = true;
}

void CursesDisplay::ask_for_shot() {
  const auto now = std::chrono::steady_clock::now();
  if (now - asked_at_ < kFrame) return;
  {
    const std::lock_guard mail(mailbox_->mutex);
    if (mailbox_->asked) return;
    mailbox_->asked = true;
  }
  asked_at_ = now;
  setup_.machine.post([mailbox = mailbox_, &machine = setup_.machine] {
    ScreenShot shot;
    if (const DisplayAdapter* adapter = machine.pc().display()) {
      shot = {true, adapter->text_screen(), 0, 0};
      if (shot.text.cells.empty()) {  // graphics: its size is all there is to show
        Surface surface;
        adapter->refresh(surface);
        shot.width = surface.width(), shot.height = surface.height();
      }
    }
    const std::lock_guard mail(mailbox->mutex);
    mailbox->shot = std::move(shot);
    mailbox->fresh = true;
    mailbox->asked = false;
  });
}

std::optional<TerminalKey> CursesDisplay::special_key(int code) const {
  if (code >= KEY_F(1) && code <= KEY_F(63)) return function_key(static_cast<unsigned>(code - KEY_F0));
  for (const auto& known : kPlainKeys) {
    if (known.code == code) return TerminalKey{.special = known.key, .shift = known.shift};
  }
  if (code == KEY_BTAB) return TerminalKey{.character = 9, .shift = true};
  if (const auto found = extended_.find(code); found != extended_.end()) return found->second;
  return std::nullopt;
}

// The next key, with Escape before it taken as Alt; an Escape alone comes alone. Resizing is no key.
std::optional<TerminalKey> CursesDisplay::read_key() {
  bool alt = false;
  for (int tries = 0; tries < 1000; ++tries) {
    wint_t value = 0;
    const int kind = wget_wch(stdscr, &value);
    if (kind == ERR) return alt ? std::optional(TerminalKey{.character = 0x1b}) : std::nullopt;
    if (kind == KEY_CODE_YES) {
      if (static_cast<int>(value) == KEY_RESIZE) {
        changed_ = true;
        clearok(curscr, TRUE);
        continue;
      }
      auto key = special_key(static_cast<int>(value));
      if (!key) continue;
      key->alt |= alt;
      return key;
    }
    if (value == 0x1b && !alt) {
      alt = true;
      continue;
    }
    return TerminalKey{.character = static_cast<char32_t>(value), .alt = alt};
  }
  return std::nullopt;
}

void CursesDisplay::read_keys() {
  for (int n = 0; n < 4096; ++n) {
    const auto key = read_key();
    if (!key) return;
    take(*key);
  }
}

void CursesDisplay::show(unsigned console) {
  shown_ = console;
  back_ = 0;
  across_ = down_ = {};
  changed_ = true;
}

void CursesDisplay::take(const TerminalKey& key) {
  if (key.alt && !key.ctrl && key.special == SpecialKey::kNone && key.character >= '1' &&
      key.character <= '1' + setup_.consoles.size()) {
    show(static_cast<unsigned>(key.character - '1'));
    return;
  }
  if (shown_ == 0) {
    auto keys = guest_keys(key);
    if (!keys.empty()) setup_.press(std::move(keys));
    return;
  }
  VirtualConsole& console = *setup_.consoles[shown_ - 1];
  if ((key.shift || key.ctrl) && (key.special == SpecialKey::kPageUp || key.special == SpecialKey::kPageDown)) {
    unsigned history = 0, page = 1;
    console.with_screen([&](VtScreen& screen) { history = screen.history(), page = std::max(screen.rows() / 2, 1u); });
    back_ = key.special == SpecialKey::kPageUp ? std::min(back_ + page, history) : back_ - std::min(back_, page);
    changed_ = true;
    return;
  }
  if (back_) changed_ = true;
  back_ = 0;
  console.type(terminal_bytes(key));
}

void CursesDisplay::put(unsigned y, unsigned x, const ShownCell& cell) {
  short pair = 0;
  const attr_t attributes = style(cell, pair);
  wchar_t text[2] = {static_cast<wchar_t>(cell.character), 0};
  if (wide_ ? wcwidth(text[0]) != 1 : cell.character >= 0x7f) text[0] = L'?';
  cchar_t shown;
  setcchar(&shown, text, attributes, pair, nullptr);
  mvadd_wch(static_cast<int>(y), static_cast<int>(x), &shown);
}

void CursesDisplay::draw_screen() {
  const unsigned lines = static_cast<unsigned>(std::max(LINES, 1)), columns = static_cast<unsigned>(std::max(COLS, 1));
  const std::string notice = screen_notice(shot_);
  if (!notice.empty()) {
    const unsigned x = columns > notice.size() ? (columns - static_cast<unsigned>(notice.size())) / 2 : 0;
    mvaddnstr(static_cast<int>(lines / 2), static_cast<int>(x), notice.c_str(), static_cast<int>(columns - x));
    curs_set(0);
    return;
  }
  const TextScreen& text = shot_.text;
  const bool cursor = text.cursor.visible;
  across_.update(text.columns, columns, cursor ? text.cursor.column : text.columns);
  down_.update(text.rows, lines, cursor ? text.cursor.row : text.rows);
  for (unsigned y = 0; y < down_.count; ++y) {
    for (unsigned x = 0; x < across_.count; ++x) {
      const TextScreen::Cell& cell = text.cells[std::size_t{down_.first + y} * text.columns + across_.first + x];
      ShownCell shown = shown_cell(cell, text.blink);
      if (!wide_) shown.character = static_cast<char32_t>(cp437_to_ascii(cell.character));
      put(down_.margin + y, across_.margin + x, shown);
    }
  }
  curs_set(cursor ? 1 : 0);
  if (cursor) {
    ::move(static_cast<int>(down_.margin + text.cursor.row - down_.first),
           static_cast<int>(across_.margin + text.cursor.column - across_.first));
  }
}

void CursesDisplay::draw_console(VirtualConsole& console) {
  shown_version_ = console.version();
  console.with_screen([&](VtScreen& screen) {
    screen.resize(static_cast<unsigned>(std::max(COLS, 1)), static_cast<unsigned>(std::max(LINES, 1)));
    back_ = std::min(back_, screen.history());
    for (unsigned y = 0; y < screen.rows(); ++y) {
      const auto& line = screen.line(y, back_);
      for (unsigned x = 0; x < screen.columns(); ++x) put(y, x, line[x]);
    }
    const bool cursor = screen.cursor_visible() && back_ == 0;
    curs_set(cursor ? 1 : 0);
    if (cursor) ::move(static_cast<int>(screen.cursor_row()), static_cast<int>(screen.cursor_column()));
  });
}

void CursesDisplay::draw() {
  changed_ = false;
  ::erase();
  if (shown_ == 0) {
    draw_screen();
  } else {
    draw_console(*setup_.consoles[shown_ - 1]);
  }
  refresh();
}

}  // namespace

Result<std::unique_ptr<Display>> make_curses_display(CursesSetup setup) {
  if (!isatty(STDIN_FILENO) || !isatty(STDOUT_FILENO)) {
    return error("-display curses: standard input and output must be a terminal; use -display none or -nographic");
  }
  auto exit_sequence = terminal_exit_sequence();
  if (!exit_sequence) return exit_sequence.error();
  return std::unique_ptr<Display>(std::make_unique<CursesDisplay>(std::move(setup), std::move(*exit_sequence)));
}

}  // namespace xlat
