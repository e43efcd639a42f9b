#include "frontend/monitor_commands.h"
namespace xlat {
std::string info_mem(MonitorContext&, std::string_view) { return {}; }
std::string info_tlb(MonitorContext&, std::string_view) { return {}; }
}
