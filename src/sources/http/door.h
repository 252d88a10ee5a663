// The door behind an HTTP source's path: checks what clients submit, queues it for the reader, and answers each client
// once its events are durable, or once it is clear that nobody can say so in time.
//
// Thread-safe: the server's threads submit, the pipeline's reader takes, its saver acknowledges, one thread more answers
// what has waited too long. Shared by the source and the server; it outlives the source and refuses after it. No reply is
// answered under a lock.
#pragma once

#include <chrono>
#include <cstdint>
#include <deque>
#include <memory>
#include <optional>
#include <stop_token>
#include <string>
#include <vector>

#include "base/mutex.h"
#include "cloudevents/parser.h"
#include "core/event.h"
#include "core/inlet.h"
#include "env/clock.h"

namespace tidemark::http_source {

class Door final : public Inlet {
 public:
  struct Limits {
    size_t queue_bytes_max = 8 << 20;  // of events that wait to be read; one submission may exceed it
    size_t queue_requests_max = 4096;  // of submissions without an answer, read or not
    std::chrono::milliseconds reply_timeout{10'000};
    cloudevents::Limits parse = {};
  };

  // `clock` outlives the door.
  Door(std::string path, Limits limits, Clock& clock);

  // --- the server's side
  const std::string& path() const override { return path_; }
  void submit(Submission submission, Reply reply) override EXCLUDES(mutex_, parsers_mutex_);
  void refuse() override EXCLUDES(mutex_);
  size_t pending() const override EXCLUDES(mutex_);

  // --- the source's side
  // Submissions are taken from now on.
  void open() EXCLUDES(mutex_);

  struct Taken {
    std::shared_ptr<EventBatch> events;  // of one submission or several, in the order they came
    uint64_t seq = 0;                    // of the last of them
  };
  // Waits up to `wait` for submissions and takes some. Empty: none came, `stop` was requested, or the door is closed.
  std::optional<Taken> take(std::chrono::milliseconds wait, std::stop_token stop) EXCLUDES(mutex_);

  // Every event of the submissions up to `seq` is durable: answers them. REQUIRES that they were taken.
  void acknowledge(uint64_t seq) EXCLUDES(mutex_);

  // Answers what has waited for `reply_timeout`; what of it wasn't taken yet never will be.
  void expire() EXCLUDES(mutex_);
  // Calls expire() whenever there is something to expire, until `stop`. On a thread of its own, because nobody else's
  // is sure to come by: with a pipeline that is stuck, no read and no save happens any more.
  void expire_until(std::stop_token stop) EXCLUDES(mutex_);

  // Answers what is pending as unavailable; every later submission too.
  void close() EXCLUDES(mutex_);

  uint64_t waiting_events() const EXCLUDES(mutex_);

 private:
  struct Owed {
    uint64_t seq;
    size_t events;
    Mono deadline;
    Reply reply;
  };
  struct Queued {
    uint64_t seq;
    std::shared_ptr<EventBatch> batch;
    size_t bytes;
  };
  enum class State { kShut, kOpen, kRefusing, kClosed };

  cloudevents::Problems parse(cloudevents::Form form, const Submission& submission, EventBatch& batch)
      EXCLUDES(parsers_mutex_);
  // Why a submission of that many bytes can't be taken now; empty when it can.
  std::optional<Answer> refusal(size_t bytes) const REQUIRES(mutex_);
  void enqueue(std::shared_ptr<EventBatch> batch, Reply reply) EXCLUDES(mutex_);
  void drop_front() REQUIRES(mutex_);

  const std::string path_;
  const Limits limits_;
  Clock& clock_;

  mutable Mutex mutex_;
  CondVar queue_grew_;
  CondVar owed_grew_;
  State state_ GUARDED_BY(mutex_) = State::kShut;
  uint64_t last_seq_ GUARDED_BY(mutex_) = 0;
  uint64_t taken_seq_ GUARDED_BY(mutex_) = 0;
  std::deque<Owed> owed_ GUARDED_BY(mutex_);     // not answered yet, by seq and so by deadline too
  std::deque<Queued> queue_ GUARDED_BY(mutex_);  // not taken yet, by seq; all of them are in owed_
  size_t queue_bytes_ GUARDED_BY(mutex_) = 0;
  uint64_t queue_events_ GUARDED_BY(mutex_) = 0;

  // A parser keeps its memory between calls; there are as many as threads ever submitted at once.
  Mutex parsers_mutex_;
  std::vector<std::unique_ptr<cloudevents::Parser>> parsers_ GUARDED_BY(parsers_mutex_);
};

}  // namespace tidemark::http_source
