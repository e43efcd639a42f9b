// A session, and the packets that ask or set something.
#include "frontend/gdb/stub.h"

#include <algorithm>

namespace xlat {

namespace {
// E with a number; what the numbers mean is nobody's business but errno's.
constexpr std::string_view kInvalid = "E22", kNotSupported = "";
constexpr std::string_view kOk = "OK";

// Thread ids: 1 is the processor, 0 any, -1 all; "p1.1" is the same with a process in front.
bool is_our_thread(GdbText text) {
  if (text.take("p")) {
    u64 process = 0;
    if (!text.take("-1") && (!text.take_hex(process) || process > 1)) return false;
    if (!text.take(".")) return text.at_end();
  }
  if (text.take("-1")) return text.at_end();
  u64 id = 0;
  return text.take_hex(id) && id <= 1 && text.at_end();
}
}  // namespace

GdbStub::GdbStub(Wiring wiring)
    : wiring_(std::move(wiring)),
      packets_({.packet = [this](std::string_view text) { packet(text); },
                .interrupt = [this] { wiring_.machine.stop(); },
                .too_long = [this] { packets_.send(kInvalid); },
                .output = wiring_.send}) {}

GdbStub::~GdbStub() { disconnected(); }

void GdbStub::connected() {
  disconnected();
  packets_.reset();
  physical_memory_ = reports_breakpoints_ = false;
  step_bits_ = kStepDefault;
  signal_ = 5;
  points_ = std::make_unique<DebugPoints>(pc().cpu);
  if (!wiring_.machine.paused()) wiring_.machine.stop();
  wiring_.machine.on_stop([this](Machine::RunState why) { stopped(why); });
}

void GdbStub::disconnected() {
  if (!points_) return;
  wiring_.machine.on_stop(nullptr);
  points_.reset();
  waiting_ = false;
}

void GdbStub::feed(std::span<const u8> bytes) {
  if (points_) packets_.feed(bytes);
}

void GdbStub::exited(int status) {
  if (points_) packets_.send(fmt::format("W{:02x}", status & 0xff));
}

void GdbStub::detach() {
  points_->clear();
  waiting_ = false;
  if (wiring_.machine.paused()) wiring_.machine.cont();
}

void GdbStub::packet(std::string_view text) {
  if (!points_) return;
  if (const Reply reply = answer(text)) packets_.send(*reply);
}

GdbStub::Reply GdbStub::answer(std::string_view text) {
  if (text.empty()) return std::string(kNotSupported);
  const GdbText rest(text.substr(1));
  switch (text.front()) {
    case '!': return std::string(kOk);
    case '?': return stop_reply();
    case 'c': return resume(rest, false, false);
    case 'C': return resume(rest, false, true);
    case 's': return resume(rest, true, false);
    case 'S': return resume(rest, true, true);
    case 'D': detach(); return std::string(kOk);
    case 'g': return read_registers();
    case 'G': return write_registers(rest);
    case 'p': return read_register(rest);
    case 'P': return write_register(rest);
    case 'm': return read_memory(rest);
    case 'M': return write_memory(rest, false);
    case 'X': return write_memory(rest, true);
    case 'z': return point(rest, false);
    case 'Z': return point(rest, true);
    case 'H': return thread(rest, false);
    case 'T': return thread(rest, true);
    case 'q': return query(rest);
    case 'Q': return set(rest);
    case 'v': return verbose(rest);
    case 'k': wiring_.quit(); return std::nullopt;
    case 'R':
      for (Pc* each : wiring_.machine.pcs()) each->requests.reset = true;
      wiring_.machine.step({});  // no further than the reset
      return std::nullopt;
    default: return std::string(kNotSupported);
  }
}

// H picks a thread for what follows, T asks whether one is alive.
GdbStub::Reply GdbStub::thread(GdbText text, bool alive) {
  if (!alive && !text.take("g") && !text.take("c")) return std::string(kInvalid);
  return std::string(is_our_thread(text) ? kOk : kInvalid);
}

GdbStub::Reply GdbStub::verbose(GdbText text) {
  if (text.take("Cont?")) return "vCont;c;C;s;S;t;r";
  if (text.take("Cont")) return vcont(text);
  u64 process = 0;
  if (text.take("Attach;")) {
    if (!text.take_hex(process) || process != 1) return std::string(kInvalid);
    if (!wiring_.machine.paused()) wiring_.machine.stop();
    return stop_reply();
  }
  if (text.take("Kill;")) {
    // Debuggers that know no processes make up a number.
    if (!text.take_hex(process) || !text.at_end()) return std::string(kInvalid);
    wiring_.quit();
    return std::string(kOk);
  }
  return std::string(kNotSupported);
}

GdbStub::Reply GdbStub::query(GdbText text) {
  if (text.take("Supported")) return supported(text);
  if (text.take("Attached")) return "1";
  if (text.take("fThreadInfo")) return "m1";
  if (text.take("sThreadInfo")) return "l";
  if (text.take("ThreadExtraInfo,")) {
    if (!is_our_thread(text)) return std::string(kInvalid);
    return gdb_hex(std::string_view(pc().cpu.s.halted ? "CPU#0 [halted ]" : "CPU#0 [running]"));
  }
  if (text.take("Xfer:")) return transfer(text);
  if (text.take("Rcmd,")) return monitor_line(text);
  if (text.take("Search:memory:")) return search(text);
  if (text.take("qemu.sstepbits")) {
    return fmt::format("ENABLE={:x},NOIRQ={:x},NOTIMER={:x}", static_cast<unsigned>(kStepEnable),
                       static_cast<unsigned>(kStepNoInterrupts), static_cast<unsigned>(kStepNoTimers));
  }
  if (text.take("qemu.sstep")) return step_bits(text);
  if (text.take("qemu.PhyMemMode")) return physical_memory_ ? "1" : "0";
  if (text.take("qemu.Supported")) return "sstepbits;sstep;PhyMemMode";
  // Last: other names begin with C.
  if (text.take("C") && text.at_end()) return "QC1";
  return std::string(kNotSupported);
}

GdbStub::Reply GdbStub::set(GdbText text) {
  if (text.take("StartNoAckMode")) {
    // The reply is still acknowledged.
    packets_.send(kOk);
    packets_.stop_acknowledging();
    return std::nullopt;
  }
  if (text.take("qemu.sstep")) return step_bits(text);
  if (text.take("qemu.PhyMemMode")) return physical_mode(text);
  return std::string(kNotSupported);
}

GdbStub::Reply GdbStub::step_bits(GdbText text) {
  if (text.at_end()) return fmt::format("0x{:x}", step_bits_);
  u64 value = 0;
  if (!text.take("=") && !text.take(":")) return std::string(kInvalid);
  text.take("0x");
  if (!text.take_hex(value) || !text.at_end() || value > kStepDefault) return std::string(kInvalid);
  step_bits_ = static_cast<unsigned>(value);
  return std::string(kOk);
}

GdbStub::Reply GdbStub::physical_mode(GdbText text) {
  u64 value = 0;
  if (!text.take(":") || !text.take_hex(value) || !text.at_end()) return std::string(kInvalid);
  physical_memory_ = value != 0;
  return std::string(kOk);
}

GdbStub::Reply GdbStub::supported(GdbText text) {
  text.take(":");
  bool software = false, hardware = false;
  while (!text.at_end()) {
    const std::string_view feature = text.take_until(';');
    software |= feature == "swbreak+";
    hardware |= feature == "hwbreak+";
  }
  reports_breakpoints_ = software && hardware;
  return fmt::format(
      "PacketSize={:x};QStartNoAckMode+;qXfer:features:read+;qXfer:memory-map:read+;qXfer:threads:read+;"
      "vContSupported+;swbreak+;hwbreak+",
      GdbPackets::kMostBytes);
}

// qXfer:OBJECT:read:ANNEX:OFFSET,LENGTH
GdbStub::Reply GdbStub::transfer(GdbText text) {
  const std::string_view object = text.take_until(':');
  if (!text.take("read:")) return std::string(kNotSupported);
  const std::string_view annex = text.take_until(':');
  u64 offset = 0, length = 0;
  if (!text.take_hex(offset) || !text.take(",") || !text.take_hex(length) || !text.at_end()) {
    return std::string(kInvalid);
  }
  std::string other;
  const std::string* whole = &other;
  if (object == "features") {
    if (annex != "target.xml") return "E00";
    // The same one for all pieces, even if the processor changes its mode in between.
    if (offset == 0 || description_.empty()) {
      description_ = GdbRegisters::description(pc().cpu.s.mode().cs32 ? 32 : 16);
    }
    whole = &description_;
  } else if (object == "threads") {
    other = fmt::format(
        "<?xml version=\"1.0\"?>\n<threads>\n<thread id=\"1\" core=\"0\" name=\"CPU#0\">{}</thread>\n"
        "</threads>\n",
        pc().cpu.s.halted ? "halted" : "running");
  } else if (object == "memory-map") {
    // Addresses are linear, and any page may be mapped tomorrow: GDB must not take anything for missing or read-only.
    other =
        "<?xml version=\"1.0\"?>\n<memory-map>\n<memory type=\"ram\" start=\"0x0\" length=\"0x100000000\"/>\n"
        "</memory-map>\n";
  } else {
    return std::string(kNotSupported);
  }
  if (offset > whole->size()) return std::string(kInvalid);
  const u64 most = std::min<u64>(length, GdbPackets::kMostBytes / 2);  // an escaped byte takes two
  const std::string_view piece = std::string_view(*whole).substr(offset, most);
  return (offset + piece.size() < whole->size() ? "m" : "l") + GdbPackets::escape(piece);
}

GdbStub::Reply GdbStub::monitor_line(GdbText text) {
  std::string line;
  if (!text.take_bytes(line)) return std::string(kInvalid);
  const std::string output = wiring_.monitor(line);
  constexpr std::size_t kPiece = GdbPackets::kMostBytes / 2 - 1;
  for (std::size_t at = 0; at < output.size(); at += kPiece) {
    packets_.send("O" + gdb_hex(std::string_view(output).substr(at, kPiece)));
  }
  return std::string(kOk);
}

}  // namespace xlat
