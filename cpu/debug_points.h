// Where a debugger outside the guest wants the processor to stop: breakpoints and watchpoints. They patch no memory and
// leave the guest's own debug registers alone.
#pragma once

#include <optional>
#include <span>
#include <vector>

#include "base/types.h"

namespace xlat {

class Cpu;
struct Insn;

// While one exists, its processor stops there; without one nothing is looked at. Linear addresses throughout. Points
// are changed between runs only.
class DebugPoints {
 public:
  enum class Watch : u8 { kWrite, kRead, kAccess };
  enum class Breakpoint : u8 { kSoftware, kHardware };  // the same thing here, but debuggers count them apart

  explicit DebugPoints(Cpu& cpu);
  ~DebugPoints();
  DebugPoints(const DebugPoints&) = delete;
  DebugPoints& operator=(const DebugPoints&) = delete;

  // A point that is there already stays, once. False if there are too many.
  bool insert(Breakpoint kind, u32 linear);
  bool insert(Watch kind, u32 linear, u32 bytes);
  // False if there is no such point.
  bool remove(Breakpoint kind, u32 linear);
  bool remove(Watch kind, u32 linear, u32 bytes);
  void clear();

  // The breakpoint at exactly this address.
  std::optional<Breakpoint> breakpoint_at(u32 linear) const;
  // Whether one lies in [linear, linear + bytes).
  bool breakpoint_within(u32 linear, u32 bytes) const;

  // ---- For the engines ----
  // Whether the processor stops before the instruction at `linear`. One that goes on with its iterations has begun.
  bool stops_before(u32 linear, bool mid_rep) const { return !passing_ && !mid_rep && breakpoint_at(linear); }
  // How many instructions of the block come before the next breakpoint; its first one, at `linear`, is not looked at.
  std::size_t free_run(std::span<const Insn> block, u32 linear) const;
  // Whether the TLB must not have this page, so that each access is seen.
  bool watches_page(u32 linear, bool write) const;
  // An access that was made.
  void accessed(u32 linear, u32 bytes, bool write);
  // While on, breakpoints stop nobody: for the step that leaves one behind.
  void pass(bool on) { passing_ = on; }

  // ---- What was hit since the processor went on last ----
  struct Hit {
    Watch kind;
    u32 linear;  // first byte both watched and accessed
  };
  const std::optional<Hit>& hit() const { return hit_; }
  // Also when the instruction is going to be restarted.
  void forget_hit() { hit_.reset(); }

 private:
  // So that a debugger run wild costs time, but not memory.
  static constexpr std::size_t kMost = 4096;

  struct Code {
    u32 linear;
    Breakpoint kind;
    auto operator<=>(const Code&) const = default;
  };
  struct Data {
    u32 linear, bytes;
    Watch kind;
    bool sees(bool write) const { return kind == Watch::kAccess || (kind == Watch::kWrite) == write; }
    bool operator==(const Data&) const = default;
  };

  Cpu& cpu_;
  std::vector<Code> code_;  // in order
  std::vector<Data> data_;
  bool passing_ = false;
  std::optional<Hit> hit_;
};

}  // namespace xlat
