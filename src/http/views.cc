#include "http/views.h"

#include <array>
#include <cmath>

#include <nlohmann/json.hpp>

namespace tidemark::http {
namespace {

using nlohmann::ordered_json;

std::string dump(const ordered_json& json) {
  return json.dump(-1, ' ', false, ordered_json::error_handler_t::replace);
}

template <class T>
ordered_json maybe(const std::optional<T>& value) {
  return value ? ordered_json(*value) : ordered_json(nullptr);
}

// Named here, so that this folder needs nothing of the runtime but its plain values.
constexpr std::array<std::string_view, 4> kPlanes = {"relay", "ingest", "process", "observe"};

ordered_json to_json(const LatencyHistogram& histogram) {
  return {{"bounds_s", kWriteLatencyBounds_s}, {"counts", histogram.counts}, {"sum_s", histogram.sum_s}};
}

ordered_json to_json(const PipelineView& view) {
  ordered_json json;
  json["name"] = view.name;
  json["process"] = view.process;
  json["plane"] = kPlanes.at(static_cast<size_t>(view.plane));
  json["source"] = view.source;
  json["source_type"] = view.source_type;
  json["sink_type"] = view.sink_type;
  json["state"] = view.state;
  json["ended"] = view.ended;
  json["error"] = view.error;
  json["server"] = view.server;
  json["events_read"] = view.events_read;
  json["events_delivered"] = view.events_delivered;
  json["events_rejected"] = view.events_rejected;
  json["events_retried"] = view.events_retried;
  json["events_filtered"] = view.events_filtered;
  json["events_left_out"] = view.events_left_out;
  json["bytes_delivered"] = view.bytes_delivered;
  json["batches"] = view.batches;
  json["source_retries"] = view.source_retries;
  json["source_opens"] = view.source_opens;
  json["sink_retries"] = view.sink_retries;
  json["saves"] = view.saves;
  json["save_failures"] = view.save_failures;
  json["in_flight_events"] = view.in_flight_events;
  json["in_flight_bytes"] = view.in_flight_bytes;
  json["write_latency"] = to_json(view.write_latency);
  json["events_per_s"] = view.events_per_s;
  json["rate_by_s"] = view.rate_by_s;
  json["retry_in_s"] = maybe(view.retry_in_s);
  json["retry_attempt"] = view.retry_attempt;
  json["lag_s"] = maybe(view.lag_s);
  json["position_age_s"] = maybe(view.position_age_s);
  json["oplog_window_left_s"] = maybe(view.oplog_window_left_s);
  json["backlog"] = maybe(view.backlog);
  json["dead_letters"] = maybe(view.dead_letters);
  json["sqlite_wal_bytes"] = maybe(view.sqlite_wal_bytes);
  json["proof_of_life_s"] = maybe(view.proof_of_life_s);
  json["ready"] = view.ready;
  json["not_ready"] = view.not_ready;
  return json;
}

ordered_json to_json(const std::vector<PipelineView>& views) {
  ordered_json json = ordered_json::array();
  for (const PipelineView& view : views) json.push_back(to_json(view));
  return json;
}

ordered_json pairs(const std::vector<std::pair<std::string, int64_t>>& counts) {
  ordered_json json = ordered_json::array();
  for (const auto& [name, count] : counts) json.push_back(ordered_json::array({name, count}));
  return json;
}

void add_stats(ordered_json& json, const StatsView& stats) {
  json["configured"] = stats.configured;
  json["at_ms"] = stats.at_ms;
  json["error"] = stats.error;
  json["age_s"] = stats.age_s;
  json["total"] = maybe(stats.total);
  json["by_severity"] = pairs(stats.by_severity);
  json["by_category"] = pairs(stats.by_category);
  json["per_s"] = maybe(stats.per_s);
  json["cluster_time"] = ordered_json::array({stats.cluster_seconds, stats.cluster_increment});
  json["queue_depth"] = maybe(stats.queue_depth);
  json["queue"] = stats.queue;
  json["interval_s"] = stats.interval_s;
}

ordered_json to_json(const TimelineEntry& entry) {
  return {{"seq", entry.seq},   {"at_ms", entry.at_ms}, {"pipeline", entry.pipeline},
          {"kind", entry.kind}, {"text", entry.text},   {"replayed", entry.replayed}};
}

std::string_view word_of(guard::Severity severity) {
  return severity == guard::Severity::kCritical ? "critical" : "warning";
}

// A figure that is no number is null.
ordered_json finite(double value) {
  return std::isfinite(value) ? ordered_json(value) : ordered_json(nullptr);
}

ordered_json to_json(const guard::AlertView& alert) {
  return {{"name", alert.name},
          {"pipeline", alert.pipeline},
          {"process", alert.process},
          {"severity", word_of(alert.severity)},
          {"firing", alert.firing},
          {"text", alert.text},
          {"hint", alert.hint},
          {"figure", finite(alert.figure)},
          {"limit", finite(alert.limit)},
          {"unit", alert.unit},
          {"fired_at_ms", alert.fired_at_ms},
          {"resolved_at_ms", alert.resolved_at_ms},
          {"seq", alert.seq}};
}

ordered_json to_json(const guard::AuditView& audit) {
  return {{"pipeline", audit.pipeline},
          {"process", audit.process},
          {"kind", audit.kind},
          {"state", audit.state},
          {"error", audit.error},
          {"progress", audit.progress},
          {"every_s", audit.every_s},
          {"age_s", maybe(audit.age_s)},
          {"duration_s", audit.duration_s},
          {"finished_at_ms", audit.finished_at_ms},
          {"source_documents", audit.source_documents},
          {"destination_documents", audit.destination_documents},
          {"filtered_documents", audit.filtered_documents},
          {"missing", audit.missing},
          {"extra", audit.extra},
          {"different", audit.different},
          {"unreadable", audit.unreadable},
          {"stale", audit.stale},
          {"doubled", audit.doubled},
          {"rejected_documents", audit.rejected_documents},
          {"unaudited_collections", audit.unaudited_collections},
          {"unexamined", audit.unexamined},
          {"unsettled", audit.unsettled},
          {"buckets", audit.buckets},
          {"buckets_differing", audit.buckets_differing},
          {"first_ids", audit.first_ids},
          {"first_rejected", audit.first_rejected}};
}

ordered_json to_json(const guard::GuardView& view) {
  ordered_json json;
  json["configured"] = view.configured;
  json["interval_s"] = view.interval_s;
  json["age_s"] = maybe(view.age_s);
  json["alerts"] = ordered_json::array();
  for (const guard::AlertView& alert : view.alerts) json["alerts"].push_back(to_json(alert));
  json["audits"] = ordered_json::array();
  for (const guard::AuditView& audit : view.audits) json["audits"].push_back(to_json(audit));
  json["notices_sent"] = view.notices_sent;
  json["notices_failed"] = view.notices_failed;
  return json;
}

std::string quoted(std::string_view text) { return dump(ordered_json(text)); }

}  // namespace

std::string render_pipeline(const PipelineView& view) { return dump(to_json(view)); }

std::string render_pipelines(const std::vector<PipelineView>& views) { return dump(to_json(views)); }

std::string render_guard(const guard::GuardView& view) { return dump(to_json(view)); }

std::string render_overview(const Identity& identity, int64_t now_ms,
                            const std::vector<PipelineView>& pipelines, const StatsView& stats,
                            const guard::GuardView& guard) {
  ordered_json json;
  json["now_ms"] = now_ms;
  json["version"] = identity.version;
  json["instance"] = identity.instance;
  json["demo"] = identity.demo;
  json["pipelines"] = to_json(pipelines);
  json["stats"] = ordered_json::object();
  add_stats(json["stats"], stats);
  json["guard"] = to_json(guard);
  return dump(json);
}

std::string render_timeline_entry(const TimelineEntry& entry) { return dump(to_json(entry)); }

std::string render_timeline(const std::vector<TimelineEntry>& entries) {
  ordered_json json;
  json["entries"] = ordered_json::array();
  for (const TimelineEntry& entry : entries) json["entries"].push_back(to_json(entry));
  return dump(json);
}

std::string render_letters(const std::vector<LetterView>& letters, const std::optional<std::string>& next) {
  ordered_json json;
  json["letters"] = ordered_json::array();
  for (const LetterView& letter : letters) {
    json["letters"].push_back({{"pipeline", letter.pipeline},
                               {"id", letter.id},
                               {"reason", letter.reason},
                               {"origin", letter.origin},
                               {"event", letter.event},
                               {"at_ms", letter.at_ms},
                               {"attempts", letter.attempts}});
  }
  json["next"] = maybe(next);
  return dump(json);
}

std::string render_faults(const std::vector<FaultButton>& faults) {
  ordered_json json;
  json["faults"] = ordered_json::array();
  for (const FaultButton& fault : faults)
    json["faults"].push_back({{"name", fault.name}, {"label", fault.label}});
  return dump(json);
}

std::string render_readiness(const std::vector<PipelineView>& pipelines, bool ready) {
  ordered_json json;
  json["ready"] = ready;
  json["pipelines"] = ordered_json::array();
  for (const PipelineView& view : pipelines)
    json["pipelines"].push_back({{"name", view.name}, {"ready", view.ready}, {"reason", view.not_ready}});
  return dump(json);
}

std::string render_notice(const guard::AlertView& alert) {
  ordered_json json;
  json["version"] = 1;
  json["event"] = alert.firing ? "fired" : "resolved";
  json["alert"] = to_json(alert);
  return dump(json);
}

std::string render_hello(const Identity& identity, int64_t now_ms, double stats_interval_s,
                         const std::vector<FeedRange>& feeds) {
  ordered_json json;
  json["type"] = "hello";
  json["protocol"] = 1;
  json["version"] = identity.version;
  json["instance"] = identity.instance;
  json["now_ms"] = now_ms;
  json["demo"] = identity.demo;
  json["stats_interval_s"] = stats_interval_s;
  json["feeds"] = ordered_json::array();
  for (const FeedRange& feed : feeds)
    json["feeds"].push_back({{"name", feed.name}, {"oldest", feed.oldest}, {"newest", feed.newest}});
  return dump(json);
}

std::string render_status_frame(int64_t now_ms, const std::vector<PipelineView>& pipelines,
                                const guard::GuardView& guard) {
  ordered_json json;
  json["type"] = "status";
  json["now_ms"] = now_ms;
  json["pipelines"] = to_json(pipelines);
  json["guard"] = to_json(guard);
  return dump(json);
}

std::string render_stats_frame(const StatsView& stats) {
  ordered_json json;
  json["type"] = "stats";
  add_stats(json, stats);
  return dump(json);
}

std::string render_timeline_frame(const std::vector<std::shared_ptr<const std::string>>& entries) {
  std::string frame = R"({"type":"timeline","entries":[)";
  for (const auto& entry : entries) {
    if (frame.back() != '[') frame += ',';
    frame += *entry;
  }
  frame += "]}";
  return frame;
}

std::string render_gap_frame(std::string_view feed, uint64_t after, uint64_t missed) {
  return dump({{"type", "gap"}, {"feed", feed}, {"after", after}, {"missed", missed}});
}

std::string render_events_frame(std::string_view feed, const std::vector<FeedItem>& items) {
  size_t size = 64 + feed.size();
  for (const FeedItem& item : items) size += item.json->size() + 32;
  std::string frame;
  frame.reserve(size);
  frame += R"({"type":"events","feed":)";
  frame += quoted(feed);
  frame += R"(,"items":[)";
  for (const FeedItem& item : items) {
    if (frame.back() != '[') frame += ',';
    frame += R"({"seq":)";
    frame += std::to_string(item.seq);
    const std::string_view rest = std::string_view(*item.json).substr(1);
    if (rest != "}") frame += ',';
    frame += rest;
  }
  frame += "]}";
  return frame;
}

std::optional<Resume> parse_resume(std::string_view text) {
  const ordered_json json = ordered_json::parse(text, nullptr, false);
  if (!json.is_object()) return std::nullopt;
  const auto is = [&](const char* name, bool (*check)(const ordered_json&)) {
    const auto it = json.find(name);
    return it != json.end() && check(*it);
  };
  constexpr auto kString = [](const ordered_json& value) { return value.is_string(); };
  constexpr auto kNumber = [](const ordered_json& value) { return value.is_number_unsigned(); };
  if (!is("type", kString) || json["type"] != "resume" || !is("instance", kString) || !is("feed", kString) ||
      !is("after", kNumber))
    return std::nullopt;
  return Resume{json["instance"], json["feed"], json["after"]};
}

}  // namespace tidemark::http
