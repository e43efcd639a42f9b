// What can be set of a device when it is made, and the values that were.
#pragma once

#include <map>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "base/types.h"

namespace xlat {

struct Property {
  enum class Kind : u8 {
    kNumber,
    kSwitch,
    kText,
    kChannel,    // the id of a character back end
    kAudio,      // the id of an audio back end
    kDrive,      // the id of a drive's image
    kNetwork,    // the id of a network back end
    kBootIndex,  // a number, or -1 for none
  };
  std::string_view name;
  Kind kind = Kind::kNumber;
  std::string_view standard = {};  // the value if none is given; empty: none
  std::string_view help = {};
  u64 least = 0, most = 0xffff'ffff;  // of numbers
};

// Takes the fields of a number from a property's line: `number("irq", "5", "interrupt line", 3, 15)`.
constexpr Property number(std::string_view name, std::string_view standard, std::string_view help, u64 least = 0,
                          u64 most = 0xffff'ffff) {
  return {name, Property::Kind::kNumber, standard, help, least, most};
}
constexpr Property on_off(std::string_view name, std::string_view standard, std::string_view help) {
  return {name, Property::Kind::kSwitch, standard, help};
}
constexpr Property text(std::string_view name, std::string_view standard, std::string_view help) {
  return {name, Property::Kind::kText, standard, help};
}
inline constexpr Property kBootIndex = {
    "bootindex", Property::Kind::kBootIndex, {}, "place in the order in which devices are booted"};
constexpr Property back_end(std::string_view name, Property::Kind kind, std::string_view help) {
  return {name, kind, {}, help};
}

// The values of one device's properties; each was looked at by set(). Asking for one that the device's type does not
// have is a fault of ours.
class Properties {
 public:
  // Every property with its standard value.
  explicit Properties(std::span<const Property> known = {}) : known_(known.begin(), known.end()) {}
  void add(std::span<const Property> more) { known_.insert(known_.end(), more.begin(), more.end()); }

  // `where` begins the error message: "-device sb16".
  Status set(std::string_view where, std::string_view name, const std::string& value);
  bool given(std::string_view name) const { return given_.count(std::string(name)) != 0; }

  u64 number(std::string_view name) const;
  bool on(std::string_view name) const;
  // Empty if there is neither a value nor a standard one.
  std::string text(std::string_view name) const;

  std::span<const Property> known() const { return known_; }
  bool has(std::string_view name) const { return find(name) != nullptr; }

 private:
  const Property* find(std::string_view name) const;
  std::vector<Property> known_;
  std::map<std::string, std::string> given_;
};

}  // namespace xlat
