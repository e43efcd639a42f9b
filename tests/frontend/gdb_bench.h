// A machine that runs in a thread of its own, and a stub to be fed with packets.
#pragma once

#include <catch2/catch.hpp>
#include <condition_variable>
#include <thread>

#include "frontend/gdb/stub.h"
#include "frontend/monitor/monitor.h"
#include "tests/frontend/temp_dir.h"
#include "tests/support/reach_kernel.h"

namespace xlat {

// 100020: mov eax, 1; mov ecx, 5; 10002a: inc eax; mov [200000h], eax; dec ecx; jnz 10002ah; 100033: mov eax,
// [200004h]; 100038: jmp $
inline const std::vector<u8> kLoopCode = {0xb8, 1,    0, 0,    0,    0xb9, 5,    0, 0, 0,    0x40, 0xa3, 0,
                                          0,    0x20, 0, 0x49, 0x75, 0xf7, 0xa1, 4, 0, 0x20, 0,    0xeb, 0xfe};

class GdbBench {
 public:
  explicit GdbBench(const std::vector<u8>& code = kLoopCode, EngineKind engine = EngineKind::kDefault) {
    MachineConfig config;
    config.ram_bytes = u64{4} << 20;
    config.remove("VGA");
    config.kernel = dir_.write("kernel", multiboot_kernel(code));
    config.time.deterministic = true;
    config.engine = engine;
    config.lockstep.window = 0;
    auto made = Machine::create(config);
    if (!made) FAIL(made.error().message);
    machine_ = std::move(*made);
    if (!test::reach_kernel(*machine_, 0x100020)) FAIL("the kernel was not started");
    monitor_ = std::make_unique<Monitor>(
        *machine_, "bench", [](std::string_view) {}, [this] { machine_->quit(); });
    stub_.emplace(GdbStub::Wiring{.machine = *machine_,
                                  .monitor = [this](std::string_view line) { return monitor_->execute(line); },
                                  .send = [this](std::string_view text) { take(text); },
                                  .quit = [this] { quit_ = true; }});
    stub_->connected();
    thread_ = std::thread([this] { exit_ = machine_->run(); });
  }
  ~GdbBench() { end(); }

  // Ends the machine; what it ended by.
  Machine::Exit end() {
    if (thread_.joinable()) {
      machine_->quit();
      thread_.join();
      stub_.reset();
    }
    return exit_;
  }

  static std::string frame(std::string_view payload) {
    u8 sum = 0;
    for (const char c : payload) sum = static_cast<u8>(sum + static_cast<u8>(c));
    return fmt::format("${}#{:02x}", payload, sum);
  }
  void feed(std::string text) {
    machine_->post([this, text = std::move(text)] {
      stub_->feed(std::span(reinterpret_cast<const u8*>(text.data()), text.size()));
    });
  }
  // Does something on the machine's thread and waits for it.
  void on_machine(const std::function<void()>& work) {
    bool done = false;
    machine_->post([&] {
      work();
      const std::lock_guard lock(mutex_);
      done = true;
      changed_.notify_all();
    });
    std::unique_lock lock(mutex_);
    REQUIRE(changed_.wait_for(lock, std::chrono::seconds(20), [&] { return done; }));
  }
  // Sends a packet and returns the next one that comes; "(nothing)" if none does.
  std::string ask(std::string_view payload) {
    feed(frame(payload));
    return next();
  }
  std::string next() {
    std::unique_lock lock(mutex_);
    if (!changed_.wait_for(lock, std::chrono::seconds(20), [&] { return !replies_.empty(); })) return "(nothing)";
    std::string reply = replies_.front();
    replies_.erase(replies_.begin());
    return reply;
  }
  // The value of a register of four bytes.
  u32 reg(unsigned number) {
    std::string bytes;
    if (!GdbText(ask(fmt::format("p{:x}", number))).take_bytes(bytes) || bytes.size() != 4) return 0xdeadbeef;
    return static_cast<u32>(load_le_n(reinterpret_cast<const u8*>(bytes.data()), 4));
  }
  std::string monitor(std::string_view line) {
    std::string text, piece, reply;
    for (reply = ask("qRcmd," + gdb_hex(line)); reply.starts_with("O") && reply != "OK"; reply = next()) {
      GdbText(std::string_view(reply).substr(1)).take_bytes(piece);
      text += piece;
    }
    CHECK(reply == "OK");
    return text;
  }
  Machine& machine() { return *machine_; }
  GdbStub& stub() { return *stub_; }
  bool quit() const { return quit_; }

 private:
  void take(std::string_view text) {
    const std::lock_guard lock(mutex_);
    if (text.starts_with("$")) replies_.emplace_back(text.substr(1, text.size() - 4));
    changed_.notify_all();
  }

  TempDir dir_;
  std::unique_ptr<Machine> machine_;
  std::unique_ptr<Monitor> monitor_;
  std::optional<GdbStub> stub_;
  std::thread thread_;
  Machine::Exit exit_ = Machine::Exit::kCount;
  std::atomic<bool> quit_ = false;
  std::mutex mutex_;
  std::condition_variable changed_;
  std::vector<std::string> replies_;
};

}  // namespace xlat
