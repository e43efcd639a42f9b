#include "frontend/monitor_commands.h"
namespace xlat {
std::string monitor_x(MonitorContext&, std::string_view) { return {}; }
std::string monitor_xp(MonitorContext&, std::string_view) { return {}; }
std::string monitor_print(MonitorContext&, std::string_view) { return {}; }
std::string monitor_pmemsave(MonitorContext&, std::string_view) { return {}; }
}
