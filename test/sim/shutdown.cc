#include "sim/shutdown.h"

#include <algorithm>
#include <memory>

#include <spdlog/sinks/base_sink.h>

#include "app/shutdown_plan.h"
#include "base/log.h"

namespace tidemark::sim {
namespace {

constexpr int kStepsOfAWaitMax = 20'000;
constexpr int kStepsOfARequestMax = 300;

// Hands each line of the log to a function, in place of the log, as long as it lives.
class LogWatch {
 public:
  explicit LogWatch(std::function<void(std::string_view)> listener) : before_(spdlog::default_logger()) {
    auto logger = std::make_shared<spdlog::logger>("simulation", std::make_shared<Sink>(std::move(listener)));
    logger->set_level(spdlog::level::info);
    spdlog::set_default_logger(std::move(logger));
  }
  ~LogWatch() { spdlog::set_default_logger(before_); }

 private:
  class Sink final : public spdlog::sinks::base_sink<spdlog::details::null_mutex> {
   public:
    explicit Sink(std::function<void(std::string_view)> listener) : listener_(std::move(listener)) {}

   private:
    void sink_it_(const spdlog::details::log_msg& message) override {
      listener_(std::string_view(message.payload.data(), message.payload.size()));
    }
    void flush_() override {}
    const std::function<void(std::string_view)> listener_;
  };
  const std::shared_ptr<spdlog::logger> before_;
};

// --- the seams between a real runner and a simulated pipeline: they are closed, never used

Error unused() { return {React::kFatal, "a shutdown calls nothing but close"}; }

class StoreSeam final : public PositionStore {
 public:
  StoreSeam(Shutdown& shutdown, Pipeline& pipeline) : shutdown_(shutdown), pipeline_(pipeline) {}
  Result<std::optional<StoredPosition>> acquire(const PositionContext&, std::stop_token) override {
    return fail(unused());
  }
  Status save(const DurablePosition&, std::stop_token) override { return fail(unused()); }
  Result<std::optional<StoredPosition>> peek(const std::string&, std::stop_token) override {
    return fail(unused());
  }
  Status erase(std::stop_token) override { return fail(unused()); }
  void release() override { shutdown_.lease_given_back(pipeline_); }
  std::string describe() const override { return "a simulated store"; }

 private:
  Shutdown& shutdown_;
  Pipeline& pipeline_;
};

class SourceSeam final : public Source {
 public:
  SourceSeam(Shutdown& shutdown, Pipeline& pipeline)
      : shutdown_(shutdown), pipeline_(pipeline), own_(shutdown, pipeline) {}
  SourceIdentity identity() const override { return {"fp", "simulated"}; }
  Result<Position> open(const Position&, std::stop_token) override { return fail(unused()); }
  Result<SourceBatch> read(std::chrono::milliseconds, std::stop_token) override { return fail(unused()); }
  Result<Position> resolve(const StartPoint&, std::stop_token) override { return fail(unused()); }
  Result<SourceHealth> health(std::stop_token) override { return fail(unused()); }
  void on_ready(std::function<void()>) override {}
  PositionStore* own_positions() override { return pipeline_.profile().acknowledges() ? &own_ : nullptr; }
  void stop_delivery() override { shutdown_.delivery_stopped(pipeline_); }
  void close() override { shutdown_.source_closed(pipeline_); }

 private:
  Shutdown& shutdown_;
  Pipeline& pipeline_;
  StoreSeam own_;
};

class SinkSeam final : public Sink {
 public:
  SinkSeam(Shutdown& shutdown, Pipeline& pipeline) : shutdown_(shutdown), pipeline_(pipeline) {}
  Status open(std::stop_token) override { return fail(unused()); }
  WriteResult write(std::span<const Event>, std::stop_token) override { return write_failed(unused()); }
  void close() override { shutdown_.sink_closed(pipeline_); }

 private:
  Shutdown& shutdown_;
  Pipeline& pipeline_;
};

class TransactionalSeam final : public TransactionalSink {
 public:
  TransactionalSeam(Shutdown& shutdown, Pipeline& pipeline)
      : shutdown_(shutdown), pipeline_(pipeline), store_(shutdown, pipeline) {}
  Result<std::optional<StoredPosition>> open_and_load(const PositionContext&, std::stop_token) override {
    return fail(unused());
  }
  WriteResult write(std::span<const Event>, const Position&, std::stop_token) override {
    return write_failed(unused());
  }
  void close() override {
    shutdown_.sink_closed(pipeline_);
    shutdown_.lease_given_back(pipeline_);
  }
  PositionStore& position_store() override { return store_; }

 private:
  Shutdown& shutdown_;
  Pipeline& pipeline_;
  StoreSeam store_;
};

}  // namespace

Shutdown::Shutdown(Surroundings& around, std::vector<Pipeline*> pipelines, std::function<void()> move_on)
    : around_(around),
      pipelines_(std::move(pipelines)),
      move_on_(std::move(move_on)),
      closed_(pipelines_.size()) {}

std::unique_ptr<PipelineRunner> Shutdown::runner_for(Pipeline& pipeline) {
  PipelineParts parts;
  parts.name = pipeline.profile().name;
  parts.limits = pipeline.profile().limits;
  parts.source = std::make_unique<SourceSeam>(*this, pipeline);
  if (parts.limits.transactional) {
    parts.transactional = std::make_unique<TransactionalSeam>(*this, pipeline);
  } else {
    for (int i = 0; i < parts.limits.lanes; ++i)
      parts.lanes.push_back(std::make_unique<SinkSeam>(*this, pipeline));
    if (!pipeline.profile().acknowledges()) parts.positions = std::make_unique<StoreSeam>(*this, pipeline);
  }
  return std::make_unique<PipelineRunner>(std::move(parts), around_.clock, around_.choices);
}

void Shutdown::run_plan() {
  planned_ = true;
  const LogWatch watch([this](std::string_view line) { said(line); });
  std::vector<std::unique_ptr<PipelineRunner>> runners;
  std::vector<app::PlannedPipeline> planned;
  for (Pipeline* pipeline : pipelines_) {
    if (pipeline->oracle()->write_out()) around_.marks.hit(Mark::kShutdownWithWritesOut);
    runners.push_back(runner_for(*pipeline));
    planned.push_back({runners.back().get(), pipeline->profile().source_type, pipeline->profile().sink_type});
  }
  app::PlannedHooks hooks;
  hooks.stop_accepting = [this] { answer_requests(); };
  hooks.stop_watching = [this] { reached(4, "the watches are stopped"); };
  hooks.close_server = [this] { reached(4, "the server's sockets are closed"); };
  app::plan_shutdown(std::move(planned), std::move(hooks)).run();
  check_closed();
}

void Shutdown::run_join() {
  const LogWatch watch([this](std::string_view line) { said(line); });
  for (Pipeline* pipeline : pipelines_) runner_for(*pipeline)->join();
  check_closed();
}

// "p0: shutdown 1/3: stop the reader"
void Shutdown::said(std::string_view line) {
  around_.trace.add([&] { return std::string("                 ") + std::string(line); });
  for (Pipeline* pipeline : pipelines_) {
    const std::string begin = pipeline->profile().name + ": shutdown ";
    if (line.substr(0, begin.size()) != begin) continue;
    wait_for(*pipeline, line.substr(line.rfind(": ") + 2));
  }
}

// The threads that a runner joins in a step: until they have ended, the process goes on.
void Shutdown::wait_for(Pipeline& pipeline, std::string_view step) {
  if (!around_.verdict.ok()) return;
  SIM_CHECK(around_.verdict, pipeline.oracle()->draining(), rule::kShutdownIsOrdered,
            pipeline.profile().name + ": its end is waited for and nobody asked for it");
  for (int i = 0; !pipeline.finished(); ++i) {
    if (!around_.verdict.ok()) return;
    SIM_CHECK(around_.verdict, i < kStepsOfAWaitMax, rule::kShutdownIsOrdered,
              pipeline.profile().name + " never ends");
    move_on_();
  }
  if (step == "stop the reader") pipeline.finish_calls_of(Pipeline::Caller::kReader);
  if (step == "stop the lanes") pipeline.finish_calls_of(Pipeline::Caller::kLanes);
  if (step == "stop the saver") pipeline.finish_calls_of(Pipeline::Caller::kSaver);
}

// The door is closed; the requests that came in before are answered, or time out.
void Shutdown::answer_requests() {
  reached(1, "no more requests are accepted");
  for (Pipeline* pipeline : pipelines_) {
    if (pipeline->profile().source_type != "http") continue;
    SIM_CHECK(around_.verdict, !pipeline->oracle()->draining() || pipeline->finished(),
              rule::kShutdownIsOrdered, "requests were still accepted when their pipeline had been stopped");
    pipeline->refuse_requests();
    const Index before = pipeline->acknowledged();
    for (int i = 0; i < kStepsOfARequestMax && pipeline->acknowledged() < pipeline->server().newest(); ++i) {
      if (!around_.verdict.ok()) return;
      move_on_();
    }
    if (pipeline->acknowledged() > before) around_.marks.hit(Mark::kRequestAnsweredDuringShutdown);
  }
}

void Shutdown::reached(int step, std::string_view what) {
  if (!planned_) return;
  SIM_CHECK(around_.verdict, step >= step_, rule::kShutdownIsOrdered,
            std::string(what) + ", which belongs into step " + std::to_string(step) +
                ", after something of step " + std::to_string(step_));
  step_ = step;
}

Shutdown::Closed& Shutdown::of(const Pipeline& pipeline) {
  const auto it = std::find(pipelines_.begin(), pipelines_.end(), &pipeline);
  return closed_[static_cast<size_t>(it - pipelines_.begin())];
}

void Shutdown::delivery_stopped(Pipeline& pipeline) {
  const std::string& type = pipeline.profile().source_type;
  reached(type == "http" ? 1 : type == "rabbitmq" ? 2 : 4, pipeline.profile().name + " is stopped");
  pipeline.request_stop();
}

void Shutdown::source_closed(Pipeline& pipeline) {
  reached(pipeline.profile().acknowledges() ? 6 : 4,
          "the source of " + pipeline.profile().name + " is closed");
  ++of(pipeline).source;
  SIM_CHECK(around_.verdict, pipeline.finished() && !pipeline.has_call_of(Pipeline::Caller::kReader),
            rule::kShutdownIsOrdered,
            "the source of " + pipeline.profile().name + " was closed while it was in use");
  SIM_CHECK(around_.verdict,
            !pipeline.profile().acknowledges() || !pipeline.has_call_of(Pipeline::Caller::kSaver),
            rule::kShutdownIsOrdered,
            "the source of " + pipeline.profile().name + " was closed with an acknowledgement on its way");
}

void Shutdown::sink_closed(Pipeline& pipeline) {
  reached(pipeline.profile().sink_type == "rabbitmq" ? 6 : 5,
          "the sink of " + pipeline.profile().name + " is closed");
  ++of(pipeline).sinks;
  SIM_CHECK(around_.verdict, pipeline.finished() && !pipeline.has_call_of(Pipeline::Caller::kLanes),
            rule::kShutdownIsOrdered,
            "the sink of " + pipeline.profile().name + " was closed while it was in use");
}

void Shutdown::lease_given_back(Pipeline& pipeline) {
  ++of(pipeline).lease;
  SIM_CHECK(around_.verdict,
            pipeline.finished() && !pipeline.has_call_of(Pipeline::Caller::kSaver) &&
                !pipeline.has_call_of(Pipeline::Caller::kLanes),
            rule::kShutdownIsOrdered,
            "the lease of " + pipeline.profile().name + " was given back under a running call");
}

void Shutdown::check_closed() {
  for (const Pipeline* pipeline : pipelines_) {
    const Closed& closed = of(*pipeline);
    const int lease = pipeline->profile().acknowledges() ? 0 : 1;
    SIM_CHECK(around_.verdict,
              closed.source == 1 && closed.sinks == pipeline->profile().limits.lanes && closed.lease == lease,
              rule::kShutdownIsOrdered,
              "not everything of " + pipeline->profile().name + " was closed exactly once");
  }
}

}  // namespace tidemark::sim
