// The list of x87 and MMX instructions that translated code has the host execute. Not on it: transcendentals, which the
// interpreter computes itself so that every host gives the same bits; BCD; what saves or loads the whole state.
#include "jit/x64/fpu_forms.h"

#include <unordered_map>

#include "cpu/x87/helpers.h"

namespace xlat::jit::x64 {

namespace {

std::unordered_map<Helper, FpuForm> make_forms() {
  std::unordered_map<Helper, FpuForm> forms;
  const auto list = [&forms](FpuForm form, std::initializer_list<Helper> helpers) {
    for (const Helper h : helpers) forms[h] = form;
  };
  using namespace helper;
  list({FpuForm::kX87},
       {fadd,    fmul,   fsub,    fsubr, fdiv,   fdivr,   fcom,    fcomp,        fcompp, fucom,        fucomp,
        fucompp, ftst,   fxam,    fld,   fst_st, fstp_st, fxch,    fld_constant, fchs,   helper::fabs, fsqrt,
        frndint, fscale, fxtract, fprem, fprem1, fnop,    fdecstp, fincstp,      ffree});
  list({FpuForm::kX87, true}, {fst, fstp});
  list({FpuForm::kX87, false, 10}, {fld_m80});
  list({FpuForm::kX87, true, 10}, {fstp_m80});
  list({FpuForm::kMove}, {fcmov});
  list({FpuForm::kCompare}, {fcomi, fcomip, fucomi, fucomip});
  list({FpuForm::kControl, true}, {fpu_control, fpu_status});
  list({FpuForm::kControl}, {fnclex});
  list({FpuForm::kLoadControl}, {fldcw});
  list({FpuForm::kWait}, {helper::fwait});
#define MMX(name) helper::name,
  list({FpuForm::kMmx}, {XLAT_MMX_OPERATIONS(MMX) emms});
#undef MMX
  list({FpuForm::kMmx, true}, {mmx_enter});  // MOVD and MOVQ to memory or a register end so
  // Hosts differ in how many bytes of memory these read; the other half of an aligned quadword is in the same page.
  list({FpuForm::kMmx, false, 8}, {punpcklbw, punpcklwd, punpckldq});
  return forms;
}

}  // namespace

FpuForm fpu_form(Helper helper) {
  static const std::unordered_map<Helper, FpuForm> kForms = make_forms();
  const auto found = kForms.find(helper);
  return found == kForms.end() ? FpuForm{} : found->second;
}

}  // namespace xlat::jit::x64
