// Keys into the line editor, and what a terminal shows of its output.
#include "frontend/monitor/line_editor.h"

#include <catch2/catch.hpp>

namespace xlat {

namespace {

// The rows a terminal shows: BS goes left, text overwrites.
std::vector<std::string> shown(std::string_view output) {
  std::vector<std::string> rows(1);
  std::size_t column = 0;
  for (const char c : output) {
    if (c == '\b') {
      REQUIRE(column > 0);
      --column;
    } else if (c == '\r') {
      column = 0;
    } else if (c == '\n') {
      rows.emplace_back();
    } else {
      if (column == rows.back().size()) rows.back() += ' ';
      rows.back()[column++] = c;
    }
  }
  for (std::string& row : rows) row.erase(row.find_last_not_of(' ') + 1);
  return rows;
}

struct Bench {
  std::string output;
  std::vector<std::string> lines;
  LineEditor editor{"> ", [this](std::string_view text) { output += text; },
                    [](std::string_view before) {
                      LineEditor::Completions found;
                      const auto blank = before.rfind(' ');
                      found.start = blank == std::string_view::npos ? 0 : blank + 1;
                      for (const char* word : {"screendump", "sendkey", "stop", "system_reset", "system_powerdown"}) {
                        if (std::string_view(word).starts_with(before.substr(found.start))) found.words.push_back(word);
                      }
                      return found;
                    }};
  Bench() { editor.start(); }
  void keys(std::string_view typed) {
    for (const char c : typed) {
      if (auto line = editor.feed(static_cast<u8>(c))) {
        lines.push_back(*line);
        editor.start();
      }
    }
  }
  // What the last row shows after the keys.
  std::string type(std::string_view typed) {
    keys(typed);
    return shown(output).back();
  }
  std::string line(std::string_view keys) {
    type(keys);
    type("\r");
    return lines.back();
  }
};

}  // namespace

TEST_CASE("line editor: moving and erasing", "[line]") {
  Bench b;
  CHECK(b.type("abc") == "> abc");
  CHECK(b.type("\x1b[D\x1b[DX") == "> aXbc");
  CHECK(b.type("\x1bOC\x7f") == "> aXc");
  CHECK(b.type("\x01Z") == "> ZaXc");
  CHECK(b.type("\x1b[3~") == "> ZXc");
  CHECK(b.type("\x05!") == "> ZXc!");
  CHECK(b.type("\x1b[H1\x1b[F2\x1b[1~3\x1b[4~4") == "> 31ZXc!24");
  CHECK(b.type("\x02\x02\x0b") == "> 31ZXc!");
  CHECK(b.type("\x02\x02\x15") == "> c!");
  CHECK(b.type("\x05 two  words \x17") == "> c! two");
  CHECK(b.type("\x17\x17\x17\x17") == ">");
  CHECK(b.type("\x7f\x08\x1b[D\x1b[C\x04\x0b\x15") == ">");
  CHECK(b.type("one two\x1b[1;5DX\x1b"
               "bY\x1b"
               "fZ") == "> one YXtwoZ");
  CHECK(b.type("\x01\x1b"
               "d") == ">  YXtwoZ");
  CHECK(b.line("\x03xyz") == "xyz");
  CHECK(b.line("") == "");
}

TEST_CASE("line editor: UTF-8 moves by characters", "[line]") {
  Bench b;
  b.keys(
      "a\xc3\xa4\xe2\x82\xac"
      "b\x1b[D");
  CHECK(b.output ==
        "> a\xc3\xa4\xe2\x82\xac"
        "b\b");
  b.output.clear();
  b.keys("\x7f\x1b[D\r");
  CHECK(b.lines.back() ==
        "a\xc3\xa4"
        "b");
  CHECK(b.output.starts_with("\bb \b\b\b"));
}

TEST_CASE("line editor: history", "[line]") {
  Bench b;
  for (const char* line : {"first", "second", "second", "", "  "}) b.type(std::string(line) + "\n");
  CHECK(b.type("new\x1b[A") == "> second");
  CHECK(b.type("\x10") == "> first");
  CHECK(b.type("\x1b[A") == "> first");
  CHECK(b.type("\x0e") == "> second");
  CHECK(b.type("\x1b[B\x1b[B") == "> new");
  CHECK(b.line("\x1b[A\x1b[A edited") == "first edited");
  CHECK(b.type("\x10") == "> first edited");
  for (int n = 0; n < 300; ++n) b.type("x" + std::to_string(n) + "\r");
  for (int n = 0; n < 300; ++n) b.type("\x10");
  CHECK(b.type("") == "> x200");
}

TEST_CASE("line editor: completion", "[line]") {
  Bench b;
  CHECK(b.type("sc\t") == "> screendump");
  CHECK(b.type("x") == "> screendump x");
  CHECK(b.type("\x15sy\t") == "> system_");
  CHECK(b.type("\t") == "> system_");
  CHECK(shown(b.output).size() == 1);
  CHECK(b.type("\t") == "> system_");
  CHECK(shown(b.output)[1] == "system_reset      system_powerdown");
  CHECK(b.type("r\t!") == "> system_reset !");
  CHECK(b.type("\x15none\t\t") == "> none");
  CHECK(b.type("\x15st tail\x01\x1b[C\x1b[C\t") == "> stop  tail");
}

TEST_CASE("line editor: ends of lines, odd keys, long lines", "[line]") {
  Bench b;
  b.type("a\r\nb\nc\r\r");
  CHECK(b.lines == std::vector<std::string>{"a", "b", "c", ""});
  CHECK(b.line("\x1b[99;99Z\x1b\x1b[C\x1bq\x1b[\x01ok") == "ok");
  CHECK(b.line("\x1c\x1d\x07k") == "k");
  CHECK(b.line(std::string(10000, 'x')).size() == 4096);
  b.output.clear();
  b.type("ab\x1b[D\x0c");
  CHECK(b.output == "ab\b\x1b[H\x1b[2J> ab\b");
}

}  // namespace xlat
