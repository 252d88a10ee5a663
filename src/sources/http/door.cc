#include "sources/http/door.h"

#include <utility>

#include "base/check.h"

namespace tidemark::http_source {
namespace {

// Of one batch made of several submissions. Small, because the answers of a batch wait for its last event.
constexpr size_t kTakeEventsMax = 1000;
constexpr size_t kTakeBytesMax = 1 << 20;

Answer unavailable(std::string detail, std::chrono::seconds retry_after = std::chrono::seconds(1)) {
  Answer answer;
  answer.kind = Answer::Kind::kUnavailable;
  answer.detail = std::move(detail);
  answer.retry_after = retry_after;
  return answer;
}

Answer accepted(size_t events) {
  Answer answer;
  answer.kind = Answer::Kind::kAccepted;
  answer.events = events;
  return answer;
}

Answer unsupported(const std::string& content_type) {
  Answer answer;
  answer.kind = Answer::Kind::kUnsupportedType;
  answer.detail = (content_type.empty() ? "the request has no content type"
                                        : "the content type is none that is read here") +
                  std::string(
                      "; send application/cloudevents+json, application/cloudevents-batch+json, or ce-* "
                      "headers with any type, in UTF-8");
  return answer;
}

Answer invalid(cloudevents::Problems problems) {
  Answer answer;
  answer.kind = Answer::Kind::kInvalid;
  answer.detail = "the request does not hold valid CloudEvents; nothing of it was taken";
  answer.problems = std::move(problems);
  return answer;
}

std::shared_ptr<EventBatch> merged(std::vector<std::shared_ptr<EventBatch>> parts) {
  if (parts.size() == 1) return std::move(parts.front());
  auto batch = std::make_shared<EventBatch>();
  for (auto& part : parts) {
    batch->events().insert(batch->events().end(), part->events().begin(), part->events().end());
    batch->own(std::move(part));
  }
  return batch;
}

}  // namespace

Door::Door(std::string path, Limits limits, Clock& clock)
    : path_(std::move(path)), limits_(limits), clock_(clock) {}

// --- the server's side

void Door::submit(Submission submission, Reply reply) {
  // A first look, so that a full door doesn't cost the parsing.
  std::optional<Answer> no;
  {
    MutexLock lock(mutex_);
    no = refusal(0);
  }
  if (no) return reply.answer(std::move(*no));
  const auto form = cloudevents::form_of(submission.content_type, !submission.headers.empty());
  if (!form) return reply.answer(unsupported(submission.content_type));
  auto batch = std::make_shared<EventBatch>();
  if (auto problems = parse(*form, submission, *batch); !problems.empty())
    return reply.answer(invalid(std::move(problems)));
  if (batch->events().empty()) return reply.answer(accepted(0));
  enqueue(std::move(batch), std::move(reply));
}

cloudevents::Problems Door::parse(cloudevents::Form form, const Submission& submission, EventBatch& batch) {
  std::unique_ptr<cloudevents::Parser> parser;
  {
    MutexLock lock(parsers_mutex_);
    if (!parsers_.empty()) {
      parser = std::move(parsers_.back());
      parsers_.pop_back();
    }
  }
  if (!parser) parser = std::make_unique<cloudevents::Parser>(limits_.parse);
  const cloudevents::Receipt receipt{.received_ms = clock_.wall_ms()};
  auto problems =
      parser->parse(form, submission.content_type, submission.headers, submission.body, receipt, batch);
  MutexLock lock(parsers_mutex_);
  parsers_.push_back(std::move(parser));
  return problems;
}

std::optional<Answer> Door::refusal(size_t bytes) const {
  switch (state_) {
    case State::kShut:
      return unavailable("the pipeline is not open yet");
    case State::kRefusing:
    case State::kClosed:
      return unavailable("the pipeline is stopping", std::chrono::seconds(5));
    case State::kOpen:
      break;
  }
  if (owed_.size() >= limits_.queue_requests_max)
    return unavailable("too many requests wait for their events to be stored");
  if (!queue_.empty() && queue_bytes_ + bytes > limits_.queue_bytes_max)
    return unavailable("the queue of events is full");
  return std::nullopt;
}

void Door::enqueue(std::shared_ptr<EventBatch> batch, Reply reply) {
  const size_t events = batch->events().size();
  const size_t bytes = batch->size_bytes();
  std::optional<Answer> no;
  {
    MutexLock lock(mutex_);
    no = refusal(bytes);
    if (!no) {
      const uint64_t seq = ++last_seq_;
      owed_.push_back({seq, events, clock_.now() + limits_.reply_timeout, std::move(reply)});
      queue_.push_back({seq, std::move(batch), bytes});
      queue_bytes_ += bytes;
      queue_events_ += events;
      if (queue_.size() == 1) queue_grew_.notify_one();
      if (owed_.size() == 1) owed_grew_.notify_one();
    }
  }
  if (no) reply.answer(std::move(*no));
}

void Door::refuse() {
  MutexLock lock(mutex_);
  if (state_ != State::kClosed) state_ = State::kRefusing;
}

size_t Door::pending() const {
  MutexLock lock(mutex_);
  return owed_.size();
}

// --- the source's side

void Door::open() {
  MutexLock lock(mutex_);
  if (state_ == State::kShut) state_ = State::kOpen;
}

void Door::drop_front() {
  queue_bytes_ -= queue_.front().bytes;
  queue_events_ -= queue_.front().batch->events().size();
  queue_.pop_front();
}

std::optional<Door::Taken> Door::take(std::chrono::milliseconds wait, std::stop_token stop) {
  std::vector<std::shared_ptr<EventBatch>> parts;
  uint64_t seq = 0;
  {
    MutexLock lock(mutex_);
    queue_grew_.wait_for(mutex_, std::move(stop), wait,
                         [this]() REQUIRES(mutex_) { return !queue_.empty() || state_ == State::kClosed; });
    size_t events = 0, bytes = 0;
    while (!queue_.empty()) {
      const Queued& next = queue_.front();
      events += next.batch->events().size();
      bytes += next.bytes;
      if (!parts.empty() && (events > kTakeEventsMax || bytes > kTakeBytesMax)) break;
      seq = next.seq;
      parts.push_back(next.batch);
      drop_front();
    }
    if (parts.empty()) return std::nullopt;
    taken_seq_ = seq;
  }
  return Taken{merged(std::move(parts)), seq};
}

void Door::acknowledge(uint64_t seq) {
  std::vector<Owed> done;
  {
    MutexLock lock(mutex_);
    TIDEMARK_CHECK(seq <= taken_seq_, "a submission was acknowledged that was never read");
    while (!owed_.empty() && owed_.front().seq <= seq) {
      done.push_back(std::move(owed_.front()));
      owed_.pop_front();
    }
  }
  for (Owed& owed : done) owed.reply.answer(accepted(owed.events));
}

void Door::expire() {
  std::vector<Owed> late;
  {
    MutexLock lock(mutex_);
    const Mono now = clock_.now();
    while (!owed_.empty() && owed_.front().deadline <= now) {
      if (!queue_.empty() && queue_.front().seq == owed_.front().seq) drop_front();
      late.push_back(std::move(owed_.front()));
      owed_.pop_front();
    }
  }
  for (Owed& owed : late) owed.reply.answer(unavailable("the events were not stored in time"));
}

void Door::expire_until(std::stop_token stop) {
  while (!stop.stop_requested()) {
    Mono deadline;
    {
      MutexLock lock(mutex_);
      if (!owed_grew_.wait(mutex_, stop, [this]() REQUIRES(mutex_) { return !owed_.empty(); })) return;
      deadline = owed_.front().deadline;
    }
    // Deadlines come in the order of submission, so that none can pass before the first one's.
    if (!clock_.sleep_until(deadline, stop)) return;
    expire();
  }
}

void Door::close() {
  std::deque<Owed> owed;
  {
    MutexLock lock(mutex_);
    state_ = State::kClosed;
    owed.swap(owed_);
    while (!queue_.empty()) drop_front();
    queue_grew_.notify_all();
  }
  for (Owed& one : owed)
    one.reply.answer(
        unavailable("the pipeline stopped before the events were stored", std::chrono::seconds(5)));
}

uint64_t Door::waiting_events() const {
  MutexLock lock(mutex_);
  return queue_events_;
}

}  // namespace tidemark::http_source
