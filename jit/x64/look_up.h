// The look-up of a page in the flat TLB, as all emitted code does it.
#pragma once

#include "jit/x64/registers.h"
#include "mmu/tlb.h"

namespace xlat::jit::x64 {

// `at`, a linear address zero-extended, becomes the TLB's entry for its page; the host's ZF is set if there is none.
inline void look_up(host::Assembler& a, const host::Gp& at, bool write) {
  a.shr(at.r32(), 12);
  a.mov(at, host::qword_ptr(kTlb, at, 3, write ? static_cast<i32>(Tlb::kTableBytes) : 0));
  a.test(at, at);
}

}  // namespace xlat::jit::x64
