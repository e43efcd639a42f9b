#include "frontend/monitor_commands.h"
namespace xlat {
std::string info_registers(MonitorContext&, std::string_view) { return {}; }
}
