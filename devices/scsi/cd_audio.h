// What a CD drive plays: nothing that could be heard, but where it is and what it says of it.
#pragma once

#include <array>
#include <span>

#include "base/clock.h"
#include "devices/scsi/scsi.h"

namespace xlat {

// Images have no audio tracks; who plays one hears silence for as long as the music would last. Positions are blocks,
// 75 of them a second of virtual time.
class CdAudio {
 public:
  explicit CdAudio(Clock& clock) : clock_(clock) {}

  // PLAY AUDIO (10), (12) and MSF, PAUSE/RESUME and STOP PLAY/SCAN (MMC-3, 6.15 to 6.17, 6.45) on a disc of so many
  // blocks. No sense: all is well. The command must be one of them.
  static bool takes(u8 operation);
  ScsiSense execute(std::span<const u8> cdb, u64 blocks);
  // The pickup is wanted for something else, or the disc is gone.
  void stop();

  // READ SUB-CHANNEL's audio status; that the music has ended is said once.
  u8 take_status();
  u64 position() const;

  // Page 0Eh behind its header: channels and volumes of the outputs (MMC-3, 5.5.2).
  static constexpr std::size_t kPageBytes = 14;
  using Page = std::array<u8, kPageBytes>;
  const Page& page() const { return page_; }
  static const Page kChangeable;
  void set_page(std::span<const u8> data);

  void reset();
  void serialize(Archive& ar);

 private:
  enum class State : u8 { kNothing, kPlaying, kPaused, kEnded, kLast = kEnded };
  ScsiSense play(u64 from, u64 to, u64 blocks);
  void settle();

  Clock& clock_;
  State state_ = State::kNothing;
  u64 at_ = 0, end_ = 0;  // where it was at since_, and where it ends
  u64 since_ = 0;
  static const Page kStandard;
  Page page_ = kStandard;
};

}  // namespace xlat
