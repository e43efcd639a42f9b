// A recursive-descent evaluator.
#include "frontend/monitor/expression.h"

#include <cctype>
#include <charconv>

namespace xlat {

namespace {

class Evaluator {
 public:
  Evaluator(std::string_view& text, const Cpu& cpu) : text_(text), cpu_(cpu) {}

  // The lowest level: & | ^, then + -, then * / %, as QEMU has them.
  Result<u64> logic() {
    auto left = sum();
    while (left) {
      const char op = peek();
      if (op != '&' && op != '|' && op != '^') break;
      text_.remove_prefix(1);
      auto right = sum();
      if (!right) return right;
      left = op == '&' ? *left & *right : op == '|' ? *left | *right : *left ^ *right;
    }
    return left;
  }

 private:
  char peek() {
    while (!text_.empty() && text_.front() == ' ') text_.remove_prefix(1);
    return text_.empty() ? '\0' : text_.front();
  }

  Result<u64> sum() {
    auto left = product();
    while (left) {
      const char op = peek();
      if (op != '+' && op != '-') break;
      text_.remove_prefix(1);
      auto right = product();
      if (!right) return right;
      left = op == '+' ? *left + *right : *left - *right;
    }
    return left;
  }

  Result<u64> product() {
    auto left = unary();
    while (left) {
      const char op = peek();
      if (op != '*' && op != '/' && op != '%') break;
      text_.remove_prefix(1);
      auto right = unary();
      if (!right) return right;
      if (op != '*' && *right == 0) return error("division by zero");
      left = op == '*' ? *left * *right : op == '/' ? *left / *right : *left % *right;
    }
    return left;
  }

  Result<u64> unary() {
    if (++depth_ > 100) return error("expression too deep");
    const char c = peek();
    Result<u64> value = u64{0};
    if (c == '-' || c == '+' || c == '~') {
      text_.remove_prefix(1);
      value = unary();
      if (value && c == '-') value = -*value;
      if (value && c == '~') value = ~*value;
    } else if (c == '(') {
      text_.remove_prefix(1);
      value = logic();
      if (value && peek() != ')') return error("')' expected");
      if (value) text_.remove_prefix(1);
    } else if (c == '$') {
      value = reg();
    } else {
      value = number();
    }
    --depth_;
    return value;
  }

  Result<u64> number() {
    int base = 10;
    if (text_.starts_with("0x") || text_.starts_with("0X")) {
      base = 16;
      text_.remove_prefix(2);
    }
    u64 value = 0;
    const auto [end, code] = std::from_chars(text_.data(), text_.data() + text_.size(), value, base);
    if (code == std::errc::result_out_of_range) return error("number too large");
    if (code != std::errc())
      return error("invalid char '{}' in expression",
                   text_.empty() ? std::string_view("end of line") : text_.substr(0, 1));
    text_.remove_prefix(static_cast<std::size_t>(end - text_.data()));
    return value;
  }

  Result<u64> reg() {
    std::size_t n = 1;
    while (n < text_.size() && std::isalnum(static_cast<unsigned char>(text_[n]))) ++n;
    const std::string_view name = text_.substr(1, n - 1);
    const CpuState& s = cpu_.s;
    Result<u64> value = error("unknown register");
    for (unsigned r = 0; r < 8; ++r) {
      // QEMU knows the 16-bit names as well, for the whole registers.
      if (name == kGprNames[r] || name == kGprNames[r] + 1) value = u64{s.reg32(r)};
    }
    for (unsigned r = 0; r < kSegRegs; ++r) {
      if (name == kSegNames[r]) value = u64{s.seg[r].selector};
    }
    if (name == "eip") value = s.ip;
    if (name == "pc") value = u64{static_cast<u32>(s.seg[kCs].base + s.ip)};  // linear
    if (name == "eflags") value = u64{s.flags.get()};
    if (name == "cr0") value = u64{s.cr0};
    if (name == "cr2") value = u64{s.cr2};
    if (name == "cr3") value = u64{s.cr3};
    if (name == "cr4") value = u64{s.cr4};
    if (value) text_.remove_prefix(n);
    return value;
  }

  std::string_view& text_;
  const Cpu& cpu_;
  int depth_ = 0;
};

}  // namespace

Result<u64> evaluate_expression(std::string_view& text, const Cpu& cpu) { return Evaluator(text, cpu).logic(); }

}  // namespace xlat
