// The characters of the PC's text screen, code page 437, as Unicode and as the nearest ASCII.
#pragma once

#include "base/types.h"

namespace xlat {

// As the card's font draws it: the codes below 20h are pictures too, 00h and FFh are blank.
char32_t cp437_to_unicode(u8 code);
// For terminals that know nothing else.
char cp437_to_ascii(u8 code);

}  // namespace xlat
