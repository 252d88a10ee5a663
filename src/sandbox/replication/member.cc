#include "sandbox/replication/member.h"

namespace tidemark::sandbox {

Topology::View Topology::get() const {
  MutexLock lock(mutex_);
  return view_;
}

void Topology::publish(bool primary, int known_primary, int64_t term) {
  MutexLock lock(mutex_);
  const View next{primary, known_primary, term, view_.counter};
  if (next == view_) return;
  view_ = next;
  view_.counter++;
  changed_.notify_all();
}

void Topology::touch() {
  MutexLock lock(mutex_);
  view_.counter++;
  changed_.notify_all();
}

Topology::View Topology::wait_beyond(int64_t counter, std::chrono::milliseconds timeout,
                                     std::stop_token stop) const {
  MutexLock lock(mutex_);
  changed_.wait_for(mutex_, std::move(stop), timeout,
                    [this, counter]() REQUIRES(mutex_) { return view_.counter > counter; });
  return view_;
}

OpTime Member::log(std::span<const std::shared_ptr<OplogEntry>> entries) {
  const int64_t wall_ms = clock.wall_ms();
  bson::Timestamp last = oplog.newest().ts;
  const auto seconds = static_cast<uint32_t>(wall_ms / 1000);
  std::vector<EntryPtr> finished;
  finished.reserve(entries.size());
  for (const auto& entry : entries) {
    if (seconds > last.seconds)
      last = {seconds, 1};
    else
      last.increment++;
    entry->time = {last, term};
    entry->wall_ms = wall_ms;
    for (auto& op : entry->ops) {
      op.time = entry->time;
      op.wall_ms = wall_ms;
    }
    finished.emplace_back(entry);
    sessions.record(finished.back());
  }
  oplog.append(finished);
  return {last, term};
}

OpTime Member::log_noop(std::string_view message) {
  auto entry = std::make_shared<OplogEntry>();
  bson::Builder command;
  command.append("msg", message);
  entry->command = command.finish();
  return log(std::move(entry));
}

}  // namespace tidemark::sandbox
