// The timer that looks at the adapter, and the copies it makes.
#include "frontend/display/screen_feed.h"

#include <algorithm>

namespace xlat {

ScreenFeed::ScreenFeed(Machine& machine) : machine_(machine), timer_(machine.pc().clock, [this] { tick(); }) {
  surface_.resize(kBlankWidth, kBlankHeight);
  // Where the machine stops, its last picture stays. Where it goes on, its clock may be another, after a snapshot.
  machine_.watch_state([this](Machine::RunState) {
    if (sinks_.empty()) return;
    refresh();
    schedule();
  });
}

void ScreenFeed::attach(ScreenSink& sink) {
  refresh();
  sinks_.push_back(&sink);
  const Rect all{0, 0, surface_.width(), surface_.height()};
  sink.show(surface_, {&all, 1});
  schedule();
}

void ScreenFeed::detach(ScreenSink& sink) {
  std::erase(sinks_, &sink);
  if (sinks_.empty()) timer_.cancel();
}

const Surface& ScreenFeed::look() {
  refresh();
  if (!sinks_.empty()) schedule();
  return surface_;
}

void ScreenFeed::schedule() {
  if (!adapter()) return;
  const bool watched = std::any_of(sinks_.begin(), sinks_.end(), [](const ScreenSink* s) { return s->watched(); });
  timer_.schedule(machine_.pc().clock.now() + (watched ? adapter()->frame_ns() : kUnwatchedNs));
}

void ScreenFeed::tick() {
  const auto now = std::chrono::steady_clock::now();
  if (now - looked_at_ >= kLeastHostTime) {
    looked_at_ = now;
    refresh();
  }
  schedule();
}

void ScreenFeed::refresh() {
  if (!adapter()) return;
  const std::vector<Rect> changed = adapter()->refresh(surface_);
  if (changed.empty()) return;
  for (ScreenSink* sink : sinks_) sink->show(surface_, changed);
}

void SharedPicture::View::copy_changed(std::span<u32> to) const {
  for (const Rect& r : changed) {
    for (unsigned y = r.y; y < r.y + r.height; ++y) {
      const std::size_t at = std::size_t{y} * width + r.x;
      std::copy_n(pixels.begin() + static_cast<std::ptrdiff_t>(at), r.width,
                  to.begin() + static_cast<std::ptrdiff_t>(at));
    }
  }
}

void SharedPicture::show(const Surface& surface, std::span<const Rect> changed) {
  show({surface.width(), surface.height(), surface.pixels(), changed});
}

void SharedPicture::show(const View& view) {
  {
    const std::lock_guard lock(mutex_);
    if (view.width != width_ || view.height != height_) {
      width_ = view.width;
      height_ = view.height;
      pixels_.assign(view.pixels.begin(), view.pixels.end());
      changed_ = {{0, 0, width_, height_}};
    } else {
      view.copy_changed(pixels_);
      changed_.insert(changed_.end(), view.changed.begin(), view.changed.end());
      if (changed_.size() > kMostRects) {
        unsigned left = width_, top = height_, right = 0, bottom = 0;
        for (const Rect& r : changed_) {
          left = std::min(left, r.x), top = std::min(top, r.y);
          right = std::max(right, r.x + r.width), bottom = std::max(bottom, r.y + r.height);
        }
        changed_ = {{left, top, right - left, bottom - top}};
      }
    }
  }
  wake_();
}

void SharedPicture::look(const std::function<void(const View&)>& look) const {
  const std::lock_guard lock(mutex_);
  if (pixels_.empty()) return;
  const Rect all{0, 0, width_, height_};
  look({width_, height_, pixels_, {&all, 1}});
}

bool SharedPicture::take(const std::function<void(const View&)>& look) {
  const std::lock_guard lock(mutex_);
  if (changed_.empty()) return false;
  look({width_, height_, pixels_, changed_});
  changed_.clear();
  return true;
}

}  // namespace xlat
