// `tidemark status`: from the stored positions and the servers alone; no process needs to run.
#include <cstdio>

#include <nlohmann/json.hpp>

#include "app/audit_history.h"
#include "app/exit_codes.h"
#include "app/gap_log.h"
#include "app/start_point.h"
#include "cli/commands.h"
#include "core/deployment.h"

namespace tidemark::cli {
namespace {

// Seconds; empty when a side is unknown.
std::optional<int64_t> between(bson::Timestamp from, bson::Timestamp to) {
  if (from.seconds == 0 || to.seconds == 0) return std::nullopt;
  return static_cast<int64_t>(to.seconds) - static_cast<int64_t>(from.seconds);
}

nlohmann::json optional_json(const std::optional<int64_t>& value) {
  return value ? nlohmann::json(*value) : nlohmann::json();
}

std::string human_seconds(const nlohmann::json& value) {
  if (value.is_null()) return "unknown";
  const int64_t seconds = value.get<int64_t>();
  if (seconds < 120) return std::to_string(seconds) + " s";
  if (seconds < 7200) return std::to_string(seconds / 60) + " m " + std::to_string(seconds % 60) + " s";
  if (seconds < 172800)
    return std::to_string(seconds / 3600) + " h " + std::to_string(seconds % 3600 / 60) + " m";
  return std::to_string(seconds / 86400) + " d " + std::to_string(seconds % 86400 / 3600) + " h";
}

// What the last audits found, where the guard has a folder for it.
nlohmann::json audits_of(App& app, const config::File& file, const std::string& pipeline) {
  nlohmann::json all = nlohmann::json::array();
  if (!file.guard) return all;
  for (const char* kind : {"count", "checksum"}) {
    const auto last = last_audit(app.files, file.guard->frame.string("state"), pipeline, kind);
    if (!last) continue;
    all.push_back({{"kind", last->kind},
                   {"finished_at", format_rfc3339(last->finished_at_ms / 1000)},
                   {"age_seconds", (app.clock.wall_ms() - last->finished_at_ms) / 1000},
                   {"clean", last->clean()},
                   {"missing", last->missing},
                   {"extra", last->extra},
                   {"different", last->different},
                   {"unreadable", last->unreadable},
                   {"stale", last->stale},
                   {"doubled", last->doubled},
                   {"rejected", last->rejected_documents},
                   {"unsettled", last->unsettled},
                   {"unexamined", last->unexamined},
                   {"unaudited_collections", last->unaudited_collections},
                   {"first_ids", last->first_ids},
                   {"first_rejected", last->first_rejected}});
  }
  return all;
}

// "2 missing, 1 stale behind a reject, 3 unsettled"
std::string words_of_audit(const nlohmann::json& audit) {
  if (audit["clean"].get<bool>()) return "equal";
  constexpr std::pair<const char*, const char*> kFigures[] = {
      {"missing", "missing"},
      {"extra", "extra"},
      {"different", "different"},
      {"unreadable", "unreadable"},
      {"stale", "stale behind a reject"},
      {"doubled", "on two shards"},
      {"rejected", "rejected"},
      {"unsettled", "unsettled"},
      {"unexamined", "not looked at"},
      {"unaudited_collections", "collections not compared"}};
  std::string words;
  for (const auto& [key, word] : kFigures) {
    const auto count = audit[key].get<uint64_t>();
    if (count > 0) words += (words.empty() ? "" : ", ") + std::to_string(count) + " " + word;
  }
  return words;
}

// Whether the stored position came from the deployment that answers.
const char* origin_of(const std::string& stored, const std::string& now) {
  switch (compare_deployments(stored, now)) {
    case Sameness::kSame:
      return "same";
    case Sameness::kOther:
      return "other";
    case Sameness::kUntold:
      break;
  }
  return "untold";
}

// The stable contract of --json: keys are added, never renamed or removed.
nlohmann::json status_of(App& app, const std::string& path, const config::PipelineConfig& pipeline,
                         int& code) {
  nlohmann::json status = {{"pipeline", pipeline.name}};
  auto parts = build_pipeline(pipeline, app.components, app.context());
  const auto failed = [&](const Error& error) {
    code = std::max<int>(code, error.react == React::kRetry ? kUnavailable : exit_code(error.react));
    status["error"] = error.describe();
    if (!error.hint.empty()) status["hint"] = error.hint;
    return status;
  };
  if (!parts) return failed(parts.error());
  status["source"] = parts->source->identity().summary;
  status["position_store"] = parts->position_store().describe();
  const auto gaps = count_gaps(app.files, path, pipeline.name);
  status["gaps_recorded"] = gaps ? nlohmann::json(*gaps) : nlohmann::json();

  const auto stored = parts->position_store().peek(pipeline.name, {});
  if (!stored) return failed(stored.error());
  bson::Timestamp position;
  if (*stored) {
    const StoredPosition& found = **stored;
    position = token_time(found.position.token());
    status["position"] = {{"token", token_data(found.position.token())},
                          {"time", position.seconds > 0 ? format_rfc3339(position.seconds) : ""},
                          {"saved_at", format_rfc3339(found.saved_at_ms / 1000)},
                          {"age_seconds", (app.clock.wall_ms() - found.saved_at_ms) / 1000},
                          {"deployment", deployment_name(found.deployment)},
                          {"epoch", found.epoch},
                          {"fits_configuration", found.fingerprint == parts->source->identity().fingerprint}};
  } else {
    status["position"] = nullptr;
    status["starts_by_itself"] = parts->starts_by_itself;
    if (!parts->starts_by_itself) code = std::max<int>(code, kConfig);
  }
  const auto health = parts->source->health({});
  parts->source->close();
  if (!health) return failed(health.error());
  status["server"] = health->server;
  status["deployment"] = deployment_name(health->deployment);
  status["limits"] = health->limits;
  status["scanning_seconds"] = optional_json(health->scanning_s);
  if (*stored) status["origin"] = origin_of((*stored)->deployment, health->deployment);
  if (health->backlog) status["backlog"] = *health->backlog;
  status["lag_seconds"] = optional_json(between(position, health->latest));
  status["oplog_window_left_seconds"] = optional_json(between(health->oldest, position));
  status["oplog_window_seconds"] = optional_json(between(health->oldest, health->latest));
  return status;
}

void print_human(const nlohmann::json& status) {
  std::printf("%s\n", status["pipeline"].get<std::string>().c_str());
  const auto line = [](const char* label, const std::string& value) {
    std::printf("  %-21s  %s\n", label, value.c_str());
  };
  if (status.contains("source")) line("source", status["source"].get<std::string>());
  if (status.contains("server")) line("server", status["server"].get<std::string>());
  if (status.contains("position_store"))
    line("position kept in", status["position_store"].get<std::string>());
  if (status.contains("position") && status["position"].is_null()) {
    const bool needs_none = status.value("starts_by_itself", false);
    line("position", needs_none ? "none is needed" : "none: tidemark position init decides where to start");
  }
  if (status.contains("backlog"))
    line("waiting at the source", std::to_string(status["backlog"].get<uint64_t>()));
  if (status.contains("position") && status["position"].is_object()) {
    const auto& position = status["position"];
    line("position",
         position["time"].get<std::string>() + ", saved " + human_seconds(position["age_seconds"]) + " ago");
    if (!position["fits_configuration"].get<bool>())
      line("", "it belongs to another source configuration: run will refuse it");
    if (status.value("origin", "") == "other")
      line("", "it belongs to another deployment than the one that answers: run will refuse it");
    if (status.value("origin", "") == "untold") line("", std::string(kUntoldOrigin));
  }
  if (const auto scanning = status.value("scanning_seconds", nlohmann::json()); !scanning.is_null())
    line("the server is", "scanning its oplog for the next event, since " + human_seconds(scanning));
  if (status.contains("lag_seconds") && !status.value("starts_by_itself", false)) {
    line("lag", human_seconds(status["lag_seconds"]));
    const auto& left = status["oplog_window_left_seconds"];
    line("oplog window left",
         !left.is_null() && left.get<int64_t>() < 0 ? "none: the position is lost" : human_seconds(left));
  }
  for (const auto& limit : status.value("limits", nlohmann::json::array()))
    line("note", limit.get<std::string>());
  if (status.contains("gaps_recorded") && status["gaps_recorded"].is_number() && status["gaps_recorded"] != 0)
    line("gaps recorded", std::to_string(status["gaps_recorded"].get<size_t>()));
  for (const auto& audit : status["audits"]) {
    line("last audit", audit["kind"].get<std::string>() + ": " + words_of_audit(audit) + ", " +
                           human_seconds(audit["age_seconds"]) + " ago");
  }
  if (!status.contains("error")) return;
  // What to do has a line of its own, so that the error's text doesn't say it too.
  std::string error = status["error"].get<std::string>();
  const std::string hint = status.value("hint", "");
  if (const std::string tail = " (" + hint + ")"; error.ends_with(tail))
    error.resize(error.size() - tail.size());
  line("error", error);
  if (!hint.empty()) line("what to do", hint);
}

}  // namespace

int status_command(App& app, const StatusOptions& options) {
  const auto file = load(app, options.file);
  if (!file) return kConfig;
  int code = kOk;
  nlohmann::json all = {{"file", options.file}, {"pipelines", nlohmann::json::array()}};
  for (const config::PipelineConfig& pipeline : file->pipelines) {
    nlohmann::json status = status_of(app, options.file, pipeline, code);
    status["audits"] = audits_of(app, *file, pipeline.name);
    all["pipelines"].push_back(std::move(status));
  }
  if (options.json) {
    std::printf("%s\n", all.dump(2).c_str());
  } else {
    for (const auto& status : all["pipelines"]) print_human(status);
  }
  return code;
}

}  // namespace tidemark::cli
