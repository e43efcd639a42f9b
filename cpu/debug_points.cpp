// The lists of points, and telling the processor when they change.
#include "cpu/debug_points.h"

#include <algorithm>

#include "cpu/cpu.h"
#include "cpu/insn.h"

namespace xlat {

DebugPoints::DebugPoints(Cpu& cpu) : cpu_(cpu) { cpu_.set_debug_points(this); }

DebugPoints::~DebugPoints() {
  clear();
  cpu_.set_debug_points(nullptr);
}

bool DebugPoints::insert(Breakpoint kind, u32 linear) {
  const Code point{linear, kind};
  const auto at = std::lower_bound(code_.begin(), code_.end(), point);
  if (at != code_.end() && *at == point) return true;
  if (code_.size() >= kMost) return false;
  code_.insert(at, point);
  if (Engine* engine = cpu_.engine()) engine->forget_translations(linear);
  return true;
}

bool DebugPoints::insert(Watch kind, u32 linear, u32 bytes) {
  const Data point{linear, bytes, kind};
  if (std::find(data_.begin(), data_.end(), point) != data_.end()) return true;
  if (data_.size() >= kMost) return false;
  data_.push_back(point);
  cpu_.flush_tlb();
  return true;
}

bool DebugPoints::remove(Breakpoint kind, u32 linear) { return std::erase(code_, Code{linear, kind}) != 0; }

bool DebugPoints::remove(Watch kind, u32 linear, u32 bytes) {
  return std::erase(data_, Data{linear, bytes, kind}) != 0;
}

void DebugPoints::clear() {
  code_.clear();
  data_.clear();
  hit_.reset();
}

std::optional<DebugPoints::Breakpoint> DebugPoints::breakpoint_at(u32 linear) const {
  const auto at = std::lower_bound(code_.begin(), code_.end(), Code{linear, Breakpoint::kSoftware});
  return at != code_.end() && at->linear == linear ? std::optional(at->kind) : std::nullopt;
}

bool DebugPoints::breakpoint_within(u32 linear, u32 bytes) const {
  const auto from = [&](u32 first) {
    const auto at = std::lower_bound(code_.begin(), code_.end(), Code{first, Breakpoint::kSoftware});
    return at != code_.end() && at->linear - linear < bytes;
  };
  return from(linear) || (linear + bytes < linear && from(0));
}

std::size_t DebugPoints::free_run(std::span<const Insn> block, u32 linear) const {
  const std::size_t all = block.size();
  if (passing_ || !breakpoint_within(linear, block.back().off + block.back().len)) return all;
  for (std::size_t n = 1; n < all; ++n) {
    if (breakpoint_at(linear + block[n].off)) return n;
  }
  return all;
}

bool DebugPoints::watches_page(u32 linear, bool write) const {
  const u32 page = linear & ~0xfffu;
  for (const Data& d : data_) {
    // One of the two begins inside the other.
    if (d.sees(write) && (d.linear - page < 4096 || page - d.linear < d.bytes)) return true;
  }
  return false;
}

void DebugPoints::accessed(u32 linear, u32 bytes, bool write) {
  if (hit_) return;
  for (const Data& d : data_) {
    if (!d.sees(write)) continue;
    const bool inside = linear - d.linear < d.bytes;
    if (!inside && d.linear - linear >= bytes) continue;
    hit_ = Hit{d.kind, inside ? linear : d.linear};
    cpu_.leave_block();
    return;
  }
}

}  // namespace xlat
