#include "runtime/runner.h"

#include "base/check.h"
#include "base/log.h"
#include "bson/json.h"
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
                               std::function<void(LoopPoint)> observer)
    : parts_(std::move(parts)),
      clock_(clock),
      observer_(std::move(observer)),
      core_(parts_.limits, parts_.source->identity(), random),
      inbox_(static_cast<size_t>(parts_.limits.lanes) + kInboxBesideLanes) {
  TIDEMARK_CHECK(
      parts_.transactional != nullptr ||
          (parts_.positions != nullptr && parts_.lanes.size() == static_cast<size_t>(parts_.limits.lanes)),
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
  send(StopRequested{});
}

std::optional<Error> PipelineRunner::join() {
  if (core_thread_.joinable()) {
    core_thread_.join();
    shut_down();
  }
  return outcome_;
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
  PipelineState state = PipelineState::kStarting;
  std::string last_error;
  while (!finished_) {
    Input input = Tick{};
    const auto tick = core_.next_tick();
    if (auto received =
            tick ? inbox_.pop_for(std::max(Mono::duration::zero(), *tick - clock_.now())) : inbox_.pop())
      input = std::move(*received);
    if (std::holds_alternative<SourceReady>(input)) ready_pending_ = false;
    actions.clear();
    core_.step(std::move(input), clock_.now(), actions);
    const PipelineStatus& status = core_.status();
    if (status.state != state || status.last_error != last_error) {
      if (!status.last_error.empty() && status.last_error != last_error)
        log::warn("{}: {}: {}", parts_.name, to_string(status.state), status.last_error);
      else
        log::info("{}: {}", parts_.name, to_string(status.state));
      state = status.state;
      last_error = status.last_error;
    }
    {
      MutexLock lock(status_mutex_);
      status_ = status;
    }
    for (Action& action : actions) carry_out(std::move(action));
  }
}

void PipelineRunner::carry_out(Action action) {
  std::visit([this](auto&& what) { carry_out(std::move(what)); }, std::move(action));
}

void PipelineRunner::carry_out(IdentifySource) {
  reader_->post([this](std::stop_token stop) { send(Identified{parts_.source->health(stop)}); });
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
    send(PositionAcquired{parts_.transactional ? parts_.transactional->open_and_load(context, stop)
                                               : parts_.positions->acquire(context, stop)});
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
    if (batch && !parts_.transforms.empty()) apply_transforms(*batch->events);
    observe(LoopPoint::kRead);
    send(ReadDone{std::move(batch)});
  });
}

void PipelineRunner::carry_out(Write action) {
  // std::function wants a copyable capture; the job is handed over by pointer instead of being copied.
  auto job = std::make_shared<WriteJob>(std::move(action.job));
  lane_workers_[static_cast<size_t>(action.lane)]->post(
      [this, lane = action.lane, job](std::stop_token stop) {
        observe(LoopPoint::kBeforeWrite);
        WriteResult result = parts_.transactional
                                 ? parts_.transactional->write(job->events, job->resume_after, stop)
                                 : parts_.lanes[static_cast<size_t>(lane)]->write(job->events, stop);
        observe(LoopPoint::kAfterWrite);
        send(WriteDone{lane, std::move(*job), std::move(result)});
      });
}

void PipelineRunner::carry_out(Save action) {
  saver_->post([this, position = std::move(action.position)](std::stop_token stop) {
    observe(LoopPoint::kBeforeSave);
    Status saved = parts_.positions->save(position, stop);
    observe(LoopPoint::kAfterSave);
    send(SaveDone{std::move(saved)});
  });
}

void PipelineRunner::carry_out(PutDeadLetter action) {
  saver_->post([this, action = std::move(action)](std::stop_token stop) {
    if (!letters_open_) {
      if (Status opened = parts_.dead_letters->open(stop); !opened)
        return send(DeadLetterDone{std::move(opened)});
      letters_open_ = true;
    }
    DeadLetter letter;
    letter.id = action.event.id;
    letter.pipeline = parts_.name;
    letter.reason = action.reason;
    letter.event = bson::to_json(action.event.raw);
    letter.at_ms = clock_.wall_ms();
    log::warn("{}: event {} goes to the dead letters: {}", parts_.name, letter.id, letter.reason);
    send(DeadLetterDone{parts_.dead_letters->put(letter, stop)});
  });
}

void PipelineRunner::carry_out(Finish action) {
  outcome_ = std::move(action.error);
  finished_ = true;
}

PositionContext PipelineRunner::position_context(std::string deployment) const {
  return {parts_.name, parts_.source->identity().fingerprint, std::move(deployment)};
}

void PipelineRunner::apply_transforms(EventBatch& batch) const {
  std::vector<Event>& events = batch.events();
  size_t kept = 0;
  for (Event& event : events) {
    bool keep = true;
    for (const auto& transform : parts_.transforms) {
      if (!event.reject_reason.empty()) break;
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
  events.resize(kept);
}

void PipelineRunner::shut_down() {
  ShutdownSequence sequence(parts_.name);
  sequence.add({"stop the reader", "a read that returns later would hand events to a pipeline that is gone",
                [this] { reader_->join(); }});
  sequence.add({"stop the lanes", "a sink closed under a running write leaves its outcome unknown", [this] {
                  for (auto& lane : lane_workers_) lane->join();
                }});
  sequence.add({"stop the saver", "a lease given back under a running save could lose to the next owner's",
                [this] { saver_->join(); }});
  sequence.add({"close the source",
                "closed earlier, its last error would start a back-off that nobody waits for",
                [this] { parts_.source->close(); }});
  sequence.add({"close the sink",
                "a transactional sink holds the position's lease until its last write is over", [this] {
                  if (parts_.transactional) parts_.transactional->close();
                  for (auto& lane : parts_.lanes) lane->close();
                }});
  sequence.add({"give the position's lease back",
                "given back earlier, another instance could start before the last save", [this] {
                  if (parts_.positions) parts_.positions->release();
                }});
  sequence.run();
}

}  // namespace tidemark
