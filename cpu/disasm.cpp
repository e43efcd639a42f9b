// Capstone's answer as lines.
#include "cpu/disasm.h"

#include <capstone/capstone.h>
#include <fmt/format.h>

namespace xlat {

std::string disassemble(std::span<const u8> bytes, u64 address, unsigned bits) {
  csh handle = 0;
  const cs_mode mode = bits == 16 ? CS_MODE_16 : bits == 32 ? CS_MODE_32 : CS_MODE_64;
  if (cs_open(CS_ARCH_X86, mode, &handle) != CS_ERR_OK) return "(no disassembler)\n";
  cs_insn* insn = cs_malloc(handle);
  std::string text;
  const uint8_t* code = bytes.data();
  size_t left = bytes.size();
  while (left > 0) {
    const uint8_t* start = code;
    if (cs_disasm_iter(handle, &code, &left, &address, insn)) {
      std::string hex;
      for (const uint8_t* p = start; p != code; ++p) hex += fmt::format("{:02x}", *p);
      text += fmt::format("0x{:08x}:  {:<24}{} {}\n", insn->address, hex, insn->mnemonic, insn->op_str);
    } else {
      text += fmt::format("0x{:08x}:  {:02x}{:22}.byte 0x{:02x}\n", address, *code, "", *code);
      ++code;
      --left;
      ++address;
    }
  }
  cs_free(insn, 1);
  cs_close(&handle);
  return text;
}

}  // namespace xlat
