#include "runtime/runner.h"

#include "base/check.h"
#include "base/log.h"
#include "base/uri.h"
#include "bson/json.h"
#include "core/deployment.h"
#include "runtime/shutdown.h"

namespace tidemark {
namespace {

// What may be out at once besides the lanes: the reader, a save, a letter, a stop, a ready.
constexpr size_t kInboxBesideLanes = 8;

}  // namespace

std::string_view to_string(LoopPoint point) {
  switch (point) {
    case LoopPoint::kOpened:
      return "opened";
    case LoopPoint::kRead:
      return "read";
    case LoopPoint::kBeforeWrite:
      return "before_write";
    case LoopPoint::kAfterWrite:
      return "after_write";
    case LoopPoint::kBeforeSave:
      return "before_save";
    case LoopPoint::kAfterSave:
      return "after_save";
  }
  return "unknown";
}

PipelineRunner::PipelineRunner(PipelineParts parts, Clock& clock, Random& random,
                               std::function<void(LoopPoint)> observer, Timeline* timeline)
    : parts_(std::move(parts)),
      clock_(clock),
      observer_(std::move(observer)),
      source_summary_(parts_.source->identity().summary),
      journal_(parts_.name, timeline, clock),
      core_(parts_.limits, parts_.source->identity(), random),
      inbox_(static_cast<size_t>(parts_.limits.lanes) + kInboxBesideLanes),
      writing_(static_cast<size_t>(parts_.limits.lanes)) {
  TIDEMARK_CHECK(parts_.transactional != nullptr ||
                     ((parts_.positions != nullptr || parts_.source->own_positions() != nullptr) &&
                      parts_.lanes.size() == static_cast<size_t>(parts_.limits.lanes)),
                 "a pipeline needs a transactional sink, or lanes and a position store");
}

PipelineRunner::~PipelineRunner() {
  if (core_thread_.joinable()) {
    request_stop();
    join();
  }
}

void PipelineRunner::start() {
  reader_ = std::make_unique<Worker>("read " + parts_.name, 1);
  saver_ = std::make_unique<Worker>("save " + parts_.name, 3);
  for (int i = 0; i < parts_.limits.lanes; ++i)
    lane_workers_.push_back(std::make_unique<Worker>("lane" + std::to_string(i) + " " + parts_.name, 1));
  parts_.source->on_ready([this] {
    if (!ready_pending_.exchange(true)) send(SourceReady{});
  });
  core_thread_ = std::jthread([this] { run_core(); });
  send(Started{});
}

void PipelineRunner::request_stop() {
  if (stop_pending_.exchange(true)) return;
  if (reader_) reader_->request_stop();
  parts_.source->stop_delivery();
  send(StopRequested{});
}

std::optional<Error> PipelineRunner::join() {
  wait();
  ShutdownSequence sequence(parts_.name);
  sequence.add({"close the source",
                "closed earlier, its last error would start a back-off that nobody waits for",
                [this] { close_source(); }});
  sequence.add({"close the sink and give the position's lease back",
                "given back under a running write, another instance could start before the last save",
                [this] { close_sink(); }});
  sequence.run();
  return outcome_;
}

void PipelineRunner::wait() {
  if (core_thread_.joinable()) core_thread_.join();
  if (std::exchange(waited_, true)) return;
  ShutdownSequence sequence(parts_.name);
  sequence.add(
      {"stop the reader", "a read that returns later would hand events to a pipeline that is gone", [this] {
         if (reader_) reader_->join();
       }});
  sequence.add({"stop the lanes", "a sink closed under a running write leaves its outcome unknown", [this] {
                  for (auto& lane : lane_workers_) lane->join();
                }});
  sequence.add(
      {"stop the saver", "a lease given back under a running save could lose to the next owner's", [this] {
         if (saver_) saver_->join();
       }});
  sequence.run();
}

void PipelineRunner::close_source() {
  MutexLock lock(source_mutex_);
  if (!std::exchange(source_closed_, true)) parts_.source->close();
}

void PipelineRunner::close_sink() {
  if (std::exchange(sink_closed_, true)) return;
  // A transactional sink holds the position's lease until its last write is over.
  if (parts_.transactional) parts_.transactional->close();
  for (auto& lane : parts_.lanes) lane->close();
  if (parts_.positions) parts_.positions->release();
}

// The lanes share one destination.
std::optional<uint64_t> PipelineRunner::wal_bytes() const {
  if (parts_.transactional) return parts_.transactional->wal_bytes();
  return parts_.lanes.empty() ? std::nullopt : parts_.lanes.front()->wal_bytes();
}

Result<SourceHealth> PipelineRunner::source_health(std::stop_token stop) {
  MutexLock lock(source_mutex_);
  if (source_closed_) return fail(React::kCancelled, parts_.name + ": the source is closed");
  return parts_.source->health(std::move(stop));
}

LatencyHistogram PipelineRunner::write_latency() const {
  LatencyHistogram histogram;
  for (size_t i = 0; i < histogram.counts.size(); ++i) histogram.counts[i] = write_counts_[i].load();
  histogram.sum_s = static_cast<double>(write_ns_.load()) / 1e9;
  return histogram;
}

PipelineStatus PipelineRunner::status() const {
  MutexLock lock(status_mutex_);
  return status_;
}

void PipelineRunner::send(Input input) {
  // After the end nobody reads the inbox, and what doesn't fit may go.
  const bool taken = inbox_.try_push(std::move(input));
  TIDEMARK_CHECK(taken || finished_, "more answers arrived than the protocol has actions out");
}

void PipelineRunner::run_core() {
  std::vector<Action> actions;
  while (!finished_) {
    Input input = Tick{};
    const auto tick = core_.next_tick();
    if (auto received =
            tick ? inbox_.pop_for(std::max(Mono::duration::zero(), *tick - clock_.now())) : inbox_.pop())
      input = std::move(*received);
    if (std::holds_alternative<SourceReady>(input)) ready_pending_ = false;
    actions.clear();
    journal_.before(input);
    core_.step(std::move(input), clock_.now(), actions);
    journal_.after(core_.status());
    {
      MutexLock lock(status_mutex_);
      status_ = core_.status();
    }
    for (Action& action : actions) carry_out(std::move(action));
  }
}

void PipelineRunner::carry_out(Action action) {
  std::visit([this](auto&& what) { carry_out(std::move(what)); }, std::move(action));
}

void PipelineRunner::carry_out(IdentifySource) {
  reader_->post([this](std::stop_token stop) { send(Identified{source_health(stop)}); });
}

void PipelineRunner::carry_out(OpenSink action) {
  const auto lane = static_cast<size_t>(action.lane);
  lane_workers_[lane]->post([this, lane](std::stop_token stop) {
    send(SinkOpened{static_cast<int>(lane), parts_.lanes[lane]->open(stop)});
  });
}

void PipelineRunner::carry_out(AcquirePosition action) {
  Worker& worker = parts_.transactional ? *lane_workers_[0] : *saver_;
  worker.post([this, context = position_context(std::move(action.deployment))](std::stop_token stop) {
    auto acquired = parts_.transactional ? parts_.transactional->open_and_load(context, stop)
                                         : parts_.position_store().acquire(context, stop);
    // The core refuses one that is known to be another's; what can't be told is the operator's to know.
    if (acquired && *acquired && !parts_.starts_by_itself && !(*acquired)->position.empty() &&
        compare_deployments((*acquired)->deployment, context.deployment) == Sameness::kUntold)
      log::warn("{}: {}", parts_.name, kUntoldOrigin);
    send(PositionAcquired{std::move(acquired)});
  });
}

void PipelineRunner::carry_out(OpenSource action) {
  reader_->post([this, from = std::move(action.from)](std::stop_token stop) {
    auto opened = parts_.source->open(from, stop);
    observe(LoopPoint::kOpened);
    send(SourceOpened{std::move(opened)});
  });
}

void PipelineRunner::carry_out(ReadSource action) {
  reader_->post([this, wait = action.wait](std::stop_token stop) {
    auto batch = parts_.source->read(wait, stop);
    if (batch) events_left_out_.fetch_add(batch->left_out, std::memory_order_relaxed);
    if (batch && !parts_.transforms.empty()) apply_transforms(*batch->events);
    observe(LoopPoint::kRead);
    send(ReadDone{std::move(batch)});
  });
}

void PipelineRunner::carry_out(Write action) {
  const auto lane = static_cast<size_t>(action.lane);
  writing_[lane] = std::move(action.job);
  lane_workers_[lane]->post([this, lane](std::stop_token stop) {
    observe(LoopPoint::kBeforeWrite);
    WriteResult result = timed_write(lane, writing_[lane], std::move(stop));
    observe(LoopPoint::kAfterWrite);
    send(WriteDone{static_cast<int>(lane), std::move(writing_[lane]), std::move(result)});
  });
}

WriteResult PipelineRunner::timed_write(size_t lane, WriteJob& job, std::stop_token stop) {
  const Mono begin = clock_.now();
  WriteResult result = parts_.transactional
                           ? parts_.transactional->write(job.events, job.resume_after, std::move(stop))
                           : parts_.lanes[lane]->write(job.events, std::move(stop));
  const Mono::duration took = clock_.now() - begin;
  const double took_s = std::chrono::duration<double>(took).count();
  size_t bucket = 0;
  while (bucket < kWriteLatencyBounds_s.size() && took_s > kWriteLatencyBounds_s[bucket]) ++bucket;
  write_counts_[bucket].fetch_add(1, std::memory_order_relaxed);
  write_ns_.fetch_add(static_cast<uint64_t>(took.count()), std::memory_order_relaxed);
  return result;
}

void PipelineRunner::carry_out(Save action) {
  saving_ = std::move(action.position);
  saver_->post([this](std::stop_token stop) {
    observe(LoopPoint::kBeforeSave);
    Status saved = parts_.position_store().save(*saving_, std::move(stop));
    observe(LoopPoint::kAfterSave);
    send(SaveDone{std::move(saved)});
  });
}

void PipelineRunner::carry_out(PutDeadLetter action) {
  saver_->post([this, action = std::move(action)](std::stop_token stop) {
    if (!letters_open_) {
      if (Status opened = parts_.dead_letters->open(stop); !opened)
        return send(DeadLetterDone{fail(std::move(opened).error())});
      letters_open_ = true;
    }
    const DeadLetter letter = letter_of(action);
    auto fate = parts_.dead_letters->put(letter, stop);
    if (fate && *fate == LetterFate::kKept)
      log::warn("{}: event {} went to the dead letters: {}", parts_.name, letter.id, letter.reason);
    else if (fate)
      log::info("{}: event {} will be tried again after attempt {}: {}", parts_.name, letter.id,
                letter.attempts, letter.reason);
    send(DeadLetterDone{std::move(fate)});
  });
}

// As the source handed the event out: a retry begins with the first transform again.
DeadLetter PipelineRunner::letter_of(const PutDeadLetter& action) const {
  DeadLetter letter;
  letter.id = action.event.id;
  letter.pipeline = parts_.name;
  letter.reason = action.reason;
  letter.at_ms = clock_.wall_ms();
  letter.attempts = action.event.attempts + 1;
  letter.malformed = action.event.malformed;
  letter.message = action.event.payload;
  letter.message_hidden = action.event.hidden;
  letter.hidden = action.event.hidden || !parts_.concealment.empty();
  EventBatch memory;
  Result<Event> kept = parts_.concealment.conceal(action.event, memory);
  if (!kept) {
    letter.reason +=
        "; the event is withheld, because what is to be hidden in it could not be: " + kept.error().what;
    kept = bare(action.event, memory);
  }
  if (!kept) return letter;
  letter.event = bson::to_json(kept->raw);
  letter.bytes.assign(reinterpret_cast<const char*>(kept->raw.data()), kept->raw.size());
  letter.payload = kept->payload;
  return letter;
}

void PipelineRunner::carry_out(Finish action) {
  outcome_ = std::move(action.error);
  finished_ = true;
}

PositionContext PipelineRunner::position_context(std::string deployment) const {
  return {parts_.name, parts_.source->identity().fingerprint, std::move(deployment)};
}

void PipelineRunner::apply_transforms(EventBatch& batch) {
  std::vector<Event>& events = batch.events();
  size_t kept = 0;
  for (Event& event : events) {
    bool keep = true;
    // No event of the user's: the source says by it what it has done.
    const bool own = event.op == Op::kRereadEnd;
    // A server that can't make an event says which value it was about.
    if (!event.reject_reason.empty() && !parts_.concealment.empty())
      event.reject_reason = batch.store(std::string_view(without_quotations(event.reject_reason)));
    for (const auto& transform : parts_.transforms) {
      if (own || !event.reject_reason.empty()) break;
      auto verdict = transform->apply(event, batch);
      if (!verdict) {
        event.reject_reason = batch.store(verdict.error().describe());
      } else if (*verdict == Transform::Verdict::kDrop) {
        keep = false;
        break;
      }
    }
    if (keep) events[kept++] = event;
  }
  events_filtered_.fetch_add(events.size() - kept, std::memory_order_relaxed);
  events.resize(kept);
}

}  // namespace tidemark
