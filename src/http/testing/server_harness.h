// A server on a free port with fakes behind it. For the tests of this folder; the test's thread owns it all.
#pragma once

#include <deque>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include <fmt/format.h>
#include <gtest/gtest.h>

#include "base/mutex.h"
#include "env/posix/clock.h"
#include "http/server.h"
#include "http/testing/client_harness.h"

namespace tidemark::http::testing {

// --- what stands behind the server

class FakeBackend final : public Backend {
 public:
  template <class Action>
  auto with(Action action) const -> decltype(action()) {
    MutexLock lock(mutex_);
    return action();
  }

  std::vector<PipelineView> pipelines() const override {
    return with([&] { return views; });
  }
  StatsView stats() const override {
    return with([&] { return stats_view; });
  }
  guard::GuardView guard() const override {
    return with([&] { return guard_view; });
  }
  std::vector<TimelineEntry> timeline(uint64_t after) const override {
    return with([&] {
      std::vector<TimelineEntry> later;
      for (const TimelineEntry& entry : entries) {
        if (entry.seq > after) later.push_back(entry);
      }
      return later;
    });
  }
  bool accepts(const std::string&) const override { return accepting; }
  Result<std::vector<LetterView>> letters(const std::string& pipeline, const std::string& after,
                                          size_t limit) override {
    return with([&]() -> Result<std::vector<LetterView>> {
      if (!letters_by_pipeline.contains(pipeline))
        return fail(React::kConfig, "there is no pipeline \"" + pipeline + "\" with dead letters");
      std::vector<LetterView> found;
      for (const LetterView& letter : letters_by_pipeline.at(pipeline)) {
        if (letter.id > after && found.size() < limit) found.push_back(letter);
      }
      return found;
    });
  }
  Status retry_letter(const std::string& pipeline, const std::string& id) override {
    return command("retry", pipeline, id);
  }
  Status discard_letter(const std::string& pipeline, const std::string& id) override {
    return command("discard", pipeline, id);
  }
  std::vector<FaultButton> faults() const override {
    return with([&] { return buttons; });
  }
  Status inflict(const std::string& fault) override {
    return with([&]() -> Status {
      for (const FaultButton& button : buttons) {
        if (button.name != fault) continue;
        commands.push_back("inflict " + fault);
        return {};
      }
      return Backend::inflict(fault);
    });
  }

  std::vector<PipelineView> views;
  StatsView stats_view;
  guard::GuardView guard_view;
  std::vector<TimelineEntry> entries;
  std::map<std::string, std::vector<LetterView>> letters_by_pipeline;
  std::vector<FaultButton> buttons;
  std::vector<std::string> commands;
  std::atomic<bool> accepting{true};

 private:
  Status command(const std::string& name, const std::string& pipeline, const std::string& id) {
    return with([&]() -> Status {
      for (const LetterView& letter : letters_by_pipeline[pipeline]) {
        if (letter.id != id) continue;
        commands.push_back(name + " " + pipeline + " " + id);
        return {};
      }
      return fail(React::kReject, "there is no dead letter \"" + id + "\"");
    });
  }
  mutable Mutex mutex_;
};

// A guard with something in every field.
inline guard::GuardView full_guard() {
  guard::GuardView view;
  view.configured = true;
  view.interval_s = 10;
  view.age_s = 4.5;
  view.notices_sent = 5;
  view.notices_failed = 1;
  guard::AlertView lag;
  lag.name = "lag";
  lag.pipeline = "process";
  lag.severity = guard::Severity::kCritical;
  lag.text = "process is 75 s behind its source, more than 60 s";
  lag.hint = "look at the sink";
  lag.figure = 75;
  lag.limit = 60;
  lag.unit = "seconds";
  lag.fired_at_ms = 1'700'000'000'000;
  lag.seq = 2;
  guard::AlertView letters;
  letters.name = "dead_letters";
  letters.pipeline = "process";
  letters.firing = false;
  letters.text = "process gained 3 dead letters, more than 0";
  letters.figure = 3;
  letters.unit = "letters";
  letters.fired_at_ms = 1'600'000'000'000;
  letters.resolved_at_ms = 1'600'000'060'000;
  letters.seq = 1;
  view.alerts = {lag, letters};
  guard::AuditView audit;
  audit.pipeline = "process";
  audit.kind = "checksum";
  audit.state = "running";
  audit.progress = 0.25;
  audit.every_s = 600;
  audit.age_s = 120;
  audit.duration_s = 8.5;
  audit.finished_at_ms = 1'700'000'000'000;
  audit.source_documents = 1000;
  audit.destination_documents = 998;
  audit.filtered_documents = 1;
  audit.missing = 2;
  audit.extra = 1;
  audit.different = 3;
  audit.unsettled = 4;
  audit.unreadable = 5;
  audit.stale = 6;
  audit.doubled = 7;
  audit.rejected_documents = 8;
  audit.unaudited_collections = 9;
  audit.unexamined = 10;
  audit.buckets = 24;
  audit.buckets_differing = 2;
  audit.first_ids = {R"(missing shop.orders {"$oid":"65f0c0ffee65f0c0ffee65f0"})"};
  audit.first_rejected = {"rejected shop.orders \"n\": the document holds U+0000"};
  guard::AuditView fresh;
  fresh.pipeline = "observe";
  fresh.kind = "count";
  fresh.state = "stopped";
  fresh.error = "the position is lost";
  view.audits = {audit, fresh};
  return view;
}

// A backend with something in every field.
inline void fill(FakeBackend& backend) {
  PipelineView view;
  view.name = "process";
  view.plane = Plane::kProcess;
  view.source_type = "rabbitmq";
  view.sink_type = "mongodb";
  view.state = "streaming";
  view.events_delivered = 7;
  view.events_filtered = 4;
  view.events_left_out = 9;
  view.write_latency.counts[2] = 7;
  view.write_latency.sum_s = 0.01;
  view.rate_by_s = {1, 2.5};
  view.lag_s = 0.5;
  view.backlog = 3;
  view.dead_letters = 2;
  view.ready = true;
  PipelineView other = view;
  other.name = "observe";
  other.plane = Plane::kObserve;
  other.lag_s.reset();
  other.backlog.reset();
  other.dead_letters.reset();
  backend.views = {view, other};
  backend.stats_view.configured = true;
  backend.stats_view.at_ms = 1'700'000'000'000;
  backend.stats_view.total = 12;
  backend.stats_view.by_severity = {{"major", 2}, {"minor", 10}};
  backend.stats_view.queue = "events";
  backend.stats_view.queue_depth = 0;
  backend.guard_view = full_guard();
  backend.entries = {{.seq = 1, .at_ms = 5, .pipeline = "process", .kind = "started", .text = "started"}};
  backend.letters_by_pipeline["process"] = {{.pipeline = "process",
                                             .id = "a",
                                             .reason = "bad",
                                             .origin = "queue events",
                                             .event = "{}",
                                             .at_ms = 9},
                                            {.pipeline = "process",
                                             .id = "b",
                                             .reason = "bad",
                                             .origin = "queue events",
                                             .event = "{}",
                                             .at_ms = 9}};
}

class FakeInlet final : public Inlet {
 public:
  explicit FakeInlet(std::string path) : path_(std::move(path)) {}
  const std::string& path() const override { return path_; }
  void submit(Submission submission, Reply reply) override {
    std::optional<Reply> now;
    {
      MutexLock lock(mutex_);
      bodies_.push_back(submission.body);
      last_ = std::move(submission);
      if (held_ && !refusing_)
        waiting_.push_back(std::move(reply));
      else
        now = std::move(reply);
      changed_.notify_all();
    }
    if (now) now->answer(refusing_ ? Answer{} : answer_);
  }
  void refuse() override { refusing_ = true; }
  size_t pending() const override {
    MutexLock lock(mutex_);
    return waiting_.size();
  }

  void hold() {
    MutexLock lock(mutex_);
    held_ = true;
  }
  // Waits for `count` submissions to wait, and answers them all.
  void release(size_t count, Answer answer) {
    std::vector<Reply> replies;
    {
      MutexLock lock(mutex_);
      changed_.wait_for(mutex_, {}, kPatience, [&]() REQUIRES(mutex_) { return waiting_.size() >= count; });
      EXPECT_GE(waiting_.size(), count);
      replies = std::move(waiting_);
      waiting_.clear();
    }
    for (Reply& reply : replies) reply.answer(answer);
  }
  bool wait_pending(size_t count) {
    MutexLock lock(mutex_);
    return changed_.wait_for(mutex_, {}, kPatience,
                             [&]() REQUIRES(mutex_) { return waiting_.size() >= count; });
  }
  // Drops what waits: a Reply destroyed unanswered.
  void forget() {
    std::vector<Reply> replies;
    MutexLock lock(mutex_);
    replies.swap(waiting_);
  }
  void answer_with(Answer answer) { answer_ = std::move(answer); }
  std::vector<std::string> bodies() const {
    MutexLock lock(mutex_);
    return bodies_;
  }
  Submission last() const {
    MutexLock lock(mutex_);
    return last_;
  }

 private:
  const std::string path_;
  Answer answer_{.kind = Answer::Kind::kAccepted, .events = 1};
  std::atomic<bool> refusing_{false};
  mutable Mutex mutex_;
  CondVar changed_;
  bool held_ GUARDED_BY(mutex_) = false;
  std::vector<Reply> waiting_ GUARDED_BY(mutex_);
  std::vector<std::string> bodies_ GUARDED_BY(mutex_);
  Submission last_ GUARDED_BY(mutex_);
};

class FakeFeed final : public Feed {
 public:
  FakeFeed(std::string name, size_t capacity) : name_(std::move(name)), capacity_(capacity) {}
  const std::string& name() const override { return name_; }
  FeedSlice after(uint64_t seq, size_t items_max, size_t bytes_max) const override {
    FeedSlice slice;
    MutexLock lock(mutex_);
    if (seq >= newest_) return slice;
    const uint64_t first = newest_ - ring_.size() + 1;
    if (seq + 1 < first) slice.missed = first - seq - 1;
    size_t bytes = 0;
    for (uint64_t at = std::max(seq + 1, first); at <= newest_ && slice.items.size() < items_max; ++at) {
      const auto& json = ring_[at - first];
      if (!slice.items.empty() && bytes + json->size() > bytes_max) break;
      bytes += json->size();
      slice.items.push_back({at, json});
    }
    return slice;
  }
  uint64_t newest() const override {
    MutexLock lock(mutex_);
    return newest_;
  }
  uint64_t oldest() const override {
    MutexLock lock(mutex_);
    return newest_ - ring_.size() + 1;
  }
  void on_growth(std::function<void()> listener) override {
    MutexLock lock(listening_);
    listener_ = std::move(listener);
  }
  bool listened() const {
    MutexLock lock(listening_);
    return static_cast<bool>(listener_);
  }

  void push(size_t count, size_t bytes = 20) {
    {
      MutexLock lock(mutex_);
      for (size_t i = 0; i < count; ++i) {
        ring_.push_back(std::make_shared<const std::string>(
            fmt::format(R"({{"id":"{}","pad":"{}"}})", ++newest_, std::string(bytes, 'x'))));
        if (ring_.size() > capacity_) ring_.pop_front();
      }
    }
    MutexLock lock(listening_);
    if (listener_) listener_();
  }

 private:
  const std::string name_;
  const size_t capacity_;
  mutable Mutex mutex_;
  std::deque<std::shared_ptr<const std::string>> ring_ GUARDED_BY(mutex_);
  uint64_t newest_ GUARDED_BY(mutex_) = 0;
  mutable Mutex listening_;
  std::function<void()> listener_ GUARDED_BY(listening_);
};

// --- the server

struct Fixture {
  explicit Fixture(ServerOptions server_options = {}, size_t ring = 1000)
      : inlet(std::make_shared<FakeInlet>("/events")),
        feed(std::make_shared<FakeFeed>("observe", ring)),
        options(std::move(server_options)) {
    fill(backend);
    options.version = "1.2.3";
    options.instance = "cafe";
    start(backend);
  }
  void start(Backend& behind) {
    auto listening = Server::listen(options, behind, {inlet}, {feed}, clock);
    if (!listening) ADD_FAILURE() << listening.error().describe();
    server = std::move(*listening);
  }

  uint16_t port() const { return server->port(); }
  Client client() const { return Client(port()); }
  // Waits until `ready` holds.
  template <class Ready>
  bool eventually(Ready ready) {
    const Mono deadline = clock.now() + kPatience;
    while (!ready()) {
      if (clock.now() >= deadline) return false;
      clock.sleep_until(clock.now() + 2ms, {});
    }
    return true;
  }

  PosixClock clock;
  FakeBackend backend;
  std::shared_ptr<FakeInlet> inlet;
  std::shared_ptr<FakeFeed> feed;
  ServerOptions options;
  std::unique_ptr<Server> server;
};

constexpr std::string_view kCommand = "Content-Type: application/json\r\nX-Tidemark-Request: 1\r\n";
constexpr std::string_view kEvents = "Content-Type: application/cloudevents+json\r\n";

}  // namespace tidemark::http::testing
