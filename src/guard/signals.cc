#include "guard/signals.h"

namespace tidemark::guard {

bson::Timestamp time_of(const StoredPosition& stored) {
  const bson::Timestamp time = stored.position.cluster_time();
  return time == bson::Timestamp{} && !stored.position.empty() ? token_time(stored.position.token()) : time;
}

double seconds_between(bson::Timestamp from, bson::Timestamp to) {
  return static_cast<double>(to.seconds) - static_cast<double>(from.seconds) +
         (static_cast<double>(to.increment) - static_cast<double>(from.increment)) * 1e-6;
}

}  // namespace tidemark::guard
