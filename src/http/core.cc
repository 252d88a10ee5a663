#include "http/core.h"

#include "base/check.h"
#include "http/session.h"

namespace tidemark::http {

uint64_t Sessions::add(std::weak_ptr<Session> session) {
  MutexLock lock(mutex_);
  sessions_.emplace(++last_id_, std::move(session));
  return last_id_;
}

void Sessions::remove(uint64_t id) {
  MutexLock lock(mutex_);
  sessions_.erase(id);
  if (sessions_.empty()) emptied_.notify_all();
}

std::vector<std::shared_ptr<Session>> Sessions::all() const {
  std::vector<std::shared_ptr<Session>> alive;
  MutexLock lock(mutex_);
  for (const auto& [id, weak] : sessions_) {
    if (auto session = weak.lock()) alive.push_back(std::move(session));
  }
  return alive;
}

bool Sessions::empty() const {
  MutexLock lock(mutex_);
  return sessions_.empty();
}

bool Sessions::wait_empty(std::chrono::milliseconds timeout) {
  MutexLock lock(mutex_);
  return emptied_.wait_for(mutex_, std::stop_token(), timeout,
                           [this]() REQUIRES(mutex_) { return sessions_.empty(); });
}

void InFlight::begin() {
  MutexLock lock(mutex_);
  ++count_;
}

void InFlight::end() {
  MutexLock lock(mutex_);
  TIDEMARK_CHECK(count_ > 0, "a request ends once");
  if (--count_ == 0) none_.notify_all();
}

size_t InFlight::count() const {
  MutexLock lock(mutex_);
  return count_;
}

bool InFlight::wait_none(std::chrono::milliseconds timeout) {
  MutexLock lock(mutex_);
  return none_.wait_for(mutex_, std::stop_token(), timeout,
                        [this]() REQUIRES(mutex_) { return count_ == 0; });
}

}  // namespace tidemark::http
