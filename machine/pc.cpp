// The parts list of the PC and its wiring.
#include "machine/pc.h"

#include <fmt/format.h>

#include "devices/input/serial_mouse.h"
#include "firmware/e820.h"

namespace xlat {

namespace {

constexpr u64 kFirstMegabyte = 1 << 20;
constexpr u16 kSerialBase[4] = {0x3f8, 0x2f8, 0x3e8, 0x2e8};

std::array<IrqLine, 16> pirq_outputs(IrqMixer& isa) {
  std::array<IrqLine, 16> lines;
  for (unsigned n = 0; n < 16; ++n) lines[n] = isa.input(n);
  return lines;
}

Result<jit::EngineMaker> engine_maker(const MachineConfig& config) {
  if (config.engine != EngineKind::kInterp) {
    const bool lockstep = config.engine == EngineKind::kLockstep;
    if (lockstep && !jit::jit_available()) {
      return error("-engine lockstep: this host has no back end to compare with the interpreter; use -engine interp");
    }
    jit::JitOptions options{.cache_bytes = config.code_cache_bytes};
    if (lockstep) options.break_from = config.lockstep.inject;
    if (config.perf_map && jit::jit_available()) {
      auto map = jit::PerfMap::open();
      if (!map) return map.error();
      options.perf_map = std::move(*map);
    }
    auto jit = jit::prepare_jit(options);
    if (jit.ok() || config.engine != EngineKind::kDefault) return jit;
    config.warn(fmt::format("{}; the interpreter runs the guest, slowly", jit.error().message));
  }
  return jit::EngineMaker([](Cpu& cpu) { return std::make_unique<Interp>(cpu); });
}

class CallerRegisters final : public VmPortRegisters {
 public:
  explicit CallerRegisters(Cpu& cpu) : cpu_(cpu) {}
  u32 get(Register which) const override { return cpu_.s.reg32(kNumber[which]); }
  void set(Register which, u32 value) override { cpu_.s.gpr[kNumber[which]] = value; }
  unsigned privilege_level() const override { return cpu_.s.cpl; }

 private:
  static constexpr unsigned kNumber[] = {xlat::kEax, xlat::kEbx, xlat::kEcx, xlat::kEdx, xlat::kEsi, xlat::kEdi};
  Cpu& cpu_;
};

}  // namespace

Result<std::unique_ptr<Pc>> Pc::create(const MachineConfig& config, Log& log) {
  if (config.ram_bytes < MachineConfig::kMinRam || config.ram_bytes > MachineConfig::kMaxRam) {
    return error("-m: {} KiB of memory; give 640K to 3G", config.ram_bytes >> 10);
  }
  // The bus's RAM behind C0000-FFFFF is there even where the machine has less.
  auto ram = GuestRam::create(std::max(config.ram_bytes, kFirstMegabyte));
  if (!ram) return ram.error();
  if (!config.dump_guest_memory) (*ram)->keep_out_of_cores();
  auto bios = FirmwareRom::load(config.bios);
  if (!bios) return bios.error();
  auto make_engine = engine_maker(config);
  if (!make_engine) return make_engine.error();
  std::unique_ptr<Pc> pc(new Pc(config, log, std::move(*ram), std::move(*bios), *make_engine));
  for (const DeviceConfig& device : config.devices) {
    if (Status s = pc->plug(device); !s) return s.error();
  }
  if (Status s = pc->describe_to_firmware(); !s) return s.error();
  pc->reset();
  return pc;
}

Pc::Pc(const MachineConfig& config, Log& log, std::unique_ptr<GuestRam> guest_ram, FirmwareRom bios,
       const jit::EngineMaker& make_engine)
    : config_(config),
      ram(std::move(guest_ram)),
      cpu(config.cpu, memory, ports, clock, log),
      engine(make_engine(cpu)),
      interp(*engine),
      pci(ports, memory),
      pic(ports, IrqLine(cpu, Cpu::kPinIntr)),
      isa_irqs(pic),
      pit(ports, clock),
      rtc(ports, clock, isa_irqs.input(8), config.time.rtc_base),
      port61(ports, clock, pit, IrqLine(cpu, Cpu::kPinNmi)),
      audio(clock, config_.audio),
      speaker(clock, pit, port61, audio.find(config_.speaker_audio)),
      dma(ports, memory),
      fdc(ports, clock, dma, isa_irqs.input(6)),
      kbc(ports, clock, isa_irqs.input(1), isa_irqs.input(12)),
      port92(ports),
      a20([this](bool open) { cpu.set_a20(open); }),
      coprocessor_error(ports, isa_irqs.input(13), IrqLine(cpu, Cpu::kPinIgnne)),
      shadow(memory, ram->data()),
      host_bridge(shadow),
      isa_bridge(pirq_outputs(isa_irqs)),
      pm(ports, clock, isa_irqs.input(9)),
      fw_cfg(ports, memory),
      ide_primary("ide0", isa_irqs.input(14)),
      ide_secondary("ide1", isa_irqs.input(15)),
      ide(memory, ide_primary, ide_secondary),
      bios_(std::move(bios)) {
  for (const ChannelConfig& c : config.channels) channels_.push_back(std::make_unique<CharChannel>(c.id, c.output));
  for (const NetworkConfig& n : config.networks) networks_.push_back(std::make_unique<NetPort>(n.id, n.output));
  disk_host_.timed = config.time.deterministic;
  disk_host_.warn = config.warn;
  wire();
  plant_tree();
}

// What every PC has, as QEMU's tree shows it; what is optional is put in by plug().
void Pc::plant_tree() {
  Bus& system = tree_.root();
  Object& root_port = ObjectTree::add(system, "i440FX-pcihost");
  Bus& pci_bus = root_port.add_bus("pci.0", "PCI", &pci);
  ObjectTree::add(system, "fw_cfg_io", &fw_cfg);
  ObjectTree::add(system, "input-hub", &input);
  ObjectTree::add(pci_bus, "i440FX", &host_bridge);
  Bus& isa = ObjectTree::add(pci_bus, "PIIX3", &isa_bridge).add_bus("isa.0", "ISA", &isa_irqs);
  ObjectTree::add(isa, "isa-i8259", &pic);
  ObjectTree::add(isa, "isa-pit", &pit);
  ObjectTree::add(isa, "mc146818rtc", &rtc);
  ObjectTree::add(isa, "port61", &port61);
  ObjectTree::add(system, "audio", &audio);
  ObjectTree::add(isa, "isa-pcspk", &speaker);
  ObjectTree::add(isa, "i8257", &dma);
  ObjectTree::add(isa, "isa-fdc", &fdc).add_bus("floppy-bus.0", "floppy-bus");
  ObjectTree::add(isa, "i8042", &kbc);
  if (config_.vmport) {
    // The driver of the pointer looks into its queue when the PS/2 mouse reports something.
    caller_registers_ = std::make_unique<CallerRegisters>(cpu);
    ObjectTree::add(isa, "vmport",
                    std::make_unique<VmPort>(
                        ports, *caller_registers_, input, [this] { kbc.mouse_move(1, 0, 0); }, ram_bytes()));
  }
  ObjectTree::add(isa, "port92", &port92);
  ObjectTree::add(isa, "a20-gate", &a20);
  ObjectTree::add(isa, "isa-ferr", &coprocessor_error);
  Object& ide_function = ObjectTree::add(pci_bus, "piix3-ide", &ide);
  ide_function.add_bus("ide.0", "IDE", &ide_primary);
  ide_function.add_bus("ide.1", "IDE", &ide_secondary);
  ObjectTree::add(pci_bus, "PIIX4_PM", &pm);
  for (std::size_t n = 0; n < channels_.size(); ++n) {
    if (!config_.channels[n].serial_mouse) continue;
    ObjectTree::add(system, "msmouse", std::make_unique<SerialMouse>(clock, *channels_[n], input));
  }
}

void Pc::wire() {
  if (config_.time.deterministic) clock.set_rate(u64{1} << (32 + config_.time.shift));
  clock.on_earlier_deadline([this] { interp.shorten(clock.count_at(clock.next_deadline())); });

  // Memory: RAM, the bus's view of C0000-FFFFF, firmware below 4 GiB, the VGA window.
  memory.map_ram(0, ram_bytes(), ram->data());
  bios_.map_below_4g(memory);
  shadow.set_rom(bios_.low_window_address(), bios_.low_window());
  shadow.apply_all();
  map_vga_window(false);
  host_bridge.on_smram([this](bool smram) { map_vga_window(smram); });

  // Slot 0: host bridge; slot 1: PIIX3 with IDE and power management.
  pci.add(0, 0, host_bridge);
  pci.add(1, 0, isa_bridge);
  pci.add(1, 1, ide);
  if (config_.acpi) pci.add(1, 3, pm);
  isa_bridge.connect(pci);
  ports.map(0x1f0, 8, ide_primary, kWidthsAll);
  ports.map(0x3f6, 1, ide_primary.control());
  ports.map(0x170, 8, ide_secondary, kWidthsAll);
  ports.map(0x376, 1, ide_secondary.control());

  pit.connect_output(0, isa_irqs.input(0));
  rtc.on_nmi_mask([this](bool masked) { port61.set_nmi_masked(masked); });

  cpu.pins.interrupt_acknowledge = [this] { return pic.acknowledge(); };
  cpu.pins.ferr = [this](bool active) { coprocessor_error.set_ferr(active); };
  cpu.pins.shutdown = [this] {
    requests.shutdown = true;
    interp.stop();
  };
  const auto reset_request = [this] {
    requests.reset = true;
    interp.stop();
  };
  input.add(kbc.keyboard());
  input.add(kbc.mouse(), "QEMU PS/2 Mouse");
  kbc.on_reset_request(reset_request);
  port92.on_reset_request(reset_request);
  isa_bridge.on_reset_request([reset_request](bool) { reset_request(); });
  pm.on_power_off([this] {
    requests.power_off = true;
    interp.stop();
  });
  pm.on_suspend([this] {
    requests.suspend = true;
    interp.stop();
  });
  kbc.on_a20([this](bool on) { a20.set(on); });
  port92.on_a20([this](bool on) { a20.set(on); });
}

// SMRAM at A0000h while the host bridge shows it to the processor, else what the display adapter has there.
void Pc::map_vga_window(bool smram) {
  if (smram || !vga_window_) {
    memory.map_ram(0xa0000, 0x20000, ram->data() + 0xa0000);
  } else {
    memory.map_io(0xa0000, 0x20000, *vga_window_);
  }
}

Uart16550* Pc::uart(unsigned n) {
  for (Device* device : devices()) {
    if (auto* uart = dynamic_cast<Uart16550*>(device); uart && uart->base() == kSerialBase[n]) return uart;
  }
  return nullptr;
}

AcpiTables Pc::acpi_tables() {
  AcpiConfig config;
  config.ram_bytes = ram_bytes();
  for (unsigned n = 0; n < 4; ++n) config.serial_ports |= static_cast<u8>(uart(n) ? 1u << n : 0);
  config.floppies = fdc.drive(0) || fdc.drive(1);
  return AcpiTables(config);
}

SmbiosTables Pc::smbios_tables() const {
  SmbiosConfig config;
  config.ram_bytes = ram_bytes();
  config.processor_signature = cpu.model().leaf(1).eax;
  config.processor_features = cpu.model().leaf(1).edx;
  config.uuid = config_.uuid;
  return SmbiosTables(config);
}

Status Pc::describe_to_firmware() {
  CmosConfig cmos;
  cmos.ram_bytes = ram_bytes();
  cmos.boot_order = config_.boot_once.empty() ? config_.boot_order : config_.boot_once;
  cmos.check_floppy_signature = config_.check_floppy_signature;
  for (unsigned n = 0; n < 4; ++n) {
    if (const AtaDisk* d = disk(n)) {
      const DiskGeometry& g = d->default_geometry();
      cmos.drives[n] = {g.cylinders, g.heads, g.sectors, static_cast<u8>(g.translation)};
    }
  }
  for (unsigned n = 0; n < 2; ++n) {
    if (const FloppyDrive* d = fdc.drive(n)) cmos.floppy_types[n] = static_cast<u8>(d->type());
  }
  const auto values = cmos_values(cmos);
  if (!values) return values.error();
  for (const auto& [index, value] : values.value()) rtc.set_cmos(index, value);

  fw_cfg.add_u64(kFwCfgRamSize, ram_bytes());
  fw_cfg.add_u16(kFwCfgNbCpus, 1);
  fw_cfg.add_u16(kFwCfgMaxCpus, 1);
  fw_cfg.add_u16(kFwCfgNoGraphic, config_.console_on_serial ? 1 : 0);
  fw_cfg.add_u16(kFwCfgBootMenu, config_.boot_menu ? 1 : 0);
  fw_cfg.add_item(kFwCfgUuid, {config_.uuid.begin(), config_.uuid.end()});
  std::vector<FwCfgFile> files;
  if (config_.acpi) files = acpi_tables().files();
  for (FwCfgFile& f : smbios_tables().files()) files.push_back(std::move(f));
  files.push_back(e820_file(e820_for_firmware(ram_bytes())));
  // Sleep states there are, and the value of SLP_TYP each has: S3, S4, S5.
  files.push_back({"etc/system-states", {0x80, 0, 0, 0x81, 0x82, 0x80}});
  for (FwCfgFile& f : files) {
    if (Status s = fw_cfg.add_file(f.name, std::move(f.bytes)); !s) return s;
  }
  if (Status s = add_boot_files(); !s) return s;
  if (!config_.kernel.empty()) {
    if (Status s = add_kernel(); !s) return s;
  }
  return add_boot_order();
}

// What -boot and -option-rom give the firmware.
Status Pc::add_boot_files() {
  const auto number = [](u32 value, unsigned bytes) {
    std::vector<u8> text(bytes);
    for (unsigned n = 0; n < bytes; ++n) text[n] = static_cast<u8>(value >> (8 * n));
    return text;
  };
  if (config_.boot_menu_wait) {
    if (Status s = fw_cfg.add_file("etc/boot-menu-wait", number(*config_.boot_menu_wait, 2)); !s) return s;
  }
  if (Status s = fw_cfg.add_file("etc/boot-fail-wait", number(config_.boot_retry_wait, 4)); !s) return s;
  if (!config_.boot_splash.empty()) {
    auto picture = read_whole_file(config_.boot_splash, "splash picture", 16 << 20);
    if (!picture) return picture.error();
    const bool bmp = picture->size() >= 2 && (*picture)[0] == 'B' && (*picture)[1] == 'M';
    if (Status s = fw_cfg.add_file(bmp ? "bootsplash.bmp" : "bootsplash.jpg", std::move(*picture)); !s) return s;
  }
  for (const auto& [path, boot_index] : config_.option_roms) {
    if (Status s = take_boot_index(boot_index); !s) return error("-option-rom {}: {}", path, s.error().message);
    auto rom = read_whole_file(path, "option ROM", 1 << 20);
    if (!rom) return rom.error();
    if (Status s = fw_cfg.add_file("genroms/" + path.substr(path.rfind('/') + 1), std::move(*rom)); !s) return s;
  }
  return {};
}

void PcRequests::serialize(Archive& ar) {
  bool has_status = exit_status.has_value();
  u32 status = exit_status.value_or(0);
  ar(reset)(power_off)(shutdown)(suspend)(has_status)(status);
  exit_status = has_status ? std::optional(status) : std::nullopt;
}

void Pc::serialize(Archive& ar) {
  ar.section("pc", 1);
  u64 bytes = ram->size();
  u32 signature = cpu.model().leaf(1).eax;
  ar(bytes)(signature);
  if (bytes != ram->size() || signature != cpu.model().leaf(1).eax) {
    ar.fail("the machine has another processor or another size of memory than the snapshot");
    return;
  }
  ar.raw(ram->bytes());
  for (StatePart& part : state_parts()) part.serialize(ar);
  if (!ar.loading()) return;
  loaded();
  if (ar.ok()) resume_disks();
}

std::vector<Pc::StatePart> Pc::state_parts() {
  std::vector<StatePart> parts;
  const auto add = [&parts](std::string_view name, auto serialize) {
    parts.push_back({fmt::format("{:02} {}", parts.size(), name), std::move(serialize)});
  };
  add("clock", [this](Archive& ar) { clock.serialize(ar); });
  add("requests", [this](Archive& ar) {
    requests.serialize(ar);
    ar(suspended_)(boot_once_over_);
  });
  for (Device* device : devices()) add(device->name(), [device](Archive& ar) { device->serialize(ar); });
  for (auto& channel : channels_) {
    add("chardev " + channel->id(), [to = channel.get()](Archive& ar) { to->serialize(ar); });
  }
  for (std::size_t n = 0; n < networks_.size(); ++n) {
    add(fmt::format("network {}", n), [to = networks_[n].get()](Archive& ar) { to->serialize(ar); });
  }
  add("cpu", [this](Archive& ar) { cpu.serialize(ar); });  // last: lines of the chips lead to it
  return parts;
}

// Memory was filled behind the engine's back.
void Pc::loaded() { interp.blocks().clear(); }

std::vector<std::pair<std::string, std::string>> Pc::state_config() const {
  std::vector<std::pair<std::string, std::string>> all;
  all.emplace_back("-m", fmt::format("{} KiB", ram_bytes() >> 10));
  const CpuModel& model = cpu.model();
  all.emplace_back("-cpu", fmt::format("signature {:08x}, features {:08x}{}", model.leaf(1).eax, model.features,
                                       model.nx ? ", nx" : ""));
  all.emplace_back("-machine acpi=", config_.acpi ? "on" : "off");
  all.emplace_back("-bios", fmt::format("{} KiB", bios_.size() >> 10));
  for (std::string& line : tree_.outline()) all.emplace_back("-device", std::move(line));
  for (const auto& channel : channels_) all.emplace_back("-chardev", channel->id());
  for (const PluggedDrive& d : drives_) {
    const BlockImage* image = d.drive ? d.drive->image() : nullptr;
    all.emplace_back("-drive",
                     fmt::format("{} {}", d.name, image ? fmt::format("of {} bytes", image->size()) : "empty"));
  }
  return all;
}

void Pc::suspend() {
  // What the firmware finds at the next reset: resume by the vector in the FACS.
  rtc.set_cmos(0x0f, 0xfe);
  suspended_ = true;
}

void Pc::wake(Wake why) {
  requests = {};
  suspended_ = false;
  // The host bridge keeps the shadow RAM, in which the firmware knows that it has run before.
  for (Device* device : devices()) {
    if (device != &host_bridge) device->reset();
  }
  cpu.reset();
  pm.wake(why == Wake::kClock);
}

void Pc::reset() {
  if (std::exchange(powered_on_, true) && !std::exchange(boot_once_over_, true) && !config_.boot_once.empty()) {
    CmosConfig cmos;
    cmos.boot_order = config_.boot_order;
    cmos.check_floppy_signature = config_.check_floppy_signature;
    if (auto values = cmos_boot_order(cmos)) {
      for (const auto& [index, value] : *values) rtc.set_cmos(index, value);
    }
  }
  requests = {};
  suspended_ = false;
  for (Device* device : devices()) device->reset();
  cpu.reset();
}

}  // namespace xlat
