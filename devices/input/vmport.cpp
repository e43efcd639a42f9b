// Commands of VMware's backdoor.
#include "devices/input/vmport.h"

#include <algorithm>

namespace xlat {

namespace {
enum Command : u16 {
  kGetVersion = 0x0a,
  kGetMemorySize = 0x14,
  kPointerData = 39,
  kPointerStatus = 40,
  kPointerCommand = 41,
  kPointerRestrict = 86
};
constexpr u32 kProductVersion = 6, kServerProduct = 2;  // of VMware's products; QEMU says the same
constexpr u32 kNobody = 0xffffffff;
constexpr u32 kForKernel = 1;
}  // namespace

VmPort::VmPort(PortBus& ports, VmPortRegisters& registers, InputHub& hub, std::function<void()> announce, u64 ram_bytes)
    : registers_(registers),
      mouse_(hub, std::move(announce)),
      ram_bytes_(ram_bytes),
      range_(ports, kPort, 4, *this, kWidthsAll) {}

void VmPort::reset() {
  restricted_ = 0;
  mouse_.reset();
}

void VmPort::serialize(Archive& ar) {
  ar.section("vmport", 1);
  ar(restricted_);
  mouse_.serialize(ar);
}

// Words go to EAX, EBX, ECX, EDX, ESI and EDI, in this order.
u32 VmPort::data(u32 count) {
  const std::vector<u32> words = mouse_.read(count);
  for (std::size_t n = 1; n < words.size(); ++n) registers_.set(static_cast<VmPortRegisters::Register>(n), words[n]);
  return words.empty() ? VmMouse::kOff : words[0];
}

u32 VmPort::read(u64 port, unsigned) {
  using enum VmPortRegisters::Register;
  if (port != kPort || registers_.get(kEax) != kMagic) return kNobody;
  const u32 command = registers_.get(kEcx) & 0xffff, argument = registers_.get(kEbx);
  if (command >= kPointerData && restricted_ == kForKernel && registers_.privilege_level() > 0) return kNobody;
  switch (command) {
    case kGetVersion:
      registers_.set(kEbx, kMagic);
      registers_.set(kEcx, kServerProduct);
      return kProductVersion;
    case kGetMemorySize: return static_cast<u32>(std::min<u64>(ram_bytes_, kNobody));
    case kPointerData: return data(argument);
    case kPointerStatus: return mouse_.status();
    case kPointerCommand: mouse_.command(argument); return argument;
    case kPointerRestrict: restricted_ = argument; return argument;
    default: return kNobody;
  }
}

// OUT is the same call.
void VmPort::write(u64 port, unsigned width, u32) { registers_.set(VmPortRegisters::kEax, read(port, width)); }

}  // namespace xlat
