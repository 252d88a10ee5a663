// The position of a queue's consumer: how far the deliveries of one session may be acknowledged, as the token
// {_data: "SESSION:TAG"}. Pure functions; any thread.
//
// A session is one channel: delivery tags count from 1 in each, and an acknowledgement means something on the channel
// of its delivery alone. The position is for one run of the program; the queue itself keeps what wasn't acknowledged.
#pragma once

#include <cstdint>

#include "base/result.h"
#include "core/position.h"

namespace tidemark {

struct AckPoint {
  uint64_t session = 0;
  uint64_t tag = 0;  // 0 = nothing yet

  friend bool operator==(const AckPoint&, const AckPoint&) = default;
};

Position position_of(AckPoint point);
// kFatal for what position_of() didn't make; the empty position is {0, 0}.
Result<AckPoint> ack_point(const Position& position);

}  // namespace tidemark
