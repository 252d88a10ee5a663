#include "app/service.h"

#include <algorithm>
#include <map>

#include <nlohmann/json.hpp>

#include "app/letter_box.h"
#include "app/shutdown_plan.h"
#include "app/version.h"
#include "base/log.h"
#include "runtime/names.h"

namespace tidemark::app {
namespace {

constexpr std::chrono::milliseconds kStatsInterval{5'000};
// How long the requests in flight may take once no new one is accepted; each has its own, shorter, limit.
constexpr std::chrono::seconds kRequestsInFlight{20};

http::LetterView view_of(DeadLetter letter) {
  return {.pipeline = std::move(letter.pipeline),
          .id = std::move(letter.id),
          .reason = std::move(letter.reason),
          .origin = std::move(letter.origin),
          .event = std::move(letter.event),
          .at_ms = letter.at_ms,
          .attempts = letter.attempts};
}

// Whether the stats count exactly the documents whose inserts the pipeline feeds to the page: then one tells on the other.
bool counts_the_feed(const config::Component& stats, const config::PipelineConfig& pipeline) {
  if (stats.type != "mongodb" || pipeline.source.type != "mongodb" || pipeline.sink.type != "live")
    return false;
  for (const char* field : {"database", "collection"})
    if (stats.settings.string(field) != pipeline.source.settings.string(field)) return false;
  static const auto kInserts = nlohmann::json::parse(R"([{"$match": {"operationType": "insert"}}])");
  return nlohmann::json::parse(pipeline.source.settings.string("filter"), nullptr, false) == kInserts &&
         pipeline.transforms.empty();
}

}  // namespace

Service::Service(App& app, const config::File& file, ServiceOptions options)
    : app_(app), file_(file), options_(std::move(options)), random_(random_seed()), timeline_(app.clock) {}

Service::~Service() { stop(); }

Result<std::unique_ptr<Service>> Service::create(App& app, const config::File& file, ServiceOptions options) {
  auto service = std::unique_ptr<Service>(new Service(app, file, std::move(options)));
  TIDEMARK_TRY(service->build());
  return service;
}

Status Service::build() {
  for (const config::PipelineConfig& pipeline : file_.pipelines) {
    if (options_.only.empty() || pipeline.name == options_.only) TIDEMARK_TRY(build_pipeline(pipeline));
  }
  std::vector<Monitor::Subject> subjects;
  for (size_t i = 0; i < runners_.size(); ++i) {
    Monitor::Subject subject{runners_[i].get(), configs_[i]->source.type, configs_[i]->sink.type, nullptr};
    if (LetterBox* box = letters_[i].get())
      subject.count_letters = [box](std::stop_token stop) { return box->count(std::move(stop)); };
    subjects.push_back(std::move(subject));
  }
  monitor_ = std::make_unique<Monitor>(std::move(subjects), app_.clock);
  TIDEMARK_TRY(build_stats());
  TIDEMARK_TRY(build_guard());
  return build_server();
}

Status Service::build_pipeline(const config::PipelineConfig& pipeline) {
  ComponentContext context = app_.context();
  context.plugboard = &plugboard_;
  const size_t doors_before = plugboard_.inlets().size();
  for (const config::PipelineConfig& other : file_.pipelines)
    for (std::string& name : reserved_names(pipeline, other, app_.components))
      context.reserved.push_back(std::move(name));
  TIDEMARK_ASSIGN(PipelineParts parts, tidemark::build_pipeline(pipeline, app_.components, context));
  TIDEMARK_TRY(check_names_to_run(pipeline, app_.components));
  // What the sink keeps apart event by event doesn't keep a pipeline from starting that has run so far.
  if (const Status named = check_names(pipeline, app_.components); !named)
    log::warn("{}: {}", pipeline.name, named.error().describe());
  for (const std::string& warning : name_warnings(pipeline, app_.components))
    log::warn("{}: {}", pipeline.name, warning);
  for (size_t i = doors_before; i < plugboard_.inlets().size(); ++i) {
    const std::string& path = plugboard_.inlets()[i]->path();
    const auto same = [&path](const auto& door) { return door.first == path; };
    if (std::any_of(doors_.begin(), doors_.end(), same))
      return fail(pipeline.source.settings.error(
          "path", "another pipeline takes events at " + path + " already", "give each its own path"));
    if (!file_.server)
      return fail(pipeline.source.settings.error("type", "no server listens for this source's events",
                                                 "add [server] with listen = \"127.0.0.1:8321\""));
    doors_.emplace_back(path, runners_.size());
  }
  std::unique_ptr<LetterBox> box;
  if (pipeline.dead_letters) {
    TIDEMARK_ASSIGN(box, LetterBox::create(app_, pipeline));
  }
  letters_.push_back(std::move(box));
  configs_.push_back(&pipeline);
  randoms_.push_back(std::make_unique<SeededRandom>(random_.next_u64()));
  runners_.push_back(
      std::make_unique<PipelineRunner>(std::move(parts), app_.clock, *randoms_.back(), nullptr, &timeline_));
  return {};
}

Status Service::build_stats() {
  std::vector<std::unique_ptr<StatsProbe>> probes;
  for (const config::Component& stats : file_.stats) {
    const StatsComponent& type = app_.components.stats.get(stats.type);
    TIDEMARK_ASSIGN(auto probe, type.make(stats.settings, app_.context()));
    probes.push_back(std::move(probe));
  }
  stats_ = std::make_unique<StatsWatch>(std::move(probes), kStatsInterval, app_.clock);
  return {};
}

Status Service::build_guard() {
  if (!file_.guard) return {};
  TIDEMARK_ASSIGN(const GuardSettings settings, GuardSettings::of(file_));
  if (!settings.frame.enabled) return {};
  GuardServiceOptions options;
  options.only = options_.only;
  options.timeline = &timeline_;
  options.inside = [this](const config::PipelineConfig& pipeline) { return inside_of(pipeline); };
  TIDEMARK_ASSIGN(guard_, GuardService::create(app_, file_, std::move(options)));
  return {};
}

InsideView Service::inside_of(const config::PipelineConfig& pipeline) const {
  InsideView inside;
  const auto it = std::find(configs_.begin(), configs_.end(), &pipeline);
  if (it == configs_.end()) return inside;
  const PipelineRunner* runner = runners_[static_cast<size_t>(it - configs_.begin())].get();
  inside.view = [this, name = pipeline.name]() -> std::optional<PipelineView> {
    for (PipelineView& view : monitor_->views())
      if (view.name == name) return std::move(view);
    return std::nullopt;
  };
  inside.fenced = [runner] {
    return runner->finished() && runner->outcome() && runner->outcome()->react == React::kFenced;
  };
  const auto same = [&](const config::Component& stats) { return counts_the_feed(stats, pipeline); };
  if (std::any_of(file_.stats.begin(), file_.stats.end(), same))
    inside.stats = [this] { return stats_->view(); };
  return inside;
}

Status Service::build_server() {
  if (!file_.server) return {};
  TIDEMARK_ASSIGN(http::ServerOptions options, http::server_options(*file_.server, app_.files));
  options.version = kVersion;
  peers_ = std::make_unique<http::PeeredBackend>(*this, options.peers, options.peer_token, app_.clock);
  TIDEMARK_ASSIGN(server_, http::Server::listen(std::move(options), *peers_, plugboard_.inlets(),
                                                plugboard_.feeds(), app_.clock));
  return {};
}

Status Service::start() {
  for (const auto& runner : runners_) {
    const PipelineParts& parts = runner->parts();
    if (parts.starts_by_itself) continue;
    auto stored = parts.position_store().peek(parts.name, {});
    if (stored && !*stored) {
      without_position_ = &parts;
      return fail(React::kConfig, "pipeline \"" + parts.name + "\" has no stored position (" +
                                      parts.position_store().describe() + ")");
    }
    // A store that can't be asked now is not an answer: the pipeline itself waits for it.
    if (!stored && stored.error().react != React::kRetry && stored.error().react != React::kDenied)
      return fail(std::move(stored).error());
  }
  if (guard_) TIDEMARK_TRY(guard_->prepare());
  for (const auto& runner : runners_) runner->start();
  if (!server_ && !guard_) return {};  // nobody would see what the watches find
  monitor_->start();
  stats_->start();
  if (guard_) guard_->start();
  if (server_) log::info("process: the page is at {}", server_->url());
  return {};
}

std::string Service::url() const { return server_ ? server_->url() : std::string(); }

bool Service::finished() const {
  return std::all_of(runners_.begin(), runners_.end(), [](const auto& runner) { return runner->finished(); });
}

void Service::stop() {
  if (std::exchange(stopped_, true)) return;
  std::vector<PlannedPipeline> pipelines;
  for (size_t i = 0; i < runners_.size(); ++i)
    pipelines.push_back({runners_[i].get(), configs_[i]->source.type, configs_[i]->sink.type});
  PlannedHooks hooks;
  hooks.stop_accepting = [this] {
    if (!server_) return;
    server_->stop_accepting();
    server_->wait_drained(kRequestsInFlight);
  };
  if (guard_) hooks.silence_guard = [this] { guard_->silence(); };
  hooks.stop_watching = [this] {
    if (guard_) guard_->stop();
    if (stats_) stats_->stop();
    if (monitor_) monitor_->stop();
  };
  hooks.close_server = [this] {
    if (server_) server_->close();
  };
  plan_shutdown(std::move(pipelines), std::move(hooks)).run();
}

std::vector<Service::Outcome> Service::outcomes() const {
  std::vector<Outcome> outcomes;
  for (const auto& runner : runners_)
    if (runner->finished()) outcomes.push_back({runner->name(), runner->outcome(), runner->status()});
  return outcomes;
}

std::chrono::milliseconds Service::stop_limit() const {
  // As plan_shutdown() groups them: doors, queues, streams.
  std::map<std::string, std::chrono::milliseconds> drains;
  for (size_t i = 0; i < runners_.size(); ++i) {
    const std::string& source = configs_[i]->source.type;
    auto& longest = drains[source == "http" || source == "rabbitmq" ? source : "stream"];
    longest = std::max(longest, runners_[i]->parts().limits.drain_timeout);
  }
  std::chrono::milliseconds limit{0};
  for (const auto& [group, drain] : drains) limit += drain;
  if (drains.contains("http")) limit += kRequestsInFlight;
  return limit;
}

std::vector<PipelineView> Service::pipelines() const { return monitor_->views(); }

guard::GuardView Service::guard() const { return guard_ ? guard_->view() : guard::GuardView{}; }

StatsView Service::stats() const { return stats_->view(); }

bool Service::accepts(const std::string& path) const {
  for (const auto& [door, index] : doors_)
    if (door == path) return runners_[index]->status().state == PipelineState::kStreaming;
  return false;
}

Result<std::vector<http::LetterView>> Service::letters(const std::string& pipeline, const std::string& after,
                                                       size_t limit) {
  std::vector<http::LetterView> views;
  for (size_t i = 0; i < runners_.size() && views.size() < limit; ++i) {
    if (!letters_[i] || (!pipeline.empty() && configs_[i]->name != pipeline)) continue;
    TIDEMARK_ASSIGN(auto letters, letters_[i]->list(after, limit - views.size()));
    for (DeadLetter& letter : letters) views.push_back(view_of(std::move(letter)));
  }
  if (views.empty() && !pipeline.empty()) TIDEMARK_TRY(box_of(pipeline));
  return views;
}

Result<LetterBox*> Service::box_of(const std::string& pipeline) const {
  for (size_t i = 0; i < runners_.size(); ++i)
    if (configs_[i]->name == pipeline && letters_[i]) return letters_[i].get();
  return fail(React::kConfig, "pipeline \"" + pipeline + "\" is unknown here, or keeps no dead letters");
}

Status Service::retry_letter(const std::string& pipeline, const std::string& id) {
  TIDEMARK_ASSIGN(LetterBox * box, box_of(pipeline));
  return box->retry(id).map([](const std::string&) {});
}

Status Service::discard_letter(const std::string& pipeline, const std::string& id) {
  TIDEMARK_ASSIGN(LetterBox * box, box_of(pipeline));
  return box->discard(id);
}

Status Service::inflict(const std::string& fault) {
  if (!options_.inflict) return http::Backend::inflict(fault);
  return options_.inflict(fault);
}

}  // namespace tidemark::app
