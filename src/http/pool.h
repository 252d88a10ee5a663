// A few threads for calls that block: dead-letter stores, peers, faults. Owned by the Server.
#pragma once

#include <deque>
#include <functional>
#include <stop_token>
#include <thread>
#include <vector>

#include "base/mutex.h"

namespace tidemark::http {

class Pool {
 public:
  static constexpr size_t kWaitingMax = 64;

  explicit Pool(size_t threads) {
    for (size_t i = 0; i < threads; ++i)
      threads_.emplace_back([this](const std::stop_token& stop) { run(stop); });
  }
  // Drops the calls that wait, and lets those that run return.
  ~Pool() { close(); }

  void close() {
    for (std::jthread& thread : threads_) thread.request_stop();
    threads_.clear();
    MutexLock lock(mutex_);
    calls_.clear();
  }

  // False when too many wait already; the call is dropped then.
  bool post(std::function<void()> call) EXCLUDES(mutex_) {
    {
      MutexLock lock(mutex_);
      if (calls_.size() >= kWaitingMax) return false;
      calls_.push_back(std::move(call));
    }
    ready_.notify_one();
    return true;
  }

 private:
  void run(const std::stop_token& stop) EXCLUDES(mutex_) {
    while (true) {
      std::function<void()> call;
      {
        MutexLock lock(mutex_);
        ready_.wait(mutex_, stop, [this]() REQUIRES(mutex_) { return !calls_.empty(); });
        if (stop.stop_requested()) return;
        call = std::move(calls_.front());
        calls_.pop_front();
      }
      call();
    }
  }

  Mutex mutex_;
  CondVar ready_;
  std::deque<std::function<void()>> calls_ GUARDED_BY(mutex_);
  std::vector<std::jthread> threads_;  // last: they use all of the above
};

}  // namespace tidemark::http
