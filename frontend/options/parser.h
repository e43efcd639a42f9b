// One pass over the command line. Each option's function returns an error or changes the settings.
#pragma once

#include <array>

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

// Sub-options of -drive and -blockdev that say how a medium is used, frontend/options/disk_tuning.cpp: takes them out
// of `options`, but what the opening of files is about.
bool is_disk_tuning(std::string_view name);
Status tune_disk(ImageOptions& options, DiskPolicy& policy);

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
  Status blockdev(const std::string& value);
  Status drive_property(DriveConfig& drive, const SubOption& part, bool& known);
  Status put_drive(unsigned index, DriveConfig drive, std::string_view option);
  Status put_floppy(unsigned index, DriveConfig drive, std::string_view option);
  Status boot(const std::string& value);
  Status serial(const std::string& value);
  Status parallel(const std::string& value);
  Status debugcon(const std::string& value);
  Status cpu(const std::string& value);
  Status global(const std::string& value);
  Status device(const std::string& value);
  Status usbdevice(const std::string& value);
  bool device_given(std::string_view type) const;
  Status check_back_ends();
  // All devices in the order they are plugged in: those of options of their own, -device's, and what a PC has unless
  // something else is in its place.
  void list_devices();
  Status chardev(const std::string& value);
  Status mon(const std::string& value);
  Status monitor_channel(const std::string& value, const std::string& name);
  Status resolve_chardev(CharSpec& spec, const std::string& by);
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
  Status audio(const std::string& value);
  Status soundhw(const std::string& value);
  Result<AudioSettings> audio_settings(std::string_view option, std::span<const SubOption> parts);
  Status add_audio(std::string_view option, AudioSettings audio);
  // An empty name is the PC speaker's.
  Status plug_sound_card(std::string_view device_name, const std::string& audio_id);
  Status check_audio();
  Status nic(const std::string& value);
  Status netdev(const std::string& value);
  Status net(const std::string& value);
  Status object(const std::string& value);
  // `option` is what the user wrote.
  Result<NetSpec> net_spec(std::string_view option, std::span<const SubOption> parts);
  Status plug_nic(std::string_view option, const std::string& model, DeviceConfig card);
  // What cards and hubs name by id must be there.
  Status check_networks();
  Status default_channels();
  Status check_channels() const;
  Status check_files();
  void say(std::string text) { settings_.print = std::move(text); }

  Settings settings_;
  std::vector<std::string> bare_;
  // The usual places by number, as MachineConfig's functions count them.
  std::array<std::optional<DriveConfig>, 4> ide_;
  std::array<std::optional<DriveConfig>, 2> floppy_;
  std::array<CharSpec, 4> serial_;
  CharSpec parallel_;
  std::vector<CharSpec> debugcons_;
  bool usb_ = false;                    // -usb
  std::string vga_ = "VGA";             // device of -vga; empty: none
  std::vector<DeviceConfig> devices_;   // -device
  std::vector<DriveConfig> unplugged_;  // -drive if=none, -blockdev
  // Of -blockdev, with what they refer to.
  struct BlockNode {
    ImageOptions options;
    bool discard;
  };
  std::map<std::string, BlockNode> nodes_;
  std::string drive_errors_;  // which of werror and rerror the -drive being read has
  unsigned serial_given_ = 0;
  bool monitor_given_ = false, parallel_given_ = false, nographic_ = false, display_given_ = false, nodefaults_ = false,
       snapshot_ = false;
  bool vga_given_ = false, icount_given_ = false;
  struct NamedChannel {
    Chardev chardev;
    std::string used_by;  // empty: by nobody
  };
  std::vector<NamedChannel> chardevs_;
  std::vector<DeviceConfig> nics_;  // of -nic and -net nic
  bool net_given_ = false;
  std::vector<std::string> soundhw_;  // names of devices
  std::optional<i64> rtc_base_;
};

}  // namespace xlat
