// Initialization words, priorities and acknowledge cycles of the 8259A pair.
#include "devices/chipset/pic8259.h"

#include <fmt/format.h>

#include "base/bits.h"

namespace xlat {

namespace {
constexpr unsigned kCascade = 2;
constexpr u8 kElcrMaster = 0xf8;  // IRQ0, 1, 2 are always edge-triggered (PIIX3, 3.4.9)
constexpr u8 kElcrSlave = 0xde;   // and IRQ8, 13
}  // namespace

Pic8259::Pic8259(PortBus& ports, IrqLine intr)
    : intr_(intr),
      master_ports_(ports, 0x20, 2, *this),
      slave_ports_(ports, 0xa0, 2, *this),
      elcr_ports_(ports, 0x4d0, 2, *this) {}

void Pic8259::Chip::set_line(unsigned ir, bool level) {
  const u8 m = static_cast<u8>(1 << ir);
  if (!level) {  // IRR follows the input: a request withdrawn before INTA is gone
    lines &= ~m;
    irr &= ~m;
    return;
  }
  if ((elcr & m) || !(lines & m)) irr |= m;
  lines |= m;
}

unsigned Pic8259::Chip::rank(u8 set) const {
  for (unsigned i = 0; i < 8; ++i) {
    if (bit(set, (lowest + 1 + i) & 7)) return i;
  }
  return 8;
}

int Pic8259::Chip::request(bool is_master) const {
  if (step != 0) return -1;
  const unsigned wanted = rank(irr & ~imr);
  u8 blocking = isr;
  if (special_mask) blocking &= ~imr;
  // Special fully nested: a slave in service may interrupt again at its own level (8259A, "special fully nested mode").
  if (special_fully_nested && is_master) blocking &= ~(1 << kCascade);
  if (wanted >= rank(blocking)) return -1;
  return static_cast<int>((lowest + 1 + wanted) & 7);
}

void Pic8259::Chip::take(unsigned ir) {
  const u8 m = static_cast<u8>(1 << ir);
  if (!(elcr & m)) irr &= ~m;
  if (!auto_eoi) {
    isr |= m;
  } else if (rotate_on_auto_eoi) {
    lowest = static_cast<u8>(ir);
  }
}

void Pic8259::Chip::end_of_interrupt(unsigned ir, bool rotate) {
  isr &= static_cast<u8>(~(1 << ir));
  if (rotate) lowest = static_cast<u8>(ir);
}

void Pic8259::Chip::command(u8 value) {
  if (value & 0x10) {  // ICW1
    step = 2;
    icw4 = value & 1;
    single = value & 2;
    imr = isr = 0;
    irr = lines & elcr;  // an edge has to come again
    lowest = 7;
    read_isr = poll = special_mask = rotate_on_auto_eoi = false;
    if (!icw4) auto_eoi = special_fully_nested = false;
    return;
  }
  if (value & 0x08) {  // OCW3
    poll = value & 4;
    if (value & 2) read_isr = value & 1;
    if (value & 0x40) special_mask = value & 0x20;
    return;
  }
  const unsigned level = value & 7;  // OCW2
  switch (value >> 5) {
    case 0: rotate_on_auto_eoi = false; break;
    case 4: rotate_on_auto_eoi = true; break;
    case 1:
    case 5: {  // non-specific; in special mask mode masked levels are passed over
      const unsigned first = rank(special_mask ? isr & ~imr : isr);
      if (first < 8) end_of_interrupt((lowest + 1 + first) & 7, value >> 5 == 5);
      break;
    }
    case 3:
    case 7: end_of_interrupt(level, value >> 5 == 7); break;
    case 6: lowest = static_cast<u8>(level); break;
    default: break;
  }
}

void Pic8259::Chip::data(u8 value) {
  switch (step) {
    case 0: imr = value; break;  // OCW1
    case 2:
      base = value & 0xf8;
      step = single ? (icw4 ? 4 : 0) : 3;
      break;
    case 3: step = icw4 ? 4 : 0; break;  // ICW3: the cascade is wired to IR2
    default:
      auto_eoi = value & 2;
      special_fully_nested = value & 0x10;
      step = 0;
      break;
  }
}

void Pic8259::Chip::serialize(Archive& ar) {
  ar(irr)(isr)(imr)(lines)(elcr)(base)(icw4)(single)(read_isr)(poll)(special_mask)(special_fully_nested);
  ar(auto_eoi)(rotate_on_auto_eoi).range(lowest, u8{0}, u8{7}).range(step, u8{0}, u8{4});
}

void Pic8259::reset() {
  for (Chip* chip : {&master_, &slave_}) {
    const u8 lines = chip->lines;
    *chip = Chip{};
    chip->lines = lines;
  }
  update();
}

void Pic8259::serialize(Archive& ar) {
  ar.section("i8259", 1);
  master_.serialize(ar);
  slave_.serialize(ar);
  ar(intr_level_);
}

void Pic8259::set_irq(unsigned line, bool level) {
  if (line > 15 || line == kCascade) return;
  Chip& chip = line < 8 ? master_ : slave_;
  counts_[line] += level && !bit(chip.lines, line & 7);
  chip.set_line(line & 7, level);
  update();
}

void Pic8259::update() {
  master_.set_line(kCascade, slave_.request(false) >= 0);
  const bool level = master_.request(true) >= 0;
  if (level == intr_level_) return;
  intr_level_ = level;
  intr_.set(level);
}

u8 Pic8259::acknowledge() {
  const int ir = master_.request(true);
  u8 vector = master_.base | 7;
  if (ir >= 0) {
    vector = static_cast<u8>(master_.base | ir);
    master_.take(static_cast<unsigned>(ir));
  }
  if (ir == kCascade) {
    const int slave_ir = slave_.request(false);
    vector = slave_.base | 7;
    if (slave_ir >= 0) {
      vector = static_cast<u8>(slave_.base | slave_ir);
      slave_.take(static_cast<unsigned>(slave_ir));
    }
    master_.set_line(kCascade, false);  // INT of the slave falls, so that its next request is an edge
  }
  update();
  return vector;
}

u8 Pic8259::read_chip(Chip& chip, bool a0) {
  if (chip.poll) {  // the read is the INTA: it takes the request and tells its level
    chip.poll = false;
    const int ir = chip.request(&chip == &master_);
    if (ir < 0) return 0;
    chip.take(static_cast<unsigned>(ir));
    if (&chip == &slave_) master_.set_line(kCascade, false);
    update();
    return static_cast<u8>(0x80 | ir);
  }
  if (a0) return chip.imr;
  return chip.read_isr ? chip.isr : chip.irr;
}

u32 Pic8259::read(u64 port, unsigned) {
  switch (port) {
    case 0x20:
    case 0x21: return read_chip(master_, port & 1);
    case 0xa0:
    case 0xa1: return read_chip(slave_, port & 1);
    case 0x4d0: return master_.elcr;
    case 0x4d1: return slave_.elcr;
    default: return 0xff;
  }
}

void Pic8259::write(u64 port, unsigned, u32 value) {
  const u8 v = static_cast<u8>(value);
  switch (port) {
    case 0x20: master_.command(v); break;
    case 0x21: master_.data(v); break;
    case 0xa0: slave_.command(v); break;
    case 0xa1: slave_.data(v); break;
    case 0x4d0:
    case 0x4d1: {
      Chip& chip = port == 0x4d0 ? master_ : slave_;
      const u8 elcr = v & (port == 0x4d0 ? kElcrMaster : kElcrSlave);
      chip.irr |= static_cast<u8>(chip.lines & elcr & ~chip.elcr);  // a level that is there counts at once
      chip.elcr = elcr;
      break;
    }
    default: return;
  }
  update();
}

std::string Pic8259::dump() const {
  std::string out;
  for (const Chip* c : {&master_, &slave_}) {
    out +=
        fmt::format("pic{}: irr={:02x} imr={:02x} isr={:02x} hprio={} irq_base={:02x} rr_sel={} elcr={:02x} fnm={}\n",
                    c == &master_ ? 0 : 1, c->irr, c->imr, c->isr, (c->lowest + 1) & 7, c->base, c->read_isr ? 1 : 0,
                    c->elcr, c->special_fully_nested ? 1 : 0);
  }
  return out;
}

}  // namespace xlat
