// How a target goes from phase to phase (SPI-3, clauses 10, 11 and 16).
#include "devices/scsi/scsi_targets.h"

#include <algorithm>

namespace xlat {

namespace {

enum Message : u8 {
  kCommandComplete = 0x00,
  kExtended = 0x01,
  kSaveDataPointer = 0x02,
  kDisconnect = 0x04,
  kAbortTaskSet = 0x06,
  kMessageReject = 0x07,
  kAbortTask = 0x0d,
  kClearTaskSet = 0x0e,
  kTargetReset = 0x0c,
  kUnitReset = 0x17,
  kSimple = 0x20,
  kHeadOfQueue = 0x21,
  kOrdered = 0x22,
  kIdentify = 0x80,
};
constexpr u8 kDisconnectPrivilege = 0x40;
// Extended messages: synchronous transfers, width, both.
constexpr u8 kSdtr = 0x01, kWdtr = 0x03, kPpr = 0x04;
constexpr u8 kLeastPeriod = 0x0a, kMostOffset = 31;  // Ultra2: 40 MHz
constexpr std::size_t kMostMessages = 256;

// By the group in the operation code (SPC-3, 4.3.4.1). Zero: as long as what is sent.
std::size_t command_bytes(u8 operation) {
  constexpr u8 kBytes[] = {6, 10, 10, 0, 16, 12, 0, 0};
  return kBytes[operation >> 5];
}

}  // namespace

void ScsiTargets::enter(Phase phase) {
  phase_ = phase;
  requesting_ = true;
}

void ScsiTargets::free_bus() {
  phase_ = Phase::kFree;
  requesting_ = attention_ = acknowledge_due_ = false;
  current_ = nullptr;
  message_out_.clear();
  command_.clear();
  message_in_.clear();
  message_at_ = 0;
  after_ = After::kGoOn;
}

bool ScsiTargets::select(u8 target, bool attention) {
  if (!bus_.has_target(target)) return false;
  free_bus();
  target_ = target;
  lun_ = 0;
  tag_ = kUntagged;
  identified_ = may_disconnect_ = false;
  attention_ = attention;
  enter(attention ? Phase::kMessageOut : Phase::kCommand);
  return true;
}

void ScsiTargets::expect_messages() {
  if (phase_ == Phase::kCommand && command_.empty() && !identified_) enter(Phase::kMessageOut);
}

// ---- Bytes ----

std::size_t ScsiTargets::send(std::span<const u8> from) {
  if (!requesting_) return 0;
  switch (phase_) {
    case Phase::kMessageOut: {
      const std::size_t bytes = std::min(from.size(), kMostMessages);
      if (message_out_.size() < kMostMessages)
        message_out_.insert(message_out_.end(), from.begin(), from.begin() + static_cast<std::ptrdiff_t>(bytes));
      return bytes;
    }
    case Phase::kCommand: {
      const std::size_t bytes = std::min(from.size(), 16 - command_.size());
      command_.insert(command_.end(), from.begin(), from.begin() + static_cast<std::ptrdiff_t>(bytes));
      if (!command_.empty() && command_.size() >= command_bytes(command_[0])) start_command();
      return bytes;
    }
    case Phase::kDataOut: {
      const std::span<u8> room = current_->task.room();
      const std::size_t bytes = std::min(from.size(), room.size());
      std::copy_n(from.begin(), bytes, room.begin());
      current_->task.moved(bytes);
      if (current_->task.phase() != ScsiTask::Phase::kDataOut) go_on();
      return bytes;
    }
    default: return 0;
  }
}

std::size_t ScsiTargets::receive(std::span<u8> to) {
  if (!requesting_ || to.empty()) return 0;
  switch (phase_) {
    case Phase::kDataIn: {
      const std::span<const u8> there = current_->task.bytes();
      const std::size_t bytes = std::min(to.size(), there.size());
      std::copy_n(there.begin(), bytes, to.begin());
      current_->task.moved(bytes);
      if (current_->task.phase() != ScsiTask::Phase::kDataIn) go_on();
      return bytes;
    }
    case Phase::kStatus:
      to[0] = static_cast<u8>(current_->task.status());
      send_message({kCommandComplete}, After::kComplete);
      return 1;
    case Phase::kMessageIn: {
      const std::size_t bytes = std::min<std::size_t>(to.size(), message_in_.size() - message_at_);
      std::copy_n(message_in_.begin() + message_at_, bytes, to.begin());
      message_at_ += static_cast<u32>(bytes);
      requesting_ = false;
      acknowledge_due_ = true;
      return bytes;
    }
    default: return 0;
  }
}

// ---- Phases ----

void ScsiTargets::send_message(std::vector<u8> bytes, After after) {
  message_in_ = std::move(bytes);
  message_at_ = 0;
  after_ = after;
  enter(Phase::kMessageIn);
}

void ScsiTargets::set_attention(bool on) {
  attention_ = on && connected();
  if (!on && phase_ == Phase::kMessageOut) take_messages();
}

void ScsiTargets::acknowledge() {
  if (!std::exchange(acknowledge_due_, false)) return;
  if (attention_) return enter(Phase::kMessageOut);
  if (message_at_ < message_in_.size()) return enter(Phase::kMessageIn);
  message_in_.clear();
  message_at_ = 0;
  switch (after_) {
    case After::kGoOn: return go_on();
    case After::kDisconnect: return free_bus();
    case After::kComplete: {
      const Nexus* done = current_;
      std::erase_if(tasks_, [done](const auto& each) { return each.get() == done; });
      return free_bus();
    }
  }
}

void ScsiTargets::go_on() {
  after_ = After::kGoOn;
  if (attention_) return enter(Phase::kMessageOut);
  if (!current_) return enter(Phase::kCommand);
  const ScsiTask& task = current_->task;
  switch (task.phase()) {
    case ScsiTask::Phase::kDataIn: return enter(Phase::kDataIn);
    case ScsiTask::Phase::kDataOut: return enter(Phase::kDataOut);
    case ScsiTask::Phase::kDone: return enter(Phase::kStatus);
    case ScsiTask::Phase::kWaits: break;
  }
  requesting_ = false;
  // Before the first byte and after the last one it leaves the bus to others; in between it comes too soon again.
  if (!current_->may_disconnect || (task.begun() && !task.last())) return;
  if (task.begun()) return send_message({kSaveDataPointer, kDisconnect}, After::kDisconnect);
  send_message({kDisconnect}, After::kDisconnect);
}

template <class Which>
void ScsiTargets::abort(Which which) {
  std::erase_if(tasks_, [&](const auto& each) {
    if (!which(*each)) return false;
    if (current_ == each.get()) current_ = nullptr;
    return true;
  });
}

void ScsiTargets::start_command() {
  if (!identified_) lun_ = command_[1] >> 5;  // as before SCSI-2
  const auto same_unit = [this](const Nexus& n) { return n.target == target_ && n.lun == lun_; };
  const bool overlaps = std::any_of(tasks_.begin(), tasks_.end(),
                                    [&](const auto& each) { return same_unit(*each) && each->tag == tag_; });
  if (overlaps) abort(same_unit);
  tasks_.push_back(std::make_unique<Nexus>());
  current_ = tasks_.back().get();
  current_->target = target_;
  current_->lun = lun_;
  current_->tag = tag_;
  current_->may_disconnect = may_disconnect_;
  ScsiUnit* const unit = bus_.unit(target_, lun_);
  if (overlaps && unit) {
    unit->refuse(current_->task, scsi::kOverlapped);
  } else if (tasks_.size() > kMostTasks) {
    ScsiBus::end(current_->task, ScsiStatus::kTaskSetFull);
  } else {
    bus_.begin(current_->task, target_, lun_, command_);
  }
  command_.clear();
  go_on();
}

// ---- Messages of the initiator ----

void ScsiTargets::take_messages() {
  std::vector<u8> reply;
  const std::vector<u8> bytes = std::exchange(message_out_, {});
  const std::span<const u8> all(bytes);
  for (std::size_t at = 0; at < all.size();) {
    const std::size_t used = take_message(all.subspan(at), reply);
    if (!connected()) return;
    at += used;
  }
  if (!reply.empty()) {
    // What was to come after a message in that was interrupted comes after this one.
    message_in_.erase(message_in_.begin(), message_in_.begin() + message_at_);
    reply.insert(reply.end(), message_in_.begin(), message_in_.end());
    return send_message(std::move(reply), after_);
  }
  if (message_at_ < message_in_.size()) return enter(Phase::kMessageIn);
  if (after_ == After::kGoOn) return go_on();
  acknowledge_due_ = true;
  acknowledge();
}

std::size_t ScsiTargets::take_message(std::span<const u8> bytes, std::vector<u8>& reply) {
  const u8 message = bytes[0];
  if (message & kIdentify) {
    identified_ = true;
    may_disconnect_ = message & kDisconnectPrivilege;
    if (!current_) lun_ = message & 7;
    return 1;
  }
  const auto of_unit = [this](const Nexus& n) { return n.target == target_ && n.lun == lun_; };
  switch (message) {
    case kExtended: return negotiate(bytes, reply);
    case kSimple:
    case kHeadOfQueue:
    case kOrdered:
      if (bytes.size() < 2) break;
      tag_ = bytes[1];
      return 2;
    case kMessageReject:
      // The initiator does not let it disconnect.
      if (after_ == After::kDisconnect) {
        after_ = After::kGoOn;
        message_in_.clear();
        message_at_ = 0;
        if (current_) current_->may_disconnect = false;
      }
      return 1;
    case kAbortTask: {
      const u16 tag = current_ ? current_->tag : tag_;
      abort([&](const Nexus& n) { return of_unit(n) && n.tag == tag; });
      free_bus();
      return 1;
    }
    case kAbortTaskSet:
    case kClearTaskSet:
      abort(of_unit);
      free_bus();
      return 1;
    case kUnitReset:
      abort(of_unit);
      if (ScsiUnit* unit = bus_.unit(target_, lun_)) unit->reset_settings(scsi::kDeviceReset);
      free_bus();
      return 1;
    case kTargetReset:
      abort([this](const Nexus& n) { return n.target == target_; });
      bus_.reset(target_, scsi::kDeviceReset);
      free_bus();
      return 1;
    case 0x05:  // INITIATOR DETECTED ERROR, MESSAGE PARITY ERROR, NO OPERATION: nothing is damaged on this bus
    case 0x09:
    case 0x08: return 1;
    default: break;
  }
  reply.push_back(kMessageReject);
  return bytes.size();
}

// Whatever is agreed on changes no time: the bus has none.
std::size_t ScsiTargets::negotiate(std::span<const u8> bytes, std::vector<u8>& reply) {
  const std::size_t length = bytes.size() > 1 ? 2u + bytes[1] : 0;
  if (length >= 3 && bytes.size() >= length) {
    if (bytes[2] == kSdtr && length == 5) {
      const u8 period = std::max(bytes[3], kLeastPeriod), offset = std::min(bytes[4], kMostOffset);
      reply.insert(reply.end(), {kExtended, 3, kSdtr, period, offset});
      return length;
    }
    if (bytes[2] == kWdtr && length == 4) {
      reply.insert(reply.end(), {kExtended, 2, kWdtr, std::min<u8>(bytes[3], 1)});
      return length;
    }
    if (bytes[2] == kPpr && length == 8) {
      const u8 period = std::max(bytes[3], kLeastPeriod), offset = std::min(bytes[5], kMostOffset);
      reply.insert(reply.end(), {kExtended, 6, kPpr, period, 0, offset, std::min<u8>(bytes[6], 1), 0});
      return length;
    }
  }
  reply.push_back(kMessageReject);
  return length >= 2 ? std::min(length, bytes.size()) : bytes.size();
}

// ---- Disconnected targets ----

bool ScsiTargets::wants_reselection() const {
  return !connected() && std::any_of(tasks_.begin(), tasks_.end(),
                                     [](const auto& each) { return each->task.phase() != ScsiTask::Phase::kWaits; });
}

u8 ScsiTargets::reselect() {
  free_bus();
  for (const auto& each : tasks_) {
    if (each->task.phase() == ScsiTask::Phase::kWaits) continue;
    current_ = each.get();
    target_ = current_->target;
    lun_ = current_->lun;
    tag_ = current_->tag;
    identified_ = true;
    std::vector<u8> message{static_cast<u8>(kIdentify | lun_)};
    if (tag_ != kUntagged) message.insert(message.end(), {kSimple, static_cast<u8>(tag_)});
    send_message(std::move(message), After::kGoOn);
    break;
  }
  return target_;
}

bool ScsiTargets::working() const {
  return std::any_of(tasks_.begin(), tasks_.end(), [](const auto& each) {
    return each->task.phase() == ScsiTask::Phase::kWaits && !each->task.at_medium();
  });
}

bool ScsiTargets::advance(Nexus& nexus) {
  ScsiUnit* const unit = bus_.unit(nexus.target, nexus.lun);
  if (!unit) ScsiBus::end(nexus.task, ScsiStatus::kCheckCondition);
  if (unit && !unit->step(nexus.task)) return false;
  const bool on_the_bus = current_ == &nexus && phase_ != Phase::kMessageIn && phase_ != Phase::kMessageOut;
  if (on_the_bus && nexus.task.phase() != ScsiTask::Phase::kWaits) go_on();
  return true;
}

bool ScsiTargets::step() {
  for (const auto& each : tasks_) {
    const ScsiTask& task = each->task;
    if (task.phase() == ScsiTask::Phase::kWaits && !task.at_medium() && advance(*each)) return true;
  }
  return false;
}

void ScsiTargets::medium_done() {
  for (const auto& each : tasks_) {
    if (each->task.at_medium() && advance(*each)) return;
  }
}

// ---- Resets and states ----

void ScsiTargets::forget() {
  free_bus();
  tasks_.clear();
}

void ScsiTargets::bus_reset() {
  forget();
  bus_.reset(scsi::kBusReset);
}

void ScsiTargets::Nexus::serialize(Archive& ar) {
  ar.range(target, u8{0}, u8{ScsiBus::kTargets - 1});
  ar.range(lun, u8{0}, u8{ScsiBus::kLuns - 1});
  ar.range(tag, u16{0}, kUntagged);
  ar(may_disconnect);
  task.serialize(ar);
}

void ScsiTargets::serialize(Archive& ar) {
  u32 count = static_cast<u32>(tasks_.size()), place = count;
  for (u32 n = 0; n < count; ++n) {
    if (tasks_[n].get() == current_) place = n;
  }
  ar.range(count, 0u, u32{kMostTasks} + 1);
  if (ar.loading()) {
    tasks_.clear();
    for (u32 n = 0; n < count; ++n) tasks_.push_back(std::make_unique<Nexus>());
  }
  for (auto& each : tasks_) each->serialize(ar);
  ar.range(place, 0u, count);
  ar.range(phase_, Phase::kDataOut, Phase::kLast);
  ar(requesting_)(attention_)(acknowledge_due_);
  ar.range(target_, u8{0}, u8{ScsiBus::kTargets - 1});
  ar.range(lun_, u8{0}, u8{ScsiBus::kLuns - 1});
  ar.range(tag_, u16{0}, kUntagged);
  ar(identified_)(may_disconnect_);
  ar.blob(message_out_, 2 * kMostMessages);
  ar.blob(command_, 16);
  ar.blob(message_in_, 2 * kMostMessages);
  ar.range(message_at_, 0u, static_cast<u32>(message_in_.size()));
  ar.range(after_, After::kGoOn, After::kLast);
  if (!ar.loading()) return;
  current_ = place < count ? tasks_[place].get() : nullptr;
  const bool moves = phase_ == Phase::kDataIn || phase_ == Phase::kDataOut || phase_ == Phase::kStatus;
  const auto wanted = phase_ == Phase::kDataIn    ? ScsiTask::Phase::kDataIn
                      : phase_ == Phase::kDataOut ? ScsiTask::Phase::kDataOut
                                                  : ScsiTask::Phase::kDone;
  const bool wrong = (moves && requesting_ && (!current_ || current_->task.phase() != wanted)) ||
                     static_cast<u8>(phase_) == 4 || static_cast<u8>(phase_) == 5 || command_.size() > 15 ||
                     (phase_ == Phase::kFree && (current_ || requesting_ || acknowledge_due_)) ||
                     (phase_ == Phase::kMessageIn && requesting_ && message_at_ == message_in_.size());
  if (!wrong) return;
  ar.fail("a bus phase that cannot be");
  forget();
}

}  // namespace xlat
