// What the monitor's commands are made of, and their functions by file.
#pragma once

#include <functional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "frontend/input/key_queue.h"
#include "machine/machine.h"

namespace xlat {

class Networks;
class VncServer;

struct MonitorContext {
  Machine& machine;
  KeyQueue& keys;
  std::string name;
  std::function<void()> quit;
  std::vector<std::string> channels = {};
  u8 mouse_buttons = 0;
  std::function<std::string(std::string_view device)> gdbserver = {};
  VncServer* vnc = nullptr;  // null: there is none
  Networks* networks = nullptr;
  // Shows something while a command is at work.
  std::function<void(std::string_view)> print = {};
  std::string migrated = {};  // what info migrate says of the last migration
  // Begins to wait for a state; with `uri` as -incoming has it.
  std::function<Status(const std::string& uri)> receive = {};
  // Set by a command that asks for a password: gets it and returns what is printed.
  std::function<std::string(std::string_view)> secret = {};
};

// Gets the rest of the line, trimmed; returns what is printed.
using MonitorFunction = std::string (*)(MonitorContext& context, std::string_view arguments);

struct MonitorCommand {
  std::string_view names;  // alternatives separated by '|'
  std::string_view arguments, help;
  MonitorFunction run;
};

// Words separated by blanks; "..." keeps blanks.
std::vector<std::string> monitor_words(std::string_view arguments);

// Writes a file piece by piece: `fill` gets each piece with its offset, and says whether it could be had.
std::string save_to_file(const std::string& path, u64 size, const std::function<bool(u64, std::span<u8>)>& fill);

// monitor_control.cpp
std::string monitor_stop(MonitorContext&, std::string_view);
std::string monitor_cont(MonitorContext&, std::string_view);
std::string monitor_reset(MonitorContext&, std::string_view);
std::string monitor_powerdown(MonitorContext&, std::string_view);
std::string monitor_wakeup(MonitorContext&, std::string_view);
std::string monitor_quit(MonitorContext&, std::string_view);
std::string monitor_sendkey(MonitorContext&, std::string_view);
std::string monitor_mouse_move(MonitorContext&, std::string_view);
std::string monitor_mouse_button(MonitorContext&, std::string_view);
std::string monitor_mouse_set(MonitorContext&, std::string_view);
std::string monitor_screendump(MonitorContext&, std::string_view);
std::string monitor_gdbserver(MonitorContext&, std::string_view);
std::string info_status(MonitorContext&, std::string_view);
std::string info_mice(MonitorContext&, std::string_view);
std::string info_keyboard(MonitorContext&, std::string_view);
std::string info_name(MonitorContext&, std::string_view);
std::string info_version(MonitorContext&, std::string_view);

// monitor_memory.cpp
std::string monitor_x(MonitorContext&, std::string_view);
std::string monitor_xp(MonitorContext&, std::string_view);
std::string monitor_print(MonitorContext&, std::string_view);
std::string monitor_pmemsave(MonitorContext&, std::string_view);
std::string monitor_memsave(MonitorContext&, std::string_view);
std::string monitor_in(MonitorContext&, std::string_view);
std::string monitor_out(MonitorContext&, std::string_view);

// monitor_registers.cpp
std::string info_registers(MonitorContext&, std::string_view);

// monitor_paging.cpp
std::string info_mem(MonitorContext&, std::string_view);
std::string info_tlb(MonitorContext&, std::string_view);
std::string monitor_pagewalk(MonitorContext&, std::string_view);

// monitor_symbols.cpp
std::string monitor_symbols(MonitorContext&, std::string_view);

// monitor_linux.cpp
std::string info_linux(MonitorContext&, std::string_view);

// monitor_devices.cpp
std::string info_pic(MonitorContext&, std::string_view);
std::string info_pci(MonitorContext&, std::string_view);
std::string info_qtree(MonitorContext&, std::string_view);
std::string info_irq(MonitorContext&, std::string_view);
std::string info_dma(MonitorContext&, std::string_view);
std::string info_jit(MonitorContext&, std::string_view);
std::string info_audio(MonitorContext&, std::string_view);
std::string info_chardev(MonitorContext&, std::string_view);

// monitor_mtree.cpp
std::string info_mtree(MonitorContext&, std::string_view);

// vnc.cpp
std::string monitor_set_password(MonitorContext&, std::string_view);
std::string monitor_expire_password(MonitorContext&, std::string_view);
std::string change_vnc(MonitorContext&, std::string_view);
std::string info_vnc(MonitorContext&, std::string_view);

// network.cpp
std::string monitor_set_link(MonitorContext&, std::string_view);
std::string monitor_hostfwd_add(MonitorContext&, std::string_view);
std::string monitor_hostfwd_remove(MonitorContext&, std::string_view);
std::string info_network(MonitorContext&, std::string_view);
std::string info_usernet(MonitorContext&, std::string_view);

// states.cpp
std::string monitor_savevm(MonitorContext&, std::string_view);
std::string monitor_loadvm(MonitorContext&, std::string_view);
std::string monitor_delvm(MonitorContext&, std::string_view);
std::string monitor_migrate(MonitorContext&, std::string_view);
std::string monitor_migrate_incoming(MonitorContext&, std::string_view);
std::string info_snapshots(MonitorContext&, std::string_view);
std::string info_migrate(MonitorContext&, std::string_view);

// monitor_media.cpp
std::string monitor_change(MonitorContext&, std::string_view);
std::string monitor_commit(MonitorContext&, std::string_view);
std::string monitor_eject(MonitorContext&, std::string_view);
std::string info_block(MonitorContext&, std::string_view);

}  // namespace xlat
