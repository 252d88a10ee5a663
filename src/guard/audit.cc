#include "guard/audit.h"

#include <algorithm>
#include <map>

#include "base/digest.h"
#include "base/log.h"
#include "guard/audit_count.h"
#include "guard/audit_sums.h"
#include "guard/changes.h"
#include "guard/drill_down.h"
#include "guard/repair.h"
#include "guard/settle.h"

namespace tidemark::guard {
namespace {

// Shares of one collection's progress.
constexpr double kDestinationShare = 0.4;
constexpr double kSourceShare = 0.4;

double seconds_between(Mono from, Mono to) { return std::chrono::duration<double>(to - from).count(); }

// One run: what lives no longer than it.
class Run {
 public:
  Run(AuditParts& parts, const AuditOptions& options, Expectation& expectation, CheckpointStore& checkpoints,
      Checkpoint& state, const OnAuditProgress& progress)
      : parts_(parts),
        options_(options),
        checkpoints_(checkpoints),
        state_(state),
        progress_(progress),
        scanner_(parts, options, expectation),
        collector_(parts, options, scanner_),
        changes_(parts),
        settling_(parts, options, expectation, scanner_, changes_),
        begun_(parts.clock->now()),
        seconds_before_(state.report.seconds) {}

  Status run(std::stop_token stop) {
    const auto list = [&] { return parts_.source->collections(stop); };
    TIDEMARK_ASSIGN(const auto collections, scanner_.ask_source(list, stop));
    collections_ = std::max<size_t>(collections.size(), 1);
    std::map<std::string, std::vector<const CollectionName*>> by_target;
    for (const CollectionName& collection : collections)
      by_target[parts_.end->target(collection)].push_back(&collection);
    for (const CollectionName& collection : collections) {
      if (std::ranges::find(state_.done, collection) != state_.done.end()) continue;
      const std::string target = parts_.end->target(collection);
      if (const auto& sharing = by_target[target]; sharing.size() > 1) {
        leave_out(collection, "its rows share " + target + " with those of " +
                                  sharing[*sharing[0] == collection ? 1 : 0]->text() +
                                  ", so that nobody can say which are whose");
        continue;
      }
      Status done = audit(collection, stop);
      if (done) continue;
      // One collection that an end can't even name must not hide what the others hold.
      if (done.error().react != React::kReject) return done;
      leave_out(collection, std::move(done.error().what));
    }
    note_time();
    return {};
  }

  void note_time() { state_.report.seconds = seconds_before_ + seconds_between(begun_, parts_.clock->now()); }

 private:
  void leave_out(const CollectionName& collection, std::string why) {
    log::warn("{}: {} was not audited: {}", parts_.pipeline, collection.text(), why);
    auto& unaudited = state_.report.unaudited;
    if (unaudited.size() < kUnauditedMax)
      unaudited.push_back({collection, std::move(why)});
    else if (unaudited.size() == kUnauditedMax)
      unaudited.push_back({collection, "and more, which are not named here"});
    state_.done.push_back(collection);
    state_.current.reset();
    state_.source = state_.destination = {};
  }

  Status audit(const CollectionName& collection, std::stop_token stop) {
    if (state_.current != collection) {
      state_.current = collection;
      state_.source = state_.destination = {};
    }
    TIDEMARK_TRY(collect(collection, stop));
    AuditReport part;
    if (options_.kind == AuditKind::kCount) {
      tell("counting again in", collection, kDestinationShare + kSourceShare);
      CountAudit count(parts_, options_, scanner_, collector_, changes_, part,
                       parts_.source->forgets(collection));
      TIDEMARK_TRY(count.run(collection, state_.source, state_.destination, stop));
      finish(collection, part, count.by_bucket());
    } else {
      // Every document may be missing: at most what is left of the limit is kept by name.
      const size_t taken = bytes_of(state_.report.differences);
      const size_t room = differences_bytes_max(options_) - std::min(taken, differences_bytes_max(options_));
      DrillDown drill(parts_, options_, scanner_, settling_, part, room, parts_.source->forgets(collection));
      const auto doing = [&](std::string_view what) {
        tell(what, collection, kDestinationShare + kSourceShare);
      };
      TIDEMARK_TRY(drill.run(collection, state_.source.sums, state_.destination.sums, doing, stop));
      finish(collection, part, drill.by_bucket());
    }
    return checkpoints_.offer(state_);
  }

  // The destination first: its server often makes the sums at once, and then it is known how much there is to read.
  Status collect(const CollectionName& collection, std::stop_token stop) {
    const auto after_destination = [&] {
      tell("reading the destination of", collection, state_.destination.done ? kDestinationShare : 0);
      return offer();
    };
    const auto after_source = [&] {
      const auto expected = static_cast<double>(std::max<uint64_t>(state_.destination.documents(), 1));
      const double share = std::min(1.0, static_cast<double>(state_.source.documents()) / expected);
      tell("reading the source,", collection, kDestinationShare + kSourceShare * share);
      return offer();
    };
    tell("reading the destination of", collection, 0);
    TIDEMARK_TRY(collector_.of_end(collection, state_.destination, after_destination, stop));
    TIDEMARK_TRY(collector_.of_source(collection, state_.source, after_source, stop));
    note_time();
    return checkpoints_.save(state_);
  }

  Status offer() {
    note_time();
    return checkpoints_.offer(state_);
  }

  void finish(const CollectionName& collection, AuditReport& part,
              const std::map<std::optional<int64_t>, BucketTally>& tallies) {
    AuditReport& report = state_.report;
    ++report.collections;
    report.source_documents += state_.source.documents();
    report.destination_documents += state_.destination.documents();
    report.filtered += state_.source.filtered;
    report.rejected += state_.source.rejected;
    report.source_bytes += state_.source.bytes;
    report.destination_bytes += state_.destination.bytes;
    for (AuditReject& reject : state_.source.rejects)
      if (report.rejects.size() < kFirstIdsMax) report.rejects.push_back(std::move(reject));
    report.left_over += part.left_over;
    report.capped_rows += part.capped_rows;
    report.gone += part.gone;
    for (size_t kind = 0; kind < kDifferenceKinds; ++kind)
      report.of(static_cast<DifferenceKind>(kind)) += part.of(static_cast<DifferenceKind>(kind));
    report.unsettled += part.unsettled;
    report.unexamined += part.unexamined;
    report.memory_bytes_peak = std::max(report.memory_bytes_peak, part.memory_bytes_peak);
    report.differences_complete = report.differences_complete && part.differences_complete;
    std::ranges::sort(part.differences);
    std::ranges::move(part.differences, std::back_inserter(report.differences));
    add_buckets(collection, tallies);
    state_.done.push_back(collection);
    state_.current.reset();
    state_.source = state_.destination = {};
    note_time();
  }

  void add_buckets(const CollectionName& collection,
                   const std::map<std::optional<int64_t>, BucketTally>& tallies) {
    AuditReport& report = state_.report;
    const auto& source = state_.source.sums.by_bucket;
    const auto& destination = state_.destination.sums.by_bucket;
    const auto count_in = [](const auto& sums, std::optional<int64_t> bucket) {
      const auto found = sums.find(bucket);
      return found == sums.end() ? 0 : found->second.count;
    };
    report.buckets += source.size();
    for (const auto& [bucket, sum] : destination) report.buckets += !source.contains(bucket);
    report.buckets_differing += tallies.size();
    for (const auto& [bucket, tally] : tallies) {
      if (report.deltas.size() == kDeltasMax) break;
      report.deltas.push_back({collection, bucket, count_in(source, bucket), count_in(destination, bucket),
                               tally.missing, tally.extra, tally.different});
    }
  }

  void tell(std::string_view what, const CollectionName& collection, double share) const {
    if (!progress_) return;
    AuditProgress progress;
    progress.doing = std::string(what) + " " + collection.text();
    progress.done = (static_cast<double>(state_.done.size()) + share) / static_cast<double>(collections_);
    progress.done = std::min(progress.done, 1.0);
    progress.documents = scanner_.documents();
    progress_(progress);
  }

  AuditParts& parts_;
  const AuditOptions& options_;
  CheckpointStore& checkpoints_;
  Checkpoint& state_;
  const OnAuditProgress& progress_;
  AuditScanner scanner_;
  SumsCollector collector_;
  Changes changes_;
  Settling settling_;
  const Mono begun_;
  const double seconds_before_;
  size_t collections_ = 1;
};

}  // namespace

Audit::Audit(AuditParts parts, AuditOptions options)
    : parts_(std::move(parts)),
      options_(std::move(options)),
      expectation_(parts_.transforms, *parts_.end, options_.buckets),
      checkpoints_(options_.state_path, parts_.files, *parts_.clock, options_.checkpoint_every_ms) {}

std::string Audit::fingerprint() const {
  std::string text;
  for (const std::string& part : {parts_.pipeline, std::string(to_string(options_.kind)),
                                  options_.buckets.field, std::to_string(options_.buckets.width_ms),
                                  parts_.source->describe(), parts_.end->describe(), parts_.settings}) {
    text += std::to_string(part.size()) + ":" + part;
  }
  return to_hex(sha256(text));
}

Status Audit::open_ends(std::stop_token stop) {
  if (!md5_available()) {
    return fail(React::kConfig,
                parts_.pipeline + " can't be audited: this system's OpenSSL refuses MD5 (FIPS mode)",
                "audits sum with MD5");
  }
  const auto again = [] { return Status(); };
  const auto open_source = [&] { return parts_.source->open(stop); };
  const auto open_end = [&] { return parts_.end->open(stop); };
  TIDEMARK_TRY(with_tries(*parts_.clock, stop, open_source, again));
  return with_tries(*parts_.clock, stop, open_end, again);
}

void Audit::close_ends() {
  parts_.source->close();
  parts_.end->close();
}

Result<AuditReport> Audit::run(std::stop_token stop, const OnAuditProgress& progress) {
  TIDEMARK_ASSIGN(std::optional<Checkpoint> found, checkpoints_.load(fingerprint()));
  Checkpoint state = found ? std::move(*found) : Checkpoint();
  if (!found) state.report.started_at_ms = parts_.clock->wall_ms();
  state.fingerprint = fingerprint();
  state.report.pipeline = parts_.pipeline;
  state.report.source = parts_.source->describe();
  state.report.destination = parts_.end->describe();
  state.report.kind = options_.kind;
  state.report.bucketing = options_.buckets;
  state.report.resumed = found.has_value();

  Status done = open_ends(stop);
  if (done) {
    Run run(parts_, options_, expectation_, checkpoints_, state, progress);
    done = run.run(stop);
    run.note_time();
  }
  close_ends();
  if (!done) {
    Error error = std::move(done).error();
    const bool goes_on = error.react == React::kRetry || error.react == React::kCancelled;
    if (goes_on && (state.current || !state.done.empty())) {
      if (Status saved = checkpoints_.save(state); !saved)
        error.what += "; and where the audit stood can't be saved: " + saved.error().what;
    }
    return fail(std::move(error));
  }
  TIDEMARK_TRY(checkpoints_.forget());
  state.report.finished_at_ms = parts_.clock->wall_ms();
  return std::move(state.report);
}

Result<RepairReport> Audit::repair(const AuditReport& report, std::stop_token stop,
                                   const OnAuditProgress& progress) {
  if (!parts_.make_sink)
    return fail(React::kConfig, parts_.pipeline + ": this audit was made without a sink to repair with");
  RepairReport result;
  const Mono begun = parts_.clock->now();
  TIDEMARK_ASSIGN(const std::unique_ptr<Sink> sink, parts_.make_sink());
  Status done = open_ends(stop);
  if (done)
    done = with_tries(
        *parts_.clock, stop, [&] { return sink->open(stop); }, [] { return Status(); });
  if (done) {
    AuditScanner scanner(parts_, options_, expectation_);
    Changes changes(parts_);
    Settling settling(parts_, options_, expectation_, scanner, changes);
    Repair repair(parts_, options_, expectation_, settling, *sink);
    const auto tell = [&](uint64_t ids) {
      if (progress)
        progress(
            {"repairing", static_cast<double>(ids) / static_cast<double>(report.differences.size()), ids});
    };
    done = repair.run(report.differences, result, tell, stop);
  }
  sink->close();
  close_ends();
  if (!done) return fail(std::move(done).error());
  result.seconds = seconds_between(begun, parts_.clock->now());
  return result;
}

}  // namespace tidemark::guard
