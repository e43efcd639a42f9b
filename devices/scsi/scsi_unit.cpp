// Commands of every unit, mode pages, and blocks.
#include "devices/scsi/scsi_unit.h"

#include <algorithm>

namespace xlat {

using namespace scsi;

namespace {

constexpr u64 kZeroesAtOnce = u64{64} << 20;  // bytes

void put(std::vector<u8>& to, std::size_t at, std::size_t size, const std::string& text) {
  for (std::size_t n = 0; n < size; ++n) to[at + n] = n < text.size() ? static_cast<u8>(text[n]) : u8{' '};
}

}  // namespace

// ---- The task ----

void ScsiTask::begin(std::span<const u8> cdb) {
  *this = {};
  std::copy_n(cdb.begin(), std::min(cdb.size(), cdb_.size()), cdb_.begin());
}

void ScsiTask::want(u32 bytes) {
  buffer_.assign(bytes, 0);
  at_ = 0;
  phase_ = Phase::kDataOut;
}

void ScsiTask::moved(std::size_t bytes) {
  begun_ |= bytes > 0;
  at_ += static_cast<u32>(std::min<std::size_t>(bytes, buffer_.size() - at_));
  if (at_ < buffer_.size()) return;
  const bool goes_on = phase_ == Phase::kDataOut || (work_ == Work::kRead && blocks_ > 0);
  phase_ = goes_on ? Phase::kWaits : Phase::kDone;
}

void ScsiTask::serialize(Archive& ar) {
  ar(cdb_);
  ar.range(phase_, Phase::kDone, Phase::kLast);
  ar(status_);
  ar.range(work_, Work::kNone, Work::kLast);
  ar.blob(buffer_, kMostBytes);
  ar.range(at_, u32{0}, static_cast<u32>(buffer_.size()));
  ar(request_)(begun_)(lba_)(blocks_);
  if (!ar.loading()) return;
  if (request_ != 0 && phase_ != Phase::kWaits) {
    ar.fail("a command at the medium that does not wait");
    request_ = 0;
  }
  const bool moves = phase_ == Phase::kDataIn || phase_ == Phase::kDataOut;
  if (moves && at_ == buffer_.size()) {
    ar.fail("a command that moves no data");
    phase_ = Phase::kDone;
  }
}

// ---- The unit ----

ScsiUnit::ScsiUnit(Clock& clock, std::string name, u8 type, u32 block, std::unique_ptr<BlockImage> image,
                   bool is_removable, ScsiIdentity identity, DiskSetup setup)
    : block_(block),
      disk_(clock, std::move(image), std::move(setup), [this](DiskRequest& request) { disk_done(request); }),
      name_(std::move(name)),
      type_(type),
      removable_(is_removable),
      identity_(std::move(identity)) {}

void ScsiUnit::reset_settings(ScsiSense attention) {
  disk_.drop();
  sense_ = {};
  attention_ = attention;
  locked_ = stopped_ = false;
  forget_settings();
}

void ScsiUnit::serialize(Archive& ar) {
  if (ar.section(name_, 2) < 2) ar.fail("version 1, without requests to the medium, is not read any more");
  for (ScsiSense* sense : {&sense_, &attention_}) ar(sense->key)(sense->code)(sense->qualifier);
  ar(locked_)(tray_open_)(stopped_)(last_request_);
  disk_.serialize(ar);
}

Status ScsiUnit::insert(std::unique_ptr<BlockImage> image) {
  disk_.exchange(std::move(image));
  tray_open_ = false;
  if (disk_.present()) attention_ = kChanged;
  medium_event(disk_.present() ? 2 : 3);
  return {};
}

bool ScsiUnit::eject(bool force) {
  if (locked_ && !force) {
    medium_event(1);
    return false;
  }
  if (disk_.present()) medium_event(3);
  disk_.exchange(nullptr);
  if (attention_ == kChanged) attention_ = {};
  locked_ = false;
  return true;
}

// ---- How commands end ----

void ScsiUnit::good(ScsiTask& task) {
  task.phase_ = ScsiTask::Phase::kDone;
  task.status_ = ScsiStatus::kGood;
  task.buffer_.clear();
  task.at_ = 0;
}

void ScsiUnit::fail(ScsiTask& task, ScsiSense sense) {
  good(task);
  task.status_ = ScsiStatus::kCheckCondition;
  sense_ = sense;
}

void ScsiUnit::refuse(ScsiTask& task, ScsiSense sense) {
  task.begin({});
  fail(task, sense);
}

void ScsiUnit::reply(ScsiTask& task, std::vector<u8> bytes, u64 allocation) {
  if (bytes.size() > allocation) bytes.resize(allocation);
  if (bytes.empty()) return good(task);
  task.buffer_ = std::move(bytes);
  task.at_ = 0;
  task.phase_ = ScsiTask::Phase::kDataIn;
}

void ScsiUnit::want_parameters(ScsiTask& task, u32 bytes) {
  task.work_ = Work::kParameters;
  bytes == 0 ? parameters(task) : task.want(std::min(bytes, ScsiTask::kMostBytes));
}

void ScsiUnit::wait_for(ScsiTask& task, Work work) {
  task.work_ = work;
  task.phase_ = ScsiTask::Phase::kWaits;
}

bool ScsiUnit::ready(ScsiTask& task) {
  if (!medium_present()) {
    fail(task, tray_open_ ? kNoMediumOpen : type_ == 0 ? kNoMedium : kNoMediumClosed);
  } else if (stopped_) {
    fail(task, kNotReady);
  } else {
    return true;
  }
  return false;
}

// ---- Blocks ----

void ScsiUnit::begin_blocks(ScsiTask& task, Work work, u64 lba, u64 count) {
  if (!ready(task)) return;
  if (work != Work::kRead && work != Work::kCompare && read_only()) return fail(task, kWriteProtected);
  if (!in_range(lba, count)) return fail(task, kOutOfRange);
  if (count == 0) return good(task);
  task.lba_ = lba;
  task.blocks_ = count;
  task.work_ = work;
  if (work == Work::kRead) return wait_for(task, work);
  const u64 first = std::min<u64>(count, ScsiTask::kMostBytes / block_);
  task.blocks_ -= first;
  task.want(static_cast<u32>(first) * block_);
}

void ScsiUnit::ignore_data(ScsiTask& task, u32 bytes) {
  task.work_ = Work::kNone;
  bytes > 0 ? task.want(bytes) : good(task);
}

void ScsiUnit::discard(ScsiTask& task, u32 at, std::size_t bytes) {
  task.buffer_ =
      std::vector<u8>(task.buffer_.begin() + at, task.buffer_.begin() + at + static_cast<std::ptrdiff_t>(bytes));
  task.at_ = 0;
  wait_for(task, Work::kDiscard);
}

void ScsiUnit::fill_blocks(ScsiTask& task, u64 lba, u64 count) {
  const std::size_t once = task.buffer_.size();
  const u64 copies = std::min<u64>(count, ScsiTask::kMostBytes / block_);
  task.buffer_.resize(once * copies);
  for (u64 n = 1; n < copies; ++n)
    std::copy_n(task.buffer_.begin(), once, task.buffer_.begin() + static_cast<std::ptrdiff_t>(n * once));
  task.lba_ = lba;
  task.blocks_ = count;
  wait_for(task, Work::kFill);
}

void ScsiUnit::wait_for_zeroes(ScsiTask& task, u64 lba, u64 count, bool unmap) {
  task.buffer_.clear();
  task.at_ = 0;
  task.lba_ = lba;
  task.blocks_ = count;
  wait_for(task, unmap ? Work::kUnmap : Work::kZeroes);
}

u64 ScsiUnit::blocks_at_once(const ScsiTask& task) const {
  return ScsiTask::kMostBytes / std::max(block_, sector_bytes(task));
}

bool ScsiUnit::step(ScsiTask& task) {
  if (task.phase_ != ScsiTask::Phase::kWaits) return false;
  if (task.request_ == 0) return ask_medium(task);
  if (!done_ || done_->tag != task.request_) return false;
  task.request_ = 0;
  answered(task, *done_);
  return true;
}

// Requests of tasks that were forgotten come back as well.
void ScsiUnit::disk_done(DiskRequest& request) {
  done_ = &request;
  if (medium_done_) medium_done_();
  done_ = nullptr;
}

void ScsiUnit::ask(ScsiTask& task, DiskRequest request) {
  if (++last_request_ == 0) ++last_request_;
  task.request_ = request.tag = last_request_;
  disk_.submit(std::move(request));
}

bool ScsiUnit::ask_medium(ScsiTask& task) {
  if (task.work_ == Work::kParameters) return parameters(task), true;
  // The medium may have been changed meanwhile, and a state that was loaded may say anything.
  if (!ready(task)) return true;
  const bool gathered = task.work_ == Work::kWrite || task.work_ == Work::kCompare;
  const u64 here = gathered ? task.buffer_.size() / block_ : 0;
  if (!in_range(task.lba_, here) || task.blocks_ > blocks() - task.lba_ - here) return fail(task, kOutOfRange), true;
  if (disk_.full()) return false;  // of requests whose tasks were forgotten
  using Op = DiskRequest::Op;
  const u64 at = task.lba_ * block_;
  switch (task.work_) {
    case Work::kRead: {
      // The last block may be only half in the image.
      const u64 bytes = std::min(task.blocks_, blocks_at_once(task)) * block_;
      ask(task, {.offset = at, .bytes = std::min(bytes, disk_.size() - std::min(at, disk_.size()))});
      break;
    }
    case Work::kWrite: {
      std::vector<u8> bytes = std::exchange(task.buffer_, {});
      task.at_ = 0;
      const u64 size = bytes.size();
      // The last of them makes all that came before it safe.
      const bool through = task.blocks_ == 0 && writes_through(task);
      ask(task, {.op = Op::kWrite, .offset = at, .bytes = size, .data = std::move(bytes), .through = through});
      break;
    }
    case Work::kCompare: ask(task, {.offset = at, .bytes = task.buffer_.size()}); break;
    case Work::kFill: {
      const u64 size = std::min<u64>(task.blocks_, task.buffer_.size() / block_) * block_;
      std::vector<u8> bytes(task.buffer_.begin(), task.buffer_.begin() + static_cast<std::ptrdiff_t>(size));
      ask(task, {.op = Op::kWrite, .offset = at, .bytes = size, .data = std::move(bytes)});
      break;
    }
    case Work::kZeroes:
    case Work::kUnmap: {
      const u64 size = std::min<u64>(task.blocks_, kZeroesAtOnce / block_) * block_;
      ask(task, {.op = Op::kWriteZeroes, .offset = at, .bytes = size, .unmap = task.work_ == Work::kUnmap});
      break;
    }
    case Work::kDiscard: {  // UNMAP's descriptors: a logical block address, a number of blocks, four reserved bytes
      if (task.at_ + 16 > task.buffer_.size()) return good(task), true;
      const u64 lba = load_be<u64>(&task.buffer_[task.at_]), count = load_be<u32>(&task.buffer_[task.at_ + 8]);
      if (!in_range(lba, count)) return fail(task, kOutOfRange), true;
      task.at_ += 16;
      ask(task, {.op = Op::kDiscard, .offset = lba * block_, .bytes = count * block_});
      break;
    }
    case Work::kFlush: ask(task, {.op = Op::kFlush}); break;
    case Work::kParameters:
    case Work::kNone: good(task); break;
  }
  return true;
}

void ScsiUnit::take_blocks(ScsiTask& task, std::vector<u8> bytes) {
  bytes.resize(align_up(bytes.size(), block_));
  const u64 count = bytes.size() / block_;
  task.buffer_ = sectors(task, task.lba_, std::move(bytes));
  task.at_ = 0;
  task.lba_ += count;
  task.blocks_ -= count;
  task.phase_ = task.buffer_.empty() ? ScsiTask::Phase::kDone : ScsiTask::Phase::kDataIn;
}

void ScsiUnit::answered(ScsiTask& task, DiskRequest& request) {
  if (!request.status) return fail(task, request.op == DiskRequest::Op::kRead ? kReadError : kWriteError);
  u64 done = (request.bytes + block_ - 1) / block_;
  const u64 most = task.work_ == Work::kRead ? std::min(task.blocks_, blocks_at_once(task)) : ~u64{0};
  if (done > most) return fail(task, kOutOfRange);  // in a state that nobody saved
  switch (task.work_) {
    case Work::kRead: return take_blocks(task, std::move(request.data));
    case Work::kCompare:
      if (request.data != task.buffer_) return fail(task, kMiscompare);
      break;
    case Work::kWrite: break;
    case Work::kFill:
    case Work::kZeroes:
    case Work::kUnmap:
      done = std::min(done, task.blocks_);
      task.lba_ += done;
      task.blocks_ -= done;
      if (task.blocks_ == 0 || done == 0) good(task);
      return;
    case Work::kDiscard: return;  // the next one
    case Work::kFlush:
    case Work::kParameters:
    case Work::kNone: return good(task);
  }
  // The next blocks that come from the initiator.
  const u64 next = std::min<u64>(task.blocks_, ScsiTask::kMostBytes / block_);
  task.lba_ += done;
  if (next == 0) return good(task);
  task.blocks_ -= next;
  task.want(static_cast<u32>(next) * block_);
}

// ---- Commands ----

bool ScsiUnit::ignores_attention(u8 operation) const {
  return operation == 0x12 || operation == 0x03 || operation == 0xa0;
}

void ScsiUnit::begin(ScsiTask& task, std::span<const u8> cdb) {
  task.begin(cdb);
  const u8 operation = task.cdb_[0];
  if (operation != 0x03) sense_ = {};
  if (attention_.key != 0 && !ignores_attention(operation)) return fail(task, std::exchange(attention_, {}));
  const auto& c = task.cdb_;
  switch (operation) {
    case 0x00:  // TEST UNIT READY
      if (ready(task)) good(task);
      return;
    case 0x03: return request_sense(task);
    case 0x12: return inquiry(task);
    case 0x15: return want_parameters(task, c[4]);           // MODE SELECT (6)
    case 0x55: return want_parameters(task, task.cdb16(7));  // and (10)
    case 0x1a: return mode_sense(task, false);
    case 0x5a: return mode_sense(task, true);
    case 0x16:  // RESERVE and RELEASE, (6) and (10): nobody else is there
    case 0x17:
    case 0x56:
    case 0x57: return good(task);
    case 0x1b: return start_stop(task);
    case 0x1e:  // PREVENT ALLOW MEDIUM REMOVAL
      if (removable_) locked_ = c[4] & 1;
      return good(task);
    case 0xa0:  // REPORT LUNS: one
      if (task.cdb32(6) < 16 || c[2] > 2) return fail(task, kInvalidField);
      return reply(task, {0, 0, 0, 8, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0}, task.cdb32(6));
    default: break;
  }
  if (!execute(task)) fail(task, kInvalidCommand);
}

void ScsiUnit::request_sense(ScsiTask& task) {
  if (sense_.key == 0) sense_ = std::exchange(attention_, {});
  const ScsiSense sense = std::exchange(sense_, {});
  if (task.cdb_[1] & 1) return reply(task, {0x72, sense.key, sense.code, sense.qualifier, 0, 0, 0, 0}, task.cdb_[4]);
  std::vector<u8> data(18);
  data[0] = 0x70;
  data[2] = sense.key;
  data[7] = 10;
  data[12] = sense.code;
  data[13] = sense.qualifier;
  reply(task, std::move(data), task.cdb_[4]);
}

void ScsiUnit::inquiry(ScsiTask& task) {
  const u32 allocation = task.cdb16(3);
  if (task.cdb_[1] & 1) {
    std::vector<u8> page = vital_product_data(task.cdb_[2]);
    if (page.empty()) return fail(task, kInvalidField);
    page[0] = type_;
    page[1] = task.cdb_[2];
    store_be<u16>(&page[2], static_cast<u16>(page.size() - 4));
    return reply(task, std::move(page), allocation);
  }
  if (task.cdb_[2] != 0) return fail(task, kInvalidField);
  std::vector<u8> data(36);
  data[0] = type_;
  data[1] = removable_ ? 0x80 : 0;
  data[2] = 5;     // SPC-3
  data[3] = 0x12;  // LUNs in REPORT LUNS's form; response format 2
  data[4] = 31;
  data[7] = identity_.parallel ? 0x12 : 0;  // synchronous transfers, command queuing
  put(data, 8, 8, identity_.vendor);
  put(data, 16, 16, identity_.product);
  put(data, 32, 4, identity_.revision);
  reply(task, std::move(data), allocation);
}

// With room for the header. Empty: there is no such page.
std::vector<u8> ScsiUnit::vital_product_data(u8 page) const {
  std::vector<u8> data(4);
  const auto add = [&data](const std::string& text) { data.insert(data.end(), text.begin(), text.end()); };
  if (page == 0x00) {
    for (const u8 each : vital_pages()) data.push_back(each);
  } else if (page == 0x80) {
    add(identity_.serial);
  } else if (page == 0x83) {
    const std::string id = identity_.device_id.substr(0, 251);
    data.insert(data.end(), {2, 0, 0, static_cast<u8>(id.size())});  // in ASCII, of the vendor's making
    add(id);
  } else {
    data.clear();
  }
  return data;
}

void ScsiUnit::mode_sense(ScsiTask& task, bool ten) {
  const u8 control = task.cdb_[2] >> 6, wanted = task.cdb_[2] & 0x3f;
  if (control == 3) return fail(task, kNoSaving);
  if (task.cdb_[3] != 0 && !(wanted == 0x3f && task.cdb_[3] == 0xff)) return fail(task, kInvalidField);
  std::vector<u8> data(ten ? 8 : 4);
  const u8 parameter = static_cast<u8>(type_ != 0 ? 0 : 0x10 | (read_only() ? 0x80 : 0));  // FUA, write protection
  data[ten ? 2 : 1] = medium_type();
  data[ten ? 3 : 2] = parameter;
  if (block_descriptor() && !(task.cdb_[1] & 8)) {
    data[ten ? 7 : 3] = 8;
    std::vector<u8> descriptor(8);
    store_be<u32>(&descriptor[0], static_cast<u32>(blocks() > 0xffffff ? 0 : blocks()));
    store_be<u32>(&descriptor[4], block_);
    data.insert(data.end(), descriptor.begin(), descriptor.end());
  }
  if (!put_mode_pages(data, mode_pages(control == 1), wanted)) return fail(task, kInvalidField);
  if (ten) {
    store_be<u16>(&data[0], static_cast<u16>(data.size() - 2));
  } else {
    data[0] = static_cast<u8>(data.size() - 1);
  }
  reply(task, std::move(data), ten ? task.cdb16(7) : task.cdb_[4]);
}

// No sense if all of a parameter list can be set.
ScsiSense ScsiUnit::mode_error(std::span<const u8> list, bool ten, bool apply) {
  const std::size_t header = ten ? 8 : 4;
  if (list.empty()) return {};
  if (list.size() < header) return kParameterLength;
  const std::size_t descriptors = ten ? load_be<u16>(&list[6]) : list[3];
  if (list.size() < header + descriptors) return kParameterLength;
  if (descriptors >= 8) {
    const u32 size = load_be<u32>(&list[header + 4]) & 0xffffff;
    if (size != block_ && size != 0) return kInvalidParameter;
  }
  const std::vector<ScsiModePage> pages = mode_pages(false), changeable = mode_pages(true);
  for (list = list.subspan(header + descriptors); !list.empty();) {
    if (list.size() < 2) return kParameterLength;
    const u8 code = list[0] & 0x3f;
    const auto page =
        std::find_if(pages.begin(), pages.end(), [code](const ScsiModePage& p) { return p.code == code; });
    if (page == pages.end() || (list[0] & 0x40) || list[1] != page->data.size()) return kInvalidParameter;
    if (list.size() < 2u + list[1]) return kParameterLength;
    const std::span<const u8> data = list.subspan(2, list[1]);
    const ScsiModePage& mask = changeable[static_cast<std::size_t>(page - pages.begin())];
    for (std::size_t n = 0; n < data.size(); ++n) {
      if ((data[n] ^ page->data[n]) & ~mask.data[n]) return kInvalidParameter;
    }
    if (apply) set_mode_page(code, data);
    list = list.subspan(2u + data.size());
  }
  return {};
}

void ScsiUnit::parameters(ScsiTask& task) {
  const u8 operation = task.cdb_[0];
  if (operation != 0x15 && operation != 0x55) return good(task);
  const ScsiSense wrong = mode_error(task.buffer_, operation == 0x55, false);
  if (wrong.key != 0) return fail(task, wrong);
  mode_error(task.buffer_, operation == 0x55, true);
  good(task);
}

void ScsiUnit::start_stop(ScsiTask& task) {
  const u8 what = task.cdb_[4];
  const bool start = what & 1, load_eject = what & 2;
  if (what & 0xf0) return good(task);  // power conditions
  if (!load_eject || !removable_) {
    if (start && !medium_present()) return fail(task, tray_open_ ? kNoMediumOpen : kNoMediumClosed);
    stopped_ = !start && type_ == 0;
    return good(task);
  }
  if (locked_ && !start) return fail(task, kRemovalPrevented);
  if (tray_open_ == start) {
    if (disk_.present()) {
      medium_event(start ? 2 : 3);
      if (start) attention_ = kChanged;
    }
    tray_open_ = !start;
  }
  good(task);
}

}  // namespace xlat
