// Selector, data port and DMA of fw_cfg.
#include "devices/chipset/fw_cfg.h"

#include <algorithm>

#include "base/bits.h"

namespace xlat {

namespace {
// FWCfgDmaAccess.control.
enum DmaControl : u32 { kError = 1, kRead = 2, kSkip = 4, kSelect = 8, kWrite = 16 };
constexpr u64 kDmaSignature = 0x51454d5520434647;  // "QEMU CFG"

u32 swap32(u32 v) { return v >> 24 | (v >> 8 & 0xff00) | (v << 8 & 0xff0000) | v << 24; }

void push_be(std::vector<u8>& to, u64 value, unsigned bytes) {
  while (bytes-- > 0) to.push_back(static_cast<u8>(value >> (8 * bytes)));
}

u64 load_be(const u8* from, unsigned bytes) {
  u64 value = 0;
  for (unsigned i = 0; i < bytes; ++i) value = value << 8 | from[i];
  return value;
}
}  // namespace

FwCfg::FwCfg(PortBus& ports, AddressSpace& memory)
    : memory_(memory), selector_(ports, 0x510, 2, *this, kWidth1 | kWidth2), dma_(ports, 0x514, 8, *this, kWidthsAll) {
  add_item(kFwCfgSignature, {'Q', 'E', 'M', 'U'});
  add_u32(kFwCfgId, 3);  // traditional interface and DMA
  rebuild_directory();
}

void FwCfg::add_item(u16 key, std::vector<u8> bytes, std::function<void()> written) {
  const bool writable = static_cast<bool>(written);
  items_[key] = Item{std::move(bytes), writable, std::move(written)};
}

void FwCfg::add_u16(u16 key, u16 value) {
  std::vector<u8> bytes(2);
  store_le(bytes.data(), value);
  add_item(key, std::move(bytes));
}

void FwCfg::add_u32(u16 key, u32 value) {
  std::vector<u8> bytes(4);
  store_le(bytes.data(), value);
  add_item(key, std::move(bytes));
}

void FwCfg::add_u64(u16 key, u64 value) {
  std::vector<u8> bytes(8);
  store_le(bytes.data(), value);
  add_item(key, std::move(bytes));
}

Status FwCfg::add_file(const std::string& file, std::vector<u8> bytes, bool writable, std::function<void()> written) {
  if (file.empty() || file.size() > kMaxName) {
    return error("fw_cfg file name '{}' has to be 1 to {} characters long", file, kMaxName);
  }
  auto found = std::find(files_.begin(), files_.end(), file);
  if (found == files_.end()) {
    if (files_.size() >= kMaxFiles) return error("fw_cfg has no room for file '{}': {} is the limit", file, kMaxFiles);
    files_.push_back(file);
    found = files_.end() - 1;
  }
  const u16 key = static_cast<u16>(kFwCfgFileFirst + (found - files_.begin()));
  items_[key] = Item{std::move(bytes), writable, std::move(written)};
  rebuild_directory();
  return {};
}

const std::vector<u8>* FwCfg::item(u16 key) const {
  const auto found = items_.find(key);
  return found == items_.end() ? nullptr : &found->second.bytes;
}

const std::vector<u8>* FwCfg::file(const std::string& file) const {
  const auto found = std::find(files_.begin(), files_.end(), file);
  return found == files_.end() ? nullptr : item(static_cast<u16>(kFwCfgFileFirst + (found - files_.begin())));
}

void FwCfg::rebuild_directory() {
  std::vector<u8> directory;
  push_be(directory, files_.size(), 4);
  for (std::size_t i = 0; i < files_.size(); ++i) {
    const u16 key = static_cast<u16>(kFwCfgFileFirst + i);
    push_be(directory, items_[key].bytes.size(), 4);
    push_be(directory, key, 2);
    push_be(directory, 0, 2);
    const std::size_t start = directory.size();
    directory.insert(directory.end(), files_[i].begin(), files_[i].end());
    directory.resize(start + kMaxName + 1, 0);
  }
  add_item(kFwCfgFileDir, std::move(directory));
}

void FwCfg::reset() {
  select(0);
  dma_address_ = 0;
}

void FwCfg::serialize(Archive& ar) {
  ar.section("fw_cfg", 1);
  ar(key_)(offset_)(dma_address_);
  for (auto& [key, entry] : items_) {  // both sides have the same items; only writable ones can differ
    if (entry.writable) ar.raw(entry.bytes);
  }
  if (!ar.loading()) return;
  // What follows from them is made again; that may add items.
  std::vector<std::function<void()>> again;
  for (auto& [key, entry] : items_) {
    if (entry.written) again.push_back(entry.written);
  }
  for (const auto& written : again) written();
}

FwCfg::Item* FwCfg::selected() {
  const auto found = items_.find(key_);
  return found == items_.end() ? nullptr : &found->second;
}

void FwCfg::select(u16 key) {
  key_ = key & 0xbfff;  // bit 14 asks for write access, which only DMA gives
  offset_ = 0;
}

u32 FwCfg::read(u64 port, unsigned width) {
  if (port == 0x511 && width == 1) {
    const Item* entry = selected();
    return entry && offset_ < entry->bytes.size() ? entry->bytes[offset_++] : 0;
  }
  if (port < 0x514) return 0;
  u8 signature[8] = {};
  for (unsigned i = 0; i < 8; ++i) signature[i] = static_cast<u8>(kDmaSignature >> (56 - 8 * i));
  return static_cast<u32>(load_le_n(signature + (port - 0x514), width));  // the bus keeps port + width in range
}

void FwCfg::write(u64 port, unsigned width, u32 value) {
  if (port == 0x510 && width == 2) {
    select(static_cast<u16>(value));
  } else if (port == 0x514 && width == 4) {
    dma_address_ = u64{swap32(value)} << 32 | (dma_address_ & 0xffffffff);
  } else if (port == 0x518 && width == 4) {
    dma_address_ = (dma_address_ & ~u64{0xffffffff}) | swap32(value);
    run_dma();
    dma_address_ = 0;
  }
}

void FwCfg::run_dma() {
  u8 request[16];
  if (dma_address_ > AddressSpace::kSize - sizeof request) return;
  memory_.read_block(dma_address_, request);
  u32 control = static_cast<u32>(load_be(request, 4));
  const u32 length = static_cast<u32>(load_be(request + 4, 4));
  const u64 address = load_be(request + 8, 8);

  if (control & kSelect) select(static_cast<u16>(control >> 16));
  bool ok = true;
  if (control & kRead) {
    ok = dma_read(address, length);
  } else if (control & kWrite) {
    ok = dma_write(address, length);
  } else if (control & kSkip) {
    const Item* entry = selected();
    const u32 size = entry ? static_cast<u32>(entry->bytes.size()) : 0;
    offset_ += std::min(length, size - std::min(offset_, size));
  }
  const u8 result[4] = {0, 0, 0, static_cast<u8>(ok ? u32{0} : u32{kError})};
  memory_.write_block(dma_address_, result);
}

bool FwCfg::dma_read(u64 address, u32 length) {
  const Item* entry = selected();
  static constexpr u8 kZeros[4096] = {};
  while (length > 0) {
    if (address >= AddressSpace::kSize || !memory_.page(address).write) return false;
    u32 run = std::min<u32>(length, 4096 - (address & 0xfff));
    const u32 left = entry && offset_ < entry->bytes.size() ? static_cast<u32>(entry->bytes.size()) - offset_ : 0;
    if (left) {
      run = std::min(run, left);
      memory_.write_block(address, {entry->bytes.data() + offset_, run});
      offset_ += run;
    } else {  // past the end there are zeros
      memory_.write_block(address, {kZeros, run});
    }
    address += run;
    length -= run;
  }
  return true;
}

bool FwCfg::dma_write(u64 address, u32 length) {
  Item* entry = selected();
  if (!entry || !entry->writable || offset_ > entry->bytes.size() || length > entry->bytes.size() - offset_)
    return false;
  if (address > AddressSpace::kSize - length) return false;
  memory_.read_block(address, {entry->bytes.data() + offset_, length});
  offset_ += length;
  if (entry->written) entry->written();
  return true;
}

}  // namespace xlat
