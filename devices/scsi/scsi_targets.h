// The targets' side of a parallel SCSI bus: phases, messages, disconnection and reselection.
#pragma once

#include <memory>
#include <vector>

#include "devices/scsi/scsi_bus.h"

namespace xlat {

// SCSI Parallel Interface 3. The one initiator is who calls: it selects, moves bytes in the phase there is, and lets
// targets go on. Nothing happens between two calls.
class ScsiTargets {
 public:
  // As MSG, C/D and I/O are on the bus.
  enum class Phase : u8 {
    kDataOut = 0,
    kDataIn = 1,
    kCommand = 2,
    kStatus = 3,
    kMessageOut = 6,
    kMessageIn = 7,
    kFree = 8,
    kLast = kFree,
  };
  static constexpr unsigned kMostTasks = 128;

  explicit ScsiTargets(ScsiBus& bus) : bus_(bus) {}

  // False: nobody answers. The bus must be free.
  bool select(u8 target, bool attention);
  Phase phase() const { return phase_; }
  bool connected() const { return phase_ != Phase::kFree; }
  // REQ: the target wants to move bytes in this phase now.
  bool requesting() const { return requesting_; }
  u8 target() const { return target_; }
  bool attention() const { return attention_; }
  // ACK is kept after the last byte of a message, so that the initiator may still refuse it.
  bool acknowledge_due() const { return acknowledge_due_; }

  // Moves what can be, while it requests; the phase may be another one afterwards. A command ends with what is sent at
  // once.
  std::size_t send(std::span<const u8> from);
  std::size_t receive(std::span<u8> to);
  // ATN. Messages out are looked at when it goes.
  void set_attention(bool on);
  void acknowledge();
  // The initiator wants to send messages before the command though it did not select with ATN.
  void expect_messages();

  // A target that has disconnected wants the bus. reselect() connects it, and gives its number.
  bool wants_reselection() const;
  u8 reselect();

  // Whether a drive has something to do; step() has one do it. False: that is to be tried again later.
  bool working() const;
  bool step();
  // The medium of one is done with something.
  void medium_done();

  // RST, and what an initiator leaves behind that is reset without telling.
  void bus_reset();
  void forget();
  void serialize(Archive& ar);

 private:
  static constexpr u16 kUntagged = 0x100;
  // What comes after a message in.
  enum class After : u8 { kGoOn, kDisconnect, kComplete, kLast = kComplete };
  struct Nexus {
    u8 target = 0, lun = 0;
    u16 tag = kUntagged;
    bool may_disconnect = false;
    ScsiTask task;
    void serialize(Archive& ar);
  };

  void enter(Phase phase);
  void free_bus();
  void go_on();
  void send_message(std::vector<u8> bytes, After after);
  void start_command();
  void take_messages();
  // Bytes used up; what is to be answered goes to `reply`.
  std::size_t take_message(std::span<const u8> bytes, std::vector<u8>& reply);
  std::size_t negotiate(std::span<const u8> bytes, std::vector<u8>& reply);
  template <class Which>
  void abort(Which which);
  bool advance(Nexus& nexus);

  ScsiBus& bus_;
  std::vector<std::unique_ptr<Nexus>> tasks_;
  Nexus* current_ = nullptr;  // the connected one, once its command has come

  Phase phase_ = Phase::kFree;
  bool requesting_ = false, attention_ = false, acknowledge_due_ = false;
  u8 target_ = 0, lun_ = 0;
  u16 tag_ = kUntagged;
  bool identified_ = false, may_disconnect_ = false;
  std::vector<u8> message_out_, command_, message_in_;
  u32 message_at_ = 0;
  After after_ = After::kGoOn;
};

}  // namespace xlat
