// x, xp, print, memsave, pmemsave, i and o.
#include <algorithm>
#include <array>
#include <cerrno>
#include <cstdio>
#include <cstring>

#include "base/bits.h"
#include "cpu/disasm.h"
#include "frontend/monitor/commands.h"
#include "frontend/monitor/expression.h"
#include "frontend/monitor/guest_memory.h"
#include "frontend/options/values.h"

namespace xlat {

namespace {

constexpr u64 kMostBytes = 16 << 20;  // of one dump: more than anybody reads

struct DumpFormat {
  u64 count = 1;
  char format = 'x';
  unsigned size = 4;
  bool sized = false;
};

// "/10xb" in front of `text`; the format stays as it is if there is none.
Result<DumpFormat> take_format(std::string_view& text) {
  DumpFormat f;
  if (text.empty() || text.front() != '/') return f;
  text.remove_prefix(1);
  std::size_t digits = 0;
  while (digits < text.size() && text[digits] >= '0' && text[digits] <= '9') ++digits;
  if (digits > 0) {
    const auto count = parse_number(text.substr(0, digits));
    if (!count || *count == 0 || *count > kMostBytes) return error("invalid count '{}'", text.substr(0, digits));
    f.count = *count;
    text.remove_prefix(digits);
  }
  for (; !text.empty() && text.front() != ' '; text.remove_prefix(1)) {
    const char c = text.front();
    switch (c) {
      case 'd':
      case 'u':
      case 'x':
      case 'o':
      case 'c':
      case 'i': f.format = c; continue;
      case 'b': f.size = 1; break;
      case 'h': f.size = 2; break;
      case 'w': f.size = 4; break;
      case 'g':
      case 'L': f.size = 8; break;
      default: return error("invalid char in format: '{}'", c);
    }
    f.sized = true;
  }
  return f;
}

std::string escaped(u8 value) {
  switch (value) {
    case '\'': return "'\\''";
    case '\\': return "'\\\\'";
    case '\n': return "'\\n'";
    case '\r': return "'\\r'";
    default:
      return value >= 32 && value <= 126 ? fmt::format("'{}'", static_cast<char>(value))
                                         : fmt::format("'\\x{:02x}'", value);
  }
}

std::string formatted(u64 value, const DumpFormat& f) {
  const unsigned bits = f.size * 8;
  switch (f.format) {
    case 'x': return fmt::format("0x{:0{}x}", value, bits / 4);
    case 'o': return fmt::format("{:#{}o}", value, (bits + 2) / 3);
    case 'u': return fmt::format("{:{}}", value, (bits * 10 + 32) / 33);
    case 'd': return fmt::format("{:{}}", sign_extend(value, bits), (bits * 10 + 32) / 33);
    default: return escaped(static_cast<u8>(value));
  }
}

std::string dump_code(Pc& pc, u64 address, bool physical, u64 count) {
  // An instruction is at most 15 bytes; what is mapped of that is shown.
  std::string out;
  const unsigned bits = pc.cpu.s.seg[kCs].big() ? 32 : 16;
  for (; count > 0; --count) {
    std::array<u8, 15> bytes;
    const std::size_t have = peek(pc, address, physical, bytes);
    if (have == 0) return out + "Cannot access memory\n";
    const std::string lines = disassemble(std::span(bytes).first(have), address, bits);
    const std::string line = lines.substr(0, lines.find('\n') + 1);
    out += line;
    // The second column is the bytes, two digits each.
    const auto start = line.find(':') + 3;
    const auto end = line.find(' ', start);
    if (line.find(':') == std::string::npos || end == std::string::npos || end == start) return out;
    address += std::max<u64>((end - start) / 2, 1);
    if (!physical) address &= 0xffffffff;
  }
  return out;
}

std::string dump(MonitorContext& context, std::string_view arguments, bool physical) {
  Pc& pc = context.machine.pc();
  auto format = take_format(arguments);
  if (!format) return format.error().message + "\n";
  DumpFormat f = *format;
  auto address = evaluate_expression(arguments, pc.cpu);
  if (!address) return address.error().message + "\n";
  if (!arguments.empty()) return fmt::format("extraneous characters at the end of line: '{}'\n", arguments);
  u64 at = physical ? *address : *address & 0xffffffff;
  if (f.format == 'c') f.size = 1;
  if (f.count * f.size > kMostBytes) return "Too much at once\n";
  if (f.format == 'i') return f.count > 100'000 ? "Too much at once\n" : dump_code(pc, at, physical, f.count);
  const unsigned in_line = (f.size == 1 ? 8 : 16) / f.size;
  std::string out;
  while (f.count > 0) {
    out += fmt::format("{:0{}x}:", at, physical ? 16 : 8);
    for (unsigned n = 0; n < in_line && f.count > 0; ++n, --f.count) {
      std::array<u8, 8> bytes{};
      if (peek(pc, at, physical, std::span(bytes).first(f.size)) != f.size) return out + " Cannot access memory\n";
      out += " " + formatted(load_le_n(bytes.data(), f.size), f);
      at += f.size;
      if (!physical) at &= 0xffffffff;
    }
    out += "\n";
  }
  return out;
}

}  // namespace

std::string monitor_x(MonitorContext& context, std::string_view arguments) { return dump(context, arguments, false); }
std::string monitor_xp(MonitorContext& context, std::string_view arguments) { return dump(context, arguments, true); }

std::string monitor_print(MonitorContext& context, std::string_view arguments) {
  auto format = take_format(arguments);
  if (!format) return format.error().message + "\n";
  auto value = evaluate_expression(arguments, context.machine.pc().cpu);
  if (!value) return value.error().message + "\n";
  if (!arguments.empty()) return fmt::format("extraneous characters at the end of line: '{}'\n", arguments);
  switch (format->format) {
    case 'x': return fmt::format("{:#x}\n", *value);
    case 'o': return fmt::format("{:#o}\n", *value);
    case 'd': return fmt::format("{}\n", static_cast<i64>(*value));
    case 'c': return escaped(static_cast<u8>(*value)) + "\n";
    default: return fmt::format("{}\n", *value);
  }
}

namespace {

// "addr size file" in `words`.
Result<std::array<u64, 2>> save_range(const std::vector<std::string>& words, Pc& pc, u64 most) {
  std::array<u64, 2> numbers;
  for (unsigned n = 0; n < 2; ++n) {
    std::string_view text = words[n];
    auto value = evaluate_expression(text, pc.cpu);
    if (!value) return value.error();
    if (!text.empty()) return error("invalid number '{}'", words[n]);
    numbers[n] = *value;
  }
  if (numbers[0] > most || numbers[1] > most - numbers[0]) {
    return error("Error: {:#x} bytes at {:#x} reach beyond the 4 GiB of addresses", numbers[1], numbers[0]);
  }
  return numbers;
}

std::string save(MonitorContext& context, std::string_view arguments, bool physical) {
  const auto words = monitor_words(arguments);
  if (words.size() != 3) return fmt::format("{}: addr size file expected\n", physical ? "pmemsave" : "memsave");
  Pc& pc = context.machine.pc();
  auto range = save_range(words, pc, AddressSpace::kSize);
  if (!range) return range.error().message + "\n";
  const u64 address = (*range)[0], size = (*range)[1];
  return save_to_file(words[2], size, [&](u64 offset, std::span<u8> to) {
    return peek(pc, address + offset, physical, to) == to.size();
  });
}

}  // namespace

std::string save_to_file(const std::string& path, u64 size, const std::function<bool(u64, std::span<u8>)>& fill) {
  std::FILE* file = std::fopen(path.c_str(), "wb");
  if (!file) return fmt::format("Error: Could not open '{}': {}\n", path, std::strerror(errno));
  std::vector<u8> bytes(1 << 16);
  bool written = true;
  for (u64 at = 0; at < size && written; at += bytes.size()) {
    const std::span<u8> piece = std::span(bytes).first(std::min<u64>(size - at, bytes.size()));
    if (!fill(at, piece)) {
      std::fclose(file);
      return fmt::format("Error: nothing is mapped within the {:#x} bytes from offset {:#x}\n", piece.size(), at);
    }
    written = std::fwrite(piece.data(), 1, piece.size(), file) == piece.size();
  }
  const int e = errno;
  if (std::fclose(file) != 0 || !written) return fmt::format("Error: cannot write '{}': {}\n", path, std::strerror(e));
  return {};
}

std::string monitor_pmemsave(MonitorContext& context, std::string_view arguments) {
  return save(context, arguments, true);
}
std::string monitor_memsave(MonitorContext& context, std::string_view arguments) {
  return save(context, arguments, false);
}

namespace {

// Format, port and, for `o`, value.
struct PortAccess {
  unsigned width = 4;
  u16 port = 0;
  u32 value = 0;
};

Result<PortAccess> port_access(MonitorContext& context, std::string_view arguments, bool with_value) {
  auto format = take_format(arguments);
  if (!format) return format.error();
  if (format->size > 4) return error("ports are read and written in sizes b, h and w");
  PortAccess access{.width = format->size};
  for (unsigned n = 0; n < (with_value ? 2u : 1u); ++n) {
    auto value = evaluate_expression(arguments, context.machine.pc().cpu);
    if (!value) return value.error();
    if (n == 0 && *value > 0xffff) return error("port {:#x}: ports are 0 to 0xffff", *value);
    if (n == 0) {
      access.port = static_cast<u16>(*value);
    } else {
      access.value = static_cast<u32>(*value);
    }
  }
  if (!arguments.empty()) return error("extraneous characters at the end of line: '{}'", arguments);
  return access;
}

}  // namespace

std::string monitor_in(MonitorContext& context, std::string_view arguments) {
  const auto access = port_access(context, arguments, false);
  if (!access) return access.error().message + "\n";
  const auto [width, port, unused] = access.value();
  (void)unused;
  u32 value = 0;
  for (Pc* pc : context.machine.pcs()) value = pc->ports.read(port, width);
  return fmt::format("port{}[0x{:04x}] = 0x{:0{}x}\n",
                     width == 1   ? 'b'
                     : width == 2 ? 'w'
                                  : 'l',
                     port, value, width * 2);
}

std::string monitor_out(MonitorContext& context, std::string_view arguments) {
  const auto access = port_access(context, arguments, true);
  if (!access) return access.error().message + "\n";
  for (Pc* pc : context.machine.pcs()) {
    pc->ports.write(access.value().port, access.value().width, access.value().value);
  }
  return {};
}

}  // namespace xlat
