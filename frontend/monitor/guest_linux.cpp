// Finding a kernel by its banner, and its log by what it says about itself for crash dumps: VMCOREINFO, lines of
// NAME=VALUE, names the ring buffer and the layout of its structures (Documentation/admin-guide/kdump/vmcoreinfo.rst
// and gdbmacros.txt in the kernel's source). Nothing here trusts what it reads.
#include "frontend/monitor/guest_linux.h"

#include <algorithm>
#include <charconv>
#include <string_view>

#include "frontend/monitor/guest_memory.h"

namespace xlat {

namespace {

std::string_view ram_text(Pc& pc) {
  const std::span<const u8> bytes = pc.ram->bytes();
  return {reinterpret_cast<const char*>(bytes.data()), bytes.size()};
}

bool printable(std::string_view text) {
  return std::all_of(text.begin(), text.end(), [](char c) { return (c >= 32 && c < 127) || c == '\n' || c == '\t'; });
}

// linux_banner: "Linux version 6.1.0 (...) ...\n", ended by a zero byte. The copy in the log has no newline.
bool find_banner(std::string_view ram, GuestLinux& found) {
  constexpr std::string_view kStart = "Linux version ";
  constexpr std::size_t kMost = 512;
  std::size_t passed = 0;  // so that memory full of the word costs no more than other memory
  for (std::size_t at = 0; (at = ram.find(kStart, at)) != std::string_view::npos; at += passed) {
    const std::string_view rest = ram.substr(at, kMost);
    const auto end = rest.find('\0');
    passed = std::min(end, rest.size());
    if (end == std::string_view::npos || rest[end - 1] != '\n' || !printable(rest.substr(0, end))) continue;
    const char digit = rest[kStart.size()];
    if (digit < '0' || digit > '9') continue;  // a format
    found.banner = rest.substr(0, end - 1);
    found.banner_phys = at;
    return true;
  }
  return false;
}

// The lines of VMCOREINFO.
class CoreInfo {
 public:
  // False if it is not to be found.
  bool find(std::string_view ram) {
    constexpr std::string_view kStart = "OSRELEASE=";
    constexpr std::size_t kMost = 16384;
    std::size_t passed = 0;
    for (std::size_t at = 0; (at = ram.find(kStart, at)) != std::string_view::npos; at += passed) {
      const std::string_view rest = ram.substr(at, kMost);
      const std::string_view text = rest.substr(0, rest.find('\0'));
      passed = text.size();
      if (text.find("\nSYMBOL(") == std::string_view::npos || !printable(text)) continue;
      text_ = text;
      return true;
    }
    return false;
  }

  // NAME(WHAT)=VALUE; addresses are hexadecimal, the rest decimal.
  std::optional<u32> symbol(std::string_view what) const { return value(fmt::format("\nSYMBOL({})=", what), 16); }
  std::optional<u32> offset(std::string_view what) const { return value(fmt::format("\nOFFSET({})=", what), 10); }
  std::optional<u32> size(std::string_view what) const { return value(fmt::format("\nSIZE({})=", what), 10); }

 private:
  std::optional<u32> value(const std::string& name, int base) const {
    const auto at = text_.find(name);
    if (at == std::string_view::npos) return std::nullopt;
    const char* first = text_.data() + at + name.size();
    u32 number = 0;
    const auto [end, code] = std::from_chars(first, text_.data() + text_.size(), number, base);
    if (code != std::errc() || end == first) return std::nullopt;
    return number;
  }

  std::string_view text_;
};

// Kernel memory by its linear addresses in the direct map, whatever the page tables of the moment have.
class KernelMemory {
 public:
  KernelMemory(std::string_view ram, u32 page_offset) : ram_(ram), page_offset_(page_offset) {}
  std::string_view text(u32 linear, std::size_t bytes) const {
    const u32 phys = linear - page_offset_;
    if (linear < page_offset_ || phys >= ram_.size() || bytes > ram_.size() - phys) return {};
    return ram_.substr(phys, bytes);
  }
  std::optional<u64> number(u32 linear, unsigned bytes) const {
    const std::string_view raw = text(linear, bytes);
    if (raw.size() != bytes) return std::nullopt;
    return load_le_n(reinterpret_cast<const u8*>(raw.data()), bytes);
  }
  std::optional<u32> word(u32 linear) const {
    const auto value = number(linear, 4);
    return value ? std::optional(static_cast<u32>(*value)) : std::nullopt;
  }

 private:
  std::string_view ram_;
  u32 page_offset_;
};

// Where physical 0 lies: of the splits a 32-bit kernel can be built with, the one with which its own name is where
// VMCOREINFO says.
std::optional<u32> find_page_offset(std::string_view ram, const CoreInfo& info) {
  const auto name = info.symbol("init_uts_ns");
  if (!name) return std::nullopt;
  const u32 within = info.offset("uts_namespace.name").value_or(0);
  for (const u32 split : {0xc0000000u, 0xb0000000u, 0x80000000u, 0x78000000u, 0x40000000u}) {
    // Older kernels do not say where in it the name is.
    const std::string_view uts = KernelMemory(ram, split).text(*name + within, 64);
    if (uts.starts_with(std::string_view("Linux\0", 6)) || uts.find(std::string_view("Linux\0", 6)) < 16) return split;
  }
  return std::nullopt;
}

std::string text_lines(std::string_view text, u64 ns) {
  std::string out, indent = fmt::format("[{:5}.{:06}] ", ns / 1'000'000'000, ns / 1000 % 1'000'000);
  while (!text.empty()) {
    const auto end = text.find('\n');
    out += indent;
    for (const char c : text.substr(0, end)) out += (c >= 32 && c < 127) || c == '\t' ? c : '?';
    out += '\n';
    text = end == std::string_view::npos ? std::string_view() : text.substr(end + 1);
  }
  return out;
}

// The printk ring buffer of Linux 5.10 and later: descriptors, each with a state and the place of its text.
std::optional<std::string> read_log(const KernelMemory& memory, const CoreInfo& info) {
  struct Layout {
    u32 desc_ring, text_ring, count_bits, descs, infos, head, tail, desc_size, state, position, begin, next, size_bits,
        data, info_size, ns, length, counter;
  } at{};
  const std::pair<u32 Layout::*, const char*> kOffsets[] = {{&Layout::desc_ring, "printk_ringbuffer.desc_ring"},
                                                            {&Layout::text_ring, "printk_ringbuffer.text_data_ring"},
                                                            {&Layout::count_bits, "prb_desc_ring.count_bits"},
                                                            {&Layout::descs, "prb_desc_ring.descs"},
                                                            {&Layout::infos, "prb_desc_ring.infos"},
                                                            {&Layout::head, "prb_desc_ring.head_id"},
                                                            {&Layout::tail, "prb_desc_ring.tail_id"},
                                                            {&Layout::state, "prb_desc.state_var"},
                                                            {&Layout::position, "prb_desc.text_blk_lpos"},
                                                            {&Layout::begin, "prb_data_blk_lpos.begin"},
                                                            {&Layout::next, "prb_data_blk_lpos.next"},
                                                            {&Layout::size_bits, "prb_data_ring.size_bits"},
                                                            {&Layout::data, "prb_data_ring.data"},
                                                            {&Layout::ns, "printk_info.ts_nsec"},
                                                            {&Layout::length, "printk_info.text_len"},
                                                            {&Layout::counter, "atomic_long_t.counter"}};
  for (const auto& [field, name] : kOffsets) {
    const auto offset = info.offset(name);
    if (!offset) return std::nullopt;
    at.*field = *offset;
  }
  const auto desc_size = info.size("prb_desc"), info_size = info.size("printk_info"), where = info.symbol("prb");
  if (!desc_size || !info_size || !where) return std::nullopt;
  const auto ring = memory.word(*where);
  if (!ring) return std::nullopt;
  const u32 descs_at = *ring + at.desc_ring, text_at = *ring + at.text_ring;
  const auto count_bits = memory.word(descs_at + at.count_bits), descs = memory.word(descs_at + at.descs);
  const auto infos = memory.word(descs_at + at.infos), head = memory.word(descs_at + at.head + at.counter);
  const auto tail = memory.word(descs_at + at.tail + at.counter), size_bits = memory.word(text_at + at.size_bits);
  const auto data = memory.word(text_at + at.data);
  if (!count_bits || !descs || !infos || !head || !tail || !size_bits || !data) return std::nullopt;
  if (*count_bits > 24 || *size_bits > 28) return std::nullopt;

  // The two high bits of a state word say what the record is; the rest is its number.
  constexpr u32 kIdBits = 0x3fffffff, kCommitted = 1, kFinalized = 2;
  constexpr u32 kTextHeader = 4;  // before each text stands its record's number
  constexpr std::size_t kMostText = 16 << 20;
  const u32 slots = 1u << *count_bits, bytes = 1u << *size_bits;
  std::string out;
  u32 id = *tail & kIdBits;
  for (u32 n = 0; n < slots && out.size() < kMostText; ++n, id = (id + 1) & kIdBits) {
    const u32 desc = *descs + (id & (slots - 1)) * *desc_size, record = *infos + (id & (slots - 1)) * *info_size;
    const auto state = memory.word(desc + at.state + at.counter);
    const auto begin = memory.word(desc + at.position + at.begin), next = memory.word(desc + at.position + at.next);
    const auto ns = memory.number(record + at.ns, 8), length = memory.number(record + at.length, 2);
    if (!state || !begin || !next || !ns || !length) return std::nullopt;
    const bool ready = *state >> 30 == kCommitted || *state >> 30 == kFinalized;
    // Bit 0 of a position: there is no text.
    if (ready && (*state & kIdBits) == id && !(*begin & 1)) {
      const u32 first = *begin & (bytes - 1), last = *next & (bytes - 1);
      // One that would run over the end lies at the start instead.
      const u32 start = first > last ? 0 : first;
      const u32 room = last > start + kTextHeader ? last - start - kTextHeader : 0;
      out += text_lines(memory.text(*data + start + kTextHeader, std::min<u64>(*length, room)), *ns);
    }
    if (id == (*head & kIdBits)) break;
  }
  return out;
}

}  // namespace

std::optional<GuestLinux> find_linux(Pc& pc) {
  const std::string_view ram = ram_text(pc);
  GuestLinux found;
  if (!find_banner(ram, found)) return std::nullopt;
  CoreInfo info;
  found.described = info.find(ram);
  if (!found.described) {
    found.no_log = "the kernel has no VMCOREINFO that would say where";
    return found;
  }
  found.stext = info.symbol("_stext");
  found.page_offset = find_page_offset(ram, info);
  if (found.page_offset) found.log = read_log(KernelMemory(ram, *found.page_offset), info);
  if (!found.log) found.no_log = "VMCOREINFO describes no ring buffer of a form known here";
  return found;
}

}  // namespace xlat
