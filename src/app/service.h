// Everything that `tidemark run FILE` runs, as one object: the pipelines, the watch over them, the stats, the guard and the
// HTTP server. `run` owns one, and so does the demo.
//
// create(), start(), stop() and the destructor belong to the owner's thread; the http::Backend half is called by the
// server's threads; the rest may be called by any thread.
#pragma once

#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "app/app.h"
#include "app/guard_service.h"
#include "core/plugboard.h"
#include "env/random.h"
#include "http/backend.h"
#include "http/peers.h"
#include "http/server.h"
#include "runtime/monitor.h"
#include "runtime/runner.h"
#include "runtime/stats_watch.h"

namespace tidemark::app {

class LetterBox;

struct ServiceOptions {
  std::string only;  // one pipeline's name; empty = all
  // The demo's buttons; inflict() is called on a thread of the server's.
  std::vector<http::FaultButton> faults = {};
  std::function<Status(const std::string&)> inflict = nullptr;
};

class Service final : public http::Backend {
 public:
  // Makes every component and opens the server's port; connects to nothing. kConfig when the file says something that
  // can't be; the file outlives the service.
  static Result<std::unique_ptr<Service>> create(App& app, const config::File& file, ServiceOptions options);
  ~Service() override;

  // Refuses pipelines that have no stored position: the error names the first, and `without_position` points at it.
  Status start();
  const PipelineParts* without_position() const { return without_position_; }

  // The page's address; empty without [server].
  std::string url() const;
  // Every pipeline has ended, by itself or after stop().
  bool finished() const;
  // The shutdown, step by step (docs/delivery.md); returns when everything is closed. Idempotent.
  void stop();
  // How long stop() may take by the configuration: the drain_timeout of each group of pipelines that is ended one after the
  // other, and what the requests in flight get.
  std::chrono::milliseconds stop_limit() const;

  const std::vector<std::unique_ptr<PipelineRunner>>& runners() const { return runners_; }
  // How each pipeline ended; those that haven't are left out. After stop(): all.
  struct Outcome {
    std::string pipeline;
    std::optional<Error> error;
    PipelineStatus status;
  };
  std::vector<Outcome> outcomes() const;

  // For the demo: an entry of its own on the timeline.
  void note(const std::string& kind, const std::string& text) { timeline_.add({.kind = kind, .text = text}); }

  // http::Backend
  std::vector<PipelineView> pipelines() const override;
  StatsView stats() const override;
  guard::GuardView guard() const override;
  std::vector<TimelineEntry> timeline(uint64_t after) const override { return timeline_.after(after); }
  bool accepts(const std::string& path) const override;
  Result<std::vector<http::LetterView>> letters(const std::string& pipeline, const std::string& after,
                                                size_t limit) override;
  Status retry_letter(const std::string& pipeline, const std::string& id) override;
  Status discard_letter(const std::string& pipeline, const std::string& id) override;
  std::vector<http::FaultButton> faults() const override { return options_.faults; }
  Status inflict(const std::string& fault) override;

 private:
  Service(App& app, const config::File& file, ServiceOptions options);
  Status build();
  Status build_pipeline(const config::PipelineConfig& pipeline);
  Status build_stats();
  Status build_guard();
  Status build_server();
  // What the guard may know from inside about the pipeline; nothing of it where it doesn't run here.
  InsideView inside_of(const config::PipelineConfig& pipeline) const;
  Result<LetterBox*> box_of(const std::string& pipeline) const;

  App& app_;
  const config::File& file_;
  const ServiceOptions options_;  // its hooks may be called until the server is closed
  SeededRandom random_;
  Timeline timeline_;
  Plugboard plugboard_;
  std::vector<const config::PipelineConfig*> configs_;  // of runners_, in the same order
  std::vector<std::unique_ptr<SeededRandom>> randoms_;
  std::vector<std::unique_ptr<PipelineRunner>> runners_;
  std::vector<std::pair<std::string, size_t>> doors_;  // an inlet's path, and the runner behind it
  std::vector<std::unique_ptr<LetterBox>>
      letters_;  // of runners_, in the same order; null without dead letters
  std::unique_ptr<Monitor> monitor_;
  std::unique_ptr<StatsWatch> stats_;
  std::unique_ptr<GuardService> guard_;   // null without [guard], or with enabled = false
  std::unique_ptr<http::Backend> peers_;  // what the server asks: this, and its peers'
  std::unique_ptr<http::Server> server_;
  const PipelineParts* without_position_ = nullptr;
  bool stopped_ = false;
};

}  // namespace tidemark::app
