// Mutexes and a condition variable that clang's thread-safety analysis can follow. std::mutex itself carries
// no annotations with libstdc++, so it is used nowhere else (tools/tidy refuses it).
#pragma once

#include <chrono>
#include <condition_variable>
#include <mutex>
#include <shared_mutex>
#include <stop_token>

#include "base/thread_annotations.h"

namespace tidemark {

class CAPABILITY("mutex") Mutex {
 public:
  void lock() ACQUIRE() { mutex_.lock(); }
  void unlock() RELEASE() { mutex_.unlock(); }

 private:
  std::mutex mutex_;
};

class SCOPED_CAPABILITY MutexLock {
 public:
  explicit MutexLock(Mutex& mutex) ACQUIRE(mutex) : mutex_(mutex) { mutex_.lock(); }
  ~MutexLock() RELEASE() { mutex_.unlock(); }
  MutexLock(const MutexLock&) = delete;
  MutexLock& operator=(const MutexLock&) = delete;

 private:
  Mutex& mutex_;
};

// Many readers or one writer.
class CAPABILITY("shared mutex") SharedMutex {
 public:
  void lock() ACQUIRE() { mutex_.lock(); }
  void unlock() RELEASE() { mutex_.unlock(); }
  void lock_shared() ACQUIRE_SHARED() { mutex_.lock_shared(); }
  void unlock_shared() RELEASE_SHARED() { mutex_.unlock_shared(); }

 private:
  std::shared_mutex mutex_;
};

class SCOPED_CAPABILITY SharedLock {
 public:
  explicit SharedLock(SharedMutex& mutex) ACQUIRE_SHARED(mutex) : mutex_(mutex) { mutex_.lock_shared(); }
  ~SharedLock() RELEASE_GENERIC() { mutex_.unlock_shared(); }
  SharedLock(const SharedLock&) = delete;
  SharedLock& operator=(const SharedLock&) = delete;

 private:
  SharedMutex& mutex_;
};

class SCOPED_CAPABILITY ExclusiveLock {
 public:
  explicit ExclusiveLock(SharedMutex& mutex) ACQUIRE(mutex) : mutex_(mutex) { mutex_.lock(); }
  ~ExclusiveLock() RELEASE() { mutex_.unlock(); }
  ExclusiveLock(const ExclusiveLock&) = delete;
  ExclusiveLock& operator=(const ExclusiveLock&) = delete;

 private:
  SharedMutex& mutex_;
};

// Waits hold the mutex on entry and on return. Every wait can wake without a reason: wait in a loop on the
// condition.
class CondVar {
 public:
  void notify_one() { cv_.notify_one(); }
  void notify_all() { cv_.notify_all(); }

  void wait(Mutex& mutex) REQUIRES(mutex) { cv_.wait(mutex); }

  // False once `timeout` passed.
  template <class Rep, class Period>
  bool wait_for(Mutex& mutex, std::chrono::duration<Rep, Period> timeout) REQUIRES(mutex) {
    return cv_.wait_for(mutex, timeout) == std::cv_status::no_timeout;
  }

  // Returns when `ready()` holds, `stop` is requested or `timeout` has passed; the value is ready()'s.
  template <class Rep, class Period, class Ready>
  bool wait_for(Mutex& mutex, std::stop_token stop, std::chrono::duration<Rep, Period> timeout, Ready ready)
      REQUIRES(mutex) {
    return cv_.wait_for(mutex, std::move(stop), timeout, std::move(ready));
  }

  // Returns when `ready()` holds or `stop` is requested; the value is ready()'s.
  template <class Ready>
  bool wait(Mutex& mutex, std::stop_token stop, Ready ready) REQUIRES(mutex) {
    return cv_.wait(mutex, std::move(stop), std::move(ready));
  }

 private:
  std::condition_variable_any cv_;
};

}  // namespace tidemark
