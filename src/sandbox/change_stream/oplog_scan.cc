#include "sandbox/change_stream/oplog_scan.h"

namespace tidemark::sandbox {
namespace {

// How many entries are taken from the oplog under its lock at a time.
constexpr size_t kWindow = 256;

bson::Timestamp before(bson::Timestamp time) {
  if (time.increment > 0) return {time.seconds, time.increment - 1};
  if (time.seconds > 0) return {time.seconds - 1, UINT32_MAX};
  return {};
}

}  // namespace

OplogScan::OplogScan(const Oplog& oplog, bson::Timestamp start, ServerVersion version)
    : oplog_(oplog), start_(start), version_(version), position_(before(start)) {}

// The server's rule: the oldest entry must not be later than the start. 4.4 and later also accept a start before a
// log that has never lost anything; 4.2 doesn't.
Reply<void> OplogScan::check_history() const {
  const bson::Timestamp oldest = oplog_.oldest().ts;
  const bson::Timestamp dropped = oplog_.resumable_after();
  const bool classic = version_ < ServerVersion{4, 4};
  const bool complete = dropped == bson::Timestamp{};
  const bool empty = oldest == bson::Timestamp{};
  const bool lost = empty ? !complete && dropped >= start_ : oldest > start_ && (classic || !complete);
  if (!lost) return {};
  if (classic) {
    return command_error(
        40576,
        "Resume of change stream was not possible, as the resume point may no longer be in the oplog. ");
  }
  auto error = command_error(
      kChangeStreamHistoryLost,
      "Resume of change stream was not possible, as the resume point may no longer be in the oplog.");
  error.value().labels.emplace_back("NonResumableChangeStreamError");
  return error;
}

Reply<bool> OplogScan::fill() {
  window_.clear();
  window_next_ = 0;
  const size_t count = oplog_.read(position_, true, kWindow, window_);
  // Asked after reading, so that entries that rolled away in between are noticed too.
  if (!read_) SANDBOX_TRY(check_history());
  if (read_ && oplog_.resumable_after() > position_) {
    return command_error(
        kCappedPositionLost,
        "CollectionScan died due to position in capped collection being deleted. Last seen record id: "
        "RecordId(" +
            std::to_string(static_cast<uint64_t>(position_.seconds) << 32 | position_.increment) + ")");
  }
  read_ = true;
  if (count == 0) return false;
  position_ = window_.back()->time.ts;
  return true;
}

Reply<Change> OplogScan::next() {
  for (;;) {
    if (current_ && current_->kind == OpKind::kTransaction && op_next_ < current_->ops.size()) {
      const size_t index = op_next_++;
      return Change{current_.get(), &current_->ops[index], static_cast<int64_t>(index)};
    }
    if (window_next_ == window_.size()) {
      SANDBOX_ASSIGN(const bool more, fill());
      if (!more) return Change{};
    }
    current_ = std::move(window_[window_next_++]);
    op_next_ = 0;
    observed_ = current_->time.ts;
    if (current_->kind != OpKind::kTransaction) return Change{current_.get(), current_.get(), 0};
  }
}

}  // namespace tidemark::sandbox
