// Page ownership and bus-master access.
#include "mmu/address_space.h"

#include <algorithm>
#include <cstring>
#include <new>

#include "base/bits.h"

namespace xlat {

// calloc leaves the pages of the table untouched until they are used; an all-zero PageOwner owns nothing.
AddressSpace::AddressSpace() : pages_(static_cast<PageOwner*>(std::calloc(kSize >> 12, sizeof(PageOwner)))) {
  if (!pages_) throw std::bad_alloc();
}

void AddressSpace::set_pages(u64 phys, u64 bytes, const PageOwner& first) {
  ASSERT((phys & 0xfff) == 0 && (bytes & 0xfff) == 0 && phys + bytes <= kSize);
  PageOwner owner = first;
  for (u64 page = phys >> 12; page < (phys + bytes) >> 12; ++page) {
    code_watch_.before_store(page << 12, 4096);
    pages_[page] = owner;
    if (owner.read) owner.read += 4096;
    if (owner.write) owner.write += 4096;
    if (owner.dirty) ++owner.dirty;
    owner.io_offset += 4096;
  }
  for (MappingListener* listener : listeners_) listener->mapping_changed();
}

void AddressSpace::map_ram(u64 phys, u64 bytes, u8* host) { map_split(phys, bytes, host, host); }
void AddressSpace::map_rom(u64 phys, u64 bytes, u8* host) { map_split(phys, bytes, host, nullptr); }

void AddressSpace::map_split(u64 phys, u64 bytes, u8* read, u8* write) {
  PageOwner owner;
  owner.read = read;
  owner.write = write;
  set_pages(phys, bytes, owner);
}

void AddressSpace::map_device_ram(u64 phys, u64 bytes, u8* host, u8* dirty) {
  PageOwner owner;
  owner.read = owner.write = host;
  owner.changes_by_itself = true;
  owner.dirty = dirty;
  set_pages(phys, bytes, owner);
}

void AddressSpace::map_io(u64 phys, u64 bytes, IoHandler& handler, u64 offset, u8 widths) {
  PageOwner owner;
  owner.io = &handler;
  owner.io_offset = offset;
  owner.io_widths = widths;
  set_pages(phys, bytes, owner);
}

void AddressSpace::unmap(u64 phys, u64 bytes) { set_pages(phys, bytes, PageOwner{}); }

u64 AddressSpace::read_io(const PageOwner& owner, u64 phys, unsigned width) {
  if (width <= 4 && (owner.io_widths & width)) {
    return owner.io->read(owner.io_offset + (phys & 0xfff), width) & mask(8 * width);
  }
  if (width == 1) {  // a handler that takes only wider accesses sees the aligned one around this byte
    const unsigned wide = (owner.io_widths & kWidth2) ? 2 : 4;
    const u64 base = align_down(phys, wide);
    return (owner.io->read(owner.io_offset + (base & 0xfff), wide) >> (8 * (phys - base))) & 0xff;
  }
  const unsigned half = width / 2;
  const u64 low = read_io(owner, phys, half);
  return low | read_io(owner, phys + half, half) << (8 * half);
}

void AddressSpace::write_io(const PageOwner& owner, u64 phys, unsigned width, u64 value) {
  value &= mask(8 * width);
  if (width <= 4 && (owner.io_widths & width)) {
    owner.io->write(owner.io_offset + (phys & 0xfff), width, static_cast<u32>(value));
    return;
  }
  if (width == 1) return;  // a byte store to registers that take only wider ones is ignored
  const unsigned half = width / 2;
  write_io(owner, phys, half, value);
  write_io(owner, phys + half, half, value >> (8 * half));
}

u64 AddressSpace::read(u64 phys, unsigned width) {
  if ((phys & 0xfff) + width > 4096) {
    u64 value = 0;
    for (unsigned i = 0; i < width; ++i) value |= read(phys + i, 1) << (8 * i);
    return value;
  }
  const PageOwner owner = page(phys);
  if (owner.read) return load_le_n(owner.read + (phys & 0xfff), width);
  if (owner.io) return read_io(owner, phys, width);
  return mask(8 * width);
}

void AddressSpace::write(u64 phys, unsigned width, u64 value) {
  if ((phys & 0xfff) + width > 4096) {
    for (unsigned i = 0; i < width; ++i) write(phys + i, 1, value >> (8 * i));
    return;
  }
  const PageOwner owner = page(phys);
  if (owner.write) {
    code_watch_.before_store(phys, width);
    if (owner.dirty) *owner.dirty = 1;
    store_le_n(owner.write + (phys & 0xfff), width, value);
  } else if (owner.io) {
    write_io(owner, phys, width, value);
  }
}

void AddressSpace::read_block(u64 phys, std::span<u8> to) {
  while (!to.empty()) {
    const std::size_t run = std::min<std::size_t>(to.size(), 4096 - (phys & 0xfff));
    const PageOwner& owner = page(phys);
    if (owner.read) {
      std::memcpy(to.data(), owner.read + (phys & 0xfff), run);
    } else {
      for (std::size_t i = 0; i < run; ++i) to[i] = static_cast<u8>(read(phys + i, 1));
    }
    to = to.subspan(run);
    phys += run;
  }
}

void AddressSpace::write_block(u64 phys, std::span<const u8> from) {
  while (!from.empty()) {
    const std::size_t run = std::min<std::size_t>(from.size(), 4096 - (phys & 0xfff));
    const PageOwner& owner = page(phys);
    if (owner.write) {
      code_watch_.before_store(phys, static_cast<unsigned>(run));
      if (owner.dirty) *owner.dirty = 1;
      std::memcpy(owner.write + (phys & 0xfff), from.data(), run);
    } else {
      for (std::size_t i = 0; i < run; ++i) write(phys + i, 1, from[i]);
    }
    from = from.subspan(run);
    phys += run;
  }
}

}  // namespace xlat
