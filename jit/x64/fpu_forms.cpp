// The list of x87 and MMX instructions that translated code has the host execute. Not on it: transcendentals, which the
// interpreter computes itself so that every host gives the same bits; BCD; what saves or loads the whole state.
#include "jit/x64/fpu_forms.h"

#include <array>
#include <initializer_list>

#include "cpu/encoding.h"
#include "cpu/x87/lists.h"

namespace xlat::jit::x64 {

namespace {

constexpr auto kForms = [] {
  std::array<FpuForm, std::size(kEncodingNames)> forms;
  const auto list = [&forms](FpuForm form, std::initializer_list<Sem> sems) {
    for (const Sem s : sems) forms[static_cast<u16>(s)] = form;
  };
  list({FpuForm::kX87},
       {"fadd"_sem,    "fmul"_sem,    "fsub"_sem,    "fsubr"_sem,   "fdiv"_sem,         "fdivr"_sem,  "faddp"_sem,
        "fmulp"_sem,   "fsubp"_sem,   "fsubrp"_sem,  "fdivp"_sem,   "fdivrp"_sem,       "fcom"_sem,   "fcomp"_sem,
        "fcompp"_sem,  "fucom"_sem,   "fucomp"_sem,  "fucompp"_sem, "ftst"_sem,         "fxam"_sem,   "fld"_sem,
        "fst_st"_sem,  "fstp_st"_sem, "fstpnce"_sem, "fxch"_sem,    "fld_constant"_sem, "fchs"_sem,   "fabs"_sem,
        "fsqrt"_sem,   "frndint"_sem, "fscale"_sem,  "fxtract"_sem, "fprem"_sem,        "fprem1"_sem, "fnop"_sem,
        "fdecstp"_sem, "fincstp"_sem, "ffree"_sem,   "ffreep"_sem});
  list({FpuForm::kX87, true}, {"fst"_sem, "fstp"_sem});
  list({FpuForm::kX87, false, 10}, {"fld_m80"_sem});
  list({FpuForm::kX87, true, 10}, {"fstp_m80"_sem});
  list({FpuForm::kMove}, {"fcmov"_sem});
  list({FpuForm::kCompare}, {"fcomi"_sem, "fcomip"_sem, "fucomi"_sem, "fucomip"_sem});
  list({FpuForm::kControl, true}, {"fnstcw"_sem, "fnstsw"_sem});
  list({FpuForm::kControl}, {"fnclex"_sem});
  list({FpuForm::kLoadControl}, {"fldcw"_sem});
  list({FpuForm::kWait}, {"fwait"_sem});
#define MMX(name) #name ""_sem,
  list({FpuForm::kMmx}, {XLAT_MMX_OPERATIONS(MMX) "movd_load"_sem, "emms"_sem});
#undef MMX
  list({FpuForm::kMmx, true}, {"movd_store"_sem, "movq_store"_sem});
  // Hosts differ in how many bytes of memory these read; the other half of an aligned quadword is in the same page.
  list({FpuForm::kMmx, false, 8}, {"punpcklbw"_sem, "punpcklwd"_sem, "punpckldq"_sem});
  return forms;
}();

}  // namespace

FpuForm fpu_form(Sem sem) { return kForms[static_cast<u16>(sem)]; }

}  // namespace xlat::jit::x64
