// A first-in first-out queue with a capacity, between threads. Closing it lets the readers drain what is
// left.
#pragma once

#include <chrono>
#include <cstddef>
#include <deque>
#include <optional>
#include <stop_token>
#include <utility>

#include "base/mutex.h"

namespace tidemark {

template <class T>
class BoundedQueue {
 public:
  explicit BoundedQueue(size_t capacity) : capacity_(capacity) {}

  // Waits for room. False, and `value` untouched, when the queue is closed or `stop` is requested first.
  bool push(T& value, std::stop_token stop = {}) EXCLUDES(mutex_) {
    MutexLock lock(mutex_);
    changed_.wait(mutex_, stop, [this]() REQUIRES(mutex_) { return closed_ || items_.size() < capacity_; });
    if (closed_ || items_.size() >= capacity_) return false;
    items_.push_back(std::move(value));
    changed_.notify_all();
    return true;
  }
  bool push(T&& value, std::stop_token stop = {}) { return push(value, std::move(stop)); }

  // False at once when the queue is full or closed.
  bool try_push(T&& value) EXCLUDES(mutex_) {
    MutexLock lock(mutex_);
    if (closed_ || items_.size() >= capacity_) return false;
    items_.push_back(std::move(value));
    changed_.notify_all();
    return true;
  }

  // Waits for an item; empty when the queue is closed and drained, `stop` is requested, or `timeout` has
  // passed.
  std::optional<T> pop(std::stop_token stop = {}) EXCLUDES(mutex_) {
    MutexLock lock(mutex_);
    changed_.wait(mutex_, stop, [this]() REQUIRES(mutex_) { return closed_ || !items_.empty(); });
    return take();
  }
  std::optional<T> pop_for(std::chrono::nanoseconds timeout, std::stop_token stop = {}) EXCLUDES(mutex_) {
    MutexLock lock(mutex_);
    changed_.wait_for(mutex_, stop, timeout,
                      [this]() REQUIRES(mutex_) { return closed_ || !items_.empty(); });
    return take();
  }

  void close() EXCLUDES(mutex_) {
    MutexLock lock(mutex_);
    closed_ = true;
    changed_.notify_all();
  }

  size_t size() const EXCLUDES(mutex_) {
    MutexLock lock(mutex_);
    return items_.size();
  }
  size_t capacity() const { return capacity_; }

 private:
  std::optional<T> take() REQUIRES(mutex_) {
    if (items_.empty()) return std::nullopt;
    std::optional<T> item(std::move(items_.front()));
    items_.pop_front();
    changed_.notify_all();
    return item;
  }

  const size_t capacity_;
  mutable Mutex mutex_;
  CondVar changed_;
  std::deque<T> items_ GUARDED_BY(mutex_);
  bool closed_ GUARDED_BY(mutex_) = false;
};

}  // namespace tidemark
