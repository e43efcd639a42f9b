// What the rows of sound cards have in common.
#pragma once

#include "devices/audio/audio_mixer.h"
#include "devices/registry.h"

namespace xlat {

inline constexpr Property kAudiodev =
    back_end("audiodev", Property::Kind::kAudio, "where it plays to; the first -audiodev if not given");

// One on PCI, with nothing else to set.
inline constexpr Property kPciCardProperties[] = {kAudiodev};
template <class Card>
Result<std::unique_ptr<Device>> make_pci_card(Board& board, const Properties& values) {
  auto mixer = board.audio(values.text("audiodev"));
  if (!mixer) return mixer.error();
  return std::unique_ptr<Device>(std::make_unique<Card>(board.memory(), board.clock(), *mixer));
}

}  // namespace xlat
