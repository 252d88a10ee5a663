#include "demo/poster.h"

#include <algorithm>
#include <cmath>
#include <numeric>

#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include "base/digest.h"

namespace tidemark::demo {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;

constexpr const char* kBatchType = "application/cloudevents-batch+json";
constexpr auto kTick = milliseconds(50);
constexpr auto kAnswerPatience = seconds(20);  // the server's own limit is shorter
constexpr auto kPausesMax = milliseconds(1'000);
constexpr auto kUnanswered = milliseconds(100);
constexpr auto kAcceptPatience = seconds(60);
constexpr int kBatchEventsMax = 200;
constexpr int kAccepted = 202;
constexpr int kUnavailable = 503;

// The magnitude of a later report: somewhat off the first one, rounded as the USGS does.
std::optional<double> revised(const Quake& quake, int64_t revision, SeededRandom& random) {
  if (revision == 1 || !quake.magnitude) return std::nullopt;
  const double off = random.unit() * 2 - 1;
  return std::round((*quake.magnitude + off) * 10) / 10;
}

}  // namespace

Result<guard::Row> event_row(const std::string& json) {
  const auto event = nlohmann::json::parse(json, nullptr, false);
  const auto text = [&event](const char* name) {
    const auto field = event.find(name);
    return field != event.end() && field->is_string() ? field->get<std::string>() : std::string();
  };
  if (!event.is_object() || text("id").empty())
    return fail(React::kReject, "no CloudEvent: " + json.substr(0, 200));
  return guard::Row{text("source") + " " + text("id"), to_hex(sha256(event.dump())).substr(0, 32)};
}

Poster::Poster(Options options, const std::vector<Quake>& quakes, Clock& clock)
    : options_(std::move(options)),
      quakes_(quakes),
      clock_(clock),
      http_(options_.port, kAnswerPatience),
      random_(options_.seed),
      thread_([this](std::stop_token stop) {
        run(std::move(stop));
        finished_ = true;
      }) {}

int64_t Poster::post_poisoned() { return ++poisoned_wanted_; }

Poster::Figures Poster::figures() const {
  MutexLock lock(mutex_);
  return figures_;
}

std::chrono::nanoseconds Poster::lag(int64_t arrived) {
  MutexLock lock(mutex_);
  return ledger_.lag(arrived, clock_.now());
}

std::vector<guard::Row> Poster::promises() const {
  MutexLock lock(mutex_);
  return promises_;
}

std::optional<Error> Poster::failure() const {
  MutexLock lock(mutex_);
  return failure_;
}

void Poster::run(std::stop_token stop) {
  double due = 0;
  Mono next = clock_.now();
  while (!stop.stop_requested()) {
    due += options_.rate * std::chrono::duration<double>(kTick).count();
    const int64_t left = options_.events_max - figures().posted;
    const int events =
        static_cast<int>(std::min<int64_t>({static_cast<int64_t>(due), kBatchEventsMax, left}));
    due = std::min(due - events, static_cast<double>(kBatchEventsMax));
    const bool poison = poisoned_sent_ < poisoned_wanted_.load();
    if ((events > 0 || poison) && !post_until_accepted(compose(events))) return;
    // After an outage the lost time is not made up for: the rate is a most, not a promise.
    next = std::max(next + kTick, clock_.now());
    clock_.sleep_until(next, stop);
  }
  // One last event, after every fault: it proves the last of them survived.
  post_until_accepted(compose(1));
}

Poster::Batch Poster::compose(int events) {
  Batch batch;
  batch.body = "[";
  const auto add = [&batch](const std::string& event) {
    if (batch.body.size() > 1) batch.body += ',';
    batch.body += event;
  };
  for (int i = 0; i < events; ++i) {
    const std::string event = next_event();
    add(event);
    if (auto row = event_row(event)) batch.rows.push_back(std::move(*row));
  }
  for (; poisoned_sent_ < poisoned_wanted_.load() && batch.poisoned < kBatchEventsMax; ++batch.poisoned)
    add(poisoned_event(++poisoned_sent_));
  batch.body += "]";
  MutexLock lock(mutex_);
  figures_.posted += events;
  return batch;
}

// Every earthquake once in a revision, in an order that the seed decides: no event is ever posted under the id of another.
std::string Poster::next_event() {
  if (next_ == order_.size()) {
    ++revision_;
    next_ = 0;
    order_.resize(quakes_.size());
    std::iota(order_.begin(), order_.end(), size_t{0});
    for (size_t i = order_.size(); i > 1; --i) std::swap(order_[i - 1], order_[random_.below(i)]);
  }
  const Quake& quake = quakes_[order_[next_++]];
  return cloud_event(quake, revision_, revised(quake, revision_, random_));
}

// A stop doesn't cut it short: whether a batch without an answer was taken is unknown, and only another try, under the
// same ids, tells.
bool Poster::post_until_accepted(const Batch& batch) {
  const Mono give_up = clock_.now() + kAcceptPatience;
  for (;;) {
    const auto wait = post_once(batch);
    if (wait && *wait == milliseconds(0)) break;
    if (!may_try_again(wait ? std::nullopt : std::optional(wait.error()), give_up)) return false;
    clock_.sleep_until(clock_.now() + (wait ? *wait : kUnanswered), {});
  }
  const auto events = static_cast<int64_t>(batch.rows.size());
  MutexLock lock(mutex_);
  figures_.accepted += events;
  figures_.poisoned += batch.poisoned;
  figures_.trouble.clear();
  ledger_.accepted(events, clock_.now());
  promises_.insert(promises_.end(), batch.rows.begin(), batch.rows.end());
  return true;
}

bool Poster::may_try_again(const std::optional<Error>& error, Mono give_up) {
  MutexLock lock(mutex_);
  ++figures_.refusals;
  if (error) figures_.trouble = error->what;
  if (error && error->react != React::kRetry) failure_ = error;
  if (clock_.now() >= give_up)
    failure_ = Error{React::kFatal, "no batch was accepted for 60 s: " + figures_.trouble};
  return !failure_;
}

Result<milliseconds> Poster::post_once(const Batch& batch) {
  TIDEMARK_ASSIGN(const HttpReply reply, http_.post(options_.path, kBatchType, batch.body));
  if (reply.status == kAccepted) return milliseconds(0);
  if (reply.status != kUnavailable)
    return fail(React::kFatal,
                fmt::format("POST {} was answered {}: {}", options_.path, reply.status, reply.body));
  MutexLock lock(mutex_);
  figures_.trouble = "503: " + reply.body;
  return std::clamp<milliseconds>(reply.retry_after, kUnanswered, kPausesMax);
}

}  // namespace tidemark::demo
