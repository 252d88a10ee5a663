// Reading what others say: a peer's answers, and the bodies of requests. Nothing here trusts a type or a size.
#include <algorithm>
#include <array>
#include <limits>

#include <nlohmann/json.hpp>

#include "http/views.h"

namespace tidemark::http {
namespace {

using nlohmann::ordered_json;

constexpr size_t kPeerPipelinesMax = 256;
constexpr size_t kRatesMax = 60;
constexpr size_t kAlertsMax = 100;
constexpr size_t kPeerAuditsMax = 64;
constexpr size_t kFirstIdsMax = 20;

// Fields of an object, each with the type's empty value where it is absent or of another type.
class Reader {
 public:
  explicit Reader(const ordered_json& json) : json_(json) {}

  std::string text(const char* name) const {
    const ordered_json* value = find(name);
    return value != nullptr && value->is_string() ? value->get<std::string>() : std::string();
  }
  uint64_t count(const char* name) const {
    const ordered_json* value = find(name);
    return value != nullptr && value->is_number_unsigned() ? value->get<uint64_t>() : 0;
  }
  int64_t integer(const char* name) const {
    const ordered_json* value = find(name);
    return value != nullptr && value->is_number_integer() ? value->get<int64_t>() : 0;
  }
  bool flag(const char* name) const {
    const ordered_json* value = find(name);
    return value != nullptr && value->is_boolean() && value->get<bool>();
  }
  std::optional<double> number(const char* name) const {
    const ordered_json* value = find(name);
    return value != nullptr && value->is_number() ? std::optional(value->get<double>()) : std::nullopt;
  }
  std::optional<uint64_t> maybe_count(const char* name) const {
    const ordered_json* value = find(name);
    return value != nullptr && value->is_number_unsigned() ? std::optional(value->get<uint64_t>())
                                                           : std::nullopt;
  }
  const ordered_json* find(const char* name) const {
    if (!json_.is_object()) return nullptr;
    const auto it = json_.find(name);
    return it == json_.end() ? nullptr : &*it;
  }

 private:
  const ordered_json& json_;
};

Plane plane_of(const std::string& text) {
  constexpr std::array kNames = {"relay", "ingest", "process", "observe"};
  const auto it = std::find(kNames.begin(), kNames.end(), text);
  return it == kNames.end() ? Plane::kRelay : static_cast<Plane>(it - kNames.begin());
}

LatencyHistogram histogram_of(const ordered_json* json) {
  LatencyHistogram histogram;
  if (json == nullptr) return histogram;
  const Reader read(*json);
  histogram.sum_s = read.number("sum_s").value_or(0);
  const ordered_json* counts = read.find("counts");
  if (counts == nullptr || !counts->is_array() || counts->size() != histogram.counts.size()) return histogram;
  for (size_t i = 0; i < histogram.counts.size(); ++i) {
    if ((*counts)[i].is_number_unsigned()) histogram.counts[i] = (*counts)[i].get<uint64_t>();
  }
  return histogram;
}

void read_figures(const Reader& read, PipelineView& view) {
  view.events_read = read.count("events_read");
  view.events_delivered = read.count("events_delivered");
  view.events_rejected = read.count("events_rejected");
  view.events_retried = read.count("events_retried");
  view.events_filtered = read.count("events_filtered");
  view.events_left_out = read.count("events_left_out");
  view.bytes_delivered = read.count("bytes_delivered");
  view.batches = read.count("batches");
  view.source_retries = read.count("source_retries");
  view.source_opens = read.count("source_opens");
  view.sink_retries = read.count("sink_retries");
  view.saves = read.count("saves");
  view.save_failures = read.count("save_failures");
  view.in_flight_events = read.count("in_flight_events");
  view.in_flight_bytes = read.count("in_flight_bytes");
  view.write_latency = histogram_of(read.find("write_latency"));
  view.events_per_s = read.number("events_per_s").value_or(0);
  if (const ordered_json* rates = read.find("rate_by_s"); rates != nullptr && rates->is_array()) {
    for (const ordered_json& rate : *rates) {
      if (rate.is_number() && view.rate_by_s.size() < kRatesMax) view.rate_by_s.push_back(rate.get<double>());
    }
  }
}

PipelineView pipeline_of(const ordered_json& json) {
  const Reader read(json);
  PipelineView view;
  view.name = read.text("name");
  view.process = read.text("process");
  view.plane = plane_of(read.text("plane"));
  view.source = read.text("source");
  view.source_type = read.text("source_type");
  view.sink_type = read.text("sink_type");
  view.state = read.text("state");
  view.ended = read.flag("ended");
  view.error = read.text("error");
  view.server = read.text("server");
  read_figures(read, view);
  view.retry_in_s = read.number("retry_in_s");
  view.retry_attempt = static_cast<int>(std::clamp<int64_t>(read.integer("retry_attempt"), 0, 1 << 30));
  view.lag_s = read.number("lag_s");
  view.position_age_s = read.number("position_age_s");
  view.oplog_window_left_s = read.number("oplog_window_left_s");
  view.backlog = read.maybe_count("backlog");
  view.dead_letters = read.maybe_count("dead_letters");
  view.sqlite_wal_bytes = read.maybe_count("sqlite_wal_bytes");
  view.proof_of_life_s = read.number("proof_of_life_s");
  view.ready = read.flag("ready");
  view.not_ready = read.text("not_ready");
  return view;
}

guard::AlertView alert_of(const Reader& read) {
  guard::AlertView alert;
  alert.name = read.text("name");
  alert.pipeline = read.text("pipeline");
  alert.process = read.text("process");
  alert.severity =
      read.text("severity") == "critical" ? guard::Severity::kCritical : guard::Severity::kWarning;
  alert.firing = read.flag("firing");
  alert.text = read.text("text");
  alert.hint = read.text("hint");
  alert.figure = read.number("figure").value_or(std::numeric_limits<double>::quiet_NaN());
  alert.limit = read.number("limit").value_or(std::numeric_limits<double>::quiet_NaN());
  alert.unit = read.text("unit");
  alert.fired_at_ms = read.integer("fired_at_ms");
  alert.resolved_at_ms = read.integer("resolved_at_ms");
  alert.seq = read.count("seq");
  return alert;
}

guard::AuditView audit_of(const Reader& read) {
  guard::AuditView audit;
  audit.pipeline = read.text("pipeline");
  audit.process = read.text("process");
  audit.kind = read.text("kind");
  audit.state = read.text("state");
  audit.error = read.text("error");
  audit.progress = read.number("progress").value_or(0);
  audit.every_s = read.number("every_s").value_or(0);
  audit.age_s = read.number("age_s");
  audit.duration_s = read.number("duration_s").value_or(0);
  audit.finished_at_ms = read.integer("finished_at_ms");
  audit.source_documents = read.count("source_documents");
  audit.destination_documents = read.count("destination_documents");
  audit.filtered_documents = read.count("filtered_documents");
  audit.missing = read.count("missing");
  audit.extra = read.count("extra");
  audit.different = read.count("different");
  audit.unreadable = read.count("unreadable");
  audit.stale = read.count("stale");
  audit.doubled = read.count("doubled");
  audit.rejected_documents = read.count("rejected_documents");
  audit.unaudited_collections = read.count("unaudited_collections");
  audit.unexamined = read.count("unexamined");
  audit.unsettled = read.count("unsettled");
  audit.buckets = read.count("buckets");
  audit.buckets_differing = read.count("buckets_differing");
  const auto take = [&](const char* name, std::vector<std::string>& into) {
    const ordered_json* ids = read.find(name);
    if (ids == nullptr || !ids->is_array()) return;
    for (const ordered_json& id : *ids)
      if (id.is_string() && into.size() < kFirstIdsMax) into.push_back(id.get<std::string>());
  };
  take("first_ids", audit.first_ids);
  take("first_rejected", audit.first_rejected);
  return audit;
}

guard::GuardView guard_of(const ordered_json* json) {
  guard::GuardView view;
  if (json == nullptr) return view;
  const Reader read(*json);
  view.configured = read.flag("configured");
  view.interval_s = read.number("interval_s").value_or(0);
  view.age_s = read.number("age_s");
  view.notices_sent = read.count("notices_sent");
  view.notices_failed = read.count("notices_failed");
  if (const ordered_json* alerts = read.find("alerts"); alerts != nullptr && alerts->is_array()) {
    for (const ordered_json& item : *alerts) {
      guard::AlertView alert = alert_of(Reader(item));
      if (!alert.name.empty() && view.alerts.size() < kAlertsMax) view.alerts.push_back(std::move(alert));
    }
  }
  if (const ordered_json* audits = read.find("audits"); audits != nullptr && audits->is_array()) {
    for (const ordered_json& item : *audits) {
      guard::AuditView audit = audit_of(Reader(item));
      if (!audit.pipeline.empty() && view.audits.size() < kPeerAuditsMax)
        view.audits.push_back(std::move(audit));
    }
  }
  return view;
}

// A member that must be a string; `limit` bounds what is passed on.
Result<std::string> needed(const ordered_json& json, const char* name) {
  const auto it = json.find(name);
  if (it == json.end() || !it->is_string() || it->get_ref<const std::string&>().empty())
    return fail(React::kReject, std::string("`") + name + "` must be a string that isn't empty");
  return it->get<std::string>();
}

}  // namespace

std::optional<PeerAnswer> parse_overview(std::string_view text) {
  const ordered_json json = ordered_json::parse(text, nullptr, false);
  const Reader read(json);
  const ordered_json* pipelines = read.find("pipelines");
  if (pipelines == nullptr || !pipelines->is_array()) return std::nullopt;
  PeerAnswer answer;
  for (const ordered_json& item : *pipelines) {
    PipelineView view = pipeline_of(item);
    if (view.name.empty() || answer.pipelines.size() >= kPeerPipelinesMax) continue;
    answer.pipelines.push_back(std::move(view));
  }
  answer.guard = guard_of(read.find("guard"));
  return answer;
}

std::optional<std::vector<LetterView>> parse_letters(std::string_view text) {
  const ordered_json json = ordered_json::parse(text, nullptr, false);
  const ordered_json* letters = Reader(json).find("letters");
  if (letters == nullptr || !letters->is_array()) return std::nullopt;
  std::vector<LetterView> views;
  for (const ordered_json& item : *letters) {
    const Reader read(item);
    views.push_back(
        {.pipeline = read.text("pipeline"),
         .id = read.text("id"),
         .reason = read.text("reason"),
         .origin = read.text("origin"),
         .event = read.text("event"),
         .at_ms = read.integer("at_ms"),
         .attempts = static_cast<int>(std::clamp<int64_t>(read.integer("attempts"), 0, 1 << 30))});
  }
  return views;
}

std::string parse_problem_detail(std::string_view text) {
  const ordered_json json = ordered_json::parse(text, nullptr, false);
  return Reader(json).text("detail");
}

Result<LetterCommand> parse_letter_command(std::string_view body) {
  const ordered_json json = ordered_json::parse(body, nullptr, false);
  if (!json.is_object()) return fail(React::kReject, "the body is no JSON object");
  LetterCommand command;
  TIDEMARK_ASSIGN(command.pipeline, needed(json, "pipeline"));
  TIDEMARK_ASSIGN(command.id, needed(json, "id"));
  return command;
}

std::string render_letter_command(const LetterCommand& command) {
  const ordered_json json = {{"pipeline", command.pipeline}, {"id", command.id}};
  return json.dump(-1, ' ', false, ordered_json::error_handler_t::replace);
}

Result<std::string> parse_fault_command(std::string_view body) {
  const ordered_json json = ordered_json::parse(body, nullptr, false);
  if (!json.is_object()) return fail(React::kReject, "the body is no JSON object");
  return needed(json, "fault");
}

}  // namespace tidemark::http
