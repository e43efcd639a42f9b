// GDB's remote protocol for a machine: a debugger reads and writes registers and memory, sets breakpoints and
// watchpoints, steps. "Debugging with GDB", appendix E.
#pragma once

#include <memory>

#include "frontend/gdb/packets.h"
#include "frontend/gdb/registers.h"
#include "machine/machine.h"

namespace xlat {

// All on the machine's thread. Knows nothing of the channel it is spoken to over.
class GdbStub {
 public:
  struct Wiring {
    Machine& machine;
    std::function<std::string(std::string_view)> monitor;  // runs a line of the monitor, returns what it prints
    std::function<void(std::string_view)> send;
    std::function<void()> quit;  // ends xlat
  };
  explicit GdbStub(Wiring wiring);
  ~GdbStub();
  GdbStub(const GdbStub&) = delete;
  GdbStub& operator=(const GdbStub&) = delete;

  // A debugger is there: the machine stops.
  void connected();
  // It has gone without a word. Its breakpoints go; a machine that stands stays so for the next one.
  void disconnected();
  void feed(std::span<const u8> bytes);
  // xlat ends.
  void exited(int status);

 private:
  // How a packet is answered. No reply: nothing now, perhaps later.
  using Reply = std::optional<std::string>;

  void packet(std::string_view text);
  Reply answer(std::string_view text);
  Reply query(GdbText text);    // q...
  Reply set(GdbText text);      // Q...
  Reply verbose(GdbText text);  // v...
  Reply supported(GdbText text);
  Reply transfer(GdbText text);      // qXfer
  Reply monitor_line(GdbText text);  // qRcmd
  Reply search(GdbText text);        // qSearch:memory
  Reply thread(GdbText text, bool alive);
  Reply physical_mode(GdbText text);
  Reply step_bits(GdbText text);

  // Registers and memory: stub_data.cpp.
  Reply read_registers();
  Reply write_registers(GdbText text);
  Reply read_register(GdbText text);
  Reply write_register(GdbText text);
  Reply read_memory(GdbText text);
  Reply write_memory(GdbText text, bool binary);
  bool set_register(unsigned number, const GdbRegisters::Value& value);

  // Running: stub_run.cpp.
  Reply resume(GdbText text, bool step, bool with_signal);
  Reply vcont(GdbText text);
  Reply point(GdbText text, bool insert);
  void go(bool step);
  void stopped(Machine::RunState why);
  std::string stop_reply() const;
  std::string watch_reply() const;
  void detach();
  Pc& pc() { return wiring_.machine.pc(); }
  const Pc& pc() const { return wiring_.machine.pc(); }

  const Wiring wiring_;
  GdbPackets packets_;
  std::unique_ptr<DebugPoints> points_;  // while someone is connected
  bool waiting_ = false;                 // for a stop, to be told then
  bool reports_breakpoints_ = false;     // the other side knows swbreak and hwbreak
  bool physical_memory_ = false;         // m and M take physical addresses
  std::string description_;              // being read in pieces
  int signal_ = 5;                       // of the last stop, in GDB's numbers
  // Steps go on inside [first, second).
  std::pair<u64, u64> range_{};

  // QEMU's bits for single steps.
  enum : unsigned { kStepEnable = 1, kStepNoInterrupts = 2, kStepNoTimers = 4, kStepDefault = 7 };
  unsigned step_bits_ = kStepDefault;
};

}  // namespace xlat
