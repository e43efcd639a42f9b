// The VT100's control functions (ECMA-48, ISO 6429), as far as programs on serial lines use them.
#include "frontend/display/vt_screen.h"

#include <fmt/format.h>

#include <algorithm>

namespace xlat {

VtScreen::VtScreen(unsigned columns, unsigned rows)
    : columns_(std::clamp(columns, 1u, kMostColumns)), rows_(std::clamp(rows, 1u, kMostRows)), bottom_(rows_ - 1) {
  lines_.assign(rows_, blank_line());
}

std::vector<ShownCell> VtScreen::blank_line() const {
  ShownCell blank;
  blank.back = pen_.back;
  return std::vector<ShownCell>(columns_, blank);
}

// Lines that no longer fit go into the history; what is right of the new edge is lost.
void VtScreen::resize(unsigned columns, unsigned rows) {
  columns = std::clamp(columns, 1u, kMostColumns);
  rows = std::clamp(rows, 1u, kMostRows);
  if (columns == columns_ && rows == rows_) return;
  while (rows < rows_) {
    if (row_ + 1 < rows_) {
      lines_.pop_back();
    } else {
      history_.push_back(std::move(lines_.front()));
      lines_.erase(lines_.begin());
      --row_;
    }
    --rows_;
  }
  columns_ = columns;
  pen_ = {};
  while (rows_ < rows) {
    lines_.push_back(blank_line());
    ++rows_;
  }
  while (history_.size() > kMostHistory) history_.pop_front();
  for (auto& l : lines_) l.resize(columns_);
  for (auto& l : history_) l.resize(columns_);
  column_ = std::min(column_, columns_ - 1);
  saved_row_ = std::min(saved_row_, rows_ - 1);
  saved_column_ = std::min(saved_column_, columns_ - 1);
  top_ = 0;
  bottom_ = rows_ - 1;
}

const std::vector<ShownCell>& VtScreen::line(unsigned row, unsigned back) const {
  back = std::min(back, history());
  row = std::min(row, rows_ - 1);
  return row < back ? history_[history_.size() - back + row] : lines_[row - back];
}

void VtScreen::feed(std::span<const u8> bytes) {
  for (const u8 value : bytes) byte(value);
}

void VtScreen::byte(u8 value) {
  if (state_ == State::kString || state_ == State::kStringEscape) {  // OSC and the like: to BEL or ST
    const bool ends = value == 7 || (state_ == State::kStringEscape && value == '\\') || value == 0x18;
    state_ = ends ? State::kText : value == 0x1b ? State::kStringEscape : State::kString;
    return;
  }
  if (value < 0x20) {
    missing_ = 0;
    control(value);
    return;
  }
  switch (state_) {
    case State::kEscape: escape(value); return;
    case State::kCharset: state_ = State::kText; return;
    case State::kSequence:
      if (value >= '0' && value <= '9') {
        unsigned& p = parameters_.back();
        p = std::min(p * 10 + (value - '0'), 100'000u);
      } else if (value == ';' || value == ':') {
        if (parameters_.size() < kMostParameters) parameters_.push_back(0);
      } else if (value >= 0x3c && value <= 0x3f) {
        private_ = true;
      } else if (value >= 0x40) {
        state_ = State::kText;
        if (value < 0x7f) sequence(value);
      }
      return;
    default: break;
  }
  if (value == 0x7f) return;
  if (value < 0x80) {
    missing_ = 0;
    put(value);
  } else if (missing_ && (value & 0xc0) == 0x80) {
    partial_ = partial_ << 6 | (value & 0x3f);
    if (--missing_ == 0) put(partial_ <= 0x10ffff ? partial_ : U'\ufffd');
  } else if (value >= 0xc2 && value < 0xf5) {
    missing_ = value >= 0xf0 ? 3 : value >= 0xe0 ? 2 : 1;
    partial_ = value & (0x3fu >> missing_);
  } else {
    missing_ = 0;
    put(U'\ufffd');
  }
}

void VtScreen::control(u8 value) {
  switch (value) {
    case 0x08:
      if (column_ > 0) column_ = cursor_column() - (column_ < columns_ ? 1 : 0);
      break;
    case 0x09: column_ = std::min((cursor_column() | 7) + 1, columns_ - 1); break;
    case 0x0a:
    case 0x0b:
    case 0x0c: line_feed(); break;
    case 0x0d: column_ = 0; break;
    case 0x18:
    case 0x1a: state_ = State::kText; break;
    case 0x1b: state_ = State::kEscape; break;
    default: break;
  }
}

void VtScreen::put(char32_t character) {
  if (character < 0x20 || (character >= 0x7f && character < 0xa0)) return;
  if (column_ == columns_) {
    column_ = 0;
    line_feed();
  }
  ShownCell cell = pen_;
  if (reverse_) std::swap(cell.fore, cell.back);
  cell.character = character;
  lines_[row_][column_++] = cell;
}

void VtScreen::scroll_up(unsigned top, unsigned bottom, unsigned lines) {
  for (lines = std::min(lines, bottom - top + 1); lines > 0; --lines) {
    if (top == 0) {
      history_.push_back(std::move(lines_.front()));
      if (history_.size() > kMostHistory) history_.pop_front();
    }
    lines_.erase(lines_.begin() + top);
    lines_.insert(lines_.begin() + bottom, blank_line());
  }
}

void VtScreen::scroll_down(unsigned top, unsigned bottom, unsigned lines) {
  for (lines = std::min(lines, bottom - top + 1); lines > 0; --lines) {
    lines_.erase(lines_.begin() + bottom);
    lines_.insert(lines_.begin() + top, blank_line());
  }
}

void VtScreen::line_feed() {
  if (row_ == bottom_) {
    scroll_up(top_, bottom_, 1);
  } else if (row_ + 1 < rows_) {
    ++row_;
  }
}

void VtScreen::reverse_line_feed() {
  if (row_ == top_) {
    scroll_down(top_, bottom_, 1);
  } else if (row_ > 0) {
    --row_;
  }
}

void VtScreen::erase(unsigned row, unsigned from, unsigned to) {
  ShownCell blank;
  blank.back = pen_.back;
  auto& l = lines_[row];
  std::fill(l.begin() + std::min(from, columns_), l.begin() + std::min(to, columns_), blank);
}

void VtScreen::reset() {
  pen_ = {};
  reverse_ = false;
  cursor_visible_ = true;
  row_ = column_ = saved_row_ = saved_column_ = top_ = 0;
  bottom_ = rows_ - 1;
  lines_.assign(rows_, blank_line());
}

void VtScreen::escape(u8 value) {
  state_ = State::kText;
  switch (value) {
    case '[':
      state_ = State::kSequence;
      parameters_.assign(1, 0);
      private_ = false;
      break;
    case ']':
    case 'P':
    case '^':
    case '_': state_ = State::kString; break;
    case '(':
    case ')':
    case '*':
    case '+':
    case '#':
    case '%': state_ = State::kCharset; break;
    case '7': saved_row_ = row_, saved_column_ = cursor_column(); break;
    case '8': row_ = saved_row_, column_ = saved_column_; break;
    case 'D': line_feed(); break;
    case 'E': column_ = 0, line_feed(); break;
    case 'M': reverse_line_feed(); break;
    case 'c': reset(); break;
    default: break;
  }
}

// The n-th number, `otherwise` if it is missing or zero, not more than `most`.
unsigned VtScreen::parameter(unsigned n, unsigned otherwise, unsigned most) const {
  const unsigned value = n < parameters_.size() && parameters_[n] ? parameters_[n] : otherwise;
  return std::min(value, most);
}

void VtScreen::sequence(u8 final) {
  if (private_) {
    if ((final == 'h' || final == 'l') && parameters_[0] == 25) cursor_visible_ = final == 'h';
    return;
  }
  const unsigned column = cursor_column(), n = parameter(0, 1, kMostRows);
  switch (final) {
    case 'A': row_ -= std::min(n, row_ >= top_ ? row_ - top_ : row_); break;
    case 'B':
    case 'e': row_ = std::min(row_ + n, row_ <= bottom_ ? bottom_ : rows_ - 1); break;
    case 'C':
    case 'a': column_ = std::min(column + n, columns_ - 1); break;
    case 'D': column_ = column - std::min(n, column); break;
    case 'E': row_ = std::min(row_ + n, rows_ - 1), column_ = 0; break;
    case 'F': row_ -= std::min(n, row_), column_ = 0; break;
    case 'G':
    case '`': column_ = std::min(n, columns_) - 1; break;
    case 'H':
    case 'f':
      row_ = parameter(0, 1, rows_) - 1;
      column_ = parameter(1, 1, columns_) - 1;
      break;
    case 'd': row_ = std::min(n, rows_) - 1; break;
    case 'J': {
      const unsigned how = parameters_[0];
      if (how > 2) break;
      const unsigned from = how == 0 ? row_ + 1 : 0, to = how == 1 ? row_ : rows_;
      for (unsigned r = from; r < to; ++r) erase(r, 0, columns_);
      if (how == 0) erase(row_, column, columns_);
      if (how == 1) erase(row_, 0, column + 1);
      break;
    }
    case 'K': {
      const unsigned how = parameters_[0];
      if (how > 2) break;
      erase(row_, how == 0 ? column : 0, how == 1 ? column + 1 : columns_);
      break;
    }
    case 'L':
      if (row_ >= top_ && row_ <= bottom_) scroll_down(row_, bottom_, n);
      break;
    case 'M':
      if (row_ >= top_ && row_ <= bottom_) {
        for (unsigned i = std::min(n, bottom_ - row_ + 1); i > 0; --i) {
          lines_.erase(lines_.begin() + row_);
          lines_.insert(lines_.begin() + bottom_, blank_line());
        }
      }
      break;
    case 'P':
    case '@': {
      auto& l = lines_[row_];
      const unsigned count = std::min(n, columns_ - column);
      if (final == 'P') {
        std::move(l.begin() + column + count, l.end(), l.begin() + column);
        erase(row_, columns_ - count, columns_);
      } else {
        std::move_backward(l.begin() + column, l.end() - count, l.end());
        erase(row_, column, column + count);
      }
      break;
    }
    case 'X': erase(row_, column, column + std::min(n, columns_)); break;
    case 'S': scroll_up(top_, bottom_, n); break;
    case 'T': scroll_down(top_, bottom_, n); break;
    case 'm': colours(); break;
    case 'n':
      if (!answer_) break;
      if (parameters_[0] == 5) answer_("\x1b[0n");
      if (parameters_[0] == 6) answer_(fmt::format("\x1b[{};{}R", row_ + 1, column + 1));
      break;
    case 'c':
      if (answer_) answer_("\x1b[?1;2c");  // a VT100 with advanced video
      break;
    case 'r': {
      const unsigned top = parameter(0, 1, rows_) - 1, bottom = parameter(1, rows_, rows_) - 1;
      if (top >= bottom) break;
      top_ = top, bottom_ = bottom;
      row_ = column_ = 0;
      break;
    }
    case 's': saved_row_ = row_, saved_column_ = column; break;
    case 'u': row_ = saved_row_, column_ = saved_column_; break;
    default: break;
  }
}

// SGR. Terminals number colours with red in bit 0, the PC with blue there.
void VtScreen::colours() {
  constexpr u8 kPc[8] = {0, 4, 2, 6, 1, 5, 3, 7};
  for (std::size_t n = 0; n < parameters_.size(); ++n) {
    const unsigned p = parameters_[n];
    if (p == 0) {
      pen_ = {};
      reverse_ = false;
    } else if (p == 1) {
      pen_.fore |= 8;
    } else if (p == 2 || p == 22) {
      pen_.fore &= 7;
    } else if (p == 4 || p == 24) {
      pen_.underline = p == 4;
    } else if (p == 5 || p == 25) {
      pen_.blink = p == 5;
    } else if (p == 7 || p == 27) {
      reverse_ = p == 7;
    } else if (p >= 30 && p <= 37) {
      pen_.fore = static_cast<u8>((pen_.fore & 8) | kPc[p - 30]);
    } else if (p == 39) {
      pen_.fore = static_cast<u8>((pen_.fore & 8) | 7);
    } else if (p >= 40 && p <= 47) {
      pen_.back = kPc[p - 40];
    } else if (p == 49) {
      pen_.back = 0;
    } else if (p >= 90 && p <= 97) {
      pen_.fore = static_cast<u8>(8 | kPc[p - 90]);
    } else if (p >= 100 && p <= 107) {
      pen_.back = static_cast<u8>(8 | kPc[p - 100]);
    } else if (p == 38 || p == 48) {  // 256 colours and direct ones: not shown
      n += n + 1 < parameters_.size() && parameters_[n + 1] == 2 ? 4 : 2;
    }
  }
}

}  // namespace xlat
