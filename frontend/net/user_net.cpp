// -netdev user: a TCP/IP stack of libslirp's between the guest and the host's sockets, in a thread of its own.
#include <arpa/inet.h>
#include <poll.h>
#include <slirp/libslirp.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include <atomic>
#include <chrono>
#include <condition_variable>
#include <cstring>
#include <thread>

#include "frontend/channels/char_backend.h"
#include "frontend/host/terminal.h"
#include "frontend/net/frame_queue.h"
#include "frontend/net/net_backend.h"
#include "frontend/net/smb_server.h"

namespace xlat {

namespace {

class UserNetwork;

// A channel behind an address of the guest's network. What it says waits here until the guest has room.
struct ForwardedChannel {
  static constexpr std::size_t kMostWaiting = 65536;
  UserNetwork* owner;
  GuestForward spec;
  std::unique_ptr<CharBackend> channel;
  std::mutex mutex;
  std::vector<u8> waiting;
};

class UserNetwork final : public NetBackend, public UserNetControl {
 public:
  explicit UserNetwork(const NetSpec& spec)
      : id_(spec.id),
        by_(spec.by),
        spec_(std::get<UserNet>(spec.what)),
        wake_fd_(eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK)) {}
  ~UserNetwork() override {
    stop();
    if (slirp_) slirp_cleanup(slirp_);
    if (wake_fd_ >= 0) close(wake_fd_);
  }

  Status open() override;
  Status start(NetHandlers handlers) override;
  void stop() override;
  void send(std::span<const u8> frame) override {
    if (outgoing_.push(frame)) wake();
  }
  std::string info() const override;

  bool add_forward(const HostForward& forward) override;
  bool remove_forward(const HostForward& forward) override;
  std::string connections() override;

 private:
  struct Timer {
    SlirpTimerId id;
    void* cb_opaque;
    i64 at_ms = -1;
  };

  void wake() {
    const u64 one = 1;
    if (write(wake_fd_, &one, sizeof one) < 0) return;  // full: it is about to wake anyway
  }
  static i64 now_ns() {
    return std::chrono::duration_cast<std::chrono::nanoseconds>(std::chrono::steady_clock::now().time_since_epoch())
        .count();
  }
  Status forward(const HostForward& rule);
  Status forward(const GuestForward& rule);
  // Runs `work` in the network's thread, or here when there is none, and waits for it.
  void in_thread(std::function<void()> work);
  void run();
  void run_jobs();
  void run_timers();
  void feed_channels();
  i64 next_timer_ms(i64 timeout) const;

  // libslirp's callbacks; `opaque` is the network.
  static UserNetwork& self(void* opaque) { return *static_cast<UserNetwork*>(opaque); }
  static ssize_t on_packet(const void* bytes, size_t size, void* opaque) {
    self(opaque).handlers_.frame({static_cast<const u8*>(bytes), size});
    return static_cast<ssize_t>(size);
  }
  static ssize_t on_forwarded(const void* bytes, size_t size, void* opaque) {
    static_cast<ForwardedChannel*>(opaque)->channel->write({static_cast<const u8*>(bytes), size});
    return static_cast<ssize_t>(size);
  }
  static void* new_timer(SlirpTimerId id, void* cb_opaque, void* opaque) {
    return self(opaque).timers_.emplace_back(std::make_unique<Timer>(Timer{id, cb_opaque})).get();
  }
  static void free_timer(void* timer, void* opaque) {
    std::erase_if(self(opaque).timers_, [timer](const auto& each) { return each.get() == timer; });
  }

  std::string id_, by_;
  UserNet spec_;
  Slirp* slirp_ = nullptr;
  NetHandlers handlers_;
  FrameQueue outgoing_;
  std::vector<std::unique_ptr<Timer>> timers_;
  std::vector<pollfd> polled_;
  std::vector<std::unique_ptr<ForwardedChannel>> channels_;
  std::unique_ptr<SmbServer> smb_;
  Terminal terminal_;

  int wake_fd_;
  std::atomic<bool> stopping_ = false;
  std::thread thread_;
  std::mutex jobs_mutex_;
  std::condition_variable job_done_;
  std::vector<std::function<void()>> jobs_;
};

Status UserNetwork::open() {
  if (wake_fd_ < 0) return error("{}: the host gives no more descriptors", by_);
  static SlirpCb calls = [] {
    SlirpCb to{};
    to.send_packet = on_packet;
    to.guest_error = [](const char*, void*) {};
    to.clock_get_ns = [](void*) { return int64_t{now_ns()}; };
    to.timer_new_opaque = new_timer;
    to.timer_free = free_timer;
    to.timer_mod = [](void* timer, int64_t at_ms, void*) { static_cast<Timer*>(timer)->at_ms = at_ms; };
    to.register_poll_fd = [](int, void*) {};
    to.unregister_poll_fd = [](int, void*) {};
    to.notify = [](void* opaque) { self(opaque).wake(); };
    return to;
  }();
  std::vector<const char*> search;
  for (const std::string& domain : spec_.dns_search) search.push_back(domain.c_str());
  search.push_back(nullptr);
  const auto given = [](const std::string& text) { return text.empty() ? nullptr : text.c_str(); };
  SlirpConfig config{};
  config.version = 4;
  config.restricted = spec_.restricted;
  config.in_enabled = spec_.v4;
  config.vnetwork = spec_.net;
  config.vnetmask = spec_.mask;
  config.vhost = spec_.host;
  config.in6_enabled = spec_.v6;
  config.vprefix_addr6 = spec_.net6;
  config.vprefix_len = spec_.prefix6;
  config.vhost6 = spec_.host6;
  config.vhostname = given(spec_.hostname);
  config.tftp_server_name = given(spec_.tftp_server);
  config.tftp_path = given(spec_.tftp);
  config.bootfile = given(spec_.bootfile);
  config.vdhcp_start = spec_.dhcp_start;
  config.vnameserver = spec_.dns;
  config.vnameserver6 = spec_.dns6;
  config.vdnssearch = search.size() > 1 ? search.data() : nullptr;
  config.vdomainname = given(spec_.domain);
  slirp_ = slirp_new(&config, &calls, this);
  if (!slirp_) return error("{}: libslirp refuses these addresses", by_);
  for (const HostForward& rule : spec_.forwards) {
    if (Status s = forward(rule); !s) return s;
  }
  for (const GuestForward& rule : spec_.guest_forwards) {
    if (Status s = forward(rule); !s) return s;
  }
  if (spec_.smb.empty()) return {};
  auto smb = SmbServer::make(spec_.smb, by_);
  if (!smb) return smb.error();
  smb_ = std::move(*smb);
  in_addr address = spec_.smb_server.value_or(in_addr{spec_.net.s_addr | htonl(4)});
  for (const int port : {139, 445}) {
    if (slirp_add_exec(slirp_, smb_->command().c_str(), &address, port) < 0) {
      return error("{}: smbserver={}: the address is taken or outside the network", by_, inet_ntoa(address));
    }
  }
  return {};
}

Status UserNetwork::forward(const HostForward& rule) {
  if (add_forward(rule)) return {};
  return error("{}: could not set up host forwarding rule '{}': {}", by_, rule.text,
               errno == EADDRINUSE ? "another program has that port" : std::strerror(errno));
}

Status UserNetwork::forward(const GuestForward& rule) {
  in_addr server = rule.server;
  const auto refused = [&] { return error("{}: conflicting or invalid address in guestfwd={}", by_, rule.text); };
  if (!rule.command.empty()) {
    if (slirp_add_exec(slirp_, rule.command.c_str(), &server, rule.port) < 0) return refused();
    return {};
  }
  auto& made = channels_.emplace_back(std::make_unique<ForwardedChannel>());
  made->owner = this;
  made->spec = rule;
  made->channel = make_char_backend(rule.channel, fmt::format("{}: guestfwd={}", by_, rule.text), terminal_);
  if (Status s = made->channel->open(); !s) return s;
  if (slirp_add_guestfwd(slirp_, on_forwarded, made.get(), &server, rule.port) < 0) return refused();
  return {};
}

Status UserNetwork::start(NetHandlers handlers) {
  handlers_ = std::move(handlers);
  for (auto& channel : channels_) {
    CharHandlers to;
    ForwardedChannel* const c = channel.get();
    to.input = [this, c](std::span<const u8> bytes) {
      {
        const std::lock_guard lock(c->mutex);
        c->waiting.insert(c->waiting.end(), bytes.begin(), bytes.end());
      }
      wake();
    };
    to.ready = [c] {
      const std::lock_guard lock(c->mutex);
      return c->waiting.size() < ForwardedChannel::kMostWaiting;
    };
    if (Status s = c->channel->start(std::move(to), wake_fd_); !s) return s;
  }
  thread_ = std::thread([this] { run(); });
  return {};
}

void UserNetwork::stop() {
  for (auto& channel : channels_) channel->channel->stop();
  stopping_ = true;
  wake();
  if (thread_.joinable()) thread_.join();
}

std::string UserNetwork::info() const {
  return fmt::format("net={},restrict={}", inet_ntoa(spec_.net), spec_.restricted ? "on" : "off");
}

void UserNetwork::in_thread(std::function<void()> work) {
  if (!thread_.joinable()) return work();
  bool done = false;
  std::unique_lock lock(jobs_mutex_);
  jobs_.push_back([&] {
    work();
    const std::lock_guard finished(jobs_mutex_);
    done = true;
    job_done_.notify_all();
  });
  wake();
  job_done_.wait(lock, [&] { return done; });
}

bool UserNetwork::add_forward(const HostForward& f) {
  bool good = false;
  int why = 0;
  in_thread([&] {
    good = slirp_add_hostfwd(slirp_, f.udp, f.host, f.host_port, f.guest, f.guest_port) >= 0;
    why = errno;
  });
  errno = why;
  return good;
}

bool UserNetwork::remove_forward(const HostForward& f) {
  bool good = false;
  in_thread([&] { good = slirp_remove_hostfwd(slirp_, f.udp, f.host, f.host_port) >= 0; });
  return good;
}

std::string UserNetwork::connections() {
  std::string text;
  in_thread([&] {
    char* const said = slirp_connection_info(slirp_);
    text = said;
    free(said);
  });
  return text;
}

void UserNetwork::run_jobs() {
  std::vector<std::function<void()>> jobs;
  {
    const std::lock_guard lock(jobs_mutex_);
    jobs.swap(jobs_);
  }
  for (const auto& job : jobs) job();
}

void UserNetwork::run_timers() {
  const i64 now = now_ns() / 1'000'000;
  for (std::size_t n = 0; n < timers_.size(); ++n) {
    Timer& timer = *timers_[n];
    if (timer.at_ms < 0 || timer.at_ms > now) continue;
    timer.at_ms = -1;
    slirp_handle_timer(slirp_, timer.id, timer.cb_opaque);
  }
}

i64 UserNetwork::next_timer_ms(i64 timeout) const {
  const i64 now = now_ns() / 1'000'000;
  for (const auto& timer : timers_) {
    if (timer->at_ms >= 0) timeout = std::min(timeout, std::max<i64>(timer->at_ms - now, 0));
  }
  return timeout;
}

void UserNetwork::feed_channels() {
  for (auto& channel : channels_) {
    std::vector<u8> bytes;
    {
      const std::lock_guard lock(channel->mutex);
      const std::size_t room = slirp_socket_can_recv(slirp_, channel->spec.server, channel->spec.port);
      const auto taken = static_cast<std::ptrdiff_t>(std::min(room, channel->waiting.size()));
      bytes.assign(channel->waiting.begin(), channel->waiting.begin() + taken);
      channel->waiting.erase(channel->waiting.begin(), channel->waiting.begin() + taken);
    }
    if (!bytes.empty()) {
      slirp_socket_recv(slirp_, channel->spec.server, channel->spec.port, bytes.data(), static_cast<int>(bytes.size()));
    }
  }
}

void UserNetwork::run() {
  constexpr unsigned kAtOnce = 64;  // frames of the guest's between two looks at the sockets
  constexpr u32 kLongest = 1000, kFull = 2;
  while (!stopping_) {
    run_jobs();
    run_timers();
    feed_channels();
    bool more = false;
    for (unsigned n = 0; n < kAtOnce; ++n) {
      const auto frame = outgoing_.pop();
      more = frame.has_value();
      if (!frame) break;
      slirp_input(slirp_, frame->data(), static_cast<int>(frame->size()));
    }
    u32 timeout = kLongest;
    polled_.assign(1, {wake_fd_, POLLIN, 0});
    // While the guest is behind, the sockets wait, and with them who sends there.
    const bool ready = handlers_.ready();
    if (ready) {
      slirp_pollfds_fill(
          slirp_, &timeout,
          [](int fd, int events, void* opaque) {
            short wanted = 0;
            if (events & SLIRP_POLL_IN) wanted |= POLLIN;
            if (events & SLIRP_POLL_OUT) wanted |= POLLOUT;
            if (events & SLIRP_POLL_PRI) wanted |= POLLPRI;
            auto& polled = self(opaque).polled_;
            polled.push_back({fd, wanted, 0});
            return static_cast<int>(polled.size() - 1);
          },
          this);
    } else {
      timeout = kFull;
    }
    const i64 wait = more ? 0 : next_timer_ms(timeout);
    const bool failed = poll(polled_.data(), polled_.size(), static_cast<int>(wait)) < 0;
    if (polled_[0].revents) {
      u64 count;
      if (read(wake_fd_, &count, sizeof count) < 0) count = 0;
    }
    if (!ready) continue;
    slirp_pollfds_poll(
        slirp_, failed,
        [](int index, void* opaque) {
          const short got = self(opaque).polled_[static_cast<std::size_t>(index)].revents;
          int events = 0;
          if (got & POLLIN) events |= SLIRP_POLL_IN;
          if (got & POLLOUT) events |= SLIRP_POLL_OUT;
          if (got & POLLPRI) events |= SLIRP_POLL_PRI;
          if (got & POLLERR) events |= SLIRP_POLL_ERR;
          if (got & POLLHUP) events |= SLIRP_POLL_HUP;
          return events;
        },
        this);
  }
  run_jobs();  // nobody shall wait for an answer for ever
}

}  // namespace

std::string_view user_net_missing() { return {}; }

std::unique_ptr<NetBackend> make_user_net(const NetSpec& spec) { return std::make_unique<UserNetwork>(spec); }

}  // namespace xlat
