// The 53C895A's registers, interrupts and timers, and its function on the PCI bus.
#include "devices/scsi/lsi53c895a.h"

#include "devices/registry.h"

namespace xlat {

using namespace lsi;

namespace {

// A drive's work on a command, and before what failed is tried again.
constexpr u64 kWorkNs = 20'000, kRetryNs = 1'000'000;

// Interrupts that stop the processor even where they are masked (4.1, "fatal").
constexpr u8 kFatal0 = kMa | kSge | kUdc | kRstInt | kPar, kFatal1 = kSto | kSbmc;

PciIdentity identity(Lsi53c895a::Model model) {
  return {.vendor = 0x1000,
          .device = static_cast<u16>(model == Lsi53c895a::Model::k810 ? 0x0001 : 0x0012),
          .revision = 0,
          .class_code = 0x010000,
          .subsystem_vendor = 0x1000,
          .subsystem = 0x1000,
          .interrupt_pin = 1};
}

}  // namespace

Lsi53c895a::Lsi53c895a(AddressSpace& memory, Clock& clock, Model model)
    : PciFunction(identity(model)),
      memory_(memory),
      clock_(clock),
      model_(model),
      targets_(bus_),
      script_(clock, [this] { run(); }),
      work_(clock, [this] { drives_work(); }),
      selection_(clock, [this] { scsi_interrupt(0, kSto); }),
      general_(clock, [this] { scsi_interrupt(0, kGen); }),
      handshake_(clock, [this] { scsi_interrupt(0, kHth); }) {
  bus_.on_medium_done([this] { medium_done(); });
  define8(0x3e, 0x11);  // MIN_GNT and MAX_LAT
  define8(0x3f, 0x40);
  add_io_bar(0, 256, *this);
  add_memory_bar(1, 4096, *this);
  if (model_ == Model::k895a) add_ram_bar(2, kRamBytes, ram_.data());
}

void Lsi53c895a::reset() {
  reset_config();
  reset_chip();
  ram_.fill(0);
}

// The state after power-on and after ISTAT0.SRST. The drives are told nothing, but what was under way is forgotten, as
// the bus cannot be in the middle of it for an initiator that starts anew.
void Lsi53c895a::reset_chip() {
  registers_.fill(0);
  registers_[kScntl0] = 0xc0;
  registers_[kGpcntl] = 0x0f;
  registers_[kCtest0] = 0xff;
  registers_[kStest0] = 0x02;
  state_ = State::kStopped;
  carry_ = first_byte_ = was_connected_ = false;
  address_high_ = destination_ = 0;
  entry_top_ = 0;
  for (Timer* timer : {&script_, &work_, &selection_, &general_, &handshake_}) timer->cancel();
  targets_.forget();
  update_interrupt();
}

void Lsi53c895a::serialize(Archive& ar) {
  if (ar.section(name(), 2) < 2) ar.fail("version 1, without requests to the media, is not read any more");
  serialize_config(ar);
  ar(registers_);
  ar.raw(ram_);
  targets_.serialize(ar);
  ar.range(state_, State::kStopped, State::kLast);
  ar(carry_)(first_byte_)(was_connected_)(address_high_)(destination_)(entry_top_);
  for (Timer* timer : {&script_, &work_, &selection_, &general_, &handshake_}) timer->serialize(ar);
}

// ---- Interrupts ----

// What is masked shows in ISTAT0 all the same; only the pin is still (4.1, "masking").
void Lsi53c895a::update_interrupt() {
  u8& istat = registers_[kIstat0];
  const bool scsi = registers_[kSist0] || registers_[kSist1];
  istat = static_cast<u8>((istat & ~(kSip | kDip)) | (scsi ? kSip : 0) | (registers_[kDstat] ? kDip : 0));
  const bool wanted = (registers_[kSist0] & registers_[kSien0]) || (registers_[kSist1] & registers_[kSien1]) ||
                      (registers_[kDstat] & registers_[kDien]) || (istat & kIntf);
  set_intx(wanted && !(registers_[kDcntl] & kIrqd));
}

void Lsi53c895a::dma_interrupt(u8 bits) {
  registers_[kDstat] |= bits;
  stop();
  update_interrupt();
}

void Lsi53c895a::scsi_interrupt(u8 sist0, u8 sist1) {
  registers_[kSist0] |= sist0;
  registers_[kSist1] |= sist1;
  if ((sist0 & (kFatal0 | registers_[kSien0])) || (sist1 & (kFatal1 | registers_[kSien1]))) stop();
  update_interrupt();
}

// ---- What goes on without the processor ----

void Lsi53c895a::wake(u64 delay_ns) {
  const u64 at = clock_.now() + delay_ns;
  if (!script_.pending() || script_.deadline() > at) script_.schedule(at);
}

void Lsi53c895a::start() {
  state_ = State::kFetch;
  wake();
}

void Lsi53c895a::medium_done() {
  targets_.medium_done();
  watch_bus();
  if (state_ != State::kStopped) wake();
}

void Lsi53c895a::drives_work() {
  const bool moved = targets_.step();
  watch_bus();
  if (targets_.working()) work_.schedule(clock_.now() + (moved ? kWorkNs : kRetryNs));
  if (state_ != State::kStopped) wake();
}

// After whatever may have changed what is on the bus.
void Lsi53c895a::watch_bus() {
  if (targets_.requesting()) {
    registers_[kSstat1] = static_cast<u8>((registers_[kSstat1] & ~7) | static_cast<u8>(targets_.phase()));
    handshake_.cancel();
  }
  const bool now = targets_.connected();
  if (was_connected_ && !now) {
    handshake_.cancel();
    if (registers_[kScntl2] & kSdu) scsi_interrupt(kUdc, 0);
  }
  if (was_connected_ != now) registers_[kScntl2] = static_cast<u8>((registers_[kScntl2] & ~kSdu) | (now ? kSdu : 0));
  was_connected_ = now;
  if (targets_.working() && !work_.pending()) work_.schedule(clock_.now() + kWorkNs);
}

void Lsi53c895a::config_changed(unsigned, unsigned) {
  if (state_ != State::kStopped) wake();
}

// ---- Registers ----

u32 Lsi53c895a::read(u64 offset, unsigned width) {
  u32 value = 0;
  for (unsigned n = 0; n < width; ++n) value |= u32{read_register(static_cast<u8>(offset + n))} << (8 * n);
  return value;
}

void Lsi53c895a::write(u64 offset, unsigned width, u32 value) {
  for (unsigned n = 0; n < width; ++n) write_register(static_cast<u8>(offset + n), static_cast<u8>(value >> (8 * n)));
}

u8 Lsi53c895a::read_register(u8 reg) {
  const u8 value = shown(reg);
  switch (reg) {
    case kDstat:
    case kSist0:
    case kSist1:
      registers_[reg] = 0;
      update_interrupt();
      break;
    case kCtest2: registers_[kIstat0] &= static_cast<u8>(~kSigp); break;
    default: break;
  }
  return value;
}

u8 Lsi53c895a::shown(u8 reg) const {
  const u8 value = registers_[reg];
  if (model_ == Model::k810 && reg >= kScratchC) return 0;
  const bool connected = targets_.connected(), info = registers_[kCtest2] & kPcicie;
  const auto byte_of = [reg](u32 number, u8 first) { return static_cast<u8>(number >> (8 * (reg - first))); };
  switch (reg) {
    case kScntl1: return static_cast<u8>(value | (connected ? kCon : 0));
    case kGpreg: return static_cast<u8>((value & ~registers_[kGpcntl]) | (registers_[kGpcntl] & 0x1f));
    case kSbcl:
      if (!connected) return 0;
      return static_cast<u8>(kBsy | (targets_.requesting() ? kReq : 0) | (targets_.acknowledge_due() ? kAck : 0) |
                             (targets_.attention() ? kAtn : 0) | static_cast<u8>(targets_.phase()));
    case kDstat: return value | kDfe;
    case kSstat2: return static_cast<u8>(value | (connected ? 0 : kLdsc));
    case kIstat0: return static_cast<u8>(value | (connected ? kConnected : 0));
    case kIstat1: return static_cast<u8>(value | (state_ != State::kStopped ? kSrun : 0));
    case kCtest1: return 0xf0;  // the DMA FIFO is empty
    case kCtest2:
      return static_cast<u8>((value & kPcicie) | (registers_[kIstat0] & kSigp ? kSigpBit : 0) |
                             (command() & kPciCommandIo ? kCio : 0) | (command() & kPciCommandMemory ? kCm : 0) |
                             kDack);
    // Nothing is ever left between the FIFO's ends.
    case kDfifo: return static_cast<u8>(count());
    case kCtest5: return static_cast<u8>((value & ~3) | (count() >> 8 & 3));
    case kMacntl: return 0xf0 | (value & 0x0f);
    case kStest4: return static_cast<u8>(0xc0 | (registers_[kStest1] & kQen ? 0x20 : 0));  // LVD; the clock is locked
    default: break;
  }
  if (!info) return value;
  if (reg >= kScratchA && reg < kScratchA + 4) return byte_of(config32(kPciBar0 + 4) & ~u32{15}, kScratchA);
  if (reg >= kScratchB && reg < kScratchB + 4) return byte_of(config32(kPciBar0 + 8) & ~u32{15}, kScratchB);
  if (reg >= kSfs && reg < kSfs + 4) return byte_of(u32{config8(kPciRevisionId)} << 16 | config16(kPciDeviceId), kSfs);
  return value;
}

void Lsi53c895a::write_istat0(u8 value) {
  u8& istat = registers_[kIstat0];
  if ((value & kSrst) && !(istat & kSrst)) {
    reset_chip();
    istat = kSrst;
    return;
  }
  if (value & kIntf) istat &= static_cast<u8>(~kIntf);
  istat = static_cast<u8>((istat & 0x0f) | (value & 0xf0));
  if (value & kAbrt) dma_interrupt(kAbrtBit);
  if ((value & kSigp) && state_ == State::kReselect) wake();
  update_interrupt();
}

void Lsi53c895a::write_register(u8 reg, u8 value) {
  u8& to = registers_[reg];
  if (model_ == Model::k810 && reg >= kScratchC) return;
  switch (reg) {
    case kSsid:
    case kSbcl:
    case kDstat:
    case kSstat0:
    case kSstat1:
    case kSstat2:
    case kCtest1:
    case kSist0:
    case kSist1:
    case kStest0:
    case kSidl:
    case kSidl + 1:
    case kStest4:
    case kSbdl:
    case kSbdl + 1:
    case kAdder:
    case kAdder + 1:
    case kAdder + 2:
    case kAdder + 3: return;  // read only
    case kScntl1: {
      const bool begins = (value & kRst) && !(to & kRst);
      to = static_cast<u8>(value & ~kCon);
      registers_[kSstat0] = static_cast<u8>((registers_[kSstat0] & ~kRstBit) | (value & kRst ? kRstBit : 0));
      if (!begins) return;
      registers_[kScntl2] &= static_cast<u8>(~kSdu);
      targets_.bus_reset();
      watch_bus();
      scsi_interrupt(kRstInt, 0);
      return;
    }
    case kSocl:
      to = value;
      if (!targets_.connected()) return;
      targets_.set_attention(value & kAtn);
      if (!(value & kAck)) targets_.acknowledge();
      watch_bus();
      if (state_ != State::kStopped) wake();
      return;
    case kIstat0: return write_istat0(value);
    case kIstat1: to = value & 1; return;                       // SRUN cannot be set, FLSH flushes nothing
    case kCtest3: to = value & 0xf3; return;                    // FIFOs flush and clear at once
    case kCtest5: to = static_cast<u8>(value & ~0xc3); return;  // the counters' clocks
    case kStest3: to = static_cast<u8>(value & ~0x02); return;  // so does the SCSI FIFO
    case kStime1:
      to = value;
      general_.cancel();
      if (value & 15) general_.schedule(clock_.now() + time_of(value & 15, value & kGensf));
      return;
    case kDsp + 3:
      to = value;
      if (!(registers_[kDmode] & kMan)) start();
      return;
    case kDcntl:
      to = static_cast<u8>(value & ~kStd);
      if (value & kStd) start();
      return update_interrupt();
    case kDien:
    case kSien0:
    case kSien1: to = value; return update_interrupt();
    default: to = value; return;
  }
}

namespace {

Result<std::unique_ptr<Device>> make(Board& board, Lsi53c895a::Model model) {
  auto chip = std::make_unique<Lsi53c895a>(board.memory(), board.clock(), model);
  board.offer_scsi_bus(chip->bus());
  return std::unique_ptr<Device>(std::move(chip));
}
Result<std::unique_ptr<Device>> make_895a(Board& board, const Properties&) {
  return make(board, Lsi53c895a::Model::k895a);
}
Result<std::unique_ptr<Device>> make_810(Board& board, const Properties&) {
  return make(board, Lsi53c895a::Model::k810);
}

}  // namespace

extern const DeviceType kLsi53c895aType = {"lsi53c895a",        "PCI", DeviceType::Category::kStorage,
                                           "a SCSI controller", {},    make_895a};
extern const DeviceType kLsiAlias = {"lsi", "PCI", DeviceType::Category::kStorage, "the same", {}, make_895a};
extern const DeviceType kLsi53c810Type = {
    "lsi53c810", "PCI", DeviceType::Category::kStorage, "an older SCSI controller", {}, make_810};

}  // namespace xlat
