// Looking at a property's value.
#include "devices/properties.h"

#include <fmt/format.h>

#include <cassert>

#include "base/spelling.h"

namespace xlat {

const Property* Properties::find(std::string_view name) const {
  for (const Property& p : known_) {
    if (p.name == name) return &p;
  }
  return nullptr;
}

Status Properties::set(std::string_view where, std::string_view name, const std::string& value) {
  const Property* p = find(name);
  if (!p) {
    std::vector<std::string_view> names;
    for (const Property& each : known_) names.push_back(each.name);
    return error("{}: no property '{}'; {}", where, name, choices(name, names));
  }
  if (p->kind == Property::Kind::kNumber) {
    const auto n = parse_number(value);
    if (!n || *n < p->least || *n > p->most) {
      return p->most > 0xff
                 ? error("{}: {}={}: give a number from {:#x} to {:#x}", where, name, value, p->least, p->most)
                 : error("{}: {}={}: give {} to {}", where, name, value, p->least, p->most);
    }
  } else if (p->kind == Property::Kind::kBootIndex) {
    const auto n = parse_number(value);
    if (value != "-1" && (!n || *n > 0x7fffffff)) {
      return error("{}: {}={}: give a number, the least of which is booted first, or -1", where, name, value);
    }
  } else if (p->kind == Property::Kind::kSwitch) {
    if (!parse_switch(value)) return error("{}: {}={}: give on or off", where, name, value);
  } else if (p->kind != Property::Kind::kText && value.empty()) {
    return error("{}: {}=: give an id", where, name);
  }
  given_[std::string(name)] = value;
  return {};
}

std::string Properties::text(std::string_view name) const {
  const Property* p = find(name);
  assert(p);
  const auto found = given_.find(std::string(name));
  return found != given_.end() ? found->second : std::string(p->standard);
}

u64 Properties::number(std::string_view name) const { return parse_number(text(name)).value_or(0); }

bool Properties::on(std::string_view name) const { return parse_switch(text(name)).value_or(false); }

}  // namespace xlat
