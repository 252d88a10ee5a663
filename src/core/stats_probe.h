// A stateless look at the stores behind the live page, apart from every pipeline: counts, and the depth of a queue. It
// shares no connection and no cursor with the feed, so that the two can contradict each other.
#pragma once

#include <cstdint>
#include <optional>
#include <stop_token>
#include <string>
#include <utility>
#include <vector>

#include "base/result.h"
#include "bson/document.h"

namespace tidemark {

// What one probe found; what it doesn't look at stays empty.
struct StatsReport {
  std::optional<int64_t> total = {};  // documents stored
  std::vector<std::pair<std::string, int64_t>> by_severity = {};
  std::vector<std::pair<std::string, int64_t>> by_category = {};
  bson::Timestamp at = {};                  // the cluster time the counts hold at
  std::optional<int64_t> queue_depth = {};  // messages waiting
  std::string queue = {};                   // whose
};

// One thread at a time.
class StatsProbe {
 public:
  virtual ~StatsProbe() = default;
  // What it looks at, for people: "mongodb planes.events".
  virtual std::string describe() const = 0;
  virtual Result<StatsReport> look(std::stop_token stop) = 0;
};

}  // namespace tidemark
