// What anybody outside may know of the running pipelines: plain values, copied. src/http shows them and reads nothing
// else of the runtime.
#pragma once

#include <array>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace tidemark {

// Upper bounds of the write latency histogram's buckets, in seconds; the last bucket is everything above.
inline constexpr std::array<double, 12> kWriteLatencyBounds_s = {0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025,
                                                                 0.05,   0.1,   0.25,   0.5,   1.0,  5.0};

struct LatencyHistogram {
  std::array<uint64_t, kWriteLatencyBounds_s.size() + 1> counts{};  // not cumulative
  double sum_s = 0;
};

// Where the pipeline stands in the row of planes, by what its source and sink are.
enum class Plane { kRelay, kIngest, kProcess, kObserve };
std::string_view to_string(Plane plane);  // "relay", "ingest", "process", "observe"

struct PipelineView {
  std::string name;
  std::string process;  // empty = this one; else the peer's address, as configured
  Plane plane = Plane::kRelay;
  std::string source;       // for people: "shop.orders, full_document=update_lookup"
  std::string source_type;  // "mongodb", "rabbitmq", "http"
  std::string sink_type;
  std::string state;   // PipelineState as text: "streaming", "waiting for the source", ...
  bool ended = false;  // finished by an error or on request
  std::string error;   // of the fault being waited out, or the one that ended it; empty when all is well
  std::string server;  // what the source's deployment said it is; empty before it answered

  uint64_t events_read = 0;
  uint64_t events_delivered = 0;
  uint64_t events_rejected = 0;  // durable in the dead letters
  uint64_t events_retried = 0;   // put back before the source for another try
  uint64_t events_filtered = 0;  // dropped by the transforms; not among those read
  uint64_t events_left_out = 0;  // of excluded and temporary collections; not among those read
  uint64_t bytes_delivered = 0;
  uint64_t batches = 0;
  uint64_t source_retries = 0;
  uint64_t source_opens = 0;  // 1 = never reopened
  uint64_t sink_retries = 0;
  uint64_t saves = 0;
  uint64_t save_failures = 0;
  uint64_t in_flight_events = 0;
  uint64_t in_flight_bytes = 0;
  LatencyHistogram write_latency;

  double events_per_s = 0;           // over the last seconds
  std::vector<double> rate_by_s;     // one value a second, oldest first, at most 60
  std::optional<double> retry_in_s;  // until the next try, while a fault is waited out
  int retry_attempt = 0;             // how many waits in a row, this one included

  // Empty = unknown, or not a thing of this source.
  std::optional<double> lag_s;  // how far the stored position is behind the deployment's newest change
  std::optional<double> position_age_s;       // since the position was last saved, or moved
  std::optional<double> oplog_window_left_s;  // until this position is lost; negative = it is
  std::optional<uint64_t> backlog;            // messages that wait at the source, where it is a queue
  std::optional<uint64_t> dead_letters;       // kept at present
  std::optional<uint64_t> sqlite_wal_bytes;   // of the write-ahead log beside an SQLite destination
  std::optional<double>
      proof_of_life_s;  // since the source last gave a sign: an event, a mark that moved, an answer

  bool ready = false;     // its position moves relative to the cluster
  std::string not_ready;  // why not
};

struct TimelineEntry {
  uint64_t seq = 0;  // 1, 2, 3 ...
  int64_t at_ms = 0;
  std::string pipeline = {};  // empty: of the whole program
  // "election", "cursor_dead", "resumed", "backoff", "sink_fault", "sink_back", "dead_letter", "ended", "started", "alert",
  // "fault"
  std::string kind = {};
  std::string text = {};  // for people, one sentence
  uint64_t replayed = 0;  // "resumed": events that had happened meanwhile and came now
};

// The stats plane's last answer.
struct StatsView {
  bool configured = false;
  int64_t at_ms = 0;  // when it was asked; 0 = not yet
  std::string error;  // why the last look failed; the figures are then those of the look before
  double age_s = 0;   // since the last look that succeeded
  std::optional<int64_t> total;
  std::vector<std::pair<std::string, int64_t>> by_severity;
  std::vector<std::pair<std::string, int64_t>> by_category;
  std::optional<double> per_s;   // growth of the total between the last two looks
  uint32_t cluster_seconds = 0;  // the cluster time the total holds at, 0 = unknown
  uint32_t cluster_increment = 0;
  std::optional<int64_t> queue_depth;
  std::string queue;
  double interval_s = 5;
};

}  // namespace tidemark
