// `tidemark guard`: the guard apart from the process that runs the pipelines, or one look by hand.
#include <algorithm>
#include <atomic>
#include <csignal>
#include <cstdio>
#include <thread>

#include <nlohmann/json.hpp>

#include "app/attended.h"
#include "app/exit_codes.h"
#include "app/guard_service.h"
#include "app/version.h"
#include "base/log.h"
#include "base/mutex.h"
#include "cli/commands.h"
#include "config/value.h"
#include "http/peers.h"
#include "http/server.h"

namespace tidemark::cli {
namespace {

constexpr std::chrono::milliseconds kPoll{20};

// What a server of the guard's own shows: the alerts and audits, and the pipelines of its peers.
class GuardBackend final : public http::Backend {
 public:
  GuardBackend(GuardService& guard, Timeline& timeline) : guard_(guard), timeline_(timeline) {}

  std::vector<PipelineView> pipelines() const override { return {}; }
  StatsView stats() const override { return {}; }
  guard::GuardView guard() const override { return guard_.view(); }
  std::vector<TimelineEntry> timeline(uint64_t after) const override { return timeline_.after(after); }
  bool accepts(const std::string&) const override { return false; }
  Result<std::vector<http::LetterView>> letters(const std::string& pipeline, const std::string&,
                                                size_t) override {
    if (pipeline.empty()) return std::vector<http::LetterView>();
    return not_here(pipeline);
  }
  Status retry_letter(const std::string& pipeline, const std::string&) override { return not_here(pipeline); }
  Status discard_letter(const std::string& pipeline, const std::string&) override {
    return not_here(pipeline);
  }

 private:
  static tl::unexpected<Error> not_here(const std::string& pipeline) {
    return fail(React::kConfig,
                "pipeline \"" + pipeline + "\" doesn't run here: this process only watches it");
  }

  GuardService& guard_;
  Timeline& timeline_;
};

// The page and the API of a guard that was told to listen.
class GuardServer {
 public:
  // Everything outlives it.
  static Result<std::unique_ptr<GuardServer>> create(App& app, const config::File& file,
                                                     const std::string& address, GuardService& guard,
                                                     Timeline& timeline) {
    config::Settings settings = file.server ? *file.server : config::default_settings(http::server_spec());
    settings.set("listen", address, "--listen");
    TIDEMARK_ASSIGN(http::ServerOptions options, http::server_options(settings, app.files));
    options.version = kVersion;
    auto made = std::make_unique<GuardServer>(guard, timeline);
    made->peers_ =
        std::make_unique<http::PeeredBackend>(made->backend_, options.peers, options.peer_token, app.clock);
    TIDEMARK_ASSIGN(made->server_,
                    http::Server::listen(std::move(options), *made->peers_, {}, {}, app.clock));
    return made;
  }
  GuardServer(GuardService& guard, Timeline& timeline) : backend_(guard, timeline) {}

  http::Server& server() { return *server_; }

 private:
  GuardBackend backend_;
  std::unique_ptr<http::PeeredBackend> peers_;
  std::unique_ptr<http::Server> server_;
};

void wait_for_stop(App& app) {
  while (true) {
    const auto signal = app.signals.wait_for(kPoll);
    if (!signal) continue;
    if (signal != SIGHUP)
      return log::info("guard: stopping on signal {}; a second one ends at once", *signal);
    if (Status reopened = reopen_log(); !reopened) log::error("guard: {}", reopened.error().describe());
    log::info("guard: the log begins anew");
  }
}

int watch(App& app, const config::File& file, const GuardOptions& options) {
  if (Status started = start_log(file.log_level, file.log_file); !started) return report(started.error());
  Timeline timeline(app.clock);
  auto guard = GuardService::create(app, file, {.only = options.only, .timeline = &timeline});
  if (!guard) return report(guard.error());
  if (Status made = (*guard)->prepare(); !made) return report(made.error());
  std::unique_ptr<GuardServer> server;
  if (!options.listen.empty()) {
    auto listening = GuardServer::create(app, file, options.listen, **guard, timeline);
    if (!listening) return report(listening.error());
    server = std::move(*listening);
    std::fprintf(stderr, "tidemark: the page is at %s\n", server->server().url().c_str());
  }
  (*guard)->start();
  log::info("guard: watching {}", options.only.empty() ? file.path : options.only);
  wait_for_stop(app);
  std::atomic<bool> stopped = false;
  const std::jthread stopper([&] {
    (*guard)->stop();
    if (server) server->server().close();
    stopped = true;
  });
  while (!stopped)
    if (const auto signal = app.signals.wait_for(kPoll); signal && *signal != SIGHUP) exit_by_signal(*signal);
  flush_log();
  return kOk;
}

// What a look could not see.
struct Blind {
  std::string pipeline;
  Error error;
};

// One look at each pipeline: what of it is beyond a limit, and what could not be seen.
class OneLook {
 public:
  Status take(App& app, const config::File& file, const std::string& only) {
    GuardServiceOptions options;
    options.only = only;
    options.notify = false;
    options.at_once = true;
    options.seen = [this](const guard::Signals& signals) { note(signals); };
    TIDEMARK_ASSIGN(const auto guard, GuardService::create(app, file, std::move(options)));
    StatusLine line(app.clock);
    finished_ = attend(app, line, [&](std::stop_token stop) { guard->watch().look_once(std::move(stop)); });
    alerts_ = guard->view().alerts;
    std::erase_if(alerts_, [](const guard::AlertView& alert) { return !alert.firing; });
    return {};
  }

  int code() const {
    if (!finished_) return kInterrupted;
    int code = alerts_.empty() ? kOk : kDifferent;
    MutexLock lock(mutex_);
    for (const Blind& blind : blind_)
      code = std::max<int>(code,
                           blind.error.react == React::kRetry ? kUnavailable : exit_code(blind.error.react));
    return code;
  }

  void print(const std::string& path) const {
    for (const guard::AlertView& alert : alerts_)
      std::printf("%s%s%s (%s): %s\n  what to do: %s\n", alert.pipeline.c_str(),
                  alert.pipeline.empty() ? "" : ": ", alert.name.c_str(),
                  std::string(to_string(alert.severity)).c_str(), alert.text.c_str(), alert.hint.c_str());
    MutexLock lock(mutex_);
    for (const Blind& blind : blind_) {
      std::fprintf(stderr, "tidemark: pipeline \"%s\" could not be looked at\n", blind.pipeline.c_str());
      report(blind.error);
    }
    if (alerts_.empty() && blind_.empty()) std::printf("%s: nothing is wrong\n", path.c_str());
  }

  // The stable contract of --json: keys are added, never renamed or removed.
  void print_json(const std::string& path) const {
    nlohmann::json all = {
        {"file", path}, {"alerts", nlohmann::json::array()}, {"errors", nlohmann::json::array()}};
    for (const guard::AlertView& alert : alerts_)
      all["alerts"].push_back({{"name", alert.name},
                               {"pipeline", alert.pipeline},
                               {"severity", std::string(to_string(alert.severity))},
                               {"text", alert.text},
                               {"hint", alert.hint},
                               {"figure", alert.figure},
                               {"limit", alert.limit},
                               {"unit", alert.unit}});
    MutexLock lock(mutex_);
    for (const Blind& blind : blind_)
      all["errors"].push_back({{"pipeline", blind.pipeline}, {"error", blind.error.describe()}});
    std::printf("%s\n", all.dump(2, ' ', false, nlohmann::json::error_handler_t::replace).c_str());
  }

 private:
  void note(const guard::Signals& signals) EXCLUDES(mutex_) {
    MutexLock lock(mutex_);
    const auto add = [&](const Error& error) REQUIRES(mutex_) {
      if (error.react != React::kCancelled) blind_.push_back({signals.pipeline, error});
    };
    if (signals.position && !*signals.position) add(signals.position->error());
    if (signals.health && !*signals.health) add(signals.health->error());
    if (signals.dead_letters && !*signals.dead_letters) add(signals.dead_letters->error());
  }

  bool finished_ = false;
  std::vector<guard::AlertView> alerts_;
  mutable Mutex mutex_;
  std::vector<Blind> blind_ GUARDED_BY(mutex_);
};

}  // namespace

int guard_command(App& app, const GuardOptions& options) {
  const auto file = load(app, options.file);
  if (!file) return kConfig;
  if (!options.only.empty() && find_pipeline(*file, options.only) == nullptr) return kUsage;
  if (!options.once) return watch(app, *file, options);
  OneLook look;
  if (Status taken = look.take(app, *file, options.only); !taken) return report(taken.error());
  if (options.json)
    look.print_json(options.file);
  else
    look.print(options.file);
  return look.code();
}

}  // namespace tidemark::cli
