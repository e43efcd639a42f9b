// What brings the guest's screen to displays: one surface, looked at once a frame of virtual time while anybody
// watches.
#pragma once

#include <chrono>
#include <functional>
#include <mutex>
#include <vector>

#include "devices/display/display_adapter.h"
#include "machine/machine.h"

namespace xlat {

class ScreenSink {
 public:
  virtual ~ScreenSink() = default;
  // On the machine's thread: copies what it needs and returns soon. All of the surface has changed if it is of another
  // size than the last time.
  virtual void show(const Surface& surface, std::span<const Rect> changed) = 0;
  // Whether anybody looks at it now. While nobody does, the screen is followed now and then.
  virtual bool watched() const { return true; }
};

// On the machine's thread, or before it runs.
class ScreenFeed {
 public:
  // Without an adapter the screen is black, of this size.
  static constexpr unsigned kBlankWidth = 640, kBlankHeight = 480;

  explicit ScreenFeed(Machine& machine);

  // The sink gets the whole picture at once.
  void attach(ScreenSink& sink);
  void detach(ScreenSink& sink);
  // The screen as it is now; also the sinks get it, and frames come at full rate again if one of them is watched.
  const Surface& look();

 private:
  // A run that is not paced shows its frames as fast as it makes them; nobody can see more than these.
  static constexpr auto kLeastHostTime = std::chrono::milliseconds(8);
  static constexpr u64 kUnwatchedNs = kNanosPerSecond / 2;

  void tick();
  void refresh();
  void schedule();
  DisplayAdapter* adapter() { return machine_.pc().display(); }

  Machine& machine_;
  Surface surface_;
  std::vector<ScreenSink*> sinks_;
  Timer timer_;
  std::chrono::steady_clock::time_point looked_at_{};
};

// A sink for displays with a thread of their own: a copy of the picture, and what of it has changed since that thread
// last took it.
class SharedPicture final : public ScreenSink {
 public:
  explicit SharedPicture(std::function<void()> wake = [] {}) : wake_(std::move(wake)) {}

  void show(const Surface& surface, std::span<const Rect> changed) override;
  bool watched() const override { return watched_; }
  // From any thread. Who sets it has ScreenFeed::look() called on the machine's.
  void set_watched(bool on) { watched_ = on; }

  struct View {
    unsigned width, height;
    std::span<const u32> pixels;
    std::span<const Rect> changed;  // all of it if the size is another
    // Brings a copy of the same size up to date.
    void copy_changed(std::span<u32> to) const;
  };
  // From any thread: a picture that another has got, of which `changed` is new.
  void show(const View& view);
  // From any thread. Calls `look` with all of the picture, once there is one.
  void look(const std::function<void(const View&)>& look) const;
  // From any thread. Calls `look` if anything has changed since the last call; the picture stays as it is meanwhile.
  bool take(const std::function<void(const View&)>& look);

 private:
  static constexpr std::size_t kMostRects = 64;  // more become the one around them

  std::function<void()> wake_;
  std::atomic<bool> watched_ = true;
  mutable std::mutex mutex_;
  unsigned width_ = 0, height_ = 0;
  std::vector<u32> pixels_;
  std::vector<Rect> changed_;
};

}  // namespace xlat
