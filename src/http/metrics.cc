#include "http/metrics.h"

#include <functional>
#include <limits>
#include <set>

#include <prometheus/metric_family.h>
#include <prometheus/text_serializer.h>

#include "base/log.h"

namespace tidemark::http {
namespace {

using prometheus::ClientMetric;
using prometheus::MetricFamily;
using prometheus::MetricType;

using Labels = std::vector<std::pair<std::string, std::string>>;

ClientMetric metric_of(MetricType type, double value, const Labels& labels) {
  ClientMetric metric;
  for (const auto& [name, label] : labels) metric.label.push_back({name, label});
  if (type == MetricType::Counter)
    metric.counter.value = value;
  else
    metric.gauge.value = value;
  return metric;
}

// Collects families. A family without a metric is left out: absent means unknown.
class Page {
 public:
  explicit Page(const std::vector<PipelineView>& pipelines) : pipelines_(pipelines) {}

  MetricFamily& family(std::string name, std::string help, MetricType type) {
    families_.push_back({.name = std::move(name), .help = std::move(help), .type = type, .metric = {}});
    return families_.back();
  }

  void single(std::string name, std::string help, MetricType type, double value) {
    family(std::move(name), std::move(help), type).metric.push_back(metric_of(type, value, {}));
  }

  // One metric for each pipeline of this process.
  template <class Figure>
  void each(std::string name, std::string help, MetricType type, Figure figure) {
    MetricFamily& added = family("tidemark_pipeline_" + std::move(name), std::move(help), type);
    for (const PipelineView& view : pipelines_) {
      if (!view.process.empty()) continue;
      const std::optional<double> value = as_double(figure(view));
      if (value) added.metric.push_back(metric_of(type, *value, {{"pipeline", view.name}}));
    }
  }
  template <class Figure>
  void counter(std::string name, std::string help, Figure figure) {
    each(std::move(name), std::move(help), MetricType::Counter, std::move(figure));
  }
  template <class Figure>
  void gauge(std::string name, std::string help, Figure figure) {
    each(std::move(name), std::move(help), MetricType::Gauge, std::move(figure));
  }

  const std::vector<PipelineView>& pipelines() const { return pipelines_; }

  std::string text() {
    std::erase_if(families_, [](const MetricFamily& family) { return family.metric.empty(); });
    return prometheus::TextSerializer().Serializer::Serialize(families_);
  }

 private:
  template <class T>
  static std::optional<double> as_double(const std::optional<T>& value) {
    return value ? std::optional(static_cast<double>(*value)) : std::nullopt;
  }
  template <class T>
  static std::optional<double> as_double(T value)
    requires std::is_arithmetic_v<T>
  {
    return static_cast<double>(value);
  }

  const std::vector<PipelineView>& pipelines_;
  std::vector<MetricFamily> families_;
};

void add_counters(Page& page) {
  using View = const PipelineView&;
  page.counter("events_read_total", "Events taken from the source.", [](View v) { return v.events_read; });
  page.counter("events_delivered_total", "Events durable at the sink.",
               [](View v) { return v.events_delivered; });
  page.counter("bytes_delivered_total", "Bytes of the events durable at the sink.",
               [](View v) { return v.bytes_delivered; });
  page.counter("batches_total", "Batches written.", [](View v) { return v.batches; });
  page.counter("rejects_total", "Events durable in the dead letters.",
               [](View v) { return v.events_rejected; });
  page.counter("redeliveries_total", "Events put back before the source for another try.",
               [](View v) { return v.events_retried; });
  page.counter("events_filtered_total", "Events that the transforms dropped.",
               [](View v) { return v.events_filtered; });
  page.counter("events_left_out_total",
               "Events of excluded and temporary collections, left out by the source.",
               [](View v) { return v.events_left_out; });
  page.counter("saves_total", "Positions saved.", [](View v) { return v.saves; });
  page.counter("save_failures_total", "Saves of the position that failed.",
               [](View v) { return v.save_failures; });
  page.counter("source_reconnects_total", "Times the source was opened again.",
               [](View v) { return v.source_opens > 0 ? v.source_opens - 1 : 0; });
  MetricFamily& retries =
      page.family("tidemark_pipeline_retries_total", "Faults waited out.", MetricType::Counter);
  for (const PipelineView& view : page.pipelines()) {
    if (!view.process.empty()) continue;
    const auto add = [&](const char* side, uint64_t value) {
      retries.metric.push_back(metric_of(MetricType::Counter, static_cast<double>(value),
                                         {{"pipeline", view.name}, {"side", side}}));
    };
    add("source", view.source_retries);
    add("sink", view.sink_retries);
  }
}

void add_gauges(Page& page) {
  using View = const PipelineView&;
  page.gauge("lag_seconds", "How far the stored position is behind the deployment's newest change.",
             [](View v) { return v.lag_s; });
  page.gauge("position_age_seconds", "Since the position was last saved or moved.",
             [](View v) { return v.position_age_s; });
  page.gauge("oplog_window_left_seconds", "Until the position falls out of the oplog; negative when it has.",
             [](View v) { return v.oplog_window_left_s; });
  page.gauge("proof_of_life_age_seconds", "Since the source last gave a sign.",
             [](View v) { return v.proof_of_life_s; });
  page.gauge("source_backlog", "Messages that wait at the source.", [](View v) { return v.backlog; });
  page.gauge("dead_letters", "Dead letters kept at present.", [](View v) { return v.dead_letters; });
  page.gauge("sqlite_wal_bytes", "Of the write-ahead log beside the SQLite destination's file.",
             [](View v) { return v.sqlite_wal_bytes; });
  page.gauge("in_flight_events", "Events read and not yet delivered.",
             [](View v) { return v.in_flight_events; });
  page.gauge("in_flight_bytes", "Bytes of the events read and not yet delivered.",
             [](View v) { return v.in_flight_bytes; });
  page.gauge("up", "1 while the pipeline runs, 0 once it has ended.", [](View v) { return v.ended ? 0 : 1; });
  page.gauge("ready", "1 while the position moves relative to the cluster.",
             [](View v) { return v.ready ? 1 : 0; });
}

void add_states(Page& page) {
  constexpr std::array kStates = {
      "starting", "opening", "streaming", "waiting for the source", "waiting for the sink",
      "draining", "finished"};
  MetricFamily& states = page.family(
      "tidemark_pipeline_state", "1 for the state the pipeline is in, 0 for the others.", MetricType::Gauge);
  for (const PipelineView& view : page.pipelines()) {
    if (!view.process.empty()) continue;
    for (const char* state : kStates)
      states.metric.push_back(metric_of(MetricType::Gauge, view.state == state ? 1 : 0,
                                        {{"pipeline", view.name}, {"state", state}}));
  }
}

void add_latency(Page& page) {
  MetricFamily& family = page.family("tidemark_pipeline_write_duration_seconds",
                                     "How long writing a batch to the sink took.", MetricType::Histogram);
  for (const PipelineView& view : page.pipelines()) {
    if (!view.process.empty()) continue;
    ClientMetric metric = metric_of(MetricType::Histogram, 0, {{"pipeline", view.name}});
    uint64_t below = 0;
    for (size_t i = 0; i < view.write_latency.counts.size(); ++i) {
      below += view.write_latency.counts[i];
      const bool last = i == kWriteLatencyBounds_s.size();
      metric.histogram.bucket.push_back(
          {.cumulative_count = below,
           .upper_bound = last ? std::numeric_limits<double>::infinity() : kWriteLatencyBounds_s.at(i)});
    }
    metric.histogram.sample_count = below;
    metric.histogram.sample_sum = view.write_latency.sum_s;
    family.metric.push_back(std::move(metric));
  }
}

void add_stats(Page& page, const StatsView& stats) {
  if (!stats.configured) return;
  page.single("tidemark_stats_up", "1 while the last look at the stores succeeded.", MetricType::Gauge,
              stats.at_ms > 0 && stats.error.empty() ? 1 : 0);
  if (stats.at_ms > 0)
    page.single("tidemark_stats_age_seconds", "Since the last look that succeeded.", MetricType::Gauge,
                stats.age_s);
  if (stats.total)
    page.single("tidemark_stats_documents", "Documents stored, as last seen.", MetricType::Gauge,
                static_cast<double>(*stats.total));
  if (stats.queue_depth)
    page.family("tidemark_stats_queue_depth", "Messages waiting, as last seen.", MetricType::Gauge)
        .metric.push_back(
            metric_of(MetricType::Gauge, static_cast<double>(*stats.queue_depth), {{"queue", stats.queue}}));
}

// An alert that fired and resolved stays as 0 for as long as it is shown, so that its end is seen too.
void add_alerts(Page& page, const guard::GuardView& guard) {
  std::map<std::array<std::string, 3>, bool> firing;
  for (const guard::AlertView& alert : guard.alerts) {
    if (!alert.process.empty()) continue;
    const bool critical = alert.severity == guard::Severity::kCritical;
    firing[{alert.name, alert.pipeline, critical ? "critical" : "warning"}] |= alert.firing;
  }
  MetricFamily& family = page.family("tidemark_alert_firing",
                                     "1 while the alert fires, 0 once it has resolved.", MetricType::Gauge);
  for (const auto& [key, fires] : firing)
    family.metric.push_back(metric_of(MetricType::Gauge, fires ? 1 : 0,
                                      {{"alert", key[0]}, {"pipeline", key[1]}, {"severity", key[2]}}));
}

// One metric for each audit of this process. A pipeline's second audit of one kind can't be told from the first by its
// labels, and would make the whole page unreadable: the first one counts.
std::vector<const guard::AuditView*> own_audits(const guard::GuardView& guard) {
  std::set<std::pair<std::string, std::string>> seen;
  std::vector<const guard::AuditView*> audits;
  for (const guard::AuditView& audit : guard.audits) {
    if (audit.process.empty() && seen.insert({audit.pipeline, audit.kind}).second) audits.push_back(&audit);
  }
  return audits;
}

void add_audits(Page& page, const guard::GuardView& guard) {
  const auto audits = own_audits(guard);
  using View = const guard::AuditView&;
  using Figure = std::optional<double> (*)(View);
  const auto gauge = [&](std::string name, std::string help, Figure figure) {
    MetricFamily& family =
        page.family("tidemark_audit_" + std::move(name), std::move(help), MetricType::Gauge);
    for (const guard::AuditView* audit : audits) {
      if (const auto value = figure(*audit))
        family.metric.push_back(
            metric_of(MetricType::Gauge, *value, {{"pipeline", audit->pipeline}, {"kind", audit->kind}}));
    }
  };
  // Nothing is known of the documents before a run came to its end.
  const auto found = [&]<auto kMember>(std::string name, std::string help) {
    gauge(std::move(name), std::move(help), [](View audit) {
      return audit.finished_at_ms > 0 ? std::optional(static_cast<double>(audit.*kMember)) : std::nullopt;
    });
  };
  using Audit = guard::AuditView;
  gauge("up", "1 while audits run to their end, 0 once the last one failed.",
        [](View audit) { return std::optional(audit.error.empty() ? 1.0 : 0.0); });
  gauge("age_seconds", "Since an audit last came to its end.", [](View audit) { return audit.age_s; });
  gauge("interval_seconds", "How often an audit is due; 0: by hand.",
        [](View audit) { return std::optional(audit.every_s); });
  gauge("progress_ratio", "How far the audit under way is; 0: none is.",
        [](View audit) { return std::optional(audit.state == "running" ? audit.progress : 0.0); });
  found.template operator()<&Audit::duration_s>("duration_seconds", "How long the last audit took.");
  found.template operator()<&Audit::source_documents>("source_documents", "Documents at the source.");
  found.template operator()<&Audit::destination_documents>("destination_documents",
                                                           "Documents at the destination.");
  found.template operator()<&Audit::filtered_documents>(
      "filtered_documents", "Documents at the source that the pipeline's transforms drop.");
  found.template operator()<&Audit::missing>("missing_documents",
                                             "Confirmed to be missing at the destination.");
  found.template operator()<&Audit::extra>("extra_documents",
                                           "Confirmed to be at the destination and not at the source.");
  found.template operator()<&Audit::different>("different_documents",
                                               "Confirmed to differ between the two ends.");
  found.template operator()<&Audit::unreadable>("unreadable_documents",
                                                "Rows that read back to no document of their id; confirmed.");
  found.template operator()<&Audit::stale>("stale_documents",
                                           "Rows of documents whose present state is refused; confirmed.");
  found.template operator()<&Audit::doubled>("doubled_documents",
                                             "Ids that the source holds on several shards; confirmed.");
  found.template operator()<&Audit::rejected_documents>(
      "rejected_documents", "Documents at the source that a transform or the destination refuses.");
  found.template operator()<&Audit::unaudited_collections>("unaudited_collections",
                                                           "Collections that could not be compared.");
  found.template operator()<&Audit::unsettled>(
      "unsettled_documents", "Differed, and were changed again each time they were looked at.");
  found.template operator()<&Audit::buckets>("buckets", "Time buckets compared.");
  found.template operator()<&Audit::buckets_differing>("differing_buckets",
                                                       "Time buckets that differed at first sight.");
}

void add_guard(Page& page, const guard::GuardView& guard) {
  if (!guard.configured) return;
  page.single("tidemark_guard_interval_seconds", "Between two rounds of looks.", MetricType::Gauge,
              guard.interval_s);
  if (guard.age_s)
    page.single("tidemark_guard_look_age_seconds", "Since the guard's last round of looks.",
                MetricType::Gauge, *guard.age_s);
  MetricFamily& notices = page.family("tidemark_guard_notices_total",
                                      "Notices of alerts to webhooks, by how it ended.", MetricType::Counter);
  const auto add = [&](const char* result, uint64_t count) {
    notices.metric.push_back(
        metric_of(MetricType::Counter, static_cast<double>(count), {{"result", result}}));
  };
  add("sent", guard.notices_sent);
  add("failed", guard.notices_failed);
  add_alerts(page, guard);
  add_audits(page, guard);
}

void add_server(Page& page, const Counters& counters) {
  page.single("process_start_time_seconds", "When the process began to serve, since 1970.", MetricType::Gauge,
              static_cast<double>(counters.started_ms.load()) / 1000);
  if (const int64_t until_ms = counters.certificate_until_ms; until_ms > 0)
    page.single("tidemark_server_certificate_expiry_timestamp_seconds",
                "When the certificate of [server] expires, since 1970.", MetricType::Gauge,
                static_cast<double>(until_ms) / 1000);
  MetricFamily& requests = page.family("tidemark_http_requests_total",
                                       "Requests answered, by route and status.", MetricType::Counter);
  for (const auto& [key, count] : counters.requests_by_route())
    requests.metric.push_back(metric_of(MetricType::Counter, static_cast<double>(count),
                                        {{"route", key.first}, {"status", std::to_string(key.second)}}));
  const auto gauge = [&](const char* name, const char* help, const std::atomic<int64_t>& value) {
    page.single(name, help, MetricType::Gauge, static_cast<double>(value.load()));
  };
  const auto counter = [&](const char* name, const char* help, const std::atomic<uint64_t>& value) {
    page.single(name, help, MetricType::Counter, static_cast<double>(value.load()));
  };
  gauge("tidemark_http_connections", "Connections open.", counters.connections);
  gauge("tidemark_http_body_bytes", "Reserved for the bodies of requests being read.", counters.body_bytes);
  counter("tidemark_http_connections_refused_total", "Connections above the limit.",
          counters.refused_connections);
  gauge("tidemark_websocket_sessions", "WebSocket clients.", counters.websockets);
  gauge("tidemark_websocket_queued_bytes", "Handed to clients' sockets and not yet taken.",
        counters.websocket_bytes_queued);
  counter("tidemark_websocket_stalled_total", "Clients cut off because they took nothing.",
          counters.websockets_stalled);
  counter("tidemark_feed_missed_events_total", "Events that WebSocket clients were too slow for.",
          counters.feed_missed);
}

}  // namespace

std::string render_metrics(const Identity& identity, const std::vector<PipelineView>& pipelines,
                           const StatsView& stats, const guard::GuardView& guard, const Counters& counters) {
  Page page(pipelines);
  page.family("tidemark_build_info", "1; the version is in the label.", MetricType::Gauge)
      .metric.push_back(metric_of(MetricType::Gauge, 1, {{"version", identity.version}}));
  page.single("tidemark_log_lines_lost_total", "Lines of the log that could not be written.",
              MetricType::Counter, static_cast<double>(log_lines_lost()));
  add_counters(page);
  add_gauges(page);
  add_states(page);
  add_latency(page);
  add_stats(page, stats);
  add_guard(page, guard);
  add_server(page, counters);
  return page.text();
}

}  // namespace tidemark::http
