// Port routing and width splitting.
#include "mmu/port_bus.h"

#include "base/bits.h"

namespace xlat {

void PortBus::map(u16 first, unsigned count, IoHandler& handler, u8 widths) {
  ASSERT(count > 0 && first + count <= 65536);
  std::size_t slot = 0;
  while (slot < mappings_.size() && mappings_[slot].handler) ++slot;
  if (slot == mappings_.size()) mappings_.emplace_back();
  mappings_[slot] = Mapping{&handler, first, count, widths, next_order_++};
  for (unsigned i = 0; i < count; ++i) owner_[first + i] = static_cast<u16>(slot + 1);
}

void PortBus::unmap(IoHandler& handler) {
  for (std::size_t slot = 0; slot < mappings_.size(); ++slot) {
    Mapping& m = mappings_[slot];
    if (m.handler != &handler) continue;
    m.handler = nullptr;
    for (unsigned port = m.first; port < m.first + m.count; ++port) {
      if (owner_[port] != slot + 1) continue;
      std::size_t next = 0;  // the newest of the mappings that this one hid
      for (std::size_t other = 0; other < mappings_.size(); ++other) {
        const Mapping& o = mappings_[other];
        if (!o.handler || port < o.first || port >= o.first + o.count) continue;
        if (next == 0 || o.order > mappings_[next - 1].order) next = other + 1;
      }
      owner_[port] = static_cast<u16>(next);
    }
  }
}

std::vector<PortBus::Run> PortBus::runs() const {
  std::vector<Run> all;
  for (unsigned port = 0; port < owner_.size(); ++port) {
    const u16 owner = owner_[port];
    if (owner == 0) continue;
    const u16 at = static_cast<u16>(port);
    if (port > 0 && owner_[port - 1] == owner) {
      all.back().last = at;
    } else {
      all.push_back({at, at, mappings_[owner - 1].handler});
    }
  }
  return all;
}

const PortBus::Mapping* PortBus::whole(u16 port, unsigned width) const {
  const u16 owner = owner_[port];
  if (owner == 0) return nullptr;
  const Mapping& m = mappings_[owner - 1];
  if (!(m.widths & width)) return nullptr;
  for (unsigned i = 1; i < width; ++i) {
    if (owner_[static_cast<u16>(port + i)] != owner) return nullptr;
  }
  return port + width <= m.first + m.count ? &m : nullptr;
}

u32 PortBus::read(u16 port, unsigned width) {
  if (const Mapping* m = whole(port, width)) {
    return static_cast<u32>(m->handler->read(static_cast<u64>(port - m->first), width) & mask(8 * width));
  }
  if (width == 1) return 0xff;
  const unsigned half = width / 2;
  const u32 low = read(port, half);
  return low | read(static_cast<u16>(port + half), half) << (8 * half);
}

void PortBus::write(u16 port, unsigned width, u32 value) {
  value &= static_cast<u32>(mask(8 * width));
  if (const Mapping* m = whole(port, width)) {
    m->handler->write(static_cast<u64>(port - m->first), width, value);
    return;
  }
  if (width == 1) return;
  const unsigned half = width / 2;
  write(port, half, value);
  write(static_cast<u16>(port + half), half, value >> (8 * half));
}

bool PortBus::taken(u16 first, unsigned count) const {
  for (unsigned n = 0; n < count; ++n) {
    if (owner_[static_cast<u16>(first + n)] != 0) return true;
  }
  return false;
}

}  // namespace xlat
