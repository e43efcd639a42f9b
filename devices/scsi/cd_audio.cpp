// Playing as a function of virtual time.
#include "devices/scsi/cd_audio.h"

#include <algorithm>

#include "base/bits.h"

namespace xlat {

using namespace scsi;

namespace {

enum Operation : u8 { kPlay10 = 0x45, kPlayMsf = 0x47, kPauseResume = 0x4b, kStop = 0x4e, kPlay12 = 0xa5 };
constexpr u64 kBlocksPerSecond = 75, kLeadIn = 150;
constexpr u32 kHere = 0xffffffff;  // as a start: where the pickup is

}  // namespace

// Both volumes full, the left channel on the first output, the right one on the second; commands end at once.
const CdAudio::Page CdAudio::kStandard = {4, 0, 0, 0, 0, kBlocksPerSecond, 1, 255, 2, 255, 0, 0, 0, 0};
const CdAudio::Page CdAudio::kChangeable = {2, 0, 0, 0, 0, 0, 15, 255, 15, 255, 0, 0, 0, 0};

bool CdAudio::takes(u8 operation) {
  return operation == kPlay10 || operation == kPlayMsf || operation == kPauseResume || operation == kStop ||
         operation == kPlay12;
}

ScsiSense CdAudio::execute(std::span<const u8> cdb, u64 blocks) {
  settle();
  switch (cdb[0]) {
    case kPlay10:
    case kPlay12: {
      const u32 start = load_be<u32>(&cdb[2]),
                count = cdb[0] == kPlay10 ? load_be<u16>(&cdb[7]) : load_be<u32>(&cdb[6]);
      const u64 from = start == kHere ? at_ : start;
      return play(from, from + count, blocks);
    }
    case kPlayMsf: {
      const auto frame = [cdb](unsigned at) { return u64{cdb[at]} * 60 * 75 + cdb[at + 1] * 75u + cdb[at + 2]; };
      const bool here = cdb[3] == 0xff && cdb[4] == 0xff && cdb[5] == 0xff;
      const u64 from = here ? at_ + kLeadIn : frame(3), to = frame(6);
      if (to < from) return kInvalidField;
      if (from < kLeadIn) return kOutOfRange;
      return play(from - kLeadIn, to - kLeadIn, blocks);
    }
    case kPauseResume: {
      const bool resume = cdb[8] & 1;
      if (state_ != State::kPlaying && state_ != State::kPaused) return kSequence;
      state_ = resume ? State::kPlaying : State::kPaused;
      return {};
    }
    default: stop(); return {};
  }
}

// Nothing to be played is no error, and changes nothing.
ScsiSense CdAudio::play(u64 from, u64 to, u64 blocks) {
  if (from >= blocks || to > blocks) return kOutOfRange;
  if (from == to) return {};
  at_ = from;
  end_ = to;
  state_ = State::kPlaying;
  return {};
}

// Moves the beginning of what is still to be played to now.
void CdAudio::settle() {
  at_ = position();
  since_ = clock_.now();
  if (state_ == State::kPlaying && at_ == end_) state_ = State::kEnded;
}

u64 CdAudio::position() const {
  if (state_ != State::kPlaying) return at_;
  const u64 ns = clock_.now() - std::min(since_, clock_.now());
  const u64 blocks =
      ns / kNanosPerSecond * kBlocksPerSecond + ns % kNanosPerSecond * kBlocksPerSecond / kNanosPerSecond;
  return std::min(at_ + blocks, end_);
}

void CdAudio::stop() {
  settle();
  state_ = State::kNothing;
}

u8 CdAudio::take_status() {
  if (state_ == State::kPlaying && position() == end_) settle();
  switch (state_) {
    case State::kPlaying: return 0x11;
    case State::kPaused: return 0x12;
    case State::kEnded: state_ = State::kNothing; return 0x13;
    case State::kNothing: break;
  }
  return 0x15;
}

void CdAudio::set_page(std::span<const u8> data) {
  for (std::size_t n = 0; n < std::min(data.size(), page_.size()); ++n)
    page_[n] = static_cast<u8>((page_[n] & ~kChangeable[n]) | (data[n] & kChangeable[n]));
}

void CdAudio::reset() {
  state_ = State::kNothing;
  at_ = end_ = since_ = 0;
  page_ = kStandard;
}

void CdAudio::serialize(Archive& ar) {
  ar.range(state_, State::kNothing, State::kLast);
  ar.range(end_, u64{0}, mask(32));
  ar.range(at_, u64{0}, mask(32));
  ar(since_)(page_);
  if (ar.loading()) end_ = std::max(at_, end_);
}

}  // namespace xlat
