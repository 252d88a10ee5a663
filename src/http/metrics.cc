#include "http/metrics.h"

#include <functional>
#include <limits>

#include <prometheus/metric_family.h>
#include <prometheus/text_serializer.h>

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

void add_server(Page& page, const Counters& counters) {
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
                           const StatsView& stats, const Counters& counters) {
  Page page(pipelines);
  page.family("tidemark_build_info", "1; the version is in the label.", MetricType::Gauge)
      .metric.push_back(metric_of(MetricType::Gauge, 1, {{"version", identity.version}}));
  add_counters(page);
  add_gauges(page);
  add_states(page);
  add_latency(page);
  add_stats(page, stats);
  add_server(page, counters);
  return page.text();
}

}  // namespace tidemark::http
