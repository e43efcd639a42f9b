// A channel that is a console of the text display: -serial vc, -monitor vc.
#pragma once

#include <atomic>
#include <mutex>

#include "frontend/channels/char_backend.h"
#include "frontend/display/vt_screen.h"

namespace xlat {

class VirtualConsole final : public CharBackend {
 public:
  explicit VirtualConsole(std::string label) : label_(std::move(label)), screen_(80, 24) {}

  Status open() override { return {}; }
  Status start(CharHandlers handlers, int cancel_fd) override;
  void stop() override;
  void write(std::span<const u8> bytes) override;

  // ---- From the display's thread ----
  const std::string& label() const { return label_; }
  void type(std::string_view bytes);
  // Changes with every output.
  u64 version() const { return version_; }
  // Calls `look` with the screen, which stays as it is meanwhile.
  void with_screen(const std::function<void(VtScreen&)>& look);

 private:
  std::string label_;
  std::mutex screen_mutex_;
  VtScreen screen_;
  std::atomic<u64> version_ = 0;
  std::mutex handlers_mutex_;
  CharHandlers handlers_;
};

}  // namespace xlat
