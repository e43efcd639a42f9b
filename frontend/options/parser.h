// One pass over the command line. Each option's function returns an error or changes the settings.
#pragma once

#include "frontend/options/command_line.h"
#include "frontend/options/values.h"

namespace xlat {

enum class Option : u8 {
#define XLAT_OPTION(id, name, argument, help) id,
#define XLAT_LATER(name, missing)
#include "frontend/options/options.inc"
#undef XLAT_OPTION
#undef XLAT_LATER
};

class OptionParser {
 public:
  Result<Settings> run(std::span<const std::string> args);

 private:
  Status apply(Option option, const std::string& name, const std::string& value);
  Status image(const std::string& path);
  Status machine(const std::string& name, const std::string& value);
  Status engine(std::string_view value);
  Status lockstep(std::string_view options);
  Status accel(const std::string& name, std::string_view value);
  Status memory(const std::string& value);
  Status smp(const std::string& value);
  Status drive(const std::string& value);
  Status drive_property(DriveConfig& drive, const SubOption& part, bool& known);
  // -device ide-hd, ide-cd and floppy: what they plug in may come later on the command line.
  Status plug_drive(const std::string& driver, std::span<const SubOption> parts);
  Status plug_drives();
  Status put_drive(unsigned index, DriveConfig drive, std::string_view option);
  Status put_floppy(unsigned index, DriveConfig drive, std::string_view option);
  Status boot(const std::string& value);
  Status serial(const std::string& value);
  Status parallel(const std::string& value);
  Status debugcon(const std::string& value);
  Status cpu(const std::string& value);
  Status global(const std::string& value);
  // -device, and what it plugs in once its properties are read.
  Status device(const std::string& value);
  struct DeviceProperties {
    std::optional<CharSpec> channel;
    std::optional<u16> iobase;
    std::optional<u32> iosize;
    std::optional<unsigned> index;
  };
  Status plug(const std::string& driver, const DeviceProperties& given);
  Status chardev(const std::string& value);
  Status mon(const std::string& value);
  Status monitor_channel(const std::string& value, const std::string& name);
  Status resolve_chardevs();
  Status firmware_dir(const std::string& value);
  Status firmware_file(const std::string& value, const std::string& name, std::string& to);
  Status vga(const std::string& value);
  Status uuid(const std::string& value);
  Status sandbox(const std::string& value);
  Status keyboard(const std::string& value);
  Status action(const std::string& value);
  static Error unknown(const std::string& arg, std::string_view name);
  Status gdb(const std::string& value, const std::string& name);
  Status rtc(const std::string& value);
  Status icount(const std::string& value);
  Status log(const std::string& value);
  Status finish();
  Status display(const std::string& value);
  Status window_option(const SubOption& part, std::string_view type);
  Status vnc(const std::string& value);
  Status web(const std::string& value);
  void default_display();
  Status audiodev(const std::string& value);
  Status check_audio();
  Status default_channels();
  Status check_channels() const;
  Status check_files();
  void say(std::string text) { settings_.print = std::move(text); }

  Settings settings_;
  std::vector<std::string> bare_;
  struct NamedDrive {
    std::string id;
    DriveConfig drive;
    bool plugged = false;
  };
  struct Plug {
    std::string driver, drive, serial;
    std::optional<u64> bus, unit, boot_index;
  };
  std::vector<NamedDrive> unplugged_;  // -drive if=none
  std::vector<Plug> plugs_;
  bool boot_given_ = false;
  std::string drive_format_, drive_errors_;  // of the -drive being read: format=, and which of werror and rerror
  unsigned serial_given_ = 0;
  bool monitor_given_ = false, parallel_given_ = false, nographic_ = false, display_given_ = false, nodefaults_ = false,
       snapshot_ = false;
  bool vga_given_ = false, icount_given_ = false;
  u16 debugcon_port_ = 0xe9;
  struct NamedChannel {
    Chardev chardev;
    std::string used_by;  // empty: by nobody
  };
  std::vector<NamedChannel> chardevs_;
  std::vector<std::string> firmware_dirs_;  // -L
  std::optional<i64> rtc_base_;
};

}  // namespace xlat
