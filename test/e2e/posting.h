// Clients that post events as a good client does: in batches, again after a 503 or a lost connection, with the same ids.
//
// Owned by the test; every client is a thread of its own. The test lets them go on by raising the limit, so that a
// fault always meets clients at work.
#pragma once

#include <atomic>
#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <thread>
#include <vector>

#include "base/mutex.h"

namespace tidemark::e2e {

struct PostingOptions {
  int port = 0;
  int clients = 4;
  int64_t events = 0;  // of all clients together; divisible by `batch`
  int64_t batch = 100;
  std::function<std::string(int64_t)> event;  // the JSON of event n
  std::string headers = {};                   // further lines of each request
};

class Posting {
 public:
  explicit Posting(PostingOptions options);
  // Ends the clients, each after its request under way.
  ~Posting();
  Posting(const Posting&) = delete;
  Posting& operator=(const Posting&) = delete;

  // Batches that begin below `events` may be posted.
  void allow_up_to(int64_t events) EXCLUDES(mutex_);
  // No new requests; returns when every client has ended. Idempotent.
  void stop() EXCLUDES(mutex_);

  int64_t accepted() const { return accepted_.load(); }  // events that were answered with 202
  int64_t refused() const { return refused_.load(); }    // requests that were answered with 503
  int64_t lost() const { return lost_.load(); }          // requests without an answer
  // Whether event n has been answered with 202.
  bool accepted(int64_t n) const { return batches_[static_cast<size_t>(n / options_.batch)].load(); }
  // The first answer that a good client can't get over; empty when there was none.
  std::string failure() EXCLUDES(mutex_);

 private:
  void run();
  void post(class HttpClient& http, int64_t first);
  // The first event of the next batch; -1 = no more.
  int64_t take() EXCLUDES(mutex_);
  bool wait_a_little() EXCLUDES(mutex_);
  bool stopped() EXCLUDES(mutex_);

  const PostingOptions options_;
  std::vector<std::atomic<bool>> batches_;
  std::atomic<int64_t> accepted_ = 0, refused_ = 0, lost_ = 0;
  Mutex mutex_;
  CondVar changed_;
  int64_t next_ GUARDED_BY(mutex_) = 0;
  int64_t limit_ GUARDED_BY(mutex_) = 0;
  bool stop_ GUARDED_BY(mutex_) = false;
  std::string failure_ GUARDED_BY(mutex_);
  std::vector<std::thread> threads_;
};

}  // namespace tidemark::e2e
