#include "e2e/posting.h"

#include <algorithm>

#include "e2e/http_client.h"

namespace tidemark::e2e {
namespace {

// A client of a test is less patient than the Retry-After that it is given.
constexpr std::chrono::milliseconds kRetryPause{20};
constexpr const char* kBatchType = "application/cloudevents-batch+json";

}  // namespace

Posting::Posting(PostingOptions options)
    : options_(std::move(options)), batches_(static_cast<size_t>(options_.events / options_.batch)) {
  for (int i = 0; i < options_.clients; ++i) threads_.emplace_back([this] { run(); });
}

Posting::~Posting() { stop(); }

void Posting::stop() {
  {
    const MutexLock lock(mutex_);
    stop_ = true;
    changed_.notify_all();
  }
  for (std::thread& thread : threads_)
    if (thread.joinable()) thread.join();
}

void Posting::allow_up_to(int64_t events) {
  const MutexLock lock(mutex_);
  limit_ = std::min(events, options_.events);
  changed_.notify_all();
}

std::string Posting::failure() {
  const MutexLock lock(mutex_);
  return failure_;
}

bool Posting::stopped() {
  const MutexLock lock(mutex_);
  return stop_;
}

int64_t Posting::take() {
  const MutexLock lock(mutex_);
  while (!stop_ && next_ < options_.events && next_ >= limit_) changed_.wait(mutex_);
  if (stop_ || next_ >= options_.events) return -1;
  const int64_t first = next_;
  next_ += options_.batch;
  return first;
}

bool Posting::wait_a_little() {
  const MutexLock lock(mutex_);
  if (!stop_) changed_.wait_for(mutex_, kRetryPause);
  return !stop_;
}

void Posting::run() {
  HttpClient http(options_.port);
  for (int64_t first; (first = take()) >= 0;) post(http, first);
}

void Posting::post(HttpClient& http, int64_t first) {
  std::vector<std::string> events;
  for (int64_t n = first; n < first + options_.batch; ++n) events.push_back(options_.event(n));
  const std::string body = batch_body(events);
  while (!stopped()) {
    const auto answer = http.post("/events", kBatchType, body, options_.headers);
    if (answer && answer->status == 202) {
      batches_[static_cast<size_t>(first / options_.batch)].store(true);
      accepted_.fetch_add(options_.batch);
      return;
    }
    if (answer && answer->status != 503) {
      const MutexLock lock(mutex_);
      failure_ = answer->head + "\r\n\r\n" + answer->body;
      return;
    }
    (answer ? refused_ : lost_).fetch_add(1);
    if (!wait_a_little()) return;
  }
}

}  // namespace tidemark::e2e
