#include "sandbox/replication/oplog.h"

#include <algorithm>
#include <iterator>

#include "base/check.h"

namespace tidemark::sandbox {

size_t OplogEntry::size_bytes() const {
  // Fixed part: about what the same entry takes in a server's oplog beside its documents.
  size_t bytes = 120 + db.size() + coll.size() + to_db.size() + to_coll.size() + key.size() +
                 update_description.size() + command.size() + lsid.size();
  // `before` and `after` share their bytes with the collection, yet they are what keeps a document in memory.
  bytes += before.size() + after.size();
  for (const auto& op : ops) bytes += op.size_bytes();
  return bytes;
}

Oplog::Oplog(size_t bytes_max) : bytes_max_(bytes_max) {}

void Oplog::append(EntryPtr entry) { append(std::span<const EntryPtr>(&entry, 1)); }

void Oplog::append(std::span<const EntryPtr> entries) {
  MutexLock lock(mutex_);
  for (const auto& entry : entries) {
    TIDEMARK_CHECK(entries_.empty() || entry->time.ts > entries_.back()->time.ts, "oplog times must ascend");
    bytes_ += entry->size_bytes();
    entries_.push_back(entry);
  }
  trim();
  changed_.notify_all();
}

void Oplog::trim() {
  while (bytes_ > bytes_max_ && entries_.size() > 1) {
    bytes_ -= entries_.front()->size_bytes();
    truncated_to_ = entries_.front()->time.ts;
    entries_.pop_front();
  }
}

void Oplog::set_commit_point(OpTime time) {
  MutexLock lock(mutex_);
  if (time.ts <= commit_point_.ts) return;
  commit_point_ = time;
  changed_.notify_all();
}

OpTime Oplog::commit_point() const {
  MutexLock lock(mutex_);
  return commit_point_;
}

OpTime Oplog::newest() const {
  MutexLock lock(mutex_);
  return entries_.empty() ? OpTime{} : entries_.back()->time;
}

std::vector<EntryPtr> Oplog::newest_entries(size_t count_max) const {
  MutexLock lock(mutex_);
  std::vector<EntryPtr> out;
  for (auto it = entries_.rbegin(); it != entries_.rend() && out.size() < count_max; ++it) out.push_back(*it);
  return out;
}

OpTime Oplog::oldest() const {
  MutexLock lock(mutex_);
  return entries_.empty() ? OpTime{} : entries_.front()->time;
}

bson::Timestamp Oplog::resumable_after() const {
  MutexLock lock(mutex_);
  return truncated_to_;
}

Oplog::Iterator Oplog::first_after(bson::Timestamp ts) const {
  return std::upper_bound(
      entries_.begin(), entries_.end(), ts,
      [](bson::Timestamp value, const EntryPtr& entry) { return value < entry->time.ts; });
}

bool Oplog::holds(OpTime time) const {
  const auto next = first_after(time.ts);
  return next != entries_.begin() && (*std::prev(next))->time == time;
}

size_t Oplog::read(bson::Timestamp after, bool committed_only, size_t count_max,
                   std::vector<EntryPtr>& out) const {
  MutexLock lock(mutex_);
  size_t count = 0;
  for (auto it = first_after(after); it != entries_.end() && count < count_max; ++it, ++count) {
    if (committed_only && (*it)->time.ts > commit_point_.ts) break;
    out.push_back(*it);
  }
  return count;
}

bool Oplog::read_continuing(OpTime mine, size_t count_max, std::vector<EntryPtr>& out) const {
  MutexLock lock(mutex_);
  if (mine == OpTime{}) {
    if (truncated_to_ != bson::Timestamp{}) return false;
  } else if (!holds(mine)) {
    return false;
  }
  size_t count = 0;
  for (auto it = first_after(mine.ts); it != entries_.end() && count < count_max; ++it, ++count)
    out.push_back(*it);
  return true;
}

OpTime Oplog::common_point(std::span<const OpTime> newest_first) const {
  MutexLock lock(mutex_);
  for (const auto& time : newest_first)
    if (holds(time)) return time;
  return {};
}

std::vector<OpTime> Oplog::recent_times(size_t count_max) const {
  MutexLock lock(mutex_);
  std::vector<OpTime> out;
  for (auto it = entries_.rbegin(); it != entries_.rend() && out.size() < count_max; ++it)
    out.push_back((*it)->time);
  return out;
}

Oplog::Content Oplog::content() const {
  MutexLock lock(mutex_);
  return {entries_, bytes_, truncated_to_};
}

void Oplog::install(Content content) {
  MutexLock lock(mutex_);
  entries_ = std::move(content.entries);
  bytes_ = content.bytes;
  truncated_to_ = content.truncated_to;
  trim();
  wakeups_++;
  changed_.notify_all();
}

size_t Oplog::size() const {
  MutexLock lock(mutex_);
  return entries_.size();
}

size_t Oplog::bytes() const {
  MutexLock lock(mutex_);
  return bytes_;
}

bool Oplog::has_committed_after(bson::Timestamp after) const {
  if (commit_point_.ts <= after) return false;
  const auto next = first_after(after);
  return next != entries_.end() && (*next)->time.ts <= commit_point_.ts;
}

bool Oplog::wait_committed(bson::Timestamp after, std::chrono::milliseconds timeout, std::stop_token stop,
                           std::optional<uint64_t> wakeups_seen) const {
  MutexLock lock(mutex_);
  const uint64_t wakeups = wakeups_seen.value_or(wakeups_);
  changed_.wait_for(mutex_, std::move(stop), timeout, [this, after, wakeups]() REQUIRES(mutex_) {
    return wakeups_ != wakeups || has_committed_after(after);
  });
  return has_committed_after(after);
}

bool Oplog::wait_appended(bson::Timestamp after, std::chrono::milliseconds timeout, std::stop_token stop,
                          std::optional<uint64_t> wakeups_seen) const {
  MutexLock lock(mutex_);
  const uint64_t wakeups = wakeups_seen.value_or(wakeups_);
  const auto appended = [this, after]() REQUIRES(mutex_) {
    return !entries_.empty() && entries_.back()->time.ts > after;
  };
  changed_.wait_for(mutex_, std::move(stop), timeout, [this, wakeups, &appended]() REQUIRES(mutex_) {
    return wakeups_ != wakeups || appended();
  });
  return appended();
}

void Oplog::wake() {
  MutexLock lock(mutex_);
  wakeups_++;
  changed_.notify_all();
}

uint64_t Oplog::wakeups() const {
  MutexLock lock(mutex_);
  return wakeups_;
}

void Oplog::truncate_after(OpTime time) {
  MutexLock lock(mutex_);
  while (!entries_.empty() && entries_.back()->time.ts > time.ts) {
    bytes_ -= entries_.back()->size_bytes();
    entries_.pop_back();
  }
}

void Oplog::truncate_before(bson::Timestamp ts) {
  MutexLock lock(mutex_);
  while (!entries_.empty() && entries_.front()->time.ts < ts) {
    bytes_ -= entries_.front()->size_bytes();
    truncated_to_ = entries_.front()->time.ts;
    entries_.pop_front();
  }
  wakeups_++;
  changed_.notify_all();
}

}  // namespace tidemark::sandbox
