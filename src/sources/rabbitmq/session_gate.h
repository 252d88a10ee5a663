// Who may use the one AMQP session: the reader, which waits in it for deliveries, or somebody in a hurry (the saver with
// an acknowledgement, the keeper with a sign of life). Whoever hurries calls the holder back at once and goes before the
// reader's next turn, so that an acknowledgement never waits for a quiet queue. Any thread.
#pragma once

#include <functional>
#include <utility>

#include "base/mutex.h"

namespace tidemark {

class CAPABILITY("session") SessionGate {
 public:
  // The reader's way in: lets everybody go first who hurries.
  void lock() ACQUIRE() { enter(false); }
  // Everybody else's.
  void lock_now() ACQUIRE() { enter(true); }
  void unlock() RELEASE() { leave(); }

  // Whether somebody hurries: the reader leaves when it can.
  bool wanted() const {
    MutexLock lock(mutex_);
    return hurried_ > 0;
  }

  // How to call back a reader that waits for deliveries; called under a lock of the gate's own, so it must return at once
  // and not come back here. Null = there is nothing to wait in.
  void set_callback(std::function<void()> call_back) {
    MutexLock lock(mutex_);
    call_back_ = std::move(call_back);
  }

 private:
  void enter(bool hurry) NO_THREAD_SAFETY_ANALYSIS {
    MutexLock lock(mutex_);
    if (hurry) {
      ++hurried_;
      if (held_ && call_back_) call_back_();

      while (held_) changed_.wait(mutex_);
      --hurried_;
    } else {
      while (held_ || hurried_ > 0) changed_.wait(mutex_);
    }
    held_ = true;
  }
  void leave() NO_THREAD_SAFETY_ANALYSIS {
    MutexLock lock(mutex_);
    held_ = false;
    changed_.notify_all();
  }

  mutable Mutex mutex_;
  CondVar changed_;
  bool held_ GUARDED_BY(mutex_) = false;
  int hurried_ GUARDED_BY(mutex_) = 0;
  std::function<void()> call_back_ GUARDED_BY(mutex_);
};

// The reader's turn.
class SCOPED_CAPABILITY ReaderTurn {
 public:
  explicit ReaderTurn(SessionGate& gate) ACQUIRE(gate) : gate_(gate) { gate_.lock(); }
  ~ReaderTurn() RELEASE() { gate_.unlock(); }
  ReaderTurn(const ReaderTurn&) = delete;
  ReaderTurn& operator=(const ReaderTurn&) = delete;

 private:
  SessionGate& gate_;
};

// The turn of somebody in a hurry.
class SCOPED_CAPABILITY UrgentTurn {
 public:
  explicit UrgentTurn(SessionGate& gate) ACQUIRE(gate) : gate_(gate) { gate_.lock_now(); }
  ~UrgentTurn() RELEASE() { gate_.unlock(); }
  UrgentTurn(const UrgentTurn&) = delete;
  UrgentTurn& operator=(const UrgentTurn&) = delete;

 private:
  SessionGate& gate_;
};

}  // namespace tidemark
