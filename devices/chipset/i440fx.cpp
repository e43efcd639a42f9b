// Configuration registers of the 82441FX.
#include "devices/chipset/i440fx.h"

#include "base/bits.h"

namespace xlat {

namespace {
constexpr unsigned kPam0 = 0x59, kPam6 = 0x5f, kSmram = 0x72;
enum Pam : u8 { kRe = 1, kWe = 2 };  // and CE, cacheable
enum Smram : u8 { kDOpen = 0x40, kDClose = 0x20, kDLock = 0x10, kGSmrame = 0x08, kBaseSegment = 0x02 };
}  // namespace

I440fx::I440fx(ShadowMap& shadow)
    : PciFunction({.vendor = 0x8086,
                   .device = 0x1237,
                   .revision = 2,
                   .class_code = 0x060000,
                   .subsystem_vendor = 0x1af4,
                   .subsystem = 0x1100}),
      shadow_(shadow) {
  define16(kPciCommand, 0x0006, 0x0140);  // memory and master are always on
  define16(kPciStatus, 0x0280);
  define8(kPciCacheLineSize, 0);
  define16(0x50, 0x0000, 0xffff);  // PMCCFG
  define8(0x52, 0x00, 0x42);       // DETURBO
  define8(0x53, 0x80, 0xff);       // DBC
  define8(0x54, 0x00, 0xff);       // AXC
  define16(0x55, 0x0000, 0xffff);  // DRT
  define8(0x57, 0x01, 0x7f);       // DRAMC
  define8(0x58, 0x10, 0xff);       // DRAMT
  define8(kPam0, 0x00, 0x70);      // PAM0: only F0000
  for (unsigned i = kPam0 + 1; i <= kPam6; ++i) define8(i, 0x00, 0x77);
  for (unsigned i = 0x60; i <= 0x67; ++i) define8(i, 0x01, 0xff);  // DRB
  define8(0x68, 0x00, 0xc0);                                       // FDHC
  define8(0x70, 0x00, 0xfc);                                       // MTT
  define8(0x71, 0x10, 0xff);                                       // CLT
  define8(kSmram, kBaseSegment, kDOpen | kDClose | kDLock | kGSmrame);
  define8(0x90, 0x00, 0xfb);  // ERRCMD
  define8(0x91, 0x00);        // ERRSTS
  write_one_clears(0x91, 0x11);
  define8(0x93, 0x00, 0x0e);  // TRC
}

void I440fx::reset() {
  define8(kSmram, kBaseSegment, kDOpen | kDClose | kDLock | kGSmrame);  // RESET undoes the lock
  smm_ = false;
  shadow_.apply_all();
  reset_config();
}

void I440fx::serialize(Archive& ar) {
  ar.section("i440fx", 1);
  ar(smm_);
  serialize_config(ar);
}

void I440fx::set_smm(bool in_smm) {
  smm_ = in_smm;
  update_smram();
}

void I440fx::config_changed(unsigned offset, unsigned width) {
  const auto touched = [&](unsigned first, unsigned last) { return offset <= last && offset + width > first; };
  if (touched(kPam0, kPam6)) apply_pam();
  if (touched(kSmram, kSmram)) {
    u8 smram = static_cast<u8>((config8(kSmram) & ~7) | kBaseSegment);
    if (smram & kDLock) {  // locks G_SMRAME and itself, and closes D_OPEN until RESET
      smram &= static_cast<u8>(~kDOpen);
      define8(kSmram, kBaseSegment, kDClose);
    } else {
      define8(kSmram, kBaseSegment, kDOpen | kDClose | kDLock | kGSmrame);
    }
    poke8(kSmram, smram);
    update_smram();
  }
}

void I440fx::apply_pam() {
  const u8 bios = config8(kPam0) >> 4;
  for (u32 phys = 0xf0000; phys < 0x100000; phys += ShadowMap::kSegment)
    shadow_.set_segment(phys, bios & kRe, bios & kWe);
  for (unsigned i = 0; i < 12; ++i) {  // PAM1 low nibble is C0000, high nibble C4000, and so on
    const u8 nibble = config8(kPam0 + 1 + i / 2) >> (i & 1 ? 4 : 0);
    shadow_.set_segment(0xc0000 + i * ShadowMap::kSegment, nibble & kRe, nibble & kWe);
  }
}

void I440fx::update_smram() {
  const u8 smram = config8(kSmram);
  const bool open = (smram & kGSmrame) && ((smram & kDOpen) || smm_);
  if (open == smram_open_) return;
  smram_open_ = open;
  if (smram_hook_) smram_hook_(open);
}

}  // namespace xlat
