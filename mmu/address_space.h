// The physical address space: each 4 KiB page is RAM, ROM, a device, or nothing.
#pragma once

#include <memory>
#include <span>
#include <vector>

#include "mmu/code_watch.h"
#include "mmu/io_handler.h"

namespace xlat {

// One page's owner. Reads go to `read` if set, else to `io`; writes to `write` if set, else to `io`; neither means that
// reads give all ones and writes are lost.
struct PageOwner {
  u8* read = nullptr;   // host bytes of the page
  u8* write = nullptr;  // host bytes of the page; null for ROM
  IoHandler* io = nullptr;
  u64 io_offset = 0;  // handler offset of the page's first byte
  u8 io_widths = 0;
  // The bytes may change without a store to this page: they are a device's, which has other ways to them.
  bool changes_by_itself = false;
  // Set to 1 by the first store to the page after AddressSpace::watch_stores; null: nobody asks.
  u8* dirty = nullptr;

  // Whether each change of the page's bytes is told to CodeWatch, so that decoded code can be kept.
  bool watchable() const { return read != nullptr && !changes_by_itself; }
};

// Told when pages change owner, so that cached translations are dropped.
class MappingListener {
 public:
  virtual ~MappingListener() = default;
  virtual void mapping_changed() = 0;
  // Cached write access to this host page is to be dropped, so that the next store is noticed.
  virtual void stores_watched(const u8* host_page) = 0;
};

// 4 GiB of physical addresses; anything above is unmapped. All `phys` and `bytes` of the map_* functions are multiples
// of 4096. A later mapping of a page replaces the earlier one.
class AddressSpace {
 public:
  static constexpr u64 kSize = u64{1} << 32;

  AddressSpace();

  void map_ram(u64 phys, u64 bytes, u8* host);
  void map_rom(u64 phys, u64 bytes, u8* host);
  // Reads and writes to different places, as PAM registers can ask for; null means unmapped for that direction.
  void map_split(u64 phys, u64 bytes, u8* read, u8* write);
  // Memory of a device, such as a frame buffer: it may change it and show it through other windows. `dirty` has a flag
  // a page, or is null.
  void map_device_ram(u64 phys, u64 bytes, u8* host, u8* dirty = nullptr);
  // From now on the first store to this page of a device's memory sets its flag in `dirty`, which the caller has
  // cleared.
  void watch_stores(const u8* host_page) {
    for (MappingListener* listener : listeners_) listener->stores_watched(host_page);
  }
  void map_io(u64 phys, u64 bytes, IoHandler& handler, u64 offset = 0, u8 widths = kWidthsAll);
  void unmap(u64 phys, u64 bytes);

  // The owner of the page of `phys`.
  const PageOwner& page(u64 phys) const { return phys < kSize ? pages_[phys >> 12] : nobody_; }

  CodeWatch& code_watch() { return code_watch_; }
  void add_listener(MappingListener& listener) { listeners_.push_back(&listener); }

  // Access of 1, 2, 4 or 8 bytes at any alignment, as a bus master does it. Reads of nothing give all ones. Widths a
  // device does not take are split, low part first.
  u64 read(u64 phys, unsigned width);
  void write(u64 phys, unsigned width, u64 value);

  // DMA of any length.
  void read_block(u64 phys, std::span<u8> to);
  void write_block(u64 phys, std::span<const u8> from);

 private:
  void set_pages(u64 phys, u64 bytes, const PageOwner& first);
  u64 read_io(const PageOwner& owner, u64 phys, unsigned width);
  void write_io(const PageOwner& owner, u64 phys, unsigned width, u64 value);

  struct Free {
    void operator()(PageOwner* p) const { std::free(p); }
  };
  std::unique_ptr<PageOwner[], Free> pages_;
  PageOwner nobody_;
  CodeWatch code_watch_;
  std::vector<MappingListener*> listeners_;
};

}  // namespace xlat
