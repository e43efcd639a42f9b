// What the process may still ask of the host once everything is open: a filter on its system calls.
#pragma once

#include <string_view>

#include "base/result.h"
#include "base/types.h"

namespace xlat {

// -sandbox.
struct SandboxSettings {
  enum class Mode : u8 { kDefault, kOff, kOn };
  // kDefault: on where the host can; kOn: an error where it cannot.
  Mode mode = Mode::kDefault;
  // Groups that are refused unless they are let through here, by QEMU's names.
  bool obsolete = false, elevate_privileges = false, spawn = false, resource_control = false;
  bool sound = false;  // there is a sound card of the host's to be played to
};

enum class SandboxReport : u8 {
  kSilent,
  kOnStderr,  // a line for each refused call
};
// What this build does: debug builds report.
extern const SandboxReport kSandboxReport;

// Empty, or why this xlat has no filter.
std::string_view sandbox_missing();

// From now on, in all threads, a system call that xlat has no use for fails with EPERM; it ends nothing. No program
// started from here gets privileges that the process does not have. Cannot be undone.
Status enter_sandbox(const SandboxSettings& settings, SandboxReport report = kSandboxReport);

// Keeps the guest's memory off the host's disk: a crash of xlat writes no core file.
void forbid_core_files();

}  // namespace xlat
