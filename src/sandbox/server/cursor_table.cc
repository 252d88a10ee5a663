#include "sandbox/server/cursor_table.h"

namespace tidemark::sandbox {
namespace {

constexpr std::chrono::minutes kIdleMax{10};
constexpr int kCursorInUse = 292;

}  // namespace

void CursorTable::drop_idle() {
  const Mono now = clock_.now();
  std::erase_if(slots_,
                [now](const auto& item) { return !item.second.in_use && now - item.second.used > kIdleMax; });
}

Reply<int64_t> CursorTable::add(std::unique_ptr<Cursor> cursor, int64_t id) {
  MutexLock lock(mutex_);
  if (slots_.size() >= kCursorsMax) drop_idle();
  if (slots_.size() >= kCursorsMax) return command_error(kOperationFailed, "too many open cursors");
  cursor->id = id;
  slots_[id] = {std::move(cursor), false, CursorFate::kAlive, clock_.now()};
  return id;
}

Reply<Cursor*> CursorTable::take(int64_t id) {
  MutexLock lock(mutex_);
  const auto found = slots_.find(id);
  if (found == slots_.end() || found->second.fate != CursorFate::kAlive)
    return command_error(kCursorNotFound, "cursor id " + std::to_string(id) + " not found");
  if (found->second.in_use)
    return command_error(kCursorInUse, "cursor id " + std::to_string(id) + " is already in use");
  found->second.in_use = true;
  return found->second.cursor.get();
}

void CursorTable::give_back(int64_t id, bool finished) {
  MutexLock lock(mutex_);
  const auto found = slots_.find(id);
  if (found == slots_.end()) return;
  found->second.in_use = false;
  found->second.used = clock_.now();
  if (finished || found->second.fate != CursorFate::kAlive) slots_.erase(found);
}

CursorFate CursorTable::fate(int64_t id) const {
  MutexLock lock(mutex_);
  const auto found = slots_.find(id);
  return found == slots_.end() ? CursorFate::kGone : found->second.fate;
}

bool CursorTable::kill(int64_t id) {
  MutexLock lock(mutex_);
  const auto found = slots_.find(id);
  if (found == slots_.end() || found->second.fate != CursorFate::kAlive) return false;
  if (found->second.in_use)
    found->second.fate = CursorFate::kKilled;
  else
    slots_.erase(found);
  return true;
}

size_t CursorTable::kill_streams(CursorFate fate) {
  MutexLock lock(mutex_);
  size_t count = 0;
  for (auto it = slots_.begin(); it != slots_.end();) {
    Slot& slot = it->second;
    if (slot.cursor->stream == nullptr || slot.fate != CursorFate::kAlive) {
      ++it;
      continue;
    }
    count++;
    if (slot.in_use) {
      slot.fate = fate;
      ++it;
    } else if (fate == CursorFate::kInterrupted) {
      // Nobody waits on it: it goes on, as connections and cursors do through a step-down.
      ++it;
    } else {
      it = slots_.erase(it);
    }
  }
  return count;
}

void CursorTable::kill_session(bson::View lsid) {
  MutexLock lock(mutex_);
  for (auto it = slots_.begin(); it != slots_.end();) {
    if (!(it->second.cursor->lsid.view() == lsid)) {
      ++it;
    } else if (it->second.in_use) {
      it->second.fate = CursorFate::kKilled;
      ++it;
    } else {
      it = slots_.erase(it);
    }
  }
}

void CursorTable::clear() {
  MutexLock lock(mutex_);
  for (auto it = slots_.begin(); it != slots_.end();) {
    if (it->second.in_use) {
      it->second.fate = CursorFate::kKilled;
      ++it;
    } else {
      it = slots_.erase(it);
    }
  }
}

size_t CursorTable::size() const {
  MutexLock lock(mutex_);
  return slots_.size();
}

}  // namespace tidemark::sandbox
