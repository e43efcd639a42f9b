// Going through memory page by page.
#include "frontend/monitor/guest_memory.h"

namespace xlat {

namespace {

// Calls piece(physical address, offset, bytes) for each page's part; it says whether to go on.
template <class Piece>
std::size_t each_page(Pc& pc, u64 address, bool physical, std::size_t bytes, Piece piece) {
  std::size_t done = 0;
  while (done < bytes) {
    u64 phys = address + done;
    if (!physical && !pc.cpu.peek_physical(static_cast<u32>(address + done), phys)) break;
    const std::size_t run = std::min<u64>(bytes - done, 4096 - ((address + done) & 0xfff));
    if (!piece(phys, done, run)) break;
    done += run;
  }
  return done;
}

}  // namespace

std::size_t peek(Pc& pc, u64 address, bool physical, std::span<u8> to) {
  return each_page(pc, address, physical, to.size(), [&](u64 phys, std::size_t at, std::size_t run) {
    pc.memory.read_block(phys, to.subspan(at, run));
    return true;
  });
}

std::size_t poke(Machine& machine, u64 address, bool physical, std::span<const u8> from) {
  std::size_t least = from.size();
  for (Pc* pc : machine.pcs()) {
    const std::size_t done =
        each_page(*pc, address, physical, from.size(), [&](u64 phys, std::size_t at, std::size_t run) {
          const PageOwner& owner = pc->memory.page(phys);
          if (!owner.write && !owner.io) return false;
          pc->memory.write_block(phys, from.subspan(at, run));
          return true;
        });
    least = std::min(least, done);
  }
  return least;
}

}  // namespace xlat
