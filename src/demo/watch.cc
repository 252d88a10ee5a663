#include "demo/watch.h"

#include <algorithm>

#include <nlohmann/json.hpp>

namespace tidemark::demo {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;

constexpr auto kLook = milliseconds(100);
constexpr auto kLookAtPage = milliseconds(500);
constexpr auto kPagePatience = seconds(2);
constexpr int kLooksPerGroup = 20;  // grouping reads every document

Result<int64_t> count_events(Server& server) {
  bson::Builder command;
  command.append("count", kCollection);
  TIDEMARK_ASSIGN(const bson::Document reply,
                  server.command(kDatabase, command.view(), Server::Member::kPrimary));
  const auto count = reply.view().find("n");
  const auto value = count ? count->integer() : std::nullopt;
  if (!value) return fail(React::kFatal, "count: the reply has no n");
  return *value;
}

Result<std::vector<std::pair<std::string, int64_t>>> count_severities(Server& server) {
  bson::Builder one, group, stage, pipeline, cursor, command;
  one.append("$sum", int32_t{1});
  group.append("_id", "$severity").append("n", one.view());
  stage.append("$group", group.view());
  pipeline.append("0", stage.view());
  command.append("aggregate", kCollection).append_array("pipeline", pipeline.view());
  command.append("cursor", cursor.view());
  TIDEMARK_ASSIGN(const bson::Document reply,
                  server.command(kDatabase, command.view(), Server::Member::kPrimary));
  const auto batch = reply.view().find_path("cursor.firstBatch");
  if (!batch || !batch->is_array()) return fail(React::kFatal, "aggregate: the reply has no firstBatch");
  std::vector<std::pair<std::string, int64_t>> counts;
  for (const bson::Element each : batch->document()) {
    if (!each.is_document()) continue;
    const auto name = each.document().find("_id");
    const auto count = each.document().find("n");
    if (name && name->is_string() && count) counts.emplace_back(name->string(), count->integer().value_or(0));
  }
  return counts;
}

std::optional<int64_t> optional_count(const nlohmann::json& object, const char* name) {
  const auto field = object.find(name);
  if (field == object.end() || !field->is_number_integer()) return std::nullopt;
  return field->get<int64_t>();
}

std::string text_of(const nlohmann::json& object, const char* name) {
  const auto field = object.find(name);
  return field != object.end() && field->is_string() ? field->get<std::string>() : std::string();
}

}  // namespace

Result<PageFigures> read_overview(const std::string& json) {
  const auto overview = nlohmann::json::parse(json, nullptr, false);
  const auto pipelines = overview.is_object() ? overview.find("pipelines") : overview.end();
  if (!overview.is_object() || pipelines == overview.end() || !pipelines->is_array())
    return fail(React::kFatal, "no overview of pipelines: " + json.substr(0, 200));
  PageFigures figures;
  for (const nlohmann::json& pipeline : *pipelines) {
    if (!pipeline.is_object()) continue;
    const std::string name = text_of(pipeline, "name");
    figures.planes.emplace_back(name, text_of(pipeline, "state"));
    if (name == kObserve) figures.shown = optional_count(pipeline, "events_delivered");
    if (name != kProcess) continue;
    figures.waiting = optional_count(pipeline, "backlog");
    figures.dead_letters = optional_count(pipeline, "dead_letters");
  }
  return figures;
}

Watch::Watch(Server server, const Addresses& addresses, Poster& poster, Faults& faults, Clock& clock)
    : server_(std::move(server)),
      archive_(addresses.database_path, clock),
      page_(addresses.page_port, kPagePatience),
      poster_(poster),
      faults_(faults),
      clock_(clock),
      storage_thread_([this](std::stop_token stop) { run(std::move(stop), kLook, &Watch::look_at_storage); }),
      archive_thread_([this](std::stop_token stop) { run(std::move(stop), kLook, &Watch::look_at_archive); }),
      page_thread_(
          [this](std::stop_token stop) { run(std::move(stop), kLookAtPage, &Watch::look_at_page); }) {}

Watch::~Watch() = default;

void Watch::run(std::stop_token stop, milliseconds every, void (Watch::*look)()) {
  do {
    (this->*look)();
  } while (clock_.sleep_until(clock_.now() + every, stop));
}

// What can't be read now keeps its last value: an election leaves MongoDB without an answer for a moment.
void Watch::look_at_storage() {
  const auto count = count_events(server_);
  std::optional<std::vector<std::pair<std::string, int64_t>>> severities;
  if (looks_++ % kLooksPerGroup == 0)
    if (auto counted = count_severities(server_)) severities = std::move(*counted);
  MutexLock lock(mutex_);
  if (count) stored_ = *count;
  if (severities) severities_ = std::move(*severities);
}

void Watch::look_at_archive() {
  const auto count = archive_.count();
  const auto stored = archive_.position();
  if (count) faults_.delivered(*count);
  MutexLock lock(mutex_);
  if (stored && *stored) position_saved_at_ = (*stored)->saved_at_ms;
  if (count) archived_ = *count;
  if (!archived_) return;
  lag_ = poster_.lag(*archived_);
  rate_.add(*archived_, clock_.now());
}

void Watch::look_at_page() {
  const auto reply = page_.get("/api/pipelines");
  auto figures =
      reply && reply->status == 200 ? read_overview(reply->body) : Result<PageFigures>(PageFigures());
  if (figures && figures->shown) faults_.shown(*figures->shown);
  MutexLock lock(mutex_);
  if (figures) page_figures_ = std::move(*figures);
}

void Watch::fill(Snapshot& snapshot) const {
  const Poster::Figures posted = poster_.figures();
  snapshot.posted = posted.posted;
  snapshot.accepted = posted.accepted;
  snapshot.refusals = posted.refusals;
  snapshot.poisoned = posted.poisoned;
  MutexLock lock(mutex_);
  snapshot.stored = stored_;
  snapshot.severities = severities_;
  snapshot.archived = archived_;
  snapshot.page = page_figures_;
  snapshot.events_per_s = rate_.per_second();
  snapshot.rates = rate_.by_second();
  if (lag_) snapshot.lag = std::chrono::duration_cast<milliseconds>(*lag_);
  if (position_saved_at_)
    snapshot.position_age = milliseconds(std::max<WallMs>(0, clock_.wall_ms() - *position_saved_at_));
}

bool Watch::drained() const {
  const int64_t accepted = poster_.figures().accepted;
  MutexLock lock(mutex_);
  return stored_ && archived_ && *stored_ >= accepted && *archived_ >= accepted &&
         faults_.ledger().waiting() == 0;
}

}  // namespace tidemark::demo
