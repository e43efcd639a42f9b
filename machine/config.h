// What a machine is made of, as the command line or a test describes it.
#pragma once

#include <array>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/types.h"
#include "block/open_image.h"
#include "cpu/model.h"
#include "devices/audio/audio_backends.h"
#include "devices/block/disk.h"
#include "devices/net/nic.h"
#include "firmware/rom.h"

namespace xlat {

// -drive werror= and rerror=.
enum class IoErrorPolicy : u8 {
  kReport,      // the guest gets an error
  kIgnore,      // the guest is told that all went well
  kStop,        // the machine pauses; cont tries again
  kStopIfFull,  // as kStop where the host has no room, else as kReport
};

// A drive's image, for the device that names it.
struct DriveConfig {
  std::string path;  // a file or QEMU's name for what else can be opened
  bool cdrom = false;
  bool snapshot = false;  // writes are kept aside and forgotten
  bool read_only = false;
  std::string format = {};  // as the user said; empty: it is found out
  bool locking = true;      // against other programs that use the image
  std::string serial = {};  // what IDENTIFY says; empty for the usual
  IoErrorPolicy on_write_error = IoErrorPolicy::kStopIfFull, on_read_error = IoErrorPolicy::kReport;
  std::string id = {};
  DiskPolicy policy = {};
  ImageOptions options = {};  // more about the image, by names as QEMU spells them

  // If not, it is a CD-ROM or floppy drive without a disc.
  bool has_image() const { return !path.empty() || !options.empty(); }
  ImageSpec image() const { return {path, format, options}; }
};

// A character back end: bytes the guest sends go to `output`.
struct ChannelConfig {
  std::string id;
  std::function<void(u8)> output;
  bool serial_mouse = false;  // a mouse is at the other end, and no back end
};

// A network back end: frames the guest sends go to `output`.
struct NetworkConfig {
  std::string id;
  NetPort::Output output;
};

// -device: a row of devices/registry with values for its properties.
struct DeviceConfig {
  std::string type;
  std::vector<std::pair<std::string, std::string>> properties = {};
  std::string id = {};
  bool named = false;  // the user asked for it by this name, which errors then begin with
  const std::string* find(std::string_view property) const;
};

// -global: a value for a property of every device of a type that is not given another.
struct GlobalConfig {
  std::string type, property, value;
};

// How virtual time relates to the host's.
struct TimeConfig {
  // Deterministic: an instruction takes 2^shift ns, halted time is skipped, nothing looks at the host's clock.
  bool deterministic = false;
  unsigned shift = 3;
  // What the RTC shows at power-on, seconds since 1970.
  i64 rtc_base = 946684800;  // 2000-01-01 00:00:00
};

enum class EngineKind : u8 {
  kDefault,  // the JIT where there is one, else the interpreter
  kInterp,
  kJit,
  kLockstep,  // the JIT, and the interpreter beside it to compare with
};

// -engine lockstep.
struct LockstepConfig {
  // The engines are compared after so many instructions of linked blocks; 0: after each block. Without a number it is
  // each block for a while, then windows for a while, and so on.
  std::optional<u64> window;
  u64 memory_every = u64{64} << 20;  // instructions between two comparisons of all memory
  u64 inject = 0;                    // makes translations wrong from the n-th on, to see a report
};

struct MachineConfig {
  static constexpr u64 kMinRam = u64{640} << 10;
  static constexpr u64 kMaxRam = u64{3} << 30;

  u64 ram_bytes = u64{128} << 20;
  bool dump_guest_memory = false;  // in core files of the host's
  CpuModel cpu = find_cpu_model("max").value();
  std::string bios = kDefaultBios;
  std::vector<std::string> rom_dirs;  // where devices' ROM files are looked for, before the usual folders
  bool console_on_serial = false;     // the firmware shows its text screen on COM1 as well
  bool boot_menu = false;             // the firmware offers a menu
  std::string boot_order = "cad";     // of kinds of devices, behind those that have a bootindex
  bool boot_strict = false;           // only what has a bootindex is booted
  std::string boot_once;              // order of the first boot alone; empty: as always
  std::optional<u32> boot_menu_wait;  // ms for a key; the firmware's own choice if not set
  u32 boot_retry_wait = 0xffffffff;   // ms before all is tried again; all ones: never
  std::string boot_splash;            // picture the firmware shows; empty for none
  bool acpi = true;                   // tables, and the power management function they speak of
  bool vmport = true;                 // VMware's backdoor with its pointer
  struct OptionRom {
    std::string path;
    std::string boot_index = {};  // as the property of devices; empty: none
  };
  std::vector<OptionRom> option_roms;
  std::array<u8, 16> uuid{};
  bool check_floppy_signature = true;  // a floppy whose boot sector does not say it is one is passed over
  // A kernel that the firmware starts in place of a boot device, if set. `initrd` is a list of modules for a Multiboot
  // kernel.
  std::string kernel, initrd, append;

  // What can be added to the PC, in the order it is plugged in, and the back ends that it names.
  std::vector<DeviceConfig> devices = {{.type = "VGA"}};
  std::vector<GlobalConfig> globals;
  std::vector<DriveConfig> drives;
  std::vector<ChannelConfig> channels;
  std::vector<NetworkConfig> networks;

  // The usual places by number: IDE drive 0 to 3 from the primary master to the secondary slave, floppy drive A or B,
  // COM1 to COM4 (from 0).
  void add_ide(unsigned n, DriveConfig drive);
  void add_floppy(unsigned n, DriveConfig drive);
  void add_serial(unsigned n, std::function<void(u8)> output);
  // Their devices alone; the channel comes otherwise.
  void plug_serial(unsigned n, const std::string& channel);
  void plug_parallel(const std::string& channel);
  void add_parallel(std::function<void(u8)> output);
  void add_debugcon(u16 port, std::function<void(u8)> output);
  void add_debug_exit(u16 iobase = 0x501, u32 iosize = 2);
  // What was put there, or null.
  const DriveConfig* ide(unsigned n) const;
  const DriveConfig* floppy(unsigned n) const;
  // Takes every device of this type out again.
  void remove(std::string_view type);

  EngineKind engine = EngineKind::kDefault;
  u64 code_cache_bytes = u64{256} << 20;
  LockstepConfig lockstep;
  bool perf_map = false;  // names of translated code in /tmp/perf-PID.map
  bool follower = false;  // the second PC of lockstep: its files are the first one's, and it does not write to them
  // Told when the default engine is not to be had and the interpreter takes its place.
  std::function<void(const std::string&)> warn = [](const std::string&) {};

  std::vector<AudioOutput> audio;
  std::string speaker_audio;  // id of the one the PC speaker plays to; empty for none

  TimeConfig time;
  bool no_reboot = false;  // a reset ends the run
  bool paused = false;     // wait for cont() before the first instruction
};

}  // namespace xlat
