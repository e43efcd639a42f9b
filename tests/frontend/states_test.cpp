// Saved states as a user has them: monitor commands, -loadvm, migrate and -incoming, between processes.
#include <catch2/catch.hpp>
#include <filesystem>

#include "tests/frontend/rfb_client.h"

using namespace xlat;

namespace {

bool says(const std::string& text, const std::string& part) {
  INFO(text);
  CHECK(text.find(part) != std::string::npos);
  return text.find(part) != std::string::npos;
}

void quit(EchoMachine& machine) {
  Socket last(Socket::connect_unix((machine.dir / "mon")));
  last.expect("(xlat) ");
  last.send("quit\n");
  CHECK(machine.process->wait() == 0);
}

// The guest of `machine` answers to keys.
bool answers(EchoMachine& machine, const std::string& key) {
  for (int tries = 0; tries < 20; ++tries) {
    if (machine.process->wait(0) >= 0) break;  // it has ended
    machine.monitor("sendkey " + key);
    if (machine.process->expect(key, 1)) return true;
  }
  INFO(machine.process->errors);
  CHECK(false);
  return false;
}

}  // namespace

TEST_CASE("savevm, loadvm, delvm and info snapshots", "[states]") {
  EchoMachine machine({});
  REQUIRE(machine.wait_for_guest());
  says(machine.monitor("info snapshots"), "There is no snapshot available.");
  const std::string done = machine.monitor("savevm one");
  CHECK(done.find("Error") == std::string::npos);
  machine.monitor("savevm");
  const std::string list = machine.monitor("info snapshots");
  says(list,
       "List of snapshots present on all disks:\r\nID        TAG               VM SIZE                DATE     VM "
       "CLOCK     ICOUNT\r\n--        one ");
  says(list, "vm-20");
  says(machine.monitor("loadvm two"), "Error: Snapshot 'two' does not exist in one or more devices");
  says(machine.monitor("info status"), "VM status: running");
  CHECK(machine.monitor("loadvm one").find("Error") == std::string::npos);
  says(machine.monitor("info status"), "VM status: running");
  CHECK(answers(machine, "x"));
  machine.monitor("stop");
  CHECK(machine.monitor("loadvm one").find("Error") == std::string::npos);
  says(machine.monitor("info status"), "VM status: paused");
  CHECK(machine.monitor("delvm one").find("Error") == std::string::npos);
  says(machine.monitor("delvm one"), "does not exist");
  says(machine.monitor("loadvm"), "loadvm: string expected");
  says(machine.monitor("savevm a b"), "savevm: extraneous characters at the end of line");
  quit(machine);
}

TEST_CASE("a machine goes on in another process: -loadvm, and migrate to -incoming", "[states]") {
  EchoMachine machine({});
  REQUIRE(machine.wait_for_guest());
  const std::string file = machine.dir / "whole", floppy = machine.dir / "floppy";
  CHECK(machine.monitor("savevm here").find("Error") == std::string::npos);
  CHECK(machine.monitor("migrate -d file:" + file).find("Error") == std::string::npos);
  says(machine.monitor("info status"), "VM status: paused (postmigrate)");
  says(machine.monitor("info migrate"), "Migration status: completed");
  says(machine.monitor("migrate ftp:there"), "unknown migration protocol: ftp:there");
  says(machine.monitor("migrate unix:" + (machine.dir / "nobody")), "cannot connect to unix:");
  says(machine.monitor("migrate_incoming file:" + file), "needs -incoming defer");

  // Its guest waits for a key, and so does that of each which takes it over.
  const auto goes_on = [&](std::vector<std::string> how) {
    EchoMachine other(std::move(how));
    std::filesystem::copy_file(floppy, other.dir / "floppy", std::filesystem::copy_options::overwrite_existing);
    CHECK(answers(other, "x"));
    quit(other);
  };
  goes_on({"-incoming", "file:" + file});
  goes_on({"-incoming", "exec:cat " + file});

  const std::string socket = machine.dir / "socket";
  EchoMachine listening({"-incoming", "unix:" + socket});
  says(listening.monitor("info status"), "VM status: paused (inmigrate)");
  says(listening.monitor("cont"), "Guest is waiting for an incoming migration");
  CHECK(machine.monitor("migrate unix:" + socket).find("Error") == std::string::npos);
  CHECK(answers(listening, "x"));
  quit(listening);

  EchoMachine deferred({"-incoming", "defer", "-S"});
  CHECK(deferred.monitor("migrate_incoming file:" + file).find("Error") == std::string::npos);
  for (int tries = 0; tries < 100 && deferred.monitor("info status").find("prelaunch") == std::string::npos; ++tries) {
    std::this_thread::sleep_for(std::chrono::milliseconds(20));
  }
  deferred.monitor("cont");
  CHECK(answers(deferred, "x"));
  quit(deferred);
  quit(machine);

  Process by_name({"-m", "8", "-boot", "a", "-drive", "if=floppy,format=raw,file=" + floppy, "-serial", "stdio",
                   "-monitor", "unix:" + (machine.dir / "mon") + ",server,nowait", "-loadvm", "here"});
  machine.monitor("sendkey x");
  CHECK(by_name.expect("x", 20));
}

TEST_CASE("states that cannot be loaded end the program with what is wrong", "[states]") {
  TempDir dir;
  const auto fails = [&dir](std::vector<std::string> how, const std::string& why) {
    how.insert(how.end(), {"-m", "8", "-serial", "none", "-monitor", "none"});
    Process process(std::move(how));
    CHECK(process.wait() == 1);
    says(process.errors, why);
  };
  const std::string floppy = dir.write("floppy", std::vector<u8>(1440 * 1024));
  const std::string drive = "if=floppy,format=raw,file=" + floppy;
  fails({"-drive", drive, "-loadvm", "none"}, "xlat: Snapshot 'none' does not exist in one or more devices");
  fails({"-loadvm", "none"}, "no block device can store vmstate for snapshot");
  fails({"-incoming", "exec:echo nothing"}, "xlat: load of migration failed: this is no saved state of xlat's");
  fails({"-incoming", "exec:exit 3"}, "'exit 3' ended with status 3");
  fails({"-incoming", "file:" + (dir / "nothing")}, "cannot open");
  fails({"-incoming", "smoke:signals"}, "unknown migration protocol: smoke:signals");
}
