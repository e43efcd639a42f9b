// Bus-master IDE of the PIIX3: registers and physical region descriptor tables.
#include "devices/ide/piix3_ide.h"

#include <algorithm>

#include "base/bits.h"

namespace xlat {

namespace {
constexpr unsigned kIdetimPrimary = 0x40, kIdetimSecondary = 0x42, kSidetim = 0x44;
constexpr u16 kIdetimDecodeEnable = 0x8000;
}  // namespace

Piix3Ide::Piix3Ide(AddressSpace& memory, IdeChannel& primary, IdeChannel& secondary)
    : PciFunction({.vendor = 0x8086,
                   .device = 0x7010,
                   .revision = 0,
                   .class_code = 0x010180,
                   .subsystem_vendor = 0x1af4,
                   .subsystem = 0x1100,
                   .interrupt_pin = 0}),
      memory_(memory),
      primary_(primary),
      secondary_(secondary),
      engines_{Engine(*this, primary), Engine(*this, secondary)},
      bus_master_regs_(*this) {
  define16(kPciStatus, 0x0280);
  add_io_bar(4, 16, bus_master_regs_, kWidthsAll);
  define16(kIdetimPrimary, 0, 0xf3ff);
  define16(kIdetimSecondary, 0, 0xf3ff);
  define8(kSidetim, 0, 0xff);
  primary_.set_dma(&engines_[0]);
  secondary_.set_dma(&engines_[1]);
}

void Piix3Ide::reset() {
  for (Engine& e : engines_) e.reset();
  reset_config();
}

void Piix3Ide::config_changed(unsigned, unsigned) {
  const bool io = command() & kPciCommandIo;
  primary_.set_decoded(io && (config16(kIdetimPrimary) & kIdetimDecodeEnable));
  secondary_.set_decoded(io && (config16(kIdetimSecondary) & kIdetimDecodeEnable));
}

void Piix3Ide::serialize(Archive& ar) {
  ar.section("piix3-ide", 1);
  serialize_config(ar);
  for (Engine& e : engines_) e.serialize(ar);
}

u32 Piix3Ide::BusMaster::read(u64 offset, unsigned width) {
  u32 value = 0;
  for (unsigned i = 0; i < width; ++i) {
    const unsigned at = static_cast<unsigned>(offset + i) & 15;
    value |= u32{ide_.engines_[at >> 3].read(at & 7)} << (8 * i);
  }
  return value;
}

void Piix3Ide::BusMaster::write(u64 offset, unsigned width, u32 value) {
  for (unsigned i = 0; i < width; ++i) {
    const unsigned at = static_cast<unsigned>(offset + i) & 15;
    ide_.engines_[at >> 3].write(at & 7, static_cast<u8>(value >> (8 * i)));
  }
}

void Piix3Ide::Engine::reset() {
  command_ = status_ = 0;
  table_ = entry_ = region_ = region_left_ = 0;
  last_ = false;
}

u8 Piix3Ide::Engine::read(unsigned offset) const {
  switch (offset) {
    case 0: return command_;
    case 2: return status_;
    case 4:
    case 5:
    case 6:
    case 7: return static_cast<u8>(table_ >> (8 * (offset - 4)));
    default: return 0;
  }
}

void Piix3Ide::Engine::write(unsigned offset, u8 value) {
  switch (offset) {
    case 0: {
      const bool starts = (value & kStart) && !(command_ & kStart);
      command_ = value & (kStart | kToMemory);
      if (!(value & kStart)) {
        status_ &= static_cast<u8>(~kActive);  // stopping forgets the transfer
        region_left_ = 0;
      } else if (starts) {
        status_ |= kActive;
        entry_ = table_;
        region_left_ = 0;
        last_ = false;
        channel_.dma_started();
      }
      break;
    }
    case 2:
      status_ =
          static_cast<u8>((status_ & kActive) | (value & kDriveCapable) | (status_ & ~value & (kError | kInterrupt)));
      break;
    case 4:
    case 5:
    case 6:
    case 7:
      table_ = static_cast<u32>((table_ & ~(u32{0xff} << (8 * (offset - 4)))) | u32{value} << (8 * (offset - 4))) & ~3u;
      break;
    default: break;
  }
}

bool Piix3Ide::Engine::running() const { return (command_ & kStart) && (status_ & kActive) && owner_.bus_master(); }

bool Piix3Ide::Engine::next_region() {
  if (region_left_ > 0) return true;
  if (last_) return false;
  region_ = static_cast<u32>(owner_.memory_.read(entry_, 4)) & ~1u;
  const u32 control = static_cast<u32>(owner_.memory_.read(entry_ + u64{4}, 4));
  // A count of zero means 64 KiB. The table does not cross a 64 KiB boundary: the counter wraps inside.
  region_left_ = control & 0xfffe;
  if (region_left_ == 0) region_left_ = 65536;
  last_ = bit(control, 31);
  entry_ = (entry_ & 0xffff'0000) | ((entry_ + 8) & 0xffff);
  return true;
}

template <class Move>
std::size_t Piix3Ide::Engine::walk(std::size_t bytes, Move move) {
  std::size_t done = 0;
  while (done < bytes && next_region()) {
    const u32 run = static_cast<u32>(std::min<std::size_t>(bytes - done, region_left_));
    move(region_, done, run);
    region_ += run;
    region_left_ -= run;
    done += run;
  }
  // The engine goes inactive when the region that carries EOT is used up.
  if (region_left_ == 0 && last_) status_ &= static_cast<u8>(~kActive);
  return done;
}

std::size_t Piix3Ide::Engine::to_memory(std::span<const u8> from) {
  return walk(from.size(),
              [&](u32 phys, std::size_t at, u32 run) { owner_.memory_.write_block(phys, from.subspan(at, run)); });
}

std::size_t Piix3Ide::Engine::from_memory(std::span<u8> to) {
  return walk(to.size(),
              [&](u32 phys, std::size_t at, u32 run) { owner_.memory_.read_block(phys, to.subspan(at, run)); });
}

void Piix3Ide::Engine::serialize(Archive& ar) {
  ar(command_)(status_)(table_)(entry_)(region_)(last_);
  ar.range(region_left_, 0u, 65536u);
}

}  // namespace xlat
