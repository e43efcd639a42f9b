// Requests on their way to a medium and back.
#include "devices/block/disk.h"

#include <fmt/format.h>

#include <algorithm>

#include "base/zeros.h"

namespace xlat {

namespace {
constexpr u64 kRetryNs = 1'000'000;
}  // namespace

Disk::Disk(Clock& clock, std::unique_ptr<BlockImage> image, DiskSetup setup, Done done)
    : clock_(clock),
      setup_(std::move(setup)),
      done_(std::move(done)),
      image_(std::move(image)),
      write_cache_(setup_.policy.write_cache),
      timer_(clock, [this] { timer_fired(); }) {
  if (setup_.host) place_ = setup_.host->add(*this);
}

Disk::~Disk() {
  if (thread_.joinable()) {
    {
      const std::lock_guard lock(mutex_);
      ended_ = true;
    }
    changed_.notify_all();
    thread_.join();
  }
  try_again();
  exchange(nullptr);
  if (setup_.host) setup_.host->remove(place_);
}

// ---- On the machine's thread ----

void Disk::submit(DiskRequest request, u64 delay_ns) {
  const bool carries = request.op == DiskRequest::Op::kRead || request.op == DiskRequest::Op::kWrite;
  ASSERT((!carries || request.bytes <= kMostBytes) && !full());
  auto job = std::make_shared<Job>();
  job->request = std::move(request);
  if (job->request.op == DiskRequest::Op::kRead) job->request.data = buffer(job->request.bytes);
  if (!write_cache_) job->request.through = true;
  job->number = next_number_++;
  job->due = clock_.now() + delay_ns;
  pending_.push_back(job);
  if (!read_now(job)) start(job);
  set_timer();
}

// What the host has in memory is there before a thread could be woken. No more of it than keeps nothing waiting.
bool Disk::read_now(const JobPtr& job) {
  constexpr u64 kLittle = 128 << 10;
  DiskRequest& request = job->request;
  if (!setup_.host || !image_ || request.op != DiskRequest::Op::kRead || request.bytes > kLittle) return false;
  {
    const std::lock_guard lock(mutex_);
    if (!queue_.empty() || working_) return false;
  }
  if (!image_->read_now(request.offset, request.data)) return false;
  job->done = true;
  if (!setup_.host->by_time()) setup_.host->finished(place_, job->number);
  return true;
}

std::vector<u8> Disk::buffer(std::size_t bytes) {
  std::vector<u8> taken = std::move(spare_);
  spare_ = {};
  taken.resize(bytes);
  return taken;
}

void Disk::start(const JobPtr& job) {
  job->done = job->again = false;
  if (!setup_.host) return;  // await() does it
  if (!thread_.joinable()) thread_ = std::thread([this] { work(); });
  {
    const std::lock_guard lock(mutex_);
    queue_.push_back(job);
  }
  changed_.notify_all();
}

void Disk::drop() {
  if (!setup_.host) {
    for (const JobPtr& job : pending_) {
      if (!job->again) perform(job->request);
    }
  }
  pending_.clear();
  loaded_ = false;
  timer_.cancel();
}

void Disk::settle() const {
  std::unique_lock lock(mutex_);
  changed_.wait(lock, [this] { return queue_.empty() && !working_; });
}

BlockImage* Disk::image() const {
  settle();
  return image_.get();
}

std::unique_ptr<BlockImage> Disk::exchange(std::unique_ptr<BlockImage> image) {
  settle();
  if (!setup_.host) {
    for (const JobPtr& job : pending_) await(job);
  }
  make_all_safe();
  unflushed_ = false;
  for (const JobPtr& job : pending_) job->last = true;
  if (!pending_.empty()) pending_.front()->again = false;
  set_timer();
  return std::exchange(image_, std::move(image));
}

void Disk::make_all_safe() {
  settle();
  if (!image_ || !unflushed_) return;
  if (Status s = make_safe(); !s && setup_.host) {
    setup_.host->lost(fmt::format("drive '{}': {}: what was written last may be lost", setup_.name, s.error().message));
  }
}

// At the end. A machine that stands still for a failure has not told its guest.
void Disk::try_again() {
  if (!setup_.host || !image_ || loaded_) return;
  bool failed = false;
  for (const JobPtr& job : pending_) {
    DiskRequest& request = job->request;
    failed |= !request.status;
    if (!failed || request.op == DiskRequest::Op::kRead) continue;
    perform(request);
    if (request.status) continue;
    const bool flush = request.op == DiskRequest::Op::kFlush;
    setup_.host->lost(fmt::format("drive '{}': {}: {} lost", setup_.name, request.status.error().message,
                                  flush ? "what was written last may be"
                                        : fmt::format("{} bytes at offset {} are", request.bytes, request.offset)));
  }
}

// Until the job is done.
void Disk::await(const JobPtr& job) {
  if (!setup_.host) {
    if (!std::exchange(job->done, true)) perform(job->request);
    return;
  }
  std::unique_lock lock(mutex_);
  changed_.wait(lock, [&job] { return job->done; });
}

void Disk::deliver(u64 number) {
  for (const JobPtr& job : pending_) {
    if (job->number == number) job->announced = true;
  }
  tell();
}

// Of those that are over, as long as no earlier one is still to come.
void Disk::tell() {
  if (telling_) return;
  telling_ = true;
  while (!pending_.empty()) {
    const JobPtr job = pending_.front();
    if (!job->announced || job->again || loaded_) break;
    await(job);
    DiskRequest& request = job->request;
    if (!request.status) {
      const bool write = request.op != DiskRequest::Op::kRead;
      const IoErrorAction action =
          setup_.on_error ? setup_.on_error(write, request.status.error()) : IoErrorAction::kReport;
      if (action == IoErrorAction::kRetry && !job->last) {
        job->again = true;
        job->due = clock_.now() + kRetryNs;
        break;
      }
      if (action == IoErrorAction::kIgnore) request.status = {};
    }
    pending_.pop_front();
    done_(request);
    if (request.data.capacity() > spare_.capacity()) spare_ = std::move(request.data);
  }
  telling_ = false;
  set_timer();
}

void Disk::set_timer() {
  const bool by_time = !setup_.host || setup_.host->by_time();
  if (pending_.empty() || loaded_ || (!by_time && !pending_.front()->again)) return timer_.cancel();
  if (!timer_.pending() || timer_.deadline() != pending_.front()->due) timer_.schedule(pending_.front()->due);
}

void Disk::timer_fired() {
  if (pending_.empty()) return;
  const JobPtr job = pending_.front();
  if (job->again) {
    // Time goes on, so the user said so. What is behind it was done already, but is to come after it.
    settle();
    for (const JobPtr& each : pending_) {
      each->announced = false;
      start(each);
    }
    job->due = clock_.now();
    return set_timer();
  }
  job->announced = true;
  tell();
}

void Disk::resume() {
  if (std::exchange(loaded_, false)) {
    for (const JobPtr& job : pending_) start(job);
  }
  set_timer();
}

void Disk::serialize(Archive& ar) {
  u32 count = static_cast<u32>(pending_.size());
  ar(write_cache_)(next_number_);
  ar.range(count, 0u, static_cast<u32>(kMostRequests));
  if (ar.loading()) {
    settle();
    pending_.clear();
    for (u32 n = 0; n < count && ar.ok(); ++n) pending_.push_back(std::make_shared<Job>());
  }
  for (const JobPtr& job : pending_) {
    DiskRequest& r = job->request;
    ar.range(r.op, DiskRequest::Op::kRead, DiskRequest::Op::kLast);
    ar(r.tag)(r.offset)(r.through)(r.unmap)(job->number)(job->due);
    if (r.op == DiskRequest::Op::kWrite) {
      ar.blob(r.data, kMostBytes);
      if (ar.loading()) r.bytes = r.data.size();
    } else {
      ar.range(r.bytes, u64{0}, r.op == DiskRequest::Op::kRead ? kMostBytes : ~u64{0});
    }
  }
  timer_.serialize(ar);
  if (!ar.loading()) return;
  loaded_ = setup_.host && !pending_.empty();
  if (!ar.ok()) drop();
  if (!setup_.host) set_timer();
}

// ---- On the disk's thread, or in its place ----

void Disk::work() {
  std::unique_lock lock(mutex_);
  for (;;) {
    changed_.wait(lock, [this] { return ended_ || !queue_.empty(); });
    if (queue_.empty()) return;
    const JobPtr job = std::move(queue_.front());
    queue_.pop_front();
    working_ = true;
    lock.unlock();
    perform(job->request);
    lock.lock();
    job->done = true;
    if (!setup_.host->by_time()) {
      const u64 number = job->number;
      lock.unlock();
      setup_.host->finished(place_, number);
      lock.lock();
    }
    working_ = false;
    changed_.notify_all();
  }
}

void Disk::perform(DiskRequest& request) {
  if (request.op == DiskRequest::Op::kRead) request.data.resize(request.bytes);
  request.status = [&]() -> Status {
    if (!image_) return error("there is no medium in the drive");
    switch (request.op) {
      case DiskRequest::Op::kRead: return request.data.empty() ? Status() : image_->read(request.offset, request.data);
      case DiskRequest::Op::kWrite: return write_data(request);
      case DiskRequest::Op::kFlush: break;
      case DiskRequest::Op::kDiscard:
        if (!setup_.policy.discard || request.bytes == 0) return {};
        unflushed_ = true;
        return image_->discard(request.offset, request.bytes);
      case DiskRequest::Op::kWriteZeroes:
        unflushed_ = true;
        if (Status s = image_->write_zeroes(request.offset, request.bytes, request.unmap && setup_.policy.discard); !s)
          return s;
        if (!request.through) return {};
        break;
    }
    return make_safe();
  }();
  if (!request.status && request.op == DiskRequest::Op::kRead) std::ranges::fill(request.data, u8{0});
}

Status Disk::write_data(const DiskRequest& request) {
  using Zeroes = DiskPolicy::Zeroes;
  unflushed_ = true;
  const bool zero = setup_.policy.zeroes != Zeroes::kWrite && all_zero(request.data);
  const bool unmap = setup_.policy.zeroes == Zeroes::kUnmap && setup_.policy.discard;
  Status s =
      zero ? image_->write_zeroes(request.offset, request.bytes, unmap) : image_->write(request.offset, request.data);
  return s && request.through ? make_safe() : s;
}

// What could not be made safe is tried again at the next occasion.
Status Disk::make_safe() {
  if (setup_.policy.ignore_flush) return {};
  const Status s = image_->flush();
  if (s) unflushed_ = false;
  return s;
}

}  // namespace xlat
