// The rows in one list.
#include "devices/registry.h"

#include <algorithm>
#include <cctype>

namespace xlat {

#define XLAT_DEVICE(row) extern const DeviceType row;
#include "devices/registry.inc"
#undef XLAT_DEVICE

namespace {

constexpr const DeviceType* kTypes[] = {
#define XLAT_DEVICE(row) &row,
#include "devices/registry.inc"
#undef XLAT_DEVICE
};

constexpr Property kPciProperties[] = {
    text("addr", "", "slot and function, as 05.0; the first free slot if not given"),
};

bool same(std::string_view a, std::string_view b) {
  return std::equal(a.begin(), a.end(), b.begin(), b.end(),
                    [](unsigned char x, unsigned char y) { return std::tolower(x) == std::tolower(y); });
}

}  // namespace

std::span<const DeviceType* const> device_types() { return kTypes; }

const DeviceType* find_device_type(std::string_view name) {
  for (const DeviceType* type : kTypes) {
    if (same(type->name, name)) return type;
  }
  return nullptr;
}

Properties properties_of(const DeviceType& type) {
  Properties all(type.properties);
  if (type.bus == "PCI") all.add(kPciProperties);
  return all;
}

}  // namespace xlat
