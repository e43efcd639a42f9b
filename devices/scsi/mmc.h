// What a CD or DVD drive with one data track tells of its disc and of itself (MMC-3), whatever it is plugged into.
#pragma once

#include <optional>
#include <vector>

#include "devices/scsi/cd_audio.h"
#include "devices/scsi/scsi.h"

namespace xlat::mmc {

struct Disc {
  u64 sectors = 0;       // of 2048 bytes
  bool present = false;  // whether or not the tray is open
  bool tray_open = false, locked = false;
  bool ready() const { return present && !tray_open; }
  bool is_dvd() const { return sectors > 1'200'000; }
};

// Answers of any length, to be cut to what was asked for; nothing where a field asks for what there is not.
// READ TOC/PMA/ATIP: formats 0 to 2.
std::optional<std::vector<u8>> toc(const Disc& disc, u8 format, bool msf, u8 first_track);
// READ SUB-CHANNEL; without Q it is the header alone.
std::optional<std::vector<u8>> subchannel(CdAudio& audio, bool q, u8 format, bool msf);
// GET CONFIGURATION, `type` being RT, from the drive's physical interface (MMC-3, table 81).
enum class Interface : u8 { kScsi = 1, kAtapi = 2 };
std::optional<std::vector<u8>> configuration(const Disc& disc, Interface interface, u8 type, u16 first);
// GET EVENT STATUS NOTIFICATION, of media alone.
std::vector<u8> event_status(const Disc& disc, u8 classes, u8 event);
std::optional<std::vector<u8>> disc_information(u8 type);
std::optional<std::vector<u8>> track_information(const Disc& disc, u8 by, u32 what);
std::vector<u8> mechanism_status(const Disc& disc);
// MODE SENSE. `changeable`: ones where MODE SELECT can change them.
std::vector<ScsiModePage> mode_pages(const Disc& disc, const CdAudio& audio, bool changeable);
u8 medium_type(const Disc& disc);

// READ CD: bytes of a sector by the command's byte 9 (header, user data, EDC and ECC, sync); puts such a sector of mode
// 1 around the 2048 bytes of its user data, and returns its bytes.
u32 sector_bytes(u8 parts);
u32 put_sector(u8* to, u8 parts, u64 lba, const u8* user_data);

}  // namespace xlat::mmc
