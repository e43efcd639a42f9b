// What a translator gives back: code, in two parts, and where in them the exits are.
#pragma once

#include <span>
#include <vector>

#include "jit/x64/registers.h"
#include "jit/x64/translation.h"

namespace xlat::jit::x64 {

struct HostCode {
  struct ExitPlace {
    u32 ip = 0;
    // In `hot`:
    u32 site = 0;
    u32 guard = 0;  // 0: none
    // In `cold`:
    u32 stub = 0;
    u32 exit_slot = 0;  // the 64-bit Exit* to fill in
    bool returns = false;
    // Of an indirect jump, else 0: the displacement of the jump for other targets, and another Exit*.
    u32 miss = 0, miss_slot = 0;
    // In `cold`, 0 if there is none: see Exit.
    u32 cold_guard = 0, store = 0, check = 0, last = 0;
    u8 needs = 0;
  };
  std::span<const u8> hot, cold;
  std::vector<ExitPlace> exits;
  unsigned interpreted = 0;  // instructions left to the interpreter
  bool uses_fpu = false;
  bool loops = false;  // it is a loop of its own, see codegen_loop.cpp
  // All flags are made anew before anybody wants those there were; guest registers that change by then.
  bool overwrites_flags = false;
  u8 changed_before = 0;
};

}  // namespace xlat::jit::x64
