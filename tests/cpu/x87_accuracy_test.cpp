// Accuracy of the transcendental instructions, against MPFR.
#include <catch2/catch.hpp>

#if defined(__x86_64__)

#include <mpfr.h>

#include "tests/support/x87_oracle.h"

using namespace xlat;
using namespace xlat::test;

namespace {

long double native(const F80& v) {
  long double r = 0;
  std::memcpy(&r, &v.mantissa, 8);
  std::memcpy(reinterpret_cast<u8*>(&r) + 8, &v.sign_exp, 2);
  return r;
}
F80 from_native(long double v) {
  F80 r;
  std::memcpy(&r.mantissa, &v, 8);
  std::memcpy(&r.sign_exp, reinterpret_cast<const u8*>(&v) + 8, 2);
  return r;
}

// A number with 300 bits.
struct Real {
  Real() { mpfr_init2(v, 300); }
  explicit Real(const F80& f) : Real() { mpfr_set_ld(v, native(f), MPFR_RNDN); }
  ~Real() { mpfr_clear(v); }
  Real(const Real&) = delete;
  Real& operator=(const Real&) = delete;
  mpfr_t v;
};

// Sine of x + quarters * pi/2, with the x87's pi, which has 66 bits.
void exact_sine(Real& r, Real& x, long quarters) {
  Real half_pi, n, product;
  mpfr_set_str(half_pi.v, "1.921fb54442d184698", 16, MPFR_RNDN);
  mpfr_div(n.v, x.v, half_pi.v, MPFR_RNDN);
  mpfr_rint(n.v, n.v, MPFR_RNDN);
  mpfr_mul(product.v, n.v, half_pi.v, MPFR_RNDN);
  mpfr_sub(x.v, x.v, product.v, MPFR_RNDN);
  quarters += mpfr_get_si(n.v, MPFR_RNDN);
  quarters & 1 ? mpfr_cos(r.v, x.v, MPFR_RNDN) : mpfr_sin(r.v, x.v, MPFR_RNDN);
  if (quarters & 2) mpfr_neg(r.v, r.v, MPFR_RNDN);
}

// Instructions and what they must come near to.
struct Function {
  u8 modrm;
  const char* name;
  void (*exact)(Real& r, Real& st0, Real& st1);
  bool pops;
  int low, high;  // exponents of ST(0) where it is defined
};

const Function kFunctions[] = {
    {0xfe, "fsin", [](Real& r, Real& a, Real&) { exact_sine(r, a, 0); }, false, -70, 62},
    {0xff, "fcos", [](Real& r, Real& a, Real&) { exact_sine(r, a, 1); }, false, -70, 62},
    {0xf2, "fptan",
     [](Real& r, Real& a, Real&) {
       Real copy, cosine;
       mpfr_set(copy.v, a.v, MPFR_RNDN);
       exact_sine(r, a, 0);
       exact_sine(cosine, copy, 1);
       mpfr_div(r.v, r.v, cosine.v, MPFR_RNDN);
     },
     false, -70, 62},
    {0xf0, "f2xm1",
     [](Real& r, Real& a, Real&) {
       Real ln2;
       mpfr_const_log2(ln2.v, MPFR_RNDN);
       mpfr_mul(a.v, a.v, ln2.v, MPFR_RNDN);
       mpfr_expm1(r.v, a.v, MPFR_RNDN);
     },
     false, -70, -1},
    {0xf1, "fyl2x",
     [](Real& r, Real& a, Real& b) {
       mpfr_log2(r.v, a.v, MPFR_RNDN);
       mpfr_mul(r.v, r.v, b.v, MPFR_RNDN);
     },
     true, -900, 900},
    {0xf1, "fyl2x",
     [](Real& r, Real& a, Real& b) {
       mpfr_log2(r.v, a.v, MPFR_RNDN);
       mpfr_mul(r.v, r.v, b.v, MPFR_RNDN);
     },
     true, -1, 0},
    {0xf9, "fyl2xp1",
     [](Real& r, Real& a, Real& b) {
       Real ln2;
       mpfr_const_log2(ln2.v, MPFR_RNDN);
       mpfr_log1p(r.v, a.v, MPFR_RNDN);
       mpfr_div(r.v, r.v, ln2.v, MPFR_RNDN);
       mpfr_mul(r.v, r.v, b.v, MPFR_RNDN);
     },
     true, -70, -3},
    {0xf3, "fpatan", [](Real& r, Real& a, Real& b) { mpfr_atan2(r.v, b.v, a.v, MPFR_RNDN); }, true, -70, 70},
};

}  // namespace

TEST_CASE("transcendental instructions are right to half a unit and a little, against MPFR") {
  std::vector<std::vector<u8>> code;
  for (const Function& f : kFunctions) code.push_back({0xd9, f.modrm});
  FloatGuest<Interp> guest(code);
  FloatSource source(7);
  for (std::size_t n = 0; n < std::size(kFunctions); ++n) {
    const Function& f = kFunctions[n];
    INFO(f.name);
    unsigned off_by_one = 0, worse = 0, native_off = 0;
    const HostX87 host(code);
    constexpr unsigned kTimes = 4000;
    for (unsigned k = 0; k < kTimes; ++k) {
      FloatMachine m;
      m.fpu.control = 0x037f;
      m.fpu.tag = 0;
      F80 st0{
          source.significand(),
          static_cast<u16>(0x3fff + f.low + static_cast<int>(source.below(static_cast<unsigned>(f.high - f.low + 1))))};
      const F80 st1{source.significand(), static_cast<u16>((0x3fff - 70 + source.below(140)) | source.below(2) << 15)};
      if (f.modrm != 0xf1 && source.below(2)) st0.sign_exp |= 0x8000;
      m.fpu.regs[0] = st0;
      m.fpu.regs[1] = st1;
      if (!f.pops) m.fpu.tag = 0xc000;
      FloatMachine h = m;
      guest.run(n, m);
      host.run(n, h);
      Real a(st0), b(st1), r;
      f.exact(r, a, b);
      const F80 wanted = from_native(mpfr_get_ld(r.v, MPFR_RNDN));
      const unsigned at = f.modrm == 0xf2 ? 0 : m.fpu.top();
      const u64 d = distance(m.fpu.regs[at], wanted);
      off_by_one += d == 1;
      native_off += distance(h.fpu.regs[at], wanted) != 0;
      worse += d > 1;
      if (d > 1 && worse < 4) {
        fmt::print(stderr, "{}: {} {} gives {}, should be {}; host {}\n", f.name, text(st0), text(st1),
                   text(m.fpu.regs[at]), text(wanted), text(h.fpu.regs[at]));
      }
    }
    INFO("off by one: " << off_by_one << ", on the host: " << native_off);
    CHECK(worse == 0);
    CHECK(off_by_one <= kTimes / 100);
  }
}

#endif
