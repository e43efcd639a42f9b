// The kinds of channels by name, and the one that goes nowhere.
#include "frontend/channels/char_backend.h"

#include "frontend/display/virtual_console.h"

namespace xlat {

namespace {
class NullBackend final : public CharBackend {
 public:
  Status open() override { return {}; }
  Status start(CharHandlers, int) override { return {}; }
  void stop() override {}
  void write(std::span<const u8>) override {}
};
}  // namespace

std::unique_ptr<CharBackend> make_char_backend(const CharSpec& spec, std::string label, Terminal& terminal) {
  switch (spec.kind) {
    case CharSpec::Kind::kStdio: return make_stdio_backend(spec, terminal);
    case CharSpec::Kind::kFile: return make_file_backend(spec, std::move(label));
    case CharSpec::Kind::kUnix:
    case CharSpec::Kind::kTcp: return make_socket_backend(spec, std::move(label));
    case CharSpec::Kind::kPty: return make_pty_backend(std::move(label));
    case CharSpec::Kind::kVc: return std::make_unique<VirtualConsole>(std::move(label));
    case CharSpec::Kind::kMsmouse:  // the machine's own affair
    case CharSpec::Kind::kNone:
    case CharSpec::Kind::kChardev:  // its channel has taken its place by now
    case CharSpec::Kind::kNull: break;
  }
  return std::make_unique<NullBackend>();
}

}  // namespace xlat
