// The RIFF file, header first; after each tenth of a second the header says how much there is.
#include "frontend/sound/wav_sink.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>

#include "base/bits.h"

namespace xlat {

WavSink::~WavSink() {
  if (started_) flush();
  if (fd_ >= 0) close(fd_);
  if (created_ && !started_) unlink(settings_.path.c_str());
}

Status WavSink::open() {
  const std::string& path = settings_.path;
  created_ = access(path.c_str(), F_OK) != 0;
  fd_ = ::open(path.c_str(), O_WRONLY | O_CREAT | O_CLOEXEC | O_NONBLOCK, 0666);
  if (fd_ < 0) {
    created_ = false;
    return error("-audiodev wav: cannot write '{}': {}", path, std::strerror(errno));
  }
  if (lseek(fd_, 0, SEEK_CUR) < 0) {
    return error("-audiodev wav: '{}' is not a file; the header must be written again at the end", path);
  }
  return {};
}

std::string WavSink::status() const {
  return fmt::format("wav, {} Hz, '{}'{}", settings_.rate, settings_.path, broken_ ? ", cannot be written" : "");
}

Status WavSink::start() {
  struct stat st {};
  if (fstat(fd_, &st) == 0 && S_ISREG(st.st_mode) && ftruncate(fd_, 0) != 0) {
    return error("-audiodev wav: cannot write '{}': {}", settings_.path, std::strerror(errno));
  }
  if (!put_header()) {
    return error("-audiodev wav: cannot write '{}': {}", settings_.path, std::strerror(errno));
  }
  started_ = true;
  return {};
}

bool WavSink::put(std::span<const u8> bytes, u64 at) {
  while (!bytes.empty()) {
    const ssize_t n = pwrite(fd_, bytes.data(), bytes.size(), static_cast<off_t>(at));
    if (n > 0) {
      bytes = bytes.subspan(static_cast<std::size_t>(n));
      at += static_cast<u64>(n);
    } else if (errno != EINTR) {
      return false;
    }
  }
  return true;
}

bool WavSink::put_header() {
  std::array<u8, kHeaderBytes> header{};
  const auto text = [&](std::size_t at, const char* four) { std::memcpy(&header[at], four, 4); };
  text(0, "RIFF");
  store_le<u32>(&header[4], static_cast<u32>(written_ + kHeaderBytes - 8));
  text(8, "WAVE");
  text(12, "fmt ");
  store_le<u32>(&header[16], 16);
  store_le<u16>(&header[20], 1);  // PCM
  store_le<u16>(&header[22], static_cast<u16>(settings_.channels));
  store_le<u32>(&header[24], settings_.rate);
  store_le<u32>(&header[28], settings_.rate * frame_bytes());
  store_le<u16>(&header[32], static_cast<u16>(frame_bytes()));
  store_le<u16>(&header[34], static_cast<u16>(settings_.bits));
  text(36, "data");
  store_le<u32>(&header[40], static_cast<u32>(written_));
  return put(header, 0);
}

void WavSink::failed() {
  broken_ = true;
  fmt::print(stderr, "xlat: warning: -audiodev wav: cannot write '{}': {}; the rest is not recorded\n", settings_.path,
             std::strerror(errno));
}

void WavSink::flush() {
  if (broken_) return;
  const bool wrote = put(buffer_, kHeaderBytes + written_);
  if (wrote) written_ += buffer_.size();
  buffer_.clear();
  if (!wrote || !put_header()) failed();
}

void WavSink::put_sample(int sample) {
  if (settings_.bits == 8) {
    buffer_.push_back(static_cast<u8>((sample >> 8) + 128));
  } else {
    buffer_.push_back(static_cast<u8>(sample));
    buffer_.push_back(static_cast<u8>(sample >> 8));
  }
}

void WavSink::play(std::span<const AudioFrame> frames) {
  if (broken_ || !started_) return;
  frames = frames.first(static_cast<std::size_t>(std::min<u64>(frames.size(), frames_left())));
  for (const AudioFrame& frame : frames) {
    if (settings_.channels == 1) {
      put_sample((frame.left + frame.right) >> 1);
    } else {
      put_sample(frame.left);
      put_sample(frame.right);
    }
  }
  if (buffer_.size() >= u64{settings_.rate} * frame_bytes() / 10) flush();
}

// Zeros make a hole in the file, so that hours of silence take no room on the disk.
void WavSink::silence(u64 frames) {
  if (broken_ || !started_) return;
  frames = std::min(frames, frames_left());
  if (settings_.bits == 8 || frames < 4096) {
    static constexpr std::array<AudioFrame, 4096> kZeros{};
    while (frames > 0 && !broken_) {
      const u64 part = std::min<u64>(frames, kZeros.size());
      play(std::span(kZeros).first(static_cast<std::size_t>(part)));
      frames -= part;
    }
    return;
  }
  flush();
  if (broken_) return;
  written_ += frames * frame_bytes();
  struct stat st {};
  if (fstat(fd_, &st) == 0 && S_ISREG(st.st_mode) && ftruncate(fd_, static_cast<off_t>(kHeaderBytes + written_)) != 0) {
    failed();
  } else if (!put_header()) {
    failed();
  }
}

}  // namespace xlat
