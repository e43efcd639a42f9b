// The 82441FX host bridge: PAM, SMRAM, and the IDs by which SeaBIOS recognizes the machine.
#pragma once

#include <functional>

#include "devices/chipset/shadow_map.h"
#include "devices/pci/pci.h"

namespace xlat {

// Device 0 function 0. Data sheet: Intel 82441FX (PMC), 290549.
class I440fx : public Device, public PciFunction {
 public:
  explicit I440fx(ShadowMap& shadow);

  // Told whether A0000-BFFFF is RAM (SMRAM open) instead of the VGA window.
  void on_smram(std::function<void(bool)> hook) { smram_hook_ = std::move(hook); }
  bool smram_open() const { return smram_open_; }
  // The CPU entered or left system management mode.
  void set_smm(bool in_smm);

  std::string_view name() const override { return "i440fx"; }
  void reset() override;
  void serialize(Archive& ar) override;

 protected:
  void config_changed(unsigned offset, unsigned width) override;

 private:
  void apply_pam();
  void update_smram();

  ShadowMap& shadow_;
  std::function<void(bool)> smram_hook_;
  bool smram_open_ = false;
  bool smm_ = false;
};

}  // namespace xlat
