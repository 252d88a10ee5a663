// What one look at one pipeline learnt, all of it from outside: the deployment's own answer, the stored position, counts,
// and for a pipeline of this process what the runtime says of it. Plain values, made by whoever composes the program,
// judged by Alerts.
//
// Two kinds of absence are kept apart: an empty optional is not a thing of this pipeline, or wasn't asked this time, and
// judges nothing; an error is a look that failed, and guard_blind or source_unreachable says so when it lasts.
#pragma once

#include <cstdint>
#include <functional>
#include <optional>
#include <stop_token>
#include <string>
#include <vector>

#include "base/result.h"
#include "core/position.h"
#include "core/source.h"
#include "guard/report.h"
#include "runtime/status.h"

namespace tidemark::guard {

struct AuditSignal {
  AuditView view;
  uint64_t failures_in_a_row = 0;
  bool permanent = false;  // the last failure is none that waiting mends
};

struct Signals {
  std::string pipeline;

  // PositionStore::peek. Empty: the pipeline keeps no position that can be read from outside (a broker's queue, a door,
  // memory). To be asked BEFORE `health`: a position is compared with what the deployment says afterwards, so that a
  // healthy one is never ahead of it.
  std::optional<Result<std::optional<StoredPosition>>> position = {};
  std::optional<Result<SourceHealth>> health = {};
  std::optional<Result<uint64_t>> dead_letters = {};  // how many are kept
  // SourceIdentity::fingerprint of the pipeline as configured; empty = unknown.
  std::string fingerprint = {};

  // There when the pipeline runs in this process.
  std::optional<PipelineView> view = {};
  bool fenced = false;    // it ended because another instance owns its position
  bool stopping = false;  // an orderly stop was requested: nothing of this look is judged

  // The count of the stored documents, for a live feed of exactly these documents (`view` is then the feed's).
  std::optional<StatsView> stats = {};

  // Filled by Watch.
  std::vector<AuditSignal> audits = {};
  bool hung = false;  // the look under way has not come back; nothing else is known
};

// One look. Called by one thread at a time, the subject's own; may block for the network, and returns soon once `stop` is
// requested. A part that can't be looked at is an error in its place: a look itself doesn't fail.
using Look = std::function<Signals(std::stop_token stop)>;

// The cluster time of a stored position; zero where it has none.
bson::Timestamp time_of(const StoredPosition& stored);
// From `from` to `to`; negative when `to` is earlier. Increments within a second count as microseconds.
double seconds_between(bson::Timestamp from, bson::Timestamp to);

}  // namespace tidemark::guard
