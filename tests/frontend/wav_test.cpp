// -audiodev wav: the file's format, and a guest's tone through the whole program.
#include <catch2/catch.hpp>

#include "frontend/sound/wav_sink.h"
#include "tests/frontend/process.h"
#include "tests/frontend/temp_dir.h"

namespace xlat {

namespace {

struct Wav {
  u16 channels = 0, bits = 0;
  u32 rate = 0, riff = 0, data = 0;
  std::vector<i16> first;  // of the first channel
  std::size_t file = 0;
};

Wav read_wav(const std::string& path) {
  std::ifstream in(path, std::ios::binary);
  const std::vector<u8> bytes{std::istreambuf_iterator<char>(in), {}};
  Wav wav;
  wav.file = bytes.size();
  REQUIRE(bytes.size() >= 44);
  CHECK(std::string(bytes.begin(), bytes.begin() + 4) == "RIFF");
  CHECK(std::string(bytes.begin() + 8, bytes.begin() + 16) == "WAVEfmt ");
  CHECK(std::string(bytes.begin() + 36, bytes.begin() + 40) == "data");
  wav.riff = load_le<u32>(&bytes[4]);
  wav.channels = load_le<u16>(&bytes[22]);
  wav.rate = load_le<u32>(&bytes[24]);
  wav.bits = load_le<u16>(&bytes[34]);
  wav.data = load_le<u32>(&bytes[40]);
  CHECK(load_le<u16>(&bytes[20]) == 1);
  const std::size_t frame = wav.channels * wav.bits / 8u;
  CHECK(load_le<u32>(&bytes[28]) == wav.rate * frame);
  CHECK(load_le<u16>(&bytes[32]) == frame);
  CHECK(wav.riff == wav.data + 36);
  CHECK(wav.data + 44 <= bytes.size());
  for (std::size_t at = 44; at + frame <= 44 + std::size_t{wav.data}; at += frame) {
    wav.first.push_back(wav.bits == 8 ? static_cast<i16>((bytes[at] - 128) * 256)
                                      : static_cast<i16>(load_le<u16>(&bytes[at])));
  }
  return wav;
}

std::vector<AudioFrame> mono(std::initializer_list<i16> samples) {
  std::vector<AudioFrame> frames;
  for (const i16 sample : samples) frames.push_back({sample, sample});
  return frames;
}

// Samples before the first sound.
std::size_t silence(const std::vector<i16>& samples) {
  return static_cast<std::size_t>(std::find_if(samples.begin(), samples.end(), [](i16 sample) { return sample != 0; }) -
                                  samples.begin());
}

unsigned crossings(const std::vector<i16>& samples) {
  unsigned n = 0;
  for (std::size_t i = 1; i < samples.size(); ++i) n += (samples[i - 1] < 0) != (samples[i] < 0);
  return n;
}

// Counter 2 divides by 2712 (440 Hz), the speaker is on; after 2 * 2,000,000 instructions isa-debug-exit.
const std::vector<u8> kToneCode = {0xb0, 0xb6, 0xe6, 0x43, 0xb0, 0x98, 0xe6, 0x42, 0xb0, 0x0a, 0xe6, 0x42,  //
                                   0xb0, 0x03, 0xe6, 0x61,                                                  //
                                   0xb9, 0x80, 0x84, 0x1e, 0x00, 0x49, 0x75, 0xfd,                          //
                                   0x30, 0xc0, 0xe6, 0xf4, 0xeb, 0xfe};

}  // namespace

TEST_CASE("wav: header, samples, silence", "[wav]") {
  TempDir dir;
  AudioSettings settings{
      .id = "a", .driver = AudioDriver::kWav, .path = dir / "a.wav", .rate = 8000, .channels = 2, .bits = 16};
  {
    WavSink sink(settings);
    REQUIRE(sink.open().ok());
    REQUIRE(sink.start().ok());
    CHECK(read_wav(settings.path).data == 0);
    const std::vector<AudioFrame> tone = mono({1, -2, 300, -32768, 32767});
    sink.play(tone);
    sink.silence(100'000);
    // Valid while it is being written.
    Wav wav = read_wav(settings.path);
    CHECK(wav.first.size() == 100'005);
    sink.play(tone);
  }
  Wav wav = read_wav(settings.path);
  CHECK(wav.channels == 2);
  CHECK(wav.rate == 8000);
  CHECK(wav.file == wav.data + 44);
  REQUIRE(wav.first.size() == 100'010);
  CHECK(wav.first[3] == -32768);
  CHECK(wav.first[5] == 0);
  CHECK(wav.first[100'009] == 32767);

  {
    WavSink sink(settings);
    REQUIRE(sink.open().ok());
    REQUIRE(sink.start().ok());
    sink.silence(u64{1} << 40);  // more than the header can say
    sink.play(mono({1, 2, 3}));
  }
  CHECK(std::filesystem::file_size(settings.path) > 0xffff'fe00);
  CHECK(std::filesystem::file_size(settings.path) < 0x1'0000'0000);
  settings.bits = 8;
  settings.channels = 1;
  {
    WavSink sink(settings);
    REQUIRE(sink.open().ok());
    REQUIRE(sink.start().ok());
    sink.play(mono({0, 256, -32768}));
    sink.silence(5000);
  }
  wav = read_wav(settings.path);
  REQUIRE(wav.first.size() == 5003);
  CHECK(wav.first[1] == 256);
  CHECK(wav.first[2] == -32768);
  CHECK(wav.first[5002] == 0);
}

TEST_CASE("wav: a file that was there stays until the machine starts", "[wav]") {
  TempDir dir;
  AudioSettings settings{.id = "a", .driver = AudioDriver::kWav, .path = dir.write("old.wav", {'o', 'l', 'd'})};
  {
    WavSink sink(settings);
    REQUIRE(sink.open().ok());
  }
  CHECK(std::filesystem::file_size(settings.path) == 3);
  settings.path = dir / "new.wav";
  {
    WavSink sink(settings);
    REQUIRE(sink.open().ok());
  }
  CHECK_FALSE(std::filesystem::exists(settings.path));
  settings.path = "/nonexistent/x.wav";
  CHECK_FALSE(WavSink(settings).open().ok());
}

TEST_CASE("wav: a guest plays 440 Hz", "[wav]") {
  TempDir dir;
  const std::string kernel = dir.write("kernel", multiboot_kernel(kToneCode));
  std::vector<std::vector<i16>> runs;
  for (const char* name : {"a.wav", "b.wav"}) {
    Process p({"-display", "none", "-vga", "none", "-icount", "shift=7,sleep=off", "-kernel", kernel, "-device",
               "isa-debug-exit,iobase=0xf4,iosize=1", "-audiodev",
               "wav,id=snd,out.frequency=48000,out.channels=1,path=" + (dir / name), "-machine", "pcspk-audiodev=snd"});
    CHECK(p.wait() == 1);
    CHECK(p.errors.empty());
    const Wav wav = read_wav(dir / name);
    CHECK(wav.rate == 48000);
    CHECK(wav.channels == 1);
    CHECK(wav.file == wav.data + 44);
    // 4,000,000 instructions of 128 ns, behind the silence of the firmware's.
    CHECK(std::abs(static_cast<int>(wav.first.size() - silence(wav.first)) - 24576) <= 2);
    CHECK(std::abs(static_cast<int>(crossings(wav.first)) - 451) <= 2);
    runs.push_back(wav.first);
  }
  CHECK(runs[0] == runs[1]);
}

TEST_CASE("wav: a deterministic run gives the same bytes each time and on each engine", "[wav]") {
  TempDir dir;
  // A note on the OPL, as its registers and values go to 388h, over the speaker's tone.
  std::vector<u8> code = {0x66, 0xba, 0x88, 0x03};  // mov dx, 388h
  for (const auto& [reg, value] : std::initializer_list<std::pair<u8, u8>>{{0x20, 0x21},
                                                                           {0x23, 0x21},
                                                                           {0x40, 0x10},
                                                                           {0x60, 0xf0},
                                                                           {0x63, 0xf0},
                                                                           {0xc0, 0x30},
                                                                           {0xa0, 0x44},
                                                                           {0xb0, 0x32}}) {
    // mov al, reg; out dx, al; inc dx; mov al, value; out dx, al; dec dx
    for (const u8 byte : {u8{0xb0}, reg, u8{0xee}, u8{0x42}, u8{0xb0}, value, u8{0xee}, u8{0x4a}}) code.push_back(byte);
  }
  code.insert(code.end(), kToneCode.begin(), kToneCode.end());
  const std::string kernel = dir.write("kernel", multiboot_kernel(code));
  std::vector<std::vector<char>> files;
  for (const auto& [name, engine] : {std::pair{"a.wav", "jit"}, {"b.wav", "jit"}, {"c.wav", "interp"}}) {
    Process p({"-display", "none", "-vga", "none", "-icount", "shift=7,sleep=off", "-engine", engine, "-kernel", kernel,
               "-device", "isa-debug-exit,iobase=0xf4,iosize=1", "-audiodev", "wav,id=snd,path=" + (dir / name),
               "-machine", "pcspk-audiodev=snd", "-device", "sb16,audiodev=snd"});
    CHECK(p.wait() == 1);
    CHECK(p.errors.empty());
    std::ifstream in(dir / name, std::ios::binary);
    files.emplace_back(std::istreambuf_iterator<char>(in), std::istreambuf_iterator<char>());
  }
  CHECK(files[0].size() > 44100);
  CHECK(files[0] == files[1]);
  CHECK(files[0] == files[2]);
}

TEST_CASE("wav: valid after the process was killed", "[wav]") {
  TempDir dir;
  std::vector<u8> code(kToneCode.begin(), kToneCode.begin() + 16);
  code.insert(code.end(), {0xeb, 0xfe});
  const std::string kernel = dir.write("kernel", multiboot_kernel(code));
  Process p({"-display", "none", "-vga", "none", "-kernel", kernel, "-audiodev", "wav,id=s,path=" + (dir / "k.wav"),
             "-M", "pc,pcspk-audiodev=s"});
  for (int n = 0; n < 2000; ++n) {
    std::error_code none;
    if (std::filesystem::file_size(dir / "k.wav", none) > 100'000 && !none) break;
    std::this_thread::sleep_for(std::chrono::milliseconds(10));
  }
  kill(p.pid(), SIGKILL);
  p.wait();
  const Wav wav = read_wav(dir / "k.wav");
  CHECK(wav.first.size() > 20'000);
  const double seconds = static_cast<double>(wav.first.size() - silence(wav.first)) / 44100;
  CHECK(crossings(wav.first) == Approx(880 * seconds).margin(4));
}

}  // namespace xlat
