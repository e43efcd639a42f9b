// Registers and memory, read and written by the debugger.
#include <algorithm>

#include "frontend/gdb/stub.h"
#include "frontend/monitor/guest_memory.h"

namespace xlat {

namespace {
constexpr std::string_view kInvalid = "E22", kFault = "E14", kOk = "OK";

std::span<const u8> bytes_of(std::string_view text) {
  return std::span(reinterpret_cast<const u8*>(text.data()), text.size());
}
}  // namespace

GdbStub::Reply GdbStub::read_registers() {
  std::string text;
  for (unsigned n = 0; n < GdbRegisters::end(); ++n) {
    const auto value = GdbRegisters::read(pc().cpu, n);
    text += gdb_hex(std::span(value).first(GdbRegisters::bytes(n)));
  }
  return text;
}

bool GdbStub::set_register(unsigned number, const GdbRegisters::Value& value) {
  bool taken = true;
  for (Pc* each : wiring_.machine.pcs()) taken &= GdbRegisters::write(each->cpu, number, value);
  return taken;
}

// A client may leave out registers at the end. The linear EIP and ESP depend on segments: those come first.
GdbStub::Reply GdbStub::write_registers(GdbText text) {
  std::string bytes;
  if (!text.take_bytes(bytes) || bytes.empty()) return std::string(kInvalid);
  std::vector<std::pair<unsigned, GdbRegisters::Value>> values;
  std::size_t at = 0;
  for (unsigned n = 0; n < GdbRegisters::end() && at < bytes.size(); ++n) {
    const unsigned size = GdbRegisters::bytes(n);
    if (at + size > bytes.size()) return std::string(kInvalid);
    GdbRegisters::Value value{};
    std::copy_n(bytes.begin() + static_cast<std::ptrdiff_t>(at), size, value.begin());
    at += size;
    if (size != 0 && value != GdbRegisters::read(pc().cpu, n)) values.emplace_back(n, value);
  }
  bool taken = true;
  const auto pass = [&](bool addresses) {
    for (const auto& [n, value] : values) {
      if ((n <= GdbRegisters::kEip) == addresses) taken &= set_register(n, value);
    }
  };
  pass(false);
  pass(true);
  return std::string(taken ? kOk : kInvalid);
}

GdbStub::Reply GdbStub::read_register(GdbText text) {
  u64 number = 0;
  if (!text.take_hex(number) || !text.at_end() || number >= GdbRegisters::end()) return std::string(kInvalid);
  const auto n = static_cast<unsigned>(number);
  if (GdbRegisters::bytes(n) == 0) return std::string(kInvalid);
  const auto value = GdbRegisters::read(pc().cpu, n);
  return gdb_hex(std::span(value).first(GdbRegisters::bytes(n)));
}

GdbStub::Reply GdbStub::write_register(GdbText text) {
  u64 number = 0;
  std::string bytes;
  if (!text.take_hex(number) || number >= GdbRegisters::end() || !text.take("=") || !text.take_bytes(bytes)) {
    return std::string(kInvalid);
  }
  const auto n = static_cast<unsigned>(number);
  if (GdbRegisters::bytes(n) == 0 || bytes.size() != GdbRegisters::bytes(n)) return std::string(kInvalid);
  GdbRegisters::Value value{};
  std::copy(bytes.begin(), bytes.end(), value.begin());
  return std::string(set_register(n, value) ? kOk : kInvalid);
}

// As much as is mapped, up to the first page that is not.
GdbStub::Reply GdbStub::read_memory(GdbText text) {
  u64 address = 0, length = 0;
  if (!text.take_hex(address) || !text.take(",") || !text.take_hex(length) || !text.at_end()) {
    return std::string(kInvalid);
  }
  std::vector<u8> bytes(std::min<u64>(length, GdbPackets::kMostBytes / 2));
  const std::size_t have = peek(pc(), address, physical_memory_, bytes);
  if (have == 0 && !bytes.empty()) return std::string(kFault);
  return gdb_hex(std::span(bytes).first(have));
}

GdbStub::Reply GdbStub::write_memory(GdbText text, bool binary) {
  u64 address = 0, length = 0;
  if (!text.take_hex(address) || !text.take(",") || !text.take_hex(length) || !text.take(":")) {
    return std::string(kInvalid);
  }
  std::string bytes(text.rest());
  if (!binary && !text.take_bytes(bytes)) return std::string(kInvalid);
  if (bytes.size() != length) return std::string(kInvalid);
  const std::size_t written = poke(wiring_.machine, address, physical_memory_, bytes_of(bytes));
  return std::string(written == bytes.size() ? kOk : kFault);
}

// qSearch:memory:ADDRESS;LENGTH;PATTERN. Only RAM and ROM are looked through: to read a device may change it. What is
// not mapped is passed over, so that a whole address space can be searched.
GdbStub::Reply GdbStub::search(GdbText text) {
  u64 address = 0, length = 0;
  if (!text.take_hex(address) || !text.take(";") || !text.take_hex(length) || !text.take(";") || text.at_end()) {
    return std::string(kInvalid);
  }
  const std::string_view pattern = text.rest();
  if (address >= AddressSpace::kSize || length > AddressSpace::kSize - address) return std::string(kInvalid);
  // Pages one after the other, each with what the pattern may need of the one before.
  std::string window;
  u64 window_at = address;
  bool anything = false;
  for (u64 at = address; at < address + length;) {
    const u64 run = std::min(address + length - at, 4096 - (at & 0xfff));
    u64 phys = at;
    const bool mapped = physical_memory_ || pc().cpu.peek_physical(static_cast<u32>(at), phys);
    const u8* const page = mapped ? pc().memory.page(phys).read : nullptr;
    if (!page) {
      at += run;
      window.clear();
      window_at = at;
      continue;
    }
    anything = true;
    window.append(reinterpret_cast<const char*>(page + (phys & 0xfff)), run);
    if (const auto found = window.find(pattern); found != std::string::npos) {
      return fmt::format("1,{:x}", window_at + found);
    }
    const std::size_t keep = std::min(window.size(), pattern.size() - 1);
    window_at += window.size() - keep;
    window.erase(0, window.size() - keep);
    at += run;
  }
  return anything ? "0" : std::string(kFault);
}

}  // namespace xlat
