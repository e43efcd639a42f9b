// -audiodev sdl without a sound card: SDL's disk driver keeps what the card would have played.
#include <catch2/catch.hpp>

#include "frontend/sound/host_sink.h"
#include "tests/frontend/process.h"
#include "tests/frontend/temp_dir.h"
#include "tests/support/recording.h"

namespace xlat {

namespace {
// Counter 2 divides by 2712 (440 Hz) and the speaker is on, for ever.
const std::vector<u8> kTone = {0xb0, 0xb6, 0xe6, 0x43, 0xb0, 0x98, 0xe6, 0x42, 0xb0,
                               0x0a, 0xe6, 0x42, 0xb0, 0x03, 0xe6, 0x61, 0xeb, 0xfe};
}  // namespace

TEST_CASE("sdl: a guest's tone reaches the sound card, in the sandbox", "[sound]") {
  if (!sdl_audio_available()) return;
  TempDir dir;
  static std::string file;
  file = dir / "card.raw";
  const std::string kernel = dir.write("kernel", multiboot_kernel(kTone));
  Process p({"-display", "none", "-vga", "none", "-monitor", "stdio", "-kernel", kernel, "-audiodev",
             "alsa,id=snd,out.buffer-length=40000", "-machine", "pcspk-audiodev=snd"},
            false, [] {
              setenv("SDL_AUDIODRIVER", "disk", 1);
              setenv("SDL_DISKAUDIOFILE", file.c_str(), 1);
            });
  for (int n = 0; n < 1000; ++n) {
    std::error_code none;
    if (std::filesystem::file_size(file, none) > 6 * 44100 * 4 && !none) break;
    std::this_thread::sleep_for(std::chrono::milliseconds(10));
  }
  p.send("info audio\nquit\n");
  CHECK(p.wait() == 0);
  CHECK(p.output.find("snd: sdl (disk), 44100 Hz") != std::string::npos);
  CHECK(p.output.find("pcspk: 44100 Hz") != std::string::npos);
  std::ifstream in(file, std::ios::binary);
  const std::vector<u8> bytes{std::istreambuf_iterator<char>(in), {}};
  std::vector<double> heard;
  for (std::size_t at = 0; at + 4 <= bytes.size(); at += 4) heard.push_back(static_cast<i16>(load_le<u16>(&bytes[at])));
  // The last two seconds, when the machine is at its speed.
  REQUIRE(heard.size() > 2 * 44100);
  heard.erase(heard.begin(), heard.end() - 2 * 44100);
  CHECK(peak(heard) > 4000);
}

TEST_CASE("sdl: a host without a card is told once, and the guest runs", "[sound]") {
  if (!sdl_audio_available()) return;
  TempDir dir;
  const std::string kernel = dir.write("kernel", multiboot_kernel(kTone));
  Process p({"-display", "none", "-vga", "none", "-monitor", "stdio", "-kernel", kernel, "-audiodev", "sdl,id=snd",
             "-machine", "pcspk-audiodev=snd"},
            false, [] { setenv("SDL_AUDIODRIVER", "nonsense", 1); });
  p.send("info audio\n");
  CHECK(p.expect("no sound card"));
  p.send("quit\n");
  CHECK(p.wait() == 0);
  CHECK(p.errors.find("-audiodev sdl,id=snd: no sound card") != std::string::npos);
}

}  // namespace xlat
