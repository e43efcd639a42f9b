#include "frontend/monitor_commands.h"
namespace xlat {
std::string info_pic(MonitorContext&, std::string_view) { return {}; }
std::string info_pci(MonitorContext&, std::string_view) { return {}; }
}
