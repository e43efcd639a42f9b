// A medium as its drive uses it: requests go to a thread of the medium's own, so that a slow disk never stops the
// processor, and come back on the machine's thread.
#pragma once

#include <condition_variable>
#include <deque>
#include <functional>
#include <memory>
#include <mutex>
#include <span>
#include <thread>
#include <vector>

#include "base/clock.h"
#include "block/block_image.h"
#include "devices/block/io_error.h"

namespace xlat {

class Disk;

// What is asked of a medium. It owns its bytes, so that it can outlive the command it was made for.
struct DiskRequest {
  enum class Op : u8 { kRead, kWrite, kFlush, kDiscard, kWriteZeroes, kLast = kWriteZeroes };
  Op op = Op::kRead;
  u32 tag = 0;                // the drive's own, which it gets back
  u64 offset = 0, bytes = 0;  // none of a flush
  std::vector<u8> data = {};  // to be written; when it is done, what was read
  bool through = false;       // a write is over when it is on the host's disk
  bool unmap = false;         // zeros may be written as a hole, where the user lets discards reach the image
  Status status = {};         // when it is done; data of a read that failed are zeros
};

// The machine, as its disks see it.
class DiskHost {
 public:
  virtual ~DiskHost() = default;
  // Disks have places in the order they were made.
  virtual u16 add(Disk& disk) = 0;
  virtual void remove(u16 place) = 0;
  // Requests are over at their virtual time, for which the machine waits. If not, they are when the host is done:
  // finished() is called then, most often from the disk's thread, and deliver() is to be called on the machine's
  // thread.
  virtual bool by_time() const = 0;
  virtual void finished(u16 place, u64 number) = 0;
  // The user is to know: what was written is not on the host's disk, and nobody will try again.
  virtual void lost(const std::string& what) = 0;
};

// What the user wants of a medium.
struct DiskPolicy {
  bool write_cache = true;    // as the drive begins: what is written is safe only after a flush
  bool ignore_flush = false;  // nothing need be safe
  bool discard = false;       // discards reach the image
  enum class Zeroes : u8 { kWrite, kDetect, kUnmap } zeroes = Zeroes::kWrite;
};

struct DiskSetup {
  std::string name = {};     // as the user knows it
  DiskHost* host = nullptr;  // null: no thread; requests are done on the machine's, at their virtual time
  IoErrorHook on_error = {};
  DiskPolicy policy = {};
};

// Order: requests of one disk are done one after the other in the order they were made, and told of in that order. So
// a read sees every write made before it, and a flush is over when all that was written before it is safe.
//
// Saving: requests in flight are part of the drive's state. Disk::serialize() writes them as they were made, and after
// a load they are made again, which does no harm as they are the last ones; a drive need do nothing but call it.
//
// Failures: the hook decides. A request that is to be tried again stays in flight, with those behind it, until virtual
// time goes on, and they are all done again in their order; a drive sees only those that are over.
class Disk {
 public:
  static constexpr u64 kMostBytes = u64{32} << 20;   // of one request's data
  static constexpr std::size_t kMostRequests = 256;  // in flight

  // `done` gets each request that is over, and may make new ones; what it takes out of `data` is its own.
  using Done = std::function<void(DiskRequest& request)>;

  // `image` null: no medium, all requests fail.
  Disk(Clock& clock, std::unique_ptr<BlockImage> image, DiskSetup setup, Done done);
  // Finishes what was begun, tries once more what has failed, and flushes.
  ~Disk();
  Disk(const Disk&) = delete;
  Disk& operator=(const Disk&) = delete;

  // ---- For the drive ----
  // Over no earlier than `delay_ns` of virtual time from now where time rules.
  void submit(DiskRequest request, u64 delay_ns = kDelayNs);
  void read(u32 tag, u64 offset, u64 bytes) { submit({.tag = tag, .offset = offset, .bytes = bytes}); }
  void write(u32 tag, u64 offset, std::vector<u8> data, bool through = false) {
    const u64 bytes = data.size();
    submit({DiskRequest::Op::kWrite, tag, offset, bytes, std::move(data), through});
  }
  void flush(u32 tag) { submit({.op = DiskRequest::Op::kFlush, .tag = tag}); }
  // Of a reset: those in flight will be done, as what was written is on its way, but nobody is told. One that
  // has failed and waits is not tried again.
  void drop();
  // Room for so many bytes to write, with anything in it.
  std::vector<u8> buffer(std::size_t bytes);
  bool in_flight() const { return !pending_.empty(); }
  bool full() const { return pending_.size() >= kMostRequests; }
  void serialize(Archive& ar);

  // The guest may switch the cache off: every write then goes through.
  bool write_cache() const { return write_cache_; }
  void set_write_cache(bool on) { write_cache_ = on; }
  bool discards() const { return setup_.policy.discard; }
  void on_error(IoErrorHook hook) { setup_.on_error = std::move(hook); }

  // ---- For everybody on the machine's thread ----
  bool present() const { return image_ != nullptr; }
  // Zero and true without a medium.
  u64 size() const { return image_ ? image_->size() : 0; }
  bool read_only() const { return !image_ || image_->read_only(); }
  // For what is no request, such as snapshots: waits until the thread has nothing to do, and it has nothing until the
  // next request is made. Null without a medium.
  BlockImage* image() const;
  // Another medium, or none, after what is in flight was done with the old one.
  std::unique_ptr<BlockImage> exchange(std::unique_ptr<BlockImage> image);

  // ---- For the machine ----
  // Waits until all that was made is done. Nobody is told of it yet.
  void settle() const;
  // The machine stands still: the same, and what was written is made safe.
  void make_all_safe();
  // The request with this number is over, here and now; the thread is waited for. Numbers of dropped ones do nothing.
  void deliver(u64 number);
  // After a load, when the media have what they should have: makes requests in flight again.
  void resume();

  static constexpr u64 kDelayNs = 5'000;

 private:
  struct Job {
    DiskRequest request;
    u64 number = 0;
    u64 due = 0;             // virtual time at which it is over, or tried again
    bool announced = false;  // may be over
    bool again = false;      // has failed and waits
    bool last = false;       // is not tried again
    bool done = false;       // by the thread, under mutex_
  };
  using JobPtr = std::shared_ptr<Job>;

  bool read_now(const JobPtr& job);
  void start(const JobPtr& job);
  void work();
  void perform(DiskRequest& request);
  Status write_data(const DiskRequest& request);
  Status make_safe();
  void try_again();
  void await(const JobPtr& job);
  void tell();
  void set_timer();
  void timer_fired();

  Clock& clock_;
  DiskSetup setup_;
  u16 place_ = 0;
  Done done_;
  std::unique_ptr<BlockImage> image_;  // the thread's while queue_ is not empty or working_
  bool write_cache_;
  bool unflushed_ = false;  // as image_
  std::deque<JobPtr> pending_;
  u64 next_number_ = 0;
  std::vector<u8> spare_;  // of the request before
  bool telling_ = false;
  bool loaded_ = false;  // and not resumed
  Timer timer_;          // of the first pending one

  mutable std::mutex mutex_;
  mutable std::condition_variable changed_;
  std::deque<JobPtr> queue_;
  bool working_ = false, ended_ = false;
  std::thread thread_;  // from the first request on
};

}  // namespace xlat
