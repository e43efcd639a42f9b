// A terminal in memory, for the monitor and serial ports inside the text display: what ECMA-48 programs use of a VT100.
#pragma once

#include <deque>
#include <functional>
#include <span>
#include <string>
#include <vector>

#include "base/types.h"

namespace xlat {

// A place on the screen. Colours are the PC's: 0 black, 1 blue, 2 green, 4 red, 8 bright.
struct ShownCell {
  char32_t character = U' ';
  u8 fore = 7, back = 0;
  bool blink = false, underline = false;
  bool operator==(const ShownCell&) const = default;
};

class VtScreen {
 public:
  static constexpr unsigned kMostColumns = 1000, kMostRows = 1000;

  VtScreen(unsigned columns, unsigned rows);

  void resize(unsigned columns, unsigned rows);
  void feed(std::span<const u8> bytes);
  // Answers to status requests go there.
  void on_answer(std::function<void(std::string_view)> answer) { answer_ = std::move(answer); }

  unsigned columns() const { return columns_; }
  unsigned rows() const { return rows_; }
  unsigned cursor_row() const { return row_; }
  unsigned cursor_column() const { return column_ < columns_ ? column_ : columns_ - 1; }
  bool cursor_visible() const { return cursor_visible_; }
  // Row `row` when scrolled back by `back` lines (at most history()).
  const std::vector<ShownCell>& line(unsigned row, unsigned back = 0) const;
  unsigned history() const { return static_cast<unsigned>(history_.size()); }

 private:
  static constexpr unsigned kMostHistory = 2000, kMostParameters = 16;
  enum class State : u8 { kText, kEscape, kSequence, kString, kStringEscape, kCharset };

  void byte(u8 value);
  void control(u8 value);
  void escape(u8 value);
  void sequence(u8 final);
  void put(char32_t character);
  void line_feed();
  void reverse_line_feed();
  void scroll_up(unsigned top, unsigned bottom, unsigned lines);
  void scroll_down(unsigned top, unsigned bottom, unsigned lines);
  void erase(unsigned row, unsigned from, unsigned to);
  void colours();
  void reset();
  unsigned parameter(unsigned n, unsigned otherwise, unsigned most) const;
  std::vector<ShownCell> blank_line() const;

  unsigned columns_, rows_;
  std::vector<std::vector<ShownCell>> lines_;
  std::deque<std::vector<ShownCell>> history_;
  unsigned row_ = 0, column_ = 0;  // column_ == columns_: the next character wraps
  unsigned saved_row_ = 0, saved_column_ = 0;
  unsigned top_ = 0, bottom_;  // scrolling region, inclusive
  bool cursor_visible_ = true, reverse_ = false;
  ShownCell pen_;
  State state_ = State::kText;
  std::vector<unsigned> parameters_;
  bool private_ = false;
  char32_t partial_ = 0;  // UTF-8
  unsigned missing_ = 0;
  std::function<void(std::string_view)> answer_;
};

}  // namespace xlat
