// A SCSI command at work: what has been asked, and its data on their way, piece by piece.
#pragma once

#include <array>
#include <span>
#include <vector>

#include "base/archive.h"
#include "base/bits.h"
#include "devices/scsi/scsi.h"

namespace xlat {

class ScsiBus;
class ScsiUnit;

// A transport gives it to a unit, moves the data that it has or wants, and calls the unit's step() when it waits and is
// not at the medium, and for all that are there when the unit says that the medium is done with something. It may
// forget a task at any time.
class ScsiTask {
 public:
  enum class Phase : u8 {
    kDone,     // status() is there
    kWaits,    // the unit or its medium has something to do first
    kDataIn,   // there are bytes for the initiator
    kDataOut,  // bytes are wanted of it
    kLast = kDataOut,
  };
  static constexpr u32 kMostBytes = 64 * 1024;  // in the buffer at a time

  Phase phase() const { return phase_; }
  // While it waits: the medium has been asked, and nothing is to be done until that is over.
  bool at_medium() const { return request_ != 0; }
  ScsiStatus status() const { return status_; }
  // In kDataIn, what has not been taken yet; in kDataOut, where it wants them next.
  std::span<const u8> bytes() const { return std::span(buffer_).subspan(at_); }
  std::span<u8> room() { return std::span(buffer_).subspan(at_); }
  // So many of them were moved.
  void moved(std::size_t bytes);
  // Whether data have been moved, and whether those in the buffer are the last.
  bool begun() const { return begun_; }
  bool last() const { return blocks_ == 0; }

  const std::array<u8, 16>& cdb() const { return cdb_; }
  u16 cdb16(unsigned at) const { return load_be<u16>(&cdb_[at]); }
  u32 cdb24(unsigned at) const { return u32{cdb_[at]} << 16 | cdb16(at + 1); }
  u32 cdb32(unsigned at) const { return load_be<u32>(&cdb_[at]); }
  u64 cdb64(unsigned at) const { return load_be<u64>(&cdb_[at]); }

  void serialize(Archive& ar);

 private:
  friend class ScsiUnit;
  friend class ScsiBus;
  // What step() has to do.
  enum class Work : u8 {
    kNone,
    kRead,
    kWrite,
    kCompare,
    kFill,    // with what is in the buffer, once
    kZeroes,  // and kUnmap: the same, without keeping room for them
    kUnmap,
    kDiscard,  // the ranges in the buffer, from at_ on
    kFlush,
    kParameters,
    kLast = kParameters,
  };

  void begin(std::span<const u8> cdb);
  void want(u32 bytes);

  std::array<u8, 16> cdb_{};
  Phase phase_ = Phase::kDone;
  ScsiStatus status_ = ScsiStatus::kGood;
  Work work_ = Work::kNone;
  std::vector<u8> buffer_;
  u32 at_ = 0;       // in buffer_
  u32 request_ = 0;  // the unit's number for what the medium was asked; 0: nothing
  bool begun_ = false;
  u64 lba_ = 0,
      blocks_ = 0;  // still to be read or written, those in the buffer not counted when they go to the initiator
};

}  // namespace xlat
