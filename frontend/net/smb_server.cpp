// A configuration for smbd in a folder of its own; smb.conf(5).
#include "frontend/net/smb_server.h"

#include <pwd.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <filesystem>
#include <fstream>

namespace xlat {

namespace {
constexpr const char* kServer = "/usr/sbin/smbd";
}

Result<std::unique_ptr<SmbServer>> SmbServer::make(const std::string& share, const std::string& who) {
  if (access(kServer, X_OK) != 0) return error("{}: smb=: there is no {}; install the package samba", who, kServer);
  struct stat st {};
  if (stat(share.c_str(), &st) != 0 || !S_ISDIR(st.st_mode)) {
    return error("{}: smb={}: there is no such folder", who, share);
  }
  std::error_code none;
  const std::string path = std::filesystem::canonical(share, none).string();
  if (none || path.find_first_of("\n\r%") != std::string::npos) {
    return error("{}: smb={}: the folder's name cannot be told to smbd", who, share);
  }
  const passwd* const user = getpwuid(geteuid());
  if (!user) return error("{}: smb=: the host does not know the name of user {}", who, geteuid());
  char name[] = "/tmp/xlat-smb.XXXXXX";
  if (!mkdtemp(name)) return error("{}: smb=: cannot make a folder in /tmp: {}", who, std::strerror(errno));
  std::unique_ptr<SmbServer> server(new SmbServer(name));
  std::ofstream config(server->folder_ + "/smb.conf");
  config << "[global]\n";
  for (const char* key :
       {"private dir", "lock directory", "state directory", "cache directory", "pid directory", "ncalrpc dir"}) {
    config << key << " = " << name << "\n";
  }
  // One user, who is whoever runs xlat; Windows 9x and XP know the first of the protocols alone.
  config << "interfaces = 127.0.0.1\nbind interfaces only = yes\n"
         << "log file = " << name << "/log.smbd\nsmb passwd file = " << name << "/smbpasswd\n"
         << "security = user\nmap to guest = Bad User\nload printers = no\nprinting = bsd\ndisable spoolss = yes\n"
         << "usershare max shares = 0\nserver min protocol = NT1\n"
         << "[qemu]\npath = " << path << "\nread only = no\nguest ok = yes\nforce user = " << user->pw_name << "\n";
  config.close();
  if (!config) return error("{}: smb=: cannot write {}/smb.conf", who, name);
  return server;
}

SmbServer::~SmbServer() {
  std::error_code ignored;
  std::filesystem::remove_all(folder_, ignored);
}

std::string SmbServer::command() const { return fmt::format("{} -l {} -s {}/smb.conf", kServer, folder_, folder_); }

}  // namespace xlat
