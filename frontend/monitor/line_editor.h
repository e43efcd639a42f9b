// Editing of one line on any terminal, character by character: the monitor's input on stdio, sockets and the text
// display.
#pragma once

#include <deque>
#include <functional>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/types.h"

namespace xlat {

// Arrows, Home, End, Delete, Backspace, Tab and the usual control keys: ^A ^E ^B ^F ^D ^H ^K ^U ^W ^L ^P ^N ^C, Alt-B
// Alt-F Alt-D. Only BS, blanks and text are sent back (and a clear for ^L), so that every terminal shows it rightly;
// a line longer than the terminal is wide is shown wrapped and edited so.
class LineEditor {
 public:
  // Where the word to complete begins in what stands before the cursor, and what it could be.
  struct Completions {
    std::size_t start = 0;
    std::vector<std::string> words;
  };
  using Completer = std::function<Completions(std::string_view before_cursor)>;

  LineEditor(std::string prompt, std::function<void(std::string_view)> output, Completer complete)
      : prompt_(std::move(prompt)), output_(std::move(output)), complete_(std::move(complete)) {}

  // Shows the prompt with an empty line.
  void start();
  // Takes one key; gives the line when it ended.
  std::optional<std::string> feed(u8 key);

 private:
  static constexpr std::size_t kMostLine = 4096, kMostHistory = 100;
  enum class State : u8 { kPlain, kEscape, kSequence };

  void control(u8 key);
  void sequence(u8 final);
  void insert(std::string_view text);
  void move_to(std::size_t at);
  void erase(std::size_t from, std::size_t to);
  void replace_line(std::string_view text);
  void recall(std::size_t entry);
  void complete();
  void show_again();
  std::string finish();
  std::size_t before(std::size_t at) const;
  std::size_t after(std::size_t at) const;
  std::size_t word_left() const;
  std::size_t word_right() const;

  std::string prompt_;
  std::function<void(std::string_view)> output_;
  Completer complete_;
  std::string line_;
  std::size_t cursor_ = 0;
  std::deque<std::string> history_;
  std::size_t recalled_ = 0;  // entry of the history on the line; history_.size() for the new line
  std::string new_line_;      // what was typed before going back in history
  State state_ = State::kPlain;
  std::string parameters_;  // of an escape sequence
  bool after_cr_ = false, after_tab_ = false;
};

}  // namespace xlat
