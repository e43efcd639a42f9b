// Which x87 and MMX instructions the host executes in the guest's stead.
#pragma once

#include "cpu/insn.h"

namespace xlat::jit::x64 {

// An instruction as the code generator sees it. One that is not listed stays with the interpreter.
struct FpuForm {
  enum Kind : u8 {
    kNone,
    kX87,      // notes its address and operand for FSTENV
    kMove,     // FCMOVcc: kX87 that looks at EFLAGS
    kCompare,  // FCOMI: kX87 that sets EFLAGS
    kControl,  // notes nothing
    kLoadControl,
    kWait,
    kMmx,
  };
  Kind kind = kNone;
  bool stores = false;  // writes its memory operand, if it has one
  u8 bytes = 0;         // of the memory operand; 0: the instruction's width

  explicit operator bool() const { return kind != kNone; }
  bool notes() const { return kind == kX87 || kind == kMove || kind == kCompare; }
};

FpuForm fpu_form(Sem sem);

}  // namespace xlat::jit::x64
