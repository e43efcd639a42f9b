// Registers of the PIIX3's function 0.
#include "devices/chipset/piix3.h"

#include "base/bits.h"

namespace xlat {

namespace {
constexpr unsigned kPirqrcA = 0x60;
constexpr u16 kRoutable = 0xdef8;  // IRQ 3-7, 9-12, 14, 15
enum ResetControl : u8 { kSystemReset = 0x02, kResetCpu = 0x04 };
}  // namespace

Piix3::Piix3(const std::array<IrqLine, 16>& isa_irqs)
    : PciFunction({.vendor = 0x8086,
                   .device = 0x7000,
                   .class_code = 0x060100,
                   .subsystem_vendor = 0x1af4,
                   .subsystem = 0x1100}),
      isa_irqs_(isa_irqs) {
  define16(kPciCommand, 0x0007, 0x0108);  // I/O, memory and master are always on
  define16(kPciStatus, 0x0200);
  define8(kPciHeaderType, 0x80);
  define8(kPciCacheLineSize, 0);
  define8(kPciLatencyTimer, 0);
  define8(0x4c, 0x4d, 0x7f);       // IORT
  define16(0x4e, 0x0003, 0x07ff);  // XBCS
  for (unsigned i = 0; i < 4; ++i) define8(kPirqrcA + i, 0x80, 0x8f);
  define8(0x69, 0x02, 0xfe);       // TOM
  define16(0x6a, 0x0000, 0x80ff);  // MSTAT
  define8(0x70, 0x80, 0xef);       // MBIRQ0
  define8(0x76, 0x0c, 0x8f);       // MBDMA0
  define8(0x77, 0x0c, 0x8f);       // MBDMA1
  define8(0x78, 0x02, 0xff);       // PCSC
  define8(0x79, 0x00, 0xff);
  define8(0x80, 0x00, 0x7f);               // APICBASE
  define8(0x82, 0x00, 0x0f);               // DLC
  define8(0xa0, 0x08, 0x1d);               // SMICNTL
  define16(0xa2, 0x0000, 0x01ff);          // SMIEN
  define32(0xa4, 0x00000000, 0xffffffff);  // SEE
  define8(0xa8, 0x0f, 0xff);               // FTMR
  define16(0xaa, 0x0000);                  // SMIREQ
  write_one_clears(0xaa, 0xff);
  write_one_clears(0xab, 0x01);
  define8(0xac, 0x00, 0xff);  // CTLTMR
  define8(0xae, 0x00, 0xff);  // CTHTMR
}

void Piix3::connect(PciBus& bus) {
  for (unsigned i = 0; i < 4; ++i) bus.connect_pirq(i, IrqLine(*this, i));
  bus.connect_reset_control(*this);
}

void Piix3::reset() {
  reset_control_ = 0;
  reset_config();
}

void Piix3::serialize(Archive& ar) {
  ar.section("piix3", 1);
  ar.range(pirq_levels_, u8{0}, u8{15})(driven_)(reset_control_);
  serialize_config(ar);
}

int Piix3::route(unsigned n) const {
  const u8 pirqrc = config8(kPirqrcA + (n & 3));
  const unsigned irq = pirqrc & 0x0f;
  return !(pirqrc & 0x80) && bit(kRoutable, irq) ? static_cast<int>(irq) : -1;
}

void Piix3::set_irq(unsigned pirq, bool level) {
  pirq_levels_ = with_bit(pirq_levels_, pirq & 3, level);
  update();
}

void Piix3::config_changed(unsigned offset, unsigned width) {
  if (offset < kPirqrcA + 4 && offset + width > kPirqrcA) update();
}

void Piix3::update() {
  u16 wanted = 0;
  for (unsigned i = 0; i < 4; ++i) {
    const int irq = route(i);
    if (irq >= 0 && bit(pirq_levels_, i)) wanted |= static_cast<u16>(1 << irq);
  }
  const u16 changed = wanted ^ driven_;
  driven_ = wanted;
  for (unsigned irq = 0; irq < 16; ++irq) {
    if (bit(changed, irq)) isa_irqs_[irq].set(bit(wanted, irq));
  }
}

u32 Piix3::read(u64, unsigned) { return reset_control_; }

void Piix3::write(u64, unsigned, u32 value) {
  const bool start = (value & kResetCpu) && !(reset_control_ & kResetCpu);
  reset_control_ = value & kSystemReset;  // the reset itself clears RCPU
  if (start && reset_request_) reset_request_(value & kSystemReset);
}

}  // namespace xlat
