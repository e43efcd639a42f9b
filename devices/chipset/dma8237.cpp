// Registers and transfers of the 8237A pair.
#include "devices/chipset/dma8237.h"

#include <fmt/format.h>

#include <algorithm>

#include "base/bits.h"

namespace xlat {

namespace {
// Page register (port & 15) of channels 0..7; that of 4 is the refresh page.
constexpr u8 kPageOf[8] = {0x7, 0x3, 0x1, 0x2, 0xf, 0xb, 0x9, 0xa};

enum Mode : u8 { kAutoInit = 0x10, kDecrement = 0x20 };
enum TransferType : u8 { kVerify = 0, kWrite = 1, kRead = 2 };
constexpr u8 kControllerDisable = 0x04;
}  // namespace

Dma8237::Dma8237(PortBus& ports, AddressSpace& memory)
    : memory_(memory),
      low_(ports, 0x00, 16, *this),
      high_(ports, 0xc0, 32, *this),
      page_ports_(ports, 0x80, 16, *this) {}

void Dma8237::Controller::master_clear() {
  command = terminal = request = 0;
  flip_flop = false;
  mask = 0x0f;
}

void Dma8237::reset() {
  for (Controller& c : controllers_) c.master_clear();
}

void Dma8237::serialize(Archive& ar) {
  ar.section("i8237", 1);
  for (Controller& c : controllers_) {
    for (Channel& ch : c.channels) ar(ch.base_address)(ch.base_count)(ch.address)(ch.count)(ch.mode);
    ar(c.command).range(c.mask, u8{0}, u8{15}).range(c.terminal, u8{0}, u8{15}).range(c.request, u8{0}, u8{15});
    ar(c.flip_flop);
  }
  ar(pages_);
}

void Dma8237::before_access(const void* owner, std::function<void()> hook) {
  hooks_.push_back({owner, std::move(hook)});
}

void Dma8237::forget(const void* owner) {
  std::erase_if(hooks_, [owner](const Hook& hook) { return hook.owner == owner; });
}

bool Dma8237::ready(unsigned channel) const {
  if (channel > 7 || channel == 4) return false;
  const Controller& c = controllers_[channel / 4];
  return !(c.command & kControllerDisable) && !bit(c.mask, channel & 3);
}

void Dma8237::set_request(unsigned channel, bool level) {
  if (channel > 7) return;
  u8& request = controllers_[channel / 4].request;
  request = with_bit(request, channel & 3, level);
}

std::string Dma8237::dump() const {
  static constexpr const char* kTypes[] = {"verify", "write", "read", "illegal"};
  static constexpr const char* kModes[] = {"demand", "single", "block", "cascade"};
  std::string text;
  for (unsigned n = 0; n < 8; ++n) {
    const Controller& c = controllers_[n / 4];
    const Channel& ch = c.channels[n & 3];
    text += fmt::format("dma{}: page={:02x} addr={:04x}/{:04x} count={:04x}/{:04x} {} {}{}{}{}{}{}\n", n,
                        pages_[kPageOf[n]], ch.address, ch.base_address, ch.count, ch.base_count,
                        kTypes[(ch.mode >> 2) & 3], kModes[ch.mode >> 6], ch.mode & kAutoInit ? " autoinit" : "",
                        ch.mode & kDecrement ? " down" : "", bit(c.request, n & 3) ? " requested" : "",
                        bit(c.terminal, n & 3) ? " tc" : "",
                        bit(c.mask, n & 3) || (c.command & kControllerDisable) ? " masked" : "");
  }
  return text;
}

DmaResult Dma8237::transfer(unsigned channel, std::span<u8> data, DmaDirection direction) {
  DmaResult result;
  if (!ready(channel)) return result;
  Controller& c = controllers_[channel / 4];
  Channel& ch = c.channels[channel & 3];
  const u8 type = (ch.mode >> 2) & 3;
  const bool verify = type == kVerify;
  if (!verify && type != (direction == DmaDirection::kToMemory ? kWrite : kRead)) return result;

  const unsigned unit = channel < 4 ? 1 : 2;
  const u32 page = u32{pages_[kPageOf[channel]]} << 16;
  const u32 upper = unit == 1 ? page : page & ~0x1ffffu;
  while (data.size() - result.bytes >= unit) {
    // One run: up to the end of the data, of the count, or of the 64 Ki units the address counter wraps in.
    std::size_t units = std::min<std::size_t>((data.size() - result.bytes) / unit, std::size_t{ch.count} + 1);
    const bool down = ch.mode & kDecrement;
    units = down ? 1 : std::min<std::size_t>(units, 0x10000u - ch.address);
    const u64 phys = upper + u64{ch.address} * unit;
    const std::span<u8> run = data.subspan(result.bytes, units * unit);
    if (!verify) {
      if (direction == DmaDirection::kToMemory) {
        memory_.write_block(phys, run);
      } else {
        memory_.read_block(phys, run);
      }
    }
    result.bytes += units * unit;
    ch.address = static_cast<u16>(down ? ch.address - 1 : ch.address + units);
    result.terminal_count = units == std::size_t{ch.count} + 1;
    ch.count = static_cast<u16>(ch.count - units);
    if (!result.terminal_count) continue;
    c.terminal |= static_cast<u8>(1 << (channel & 3));
    c.request &= static_cast<u8>(~(1 << (channel & 3)));
    if (ch.mode & kAutoInit) {
      ch.address = ch.base_address;
      ch.count = ch.base_count;
    } else {
      c.mask |= static_cast<u8>(1 << (channel & 3));
    }
    break;
  }
  return result;
}

u8 Dma8237::read_register(Controller& c, unsigned reg) {
  if (reg < 8) {
    const Channel& ch = c.channels[reg / 2];
    const u16 value = reg & 1 ? ch.count : ch.address;
    c.flip_flop = !c.flip_flop;
    return static_cast<u8>(c.flip_flop ? value : value >> 8);
  }
  switch (reg) {
    case 8: {
      const u8 status = static_cast<u8>(c.request << 4 | c.terminal);
      c.terminal = 0;
      return status;
    }
    case 13: return 0;  // temporary register: memory-to-memory transfers do not exist on a PC
    case 15: return static_cast<u8>(0xf0 | c.mask);
    default: return 0xff;
  }
}

void Dma8237::write_register(Controller& c, unsigned reg, u8 value) {
  const unsigned n = value & 3;
  if (reg < 8) {
    Channel& ch = c.channels[reg / 2];
    u16& base = reg & 1 ? ch.base_count : ch.base_address;
    base = c.flip_flop ? static_cast<u16>((base & 0x00ff) | value << 8) : static_cast<u16>((base & 0xff00) | value);
    (reg & 1 ? ch.count : ch.address) = base;
    c.flip_flop = !c.flip_flop;
    return;
  }
  switch (reg) {
    case 8: c.command = value; break;
    case 9: c.request = with_bit(c.request, n, value & 4); break;
    case 10: c.mask = with_bit(c.mask, n, value & 4); break;
    case 11: c.channels[n].mode = value; break;
    case 12: c.flip_flop = false; break;
    case 13: c.master_clear(); break;
    case 14: c.mask = 0; break;
    default: c.mask = value & 0x0f; break;
  }
}

u32 Dma8237::read(u64 port, unsigned) {
  for (const Hook& hook : hooks_) hook.call();
  if (port < 0x10) return read_register(controllers_[0], static_cast<unsigned>(port));
  if (port >= 0xc0) return read_register(controllers_[1], static_cast<unsigned>(port - 0xc0) / 2);
  return pages_[port & 15];
}

void Dma8237::write(u64 port, unsigned, u32 value) {
  const u8 v = static_cast<u8>(value);
  for (const Hook& hook : hooks_) hook.call();
  if (port < 0x10) {
    write_register(controllers_[0], static_cast<unsigned>(port), v);
  } else if (port >= 0xc0) {
    write_register(controllers_[1], static_cast<unsigned>(port - 0xc0) / 2, v);
  } else {
    pages_[port & 15] = v;
  }
}

}  // namespace xlat
