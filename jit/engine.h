// The JIT as an engine: the interpreter's loop, with blocks that run often translated to host code.
#pragma once

#include <unordered_map>

#include "cpu/interp/interp.h"
#include "jit/perf_map.h"

namespace xlat::jit {

// Counters of `info jit`.
struct JitCounters {
  u64 translated = 0;      // blocks
  u64 loops = 0;           // of them, made loops of their own
  u64 by_ir = 0;           // of them, translated by way of the IR
  u64 guest_insns = 0;     // in them
  u64 left_to_interp = 0;  // of these, instructions run by the interpreter
  u64 host_bytes = 0, cold_bytes = 0;
  u64 entries = 0;        // from the loop into translated code
  u64 chained = 0;        // exits linked
  u64 fpu_loads = 0;      // x87 state brought to the host's unit
  u64 slow = 0;           // instructions run by the interpreter from translated code
  u64 dropped = 0;        // translations whose code was written
  u64 cache_flushes = 0;  // the code cache was full
};

struct JitOptions {
  std::size_t cache_bytes = std::size_t{256} << 20;
  unsigned threshold = 1;               // executions before a block is translated
  unsigned ir_threshold = 16;           // and before it is where that goes by way of the IR, which costs more
  unsigned rewritten_threshold = 4;     // and before it is in a page whose code has been written often
  unsigned samples = 2;                 // slices that end in a block before it is made a loop, if it is one; 0: at once
  bool reencode = true;                 // false: all blocks go by way of the IR
  std::shared_ptr<PerfMap> perf_map{};  // null: none
  // Translations from this one on, counted from 1, invert EAX at their start, to see what lockstep reports. Not all
  // show: some replace EAX.
  u64 break_from = 0;
};

// Whether this host has a back end.
bool jit_available();

// Makes the engine for a processor, once.
using EngineMaker = std::function<std::unique_ptr<Interp>(Cpu&)>;

// What the JIT needs of this host is taken here; an error says what the host lacks.
Result<EngineMaker> prepare_jit(const JitOptions& options);

}  // namespace xlat::jit
