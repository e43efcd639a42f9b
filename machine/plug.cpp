// Optional devices: made by their rows of devices/registry, put into the tree, connected to back ends by id.
#include <fmt/format.h>
#include <unistd.h>

#include <algorithm>

#include "base/spelling.h"
#include "devices/usb/usb_bus.h"
#include "machine/pc.h"

namespace xlat {

class Pc::Plugs final : public Board {
 public:
  explicit Plugs(Pc& pc) : pc_(pc) {}

  Clock& clock() override { return pc_.clock; }
  AddressSpace& memory() override { return pc_.memory; }
  PortBus& ports() override { return pc_.ports; }
  Dma8237& dma() override { return pc_.dma; }
  IrqLine isa_irq(unsigned n) override { return pc_.isa_irqs.input(n); }
  bool takes_messages() const override { return false; }  // there is no local APIC
  std::vector<IdeBus> ide_buses() override {
    std::vector<IdeBus> all = {{"ide.0", &pc_.ide_primary}, {"ide.1", &pc_.ide_secondary}};
    all.insert(all.end(), ide_buses_.begin(), ide_buses_.end());
    return all;
  }
  void offer_bus(IdeSocket& socket) override { ide_buses_.push_back({"", &socket}); }
  std::vector<NamedScsiBus> scsi_buses() override { return scsi_buses_; }
  void offer_scsi_bus(ScsiBus& bus) override { scsi_buses_.push_back({"", &bus}); }
  Fdc82077& floppy_controller() override { return pc_.fdc; }

  Result<CharChannel*> channel(const std::string& id) override {
    std::vector<std::string_view> ids;
    for (const auto& channel : pc_.channels_) {
      ids.push_back(channel->id());
      if (channel->id() != id) continue;
      if (channel->taken()) return error("chardev={}: another device uses it already", id);
      channel->take();
      return channel.get();
    }
    return ids.empty() ? error("chardev={}: there is no -chardev with this id", id)
                       : error("chardev={}: there is no -chardev with this id; {}", id, choices(id, ids));
  }

  Result<BlockBackend> drive(const std::string& id, const std::string& name, Medium medium) override {
    DriveConfig config;
    if (!id.empty()) {
      const auto& all = pc_.config_.drives;
      const auto found = std::find_if(all.begin(), all.end(), [&id](const DriveConfig& d) { return d.id == id; });
      if (found == all.end()) return error("drive={}: there is no -drive if=none or -blockdev with this id", id);
      for (const PluggedDrive& other : pc_.drives_) {
        if (other.name == id) return error("drive={}: another device has it", id);
      }
      config = *found;
    }
    config.cdrom = medium == Medium::kDisc;
    BlockBackend backend{id.empty() ? name : id, nullptr, config.serial, {}};
    if (config.has_image()) {
      auto opened = pc_.open_image(config);
      if (!opened) return opened.error();
      backend.image = std::move(*opened);
    }
    backend.setup = {.name = backend.name, .host = &pc_.disk_host_, .policy = config.policy};
    backend.setup.on_error = [pc = &pc_, medium, config](bool write, const Error& failed) {
      const IoErrorPolicy policy = write ? config.on_write_error : config.on_read_error;
      // A disc is not read again by itself.
      return pc->judge_io(
          medium != Medium::kHardDisk && policy != IoErrorPolicy::kIgnore ? IoErrorPolicy::kReport : policy, failed);
    };
    if (config.snapshot || pc_.config_.follower) backend.setup.policy.ignore_flush = true;  // it is gone in the end
    pc_.drives_.push_back({backend.name, std::move(config), nullptr});
    return backend;
  }

  Result<AudioMixer*> audio(const std::string& id) override {
    if (!id.empty() && !pc_.audio.has(id)) return error("audiodev={}: there is no -audiodev with this id", id);
    return pc_.audio.find(id.empty() ? pc_.audio.first() : id);
  }

  Result<NetPort*> network(const std::string& id) override {
    if (id.empty()) {
      pc_.networks_.push_back(std::make_unique<NetPort>("", nullptr));
      pc_.networks_.back()->take();
      return port_taken = pc_.networks_.back().get();
    }
    std::vector<std::string_view> ids;
    for (const auto& port : pc_.networks_) {
      if (port->id().empty()) continue;
      ids.push_back(port->id());
      if (port->id() != id) continue;
      if (port->taken()) return error("netdev={}: another card is plugged into it", id);
      port->take();
      return port_taken = port.get();
    }
    return ids.empty() ? error("netdev={}: there is no -netdev with this id", id)
                       : error("netdev={}: there is no -netdev with this id; {}", id, choices(id, ids));
  }

  Result<MacAddress> mac_address(const std::string& text) override {
    if (!text.empty()) {
      const auto mac = parse_mac(text);
      if (!mac) return error("mac={}: write six bytes in hexadecimal, as 52:54:00:12:34:56", text);
      if ((*mac)[0] & 1) return error("mac={}: this is the address of a group, as its first byte is odd", text);
      macs_.push_back(*mac);
      return *mac;
    }
    MacAddress mac = {0x52, 0x54, 0x00, 0x12, 0x34, 0x56};  // QEMU's
    // Its last three bytes count; there are fewer cards than numbers.
    while (std::find(macs_.begin(), macs_.end(), mac) != macs_.end()) {
      if (++mac[5] == 0 && ++mac[4] == 0) ++mac[3];
    }
    macs_.push_back(mac);
    return mac;
  }

  void add_drive(const std::string& name, MediumDrive& drive) override {
    for (PluggedDrive& d : pc_.drives_) {
      if (d.name == name) d.drive = &drive;
    }
  }

  void add_usb_bus(UsbBus& bus) override {
    if (!usb_) usb_ = &bus;
  }
  UsbBus& usb_bus() override { return *usb_; }
  Result<UsbPort*> usb_port(const std::string& path) override {
    if (!usb_) return error("the machine has no USB; add -usb");
    if (UsbPort* port = usb_->free_port(path)) return port;
    return path.empty() ? error("all USB ports are taken; add -device usb-hub before it")
                        : error("port={}: there is no such USB port, or it is taken", path);
  }
  InputHub& input() override { return pc_.input; }

  Result<std::vector<u8>> rom(const std::string& file) override {
    if (file.empty()) return std::vector<u8>();
    std::vector<std::string> folders = pc_.config_.rom_dirs;
    folders.insert(folders.end(), {"/usr/share/seabios", "/usr/lib/ipxe/qemu", "/usr/share/qemu"});
    std::string path = file;
    if (file.find('/') == std::string::npos && access(file.c_str(), F_OK) != 0) {
      for (const std::string& folder : folders) {
        if (access((folder + "/" + file).c_str(), F_OK) != 0) continue;
        path = folder + "/" + file;
        break;
      }
    }
    return read_whole_file(path, "device ROM", 1 << 20);
  }

  void set_vga_window(IoHandler& window) override {
    pc_.vga_window_ = &window;
    pc_.map_vga_window(false);
  }

  void sit_on(const std::string& bus, const std::string& at) override {
    if (!bus.empty()) sits_on = bus;
    place = at;
  }

  void choose(std::string_view property, const std::string& value) override { chosen.emplace_back(property, value); }

  void exit(u32 status) override {
    pc_.requests.exit_status = status;
    pc_.interp.stop();
  }

  // Of the device just made.
  std::string sits_on, place;
  std::vector<std::pair<std::string, std::string>> chosen;
  NetPort* port_taken = nullptr;

  // Puts what the device just made has offered into the tree: "ID.0", or the next free "ide.2".
  void name_buses(Object& object) {
    unsigned own = 0;
    const auto name_all = [&](auto& buses, std::string_view usual, std::string_view type) {
      for (auto& bus : buses) {
        if (!bus.name.empty()) continue;
        unsigned free = 0;
        while (pc_.tree_.find_bus(fmt::format("{}.{}", usual, free))) ++free;
        bus.name = object.id.empty() ? fmt::format("{}.{}", usual, free) : fmt::format("{}.{}", object.id, own++);
        object.add_bus(bus.name, std::string(type));
      }
    };
    name_all(ide_buses_, "ide", "IDE");
    name_all(scsi_buses_, "scsi", "SCSI");
  }

 private:
  std::vector<IdeBus> ide_buses_;
  std::vector<NamedScsiBus> scsi_buses_;
  UsbBus* usb_ = nullptr;
  std::vector<MacAddress> macs_;
  Pc& pc_;
};

Status Pc::plug(const DeviceConfig& config) {
  if (!plugs_) plugs_ = std::make_shared<Plugs>(*this);
  const std::string where = config.named ? "-device " + config.type : "";
  const auto failed = [&where](const Error& e) -> Status {
    return where.empty() ? Status(e) : error("{}: {}", where, e.message);
  };
  const DeviceType* type = find_device_type(config.type);
  if (!type) return error("-device: no device '{}'", config.type);

  Properties values = properties_of(*type);
  for (const GlobalConfig& global : config_.globals) {
    if (find_device_type(global.type) != type) continue;
    if (Status s = values.set("-global " + global.type, global.property, global.value); !s) return s;
  }
  std::string bus_name;
  for (const auto& [name, value] : config.properties) {
    if (name == "bus" && !values.has(name)) {
      bus_name = value;
    } else if (Status s = values.set("-device " + config.type, name, value); !s) {
      return s;
    }
  }
  if (!config.id.empty() && tree_.find(config.id)) return failed(error("id={} is there already", config.id));
  if (!bus_name.empty()) {
    const Bus* named = tree_.find_bus(bus_name);
    if (!named) return failed(error("bus={}: there is no such bus; info qtree lists them", bus_name));
    if (named->type != type->bus) {
      return failed(error("bus={}: the device goes on a bus of type {}, and this is one of {}", bus_name, type->bus,
                          named->type));
    }
  }
  if (Status s = take_boot_index(values.has("bootindex") ? values.text("bootindex") : ""); !s) return failed(s.error());
  plugs_->sits_on = bus_name;
  plugs_->place.clear();
  plugs_->chosen.clear();
  plugs_->port_taken = nullptr;
  auto device = type->make(*plugs_, values);
  if (!device) return failed(device.error());
  if (!vga_) vga_ = dynamic_cast<VgaCore*>(device->get());
  if (auto* function = dynamic_cast<PciFunction*>(device->get())) {
    if (Status s = give_slot(*function, values.text("addr")); !s) return failed(s.error());
  }
  Bus* bus = plugs_->sits_on.empty() ? tree_.find_bus_of(type->bus) : tree_.find_bus(plugs_->sits_on);
  if (!bus) return failed(error("there is no bus of type {}", type->bus));
  Object& object = ObjectTree::add(*bus, std::string(type->name), std::move(*device));
  object.id = config.id;
  object.place = plugs_->place;
  for (const auto& [name, value] : plugs_->chosen) {
    if (Status s = values.set("", name, value); !s) return s;
  }
  if (plugs_->port_taken) {
    if (Status s = values.set("", "mac", mac_text(plugs_->port_taken->mac())); !s) return s;
    plugs_->port_taken->set_name(config.id.empty() ? card_name(type->name) : config.id);
  }
  object.properties = std::move(values);
  plugs_->name_buses(object);
  if (!type->provides.empty()) {
    unsigned n = 0;
    const auto name = [&] { return fmt::format("{}.{}", type->provides, n); };
    while (tree_.find_bus(name())) ++n;
    object.add_bus(name(), std::string(type->provides));
  }
  return {};
}

// As QEMU calls cards without an id: "e1000.0".
std::string Pc::card_name(std::string_view type) const {
  for (unsigned n = 0;; ++n) {
    std::string name = fmt::format("{}.{}", type, n);
    const auto has_it = [&name](const auto& port) { return port->name() == name; };
    if (std::none_of(networks_.begin(), networks_.end(), has_it)) return name;
  }
}

// "05.0", "5" or 0x05.0, in hexadecimal as QEMU takes it.
Status Pc::give_slot(PciFunction& function, const std::string& address) {
  unsigned slot = 0, number = 0;
  if (address.empty()) {
    for (slot = 2; slot < 32 && pci.at(slot, 0); ++slot) {}
    if (slot == 32) return error("all slots of the PCI bus are taken");
  } else {
    const std::string digits = address.starts_with("0x") ? address.substr(2) : address;
    const auto dot = digits.find('.');
    const auto s = parse_number("0x" + digits.substr(0, dot));
    const auto f = dot == std::string::npos ? std::optional<u64>(0) : parse_number("0x" + digits.substr(dot + 1));
    if (!s || *s > 31 || !f || *f > 7)
      return error("addr={}: write SLOT[.FUNCTION] in hexadecimal, 0 to 1f.7", address);
    slot = static_cast<unsigned>(*s);
    number = static_cast<unsigned>(*f);
    if (pci.at(slot, number)) return error("addr={}: there is another device in this slot", address);
  }
  pci.add(slot, number, function);
  return {};
}

}  // namespace xlat
