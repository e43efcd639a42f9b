// The engine that tests run beside the interpreter: the IR evaluator in tests_cpu, the JIT in tests_cpu_jit.
#pragma once

#ifdef XLAT_TEST_JIT
#include "hot_jit.h"
#endif
#include "jit/eval.h"

namespace xlat::test {

#ifdef XLAT_TEST_JIT
using ComparedEngine = HotJit;
#else
using ComparedEngine = jit::EvalEngine;
#endif

}  // namespace xlat::test
