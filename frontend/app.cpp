// Building and running what the command line describes.
#include "frontend/app.h"

#include <fcntl.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <new>
#include <system_error>

#include "firmware/rom.h"
#include "frontend/channels/char_backend.h"
#include "frontend/channels/char_mux.h"
#include "frontend/display/curses_display.h"
#include "frontend/display/vnc_server.h"
#include "frontend/display/web_server.h"
#include "frontend/display/window.h"
#include "frontend/gdb/server.h"
#include "frontend/host/sandbox.h"
#include "frontend/host/signals.h"
#include "frontend/host/terminal.h"
#include "frontend/monitor/monitor.h"
#include "frontend/net/networks.h"
#include "frontend/options/command_line.h"
#include "frontend/sound/host_sink.h"
#include "frontend/states/incoming.h"

namespace xlat {

namespace {

class App {
 public:
  explicit App(Settings settings) : settings_(std::move(settings)) {}
  ~App();

  Status build();
  Status start();
  Status confine();
  int run();

 private:
  static constexpr i64 kMostBacklog = 65536;
  // A key typed on the terminal is held so long, as a terminal does not say when it is released.
  static constexpr u64 kKeyHold = 10'000'000;
  static constexpr i64 kMostMonitorInput = 16384;

  CharBackend* add_channel(const CharSpec& spec, std::string label);
  void quit();
  int run_to_end();
  std::string gdbserver(std::string_view device);
  void press(std::vector<KeyCode> keys);
  void type(const std::u32string& text);
  Status build_displays();
  Status write_pidfile();
  Status load_state();
  Status receive(const std::string& uri);
  CharHandlers device_handlers(unsigned channel);
  CharHandlers monitor_handlers();
  CharHandlers shared_handlers(unsigned channel);
  void feed_monitor(std::span<const u8> bytes);

  Settings settings_;
  Terminal terminal_;
  Signals signals_{terminal_};
  int ended_fd_ = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
  std::atomic<bool> quit_asked_ = false;
  std::atomic<i64> monitor_backlog_ = 0;  // bytes for the monitor that have not reached it

  std::vector<std::unique_ptr<CharBackend>> channels_;
  std::vector<std::string> channel_lines_;     // for info chardev
  std::vector<CharBackend*> device_channels_;  // in the machine's order
  CharBackend* monitor_channel_ = nullptr;
  std::unique_ptr<Machine> machine_;
  std::unique_ptr<Monitor> monitor_;
  std::unique_ptr<GdbServer> gdb_;
  std::unique_ptr<CharMux> mux_;
  std::vector<VirtualConsole*> consoles_;
  std::unique_ptr<KeyQueue> typed_;
  std::unique_ptr<ScreenFeed> feed_;
  std::unique_ptr<VncServer> vnc_;
  std::vector<std::unique_ptr<Display>> displays_;
  std::vector<std::shared_ptr<HostSink>> sinks_;
  std::unique_ptr<Networks> networks_;
  std::unique_ptr<Incoming> incoming_;
  bool failed_ = false;
  bool pidfile_written_ = false;
};

App::~App() {
  displays_.clear();
  vnc_.reset();
  for (auto& channel : channels_) channel->stop();
  if (networks_) networks_->stop();
  signals_.stop();
  if (pidfile_written_) unlink(settings_.pidfile.c_str());
  gdb_.reset();
  monitor_.reset();
  feed_.reset();
  typed_.reset();
  incoming_.reset();
  machine_.reset();
  channels_.clear();
  close(ended_fd_);
}

CharBackend* App::add_channel(const CharSpec& spec, std::string label) {
  channel_lines_.push_back(fmt::format("{}: filename={}", label, describe(spec)));
  channels_.push_back(make_char_backend(spec, std::move(label), terminal_));
  if (auto* console = dynamic_cast<VirtualConsole*>(channels_.back().get())) {
    // The monitor comes first.
    consoles_.insert(console->label() == "monitor" ? consoles_.begin() : consoles_.end(), console);
  }
  return channels_.back().get();
}

// From any thread.
void App::quit() {
  quit_asked_ = true;
  const std::uint64_t one = 1;
  if (write(ended_fd_, &one, sizeof one) < 0) errno = 0;
  machine_->quit();
}

// From any thread. What is typed faster than the guest could take it for long is lost.
void App::press(std::vector<KeyCode> keys) {
  machine_->post([this, keys = std::move(keys)] {
    if (typed_->waiting() < KeyQueue::kMostSteps) typed_->press(keys, kKeyHold);
  });
}

// From any thread: text as a person with the guest's keyboard would type it. What that keyboard does not have is left
// out.
void App::type(const std::u32string& text) {
  machine_->post([this, text] {
    for (const char32_t character : text) {
      if (typed_->waiting() >= KeyQueue::kMostSteps) return;
      for (const KeyStroke& stroke : settings_.keymap->type(character)) typed_->press(stroke.keys(), kKeyHold);
    }
  });
}

Status App::build_displays() {
  typed_ = std::make_unique<KeyQueue>(*machine_);
  feed_ = std::make_unique<ScreenFeed>(*machine_);
  const auto typing = [this](const std::u32string& text) { type(text); };
  if (settings_.display == DisplayKind::kCurses) {
    auto display = make_curses_display({.machine = *machine_,
                                        .terminal = terminal_,
                                        .consoles = consoles_,
                                        .press = [this](std::vector<KeyCode> keys) { press(std::move(keys)); },
                                        .gone = [this] { quit(); }});
    if (!display) return display.error();
    displays_.push_back(std::move(*display));
    if (!settings_.log_items.empty() && settings_.log_file.empty() && isatty(STDERR_FILENO)) {
      return error("-d {}: the text display has this terminal; send the log to a file with -D", settings_.log_items);
    }
  }
  if (settings_.display == DisplayKind::kWindow) {
    auto window = make_window({.machine = *machine_,
                               .feed = *feed_,
                               .consoles = consoles_,
                               .name = settings_.name,
                               .vga_bios = kDefaultVgaBios,
                               .options = settings_.window,
                               .type = typing,
                               .closed = [this] { quit(); }});
    if (!window) return window.error();
    displays_.push_back(std::move(*window));
  }
  if (settings_.vnc || settings_.web) {
    auto vnc = make_vnc_server(
        {.machine = *machine_, .feed = *feed_, .keymap = *settings_.keymap, .name = settings_.name, .type = typing},
        settings_.vnc);
    if (!vnc) return vnc.error();
    vnc_ = std::move(*vnc);
  }
  if (settings_.web) {
    auto web = make_web_server(*settings_.web, *vnc_);
    if (!web) return web.error();
    displays_.push_back(std::move(*web));
  }
  return {};
}

// Everything that can fail does so before anything is changed: first what is only read, then what is opened.
Status App::build() {
  MachineConfig config = settings_.machine;
  config.warn = [](const std::string& warning) { fmt::print(stderr, "xlat: warning: {}\n", warning); };
  const auto output_to = [](CharBackend* channel) { return [channel](u8 value) { channel->write({&value, 1}); }; };
  for (const ChannelSettings& c : settings_.channels) {
    device_channels_.push_back(add_channel(c.spec, c.id));
    config.channels.push_back({c.id, output_to(device_channels_.back()), c.spec.kind == CharSpec::Kind::kMsmouse});
    if (c.spec.with_monitor) monitor_channel_ = device_channels_.back();
  }
  if (settings_.monitor.kind != CharSpec::Kind::kNone) monitor_channel_ = add_channel(settings_.monitor, "monitor");

  for (const AudioSettings& audio : settings_.audio) {
    auto sink = make_host_sink(audio);
    config.audio.push_back({audio.id, sink});
    if (sink) sinks_.push_back(std::move(sink));
  }
  config.speaker_audio = settings_.speaker_audio;
  networks_ = std::make_unique<Networks>(settings_.networks, settings_.net_dumps);
  if (Status s = networks_->open(config); !s) return s;

  auto machine = Machine::create(config);
  if (!machine) return machine.error();
  machine_ = std::move(*machine);
  for (auto& sink : sinks_) {
    if (Status s = sink->open(); !s) return s;
  }
  if (Status s = build_displays(); !s) return s;
  for (auto& channel : channels_) {
    if (Status s = channel->open(); !s) return s;
  }
  if (Status s = machine_->log().enable(settings_.log_items); !s) return s;
  if (!settings_.log_file.empty()) {
    if (Status s = machine_->log().open(settings_.log_file); !s) return s;
  }
  if (monitor_channel_) {
    monitor_ = std::make_unique<Monitor>(
        *machine_, settings_.name, [channel = monitor_channel_](std::string_view text) { channel->write_text(text); },
        [this] { quit(); });
    monitor_->set_channels(channel_lines_);
  }
  gdb_ = std::make_unique<GdbServer>(*machine_, terminal_, settings_.name, [this] { quit(); });
  for (Monitor* monitor : {monitor_.get(), &gdb_->monitor()}) {
    if (!monitor) continue;
    monitor->on_gdbserver([this](std::string_view device) { return gdbserver(device); });
    monitor->set_vnc(vnc_.get());
    monitor->set_networks(*networks_);
    monitor->on_receive([this](const std::string& uri) { return receive(uri); });
  }
  if (Status s = load_state(); !s) return s;
  return gdb_->open(settings_.gdb);
}

// -loadvm and -incoming.
Status App::load_state() {
  if (!settings_.loadvm.empty()) {
    auto store = StateStore::of(*machine_);
    if (!store) return store.error();
    return store->load(settings_.loadvm);
  }
  if (settings_.incoming.empty()) return {};
  machine_->stop(Machine::RunState::kInMigrate);
  return settings_.incoming == "defer" ? Status{} : receive(settings_.incoming);
}

// Once a state comes from there the machine goes on with it; if it is of no use, the program ends.
Status App::receive(const std::string& uri) {
  if (incoming_) return error("'migrate_incoming' needs -incoming defer, once");
  auto source = StateSource::open(uri);
  if (!source) return source.error();
  incoming_ = std::make_unique<Incoming>(*machine_, std::move(*source), [this](const Status& done) {
    if (!done) {
      fmt::print(stderr, "xlat: load of migration failed: {}\n", done.error().message);
      failed_ = true;
      return quit();
    }
    machine_->stop(settings_.machine.paused ? Machine::RunState::kPrelaunch : Machine::RunState::kPaused);
    if (!settings_.machine.paused) machine_->cont();
  });
  return {};
}

CharHandlers App::device_handlers(unsigned channel) {
  CharHandlers handlers;
  handlers.input = [this, channel](std::span<const u8> bytes) {
    // Beyond this a person types to a guest that does not listen.
    if (machine_->backlog(channel) < 2 * kMostBacklog) machine_->enter_bytes(channel, bytes);
  };
  handlers.ready = [this, channel] { return machine_->backlog(channel) < kMostBacklog; };
  return handlers;
}

// From any thread. A client that sends faster than its commands are done waits; what somebody types meanwhile is lost.
void App::feed_monitor(std::span<const u8> bytes) {
  const i64 count = static_cast<i64>(bytes.size());
  if (monitor_backlog_ >= 2 * kMostMonitorInput) return;
  monitor_backlog_ += count;
  machine_->post([this, count, copy = std::vector<u8>(bytes.begin(), bytes.end())] {
    monitor_backlog_ -= count;
    monitor_->feed(copy);
  });
}

CharHandlers App::monitor_handlers() {
  CharHandlers handlers;
  handlers.input = [this](std::span<const u8> bytes) { feed_monitor(bytes); };
  handlers.ready = [this] { return monitor_backlog_ < kMostMonitorInput; };
  handlers.connected = [this] { machine_->post([this] { monitor_->greet(); }); };
  return handlers;
}

CharHandlers App::shared_handlers(unsigned channel) {
  CharHandlers handlers = device_handlers(channel);
  mux_ = std::make_unique<CharMux>(CharMux::Sinks{
      .serial = handlers.input,
      .monitor = [this](std::span<const u8> bytes) { feed_monitor(bytes); },
      .monitor_shown = [this] { machine_->post([this] { monitor_->greet(); }); },
      .print = [to = device_channels_[channel]](std::string_view text) { to->write_text(text); },
      .quit = [this] { quit(); },
  });
  handlers.input = [this](std::span<const u8> bytes) { mux_->feed(bytes); };
  handlers.ready = [this, serial_ready = handlers.ready] {
    return serial_ready() && monitor_backlog_ < kMostMonitorInput;
  };
  return handlers;
}

Status App::write_pidfile() {
  const std::string& path = settings_.pidfile;
  if (path.empty()) return {};
  const int fd = open(path.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0644);
  if (fd < 0) return error("-pidfile: cannot write '{}': {}", path, std::strerror(errno));
  const std::string text = fmt::format("{}\n", getpid());
  const bool written = write(fd, text.data(), text.size()) == static_cast<ssize_t>(text.size());
  const int e = errno;
  close(fd);
  if (!written) return error("-pidfile: cannot write '{}': {}", path, std::strerror(e));
  pidfile_written_ = true;
  return {};
}

Status App::start() {
  for (const std::string& warning : settings_.warnings) fmt::print(stderr, "xlat: warning: {}\n", warning);
  signals_.start([this] { quit(); });
  for (auto& channel : channels_) {
    CharHandlers handlers;
    for (unsigned n = 0; n < device_channels_.size(); ++n) {
      if (channel.get() == device_channels_[n]) {
        handlers = channel.get() == monitor_channel_ ? shared_handlers(n) : device_handlers(n);
      }
    }
    if (channel.get() == monitor_channel_ && !mux_) handlers = monitor_handlers();
    if (Status s = channel->start(std::move(handlers), ended_fd_); !s) return s;
  }
  if (Status s = gdb_->start(ended_fd_); !s) return s;
  if (Status s = networks_->start(*machine_); !s) return s;
  if (Status s = write_pidfile(); !s) return s;
  for (auto& sink : sinks_) {
    if (Status s = sink->start(); !s) return s;
  }
  if (vnc_) {
    if (Status s = vnc_->start(); !s) return s;
  }
  for (auto& display : displays_) {
    if (Status s = display->start(); !s) return s;
  }
  return {};
}

// Everything is open and every thread runs: from here on guests, images and whoever is at the other end of a channel
// have their say.
Status App::confine() {
  if (!settings_.machine.dump_guest_memory) forbid_core_files();
  using Mode = SandboxSettings::Mode;
  if (settings_.sandbox.mode == Mode::kOff || !sandbox_missing().empty()) return {};
  SandboxSettings sandbox = settings_.sandbox;
  sandbox.sound = std::any_of(settings_.audio.begin(), settings_.audio.end(),
                              [](const AudioSettings& audio) { return audio.driver == AudioDriver::kSdl; });
  const Status confined = enter_sandbox(sandbox);
  if (confined || settings_.sandbox.mode == Mode::kOn) return confined;
  fmt::print(stderr, "xlat: warning: {}\n", confined.error().message);
  return {};
}

// HMP's gdbserver.
std::string App::gdbserver(std::string_view device) {
  auto spec = parse_gdb_device(device, "gdbserver");
  if (!spec) return spec.error().message + "\n";
  Status done = gdb_->open(*spec);
  if (done) done = gdb_->start(ended_fd_);
  if (!done) return fmt::format("Could not open gdbserver on device '{}': {}\n", device, done.error().message);
  if (spec->kind == CharSpec::Kind::kNone) return "Disabled gdbserver\n";
  return fmt::format("Waiting for gdb connection on device '{}'\n", device);
}

int App::run() {
  const int status = run_to_end();
  gdb_->exited(status);
  return status;
}

int App::run_to_end() {
  for (;;) {
    const Machine::Exit why = machine_->run();
    switch (why) {
      case Machine::Exit::kDebugExit: return static_cast<int>(machine_->exit_status() & 0xff);
      case Machine::Exit::kPowerOff:
        if (settings_.no_shutdown && !quit_asked_) {
          machine_->stop(Machine::RunState::kShutdown);
          continue;
        }
        return failed_ ? 1 : 0;
      case Machine::Exit::kReset:
      case Machine::Exit::kCount: return 0;
      case Machine::Exit::kDifference:
        displays_.clear();  // the terminal is needed
        fmt::print(stderr, "{}", machine_->difference());
        return 1;
    }
  }
}

}  // namespace

int run_app(std::span<const std::string> args) {
  const auto fail = [](const Error& e) {
    fmt::print(stderr, "xlat: {}\n", e.message);
    return 1;
  };
  try {
    auto settings = parse_command_line(args);
    if (!settings) return fail(settings.error());
    if (settings->print) {
      fmt::print("{}", *settings->print);
      return 0;
    }
    App app(std::move(*settings));
    if (Status s = app.build(); !s) return fail(s.error());
    if (Status s = app.start(); !s) return fail(s.error());
    if (Status s = app.confine(); !s) return fail(s.error());
    return app.run();
  } catch (const std::bad_alloc&) {
    return fail({"the host has no memory left; give the guest less with -m, or lift the limit (ulimit -v)"});
  } catch (const std::system_error& e) {  // no more threads
    return fail(error("the host refuses a thread or a lock: {}", e.what()));
  }
}

}  // namespace xlat
