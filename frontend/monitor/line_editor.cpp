// Keys to edits, edits to what the terminal must show.
#include "frontend/monitor/line_editor.h"

#include <algorithm>
#include <utility>

namespace xlat {

namespace {

bool continues(char c) { return (static_cast<u8>(c) & 0xc0) == 0x80; }  // inside a UTF-8 character

// Places a text takes on the screen.
std::size_t places(std::string_view text) {
  return static_cast<std::size_t>(std::count_if(text.begin(), text.end(), [](char c) { return !continues(c); }));
}

std::string back(std::size_t n) { return std::string(n, '\b'); }

}  // namespace

void LineEditor::start() {
  line_.clear();
  cursor_ = 0;
  recalled_ = history_.size();
  state_ = State::kPlain;
  output_(prompt_);
}

std::optional<std::string> LineEditor::feed(u8 key) {
  const bool after_cr = std::exchange(after_cr_, key == '\r');
  if (key != '\t') after_tab_ = false;
  switch (state_) {
    case State::kEscape:
      state_ = State::kPlain;
      if (key == '[' || key == 'O') {
        state_ = State::kSequence;
        parameters_.clear();
      } else if (key == 'b' || key == 'B') {
        move_to(word_left());
      } else if (key == 'f' || key == 'F') {
        move_to(word_right());
      } else if (key == 'd' || key == 'D') {
        erase(cursor_, word_right());
      } else if (key == 0x7f || key == 8) {
        erase(word_left(), cursor_);
      } else if (key == 0x1b) {
        state_ = State::kEscape;
      }
      return std::nullopt;
    case State::kSequence:
      if (key >= 0x40 && key <= 0x7e) {
        state_ = State::kPlain;
        sequence(key);
      } else if (key >= 0x20 && key < 0x40 && parameters_.size() < 16) {
        parameters_ += static_cast<char>(key);
      } else {
        state_ = State::kPlain;
      }
      return std::nullopt;
    case State::kPlain: break;
  }
  if (key == '\r' || (key == '\n' && !after_cr)) return finish();
  if (key >= 0x20 && key != 0x7f) {
    const char c = static_cast<char>(key);
    insert({&c, 1});
  } else {
    control(key);
  }
  return std::nullopt;
}

std::string LineEditor::finish() {
  move_to(line_.size());
  output_("\r\n");
  const bool blank = line_.find_first_not_of(' ') == std::string::npos;
  if (!blank && (history_.empty() || history_.back() != line_)) {
    history_.push_back(line_);
    if (history_.size() > kMostHistory) history_.pop_front();
  }
  recalled_ = history_.size();
  cursor_ = 0;
  return std::exchange(line_, {});
}

void LineEditor::control(u8 key) {
  switch (key) {
    case 0x01: move_to(0); break;                              // ^A
    case 0x02: move_to(before(cursor_)); break;                // ^B
    case 0x03: erase(0, line_.size()); break;                  // ^C
    case 0x04: erase(cursor_, after(cursor_)); break;          // ^D
    case 0x05: move_to(line_.size()); break;                   // ^E
    case 0x06: move_to(after(cursor_)); break;                 // ^F
    case 0x08:                                                 // ^H
    case 0x7f: erase(before(cursor_), cursor_); break;         // Backspace
    case 0x09: complete(); break;                              // Tab
    case 0x0b: erase(cursor_, line_.size()); break;            // ^K
    case 0x0c: output_("\x1b[H\x1b[2J"), show_again(); break;  // ^L
    case 0x0e: recall(recalled_ + 1); break;                   // ^N
    case 0x10: recall(recalled_ ? recalled_ - 1 : 0); break;   // ^P
    case 0x15: erase(0, cursor_); break;                       // ^U
    case 0x17: erase(word_left(), cursor_); break;             // ^W
    case 0x1b: state_ = State::kEscape; break;
    default: break;
  }
}

void LineEditor::sequence(u8 final) {
  const bool by_word = parameters_.ends_with(";5") || parameters_.ends_with(";3");  // with Ctrl or Alt
  switch (final) {
    case 'A': recall(recalled_ ? recalled_ - 1 : 0); break;
    case 'B': recall(recalled_ + 1); break;
    case 'C': move_to(by_word ? word_right() : after(cursor_)); break;
    case 'D': move_to(by_word ? word_left() : before(cursor_)); break;
    case 'H': move_to(0); break;
    case 'F': move_to(line_.size()); break;
    case '~':
      if (parameters_ == "1" || parameters_ == "7") move_to(0);
      if (parameters_ == "4" || parameters_ == "8") move_to(line_.size());
      if (parameters_ == "3") erase(cursor_, after(cursor_));
      break;
    default: break;
  }
}

std::size_t LineEditor::before(std::size_t at) const {
  while (at > 0 && continues(line_[at - 1])) --at;
  return at > 0 ? at - 1 : 0;
}

std::size_t LineEditor::after(std::size_t at) const {
  if (at < line_.size()) ++at;
  while (at < line_.size() && continues(line_[at])) ++at;
  return at;
}

std::size_t LineEditor::word_left() const {
  std::size_t at = cursor_;
  while (at > 0 && line_[at - 1] == ' ') --at;
  while (at > 0 && line_[at - 1] != ' ') --at;
  return at;
}

std::size_t LineEditor::word_right() const {
  std::size_t at = cursor_;
  while (at < line_.size() && line_[at] == ' ') ++at;
  while (at < line_.size() && line_[at] != ' ') ++at;
  return at;
}

void LineEditor::insert(std::string_view text) {
  if (line_.size() + text.size() > kMostLine) return;
  line_.insert(cursor_, text);
  cursor_ += text.size();
  const std::string_view tail = std::string_view(line_).substr(cursor_);
  output_(std::string(text) + std::string(tail) + back(places(tail)));
}

void LineEditor::move_to(std::size_t at) {
  const std::string_view line = line_;
  if (at < cursor_) {
    output_(back(places(line.substr(at, cursor_ - at))));
  } else if (at > cursor_) {
    output_(line.substr(cursor_, at - cursor_));
  }
  cursor_ = at;
}

void LineEditor::erase(std::size_t from, std::size_t to) {
  if (from == to) return;
  move_to(from);
  const std::size_t gone = places(std::string_view(line_).substr(from, to - from));
  line_.erase(from, to - from);
  const std::string tail = line_.substr(from);
  output_(tail + std::string(gone, ' ') + back(places(tail) + gone));
}

void LineEditor::replace_line(std::string_view text) {
  erase(0, line_.size());
  insert(text);
}

void LineEditor::recall(std::size_t entry) {
  entry = std::min(entry, history_.size());
  if (entry == recalled_) return;
  if (recalled_ == history_.size()) new_line_ = line_;
  recalled_ = entry;
  replace_line(entry == history_.size() ? new_line_ : history_[entry]);
}

void LineEditor::show_again() {
  const std::size_t cursor = std::exchange(cursor_, line_.size());
  output_(prompt_ + line_);
  move_to(cursor);
}

// The first Tab completes as far as all agree, a second one lists what there is.
void LineEditor::complete() {
  if (!complete_) return;
  const Completions found = complete_(std::string_view(line_).substr(0, cursor_));
  if (found.words.empty() || found.start > cursor_) return;
  std::string common = found.words.front();
  for (const std::string& word : found.words) {
    const auto differs = std::mismatch(common.begin(), common.end(), word.begin(), word.end()).first;
    common.erase(differs, common.end());
  }
  const std::size_t have = cursor_ - found.start;
  if (found.words.size() == 1) common += ' ';
  if (common.size() > have) {
    insert(std::string_view(common).substr(have));
  } else if (std::exchange(after_tab_, true)) {
    std::string list = "\r\n";
    std::size_t widest = 0, column = 0;
    for (const std::string& word : found.words) widest = std::max(widest, word.size());
    for (const std::string& word : found.words) {
      if (column && column + widest > 78) list += "\r\n", column = 0;
      list += word + std::string(widest + 2 - word.size(), ' ');
      column += widest + 2;
    }
    output_(list + "\r\n");
    show_again();
  }
}

}  // namespace xlat
