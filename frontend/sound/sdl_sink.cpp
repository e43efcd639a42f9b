// -audiodev sdl: the host's sound card, by SDL's callback on a thread of its own.
#include <fmt/format.h>
#include <SDL.h>

#include <bit>

#include "frontend/sound/host_sink.h"
#include "frontend/sound/live_ring.h"

namespace xlat {

namespace {

class SdlSink final : public HostSink {
 public:
  explicit SdlSink(const AudioSettings& settings)
      : settings_(settings),
        // A period is about 6 ms; two of them are on their way to the card, the rest of the latency is the ring's.
        period_(std::bit_floor(std::max(settings.rate * 6 / 1000, 64u))),
        ring_(std::max<std::size_t>(
            frames(settings.buffer_us) > 3 * period_ ? frames(settings.buffer_us) - 2 * period_ : 0,
            std::max<std::size_t>(frames(kLeast), period_))) {}
  ~SdlSink() override {
    if (device_ != 0) SDL_CloseAudioDevice(device_);
    if (initialised_) SDL_QuitSubSystem(SDL_INIT_AUDIO);
  }

  // A host without a card is no reason not to run: the guest plays on, and nobody hears it.
  Status open() override {
    SDL_SetHint(SDL_HINT_NO_SIGNAL_HANDLERS, "1");
    SDL_SetHint(SDL_HINT_AUDIO_DEVICE_APP_NAME, "xlat");
    initialised_ = SDL_InitSubSystem(SDL_INIT_AUDIO) == 0;
    SDL_AudioSpec wanted{}, got{};
    wanted.freq = static_cast<int>(settings_.rate);
    wanted.format = AUDIO_S16SYS;
    wanted.channels = 2;
    wanted.samples = static_cast<Uint16>(period_);
    wanted.callback = [](void* self, Uint8* bytes, int length) {
      const std::size_t count = static_cast<std::size_t>(length) / sizeof(AudioFrame);
      static_cast<SdlSink*>(self)->ring_.take({reinterpret_cast<AudioFrame*>(bytes), count});
    };
    wanted.userdata = this;
    if (initialised_) device_ = SDL_OpenAudioDevice(nullptr, 0, &wanted, &got, 0);
    if (device_ != 0) return {};
    fmt::print(stderr, "xlat: warning: -audiodev {},id={}: no sound card of the host's: {}; nothing is heard\n",
               settings_.spelling, settings_.id, SDL_GetError());
    return {};
  }
  Status start() override {
    if (device_ != 0) SDL_PauseAudioDevice(device_, 0);
    return {};
  }
  std::string status() const override {
    if (device_ == 0) return "sdl, no sound card";
    const LiveRing::Counts counts = ring_.counts();
    return fmt::format("sdl ({}), {} Hz, {} ms ahead, {} under-runs, {} over-runs", SDL_GetCurrentAudioDriver(),
                       settings_.rate, counts.fill * 1000 / settings_.rate, counts.underruns, counts.overruns);
  }

  u32 rate() const override { return settings_.rate; }
  void play(std::span<const AudioFrame> frames) override {
    if (device_ != 0) ring_.put(frames);
  }
  void silence(u64 frames) override {
    if (device_ != 0) ring_.silence(frames);
  }
  void rest() override { ring_.rest(); }

 private:
  // Frames of the machine come every 10 ms.
  static constexpr u32 kLeast = 15'000;

  std::size_t frames(u32 us) const { return static_cast<std::size_t>(u64{settings_.rate} * us / 1'000'000); }

  AudioSettings settings_;
  unsigned period_;
  LiveRing ring_;
  bool initialised_ = false;
  SDL_AudioDeviceID device_ = 0;
};

}  // namespace

bool sdl_audio_available() { return true; }

Result<std::shared_ptr<HostSink>> make_sdl_sink(const AudioSettings& settings) {
  return std::shared_ptr<HostSink>(std::make_shared<SdlSink>(settings));
}

}  // namespace xlat
