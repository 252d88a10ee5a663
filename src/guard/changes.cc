#include "guard/changes.h"

#include <algorithm>

#include "core/deployment.h"
#include "guard/pace.h"

namespace tidemark::guard {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;

// What happened is there at once, or the mark: a server holds an empty answer back for as long as it may. Twice as long after
// each.
constexpr milliseconds kReadWaitMin{5};
constexpr milliseconds kReadWaitMax{1000};
// A stream whose mark stands still for so long won't get to the time asked for: a set without a majority, for one.
constexpr seconds kStandsStillMax{60};
constexpr int kIdleReadsMax = 100'000;  // however fast they come back

tl::unexpected<Error> cannot(const AuditParts& parts, React react, std::string what, std::string hint = {}) {
  return fail(react, parts.pipeline + " can't be audited: " + std::move(what), std::move(hint));
}

std::string text_of(bson::Timestamp time) {
  return std::to_string(time.seconds) + "." + std::to_string(time.increment);
}

bool touches(const Namespace& ns, const CollectionName& collection) {
  return ns.database == collection.database &&
         (ns.collection.empty() || ns.collection == collection.collection);
}

}  // namespace

Changes::~Changes() {
  if (source_) source_->close();
}

Status Changes::make_source() {
  if (source_) return {};
  TIDEMARK_ASSIGN(source_, parts_.make_source());
  return {};
}

Result<Position> Changes::position(std::stop_token stop) {
  TIDEMARK_TRY(make_source());
  auto stored = with_tries(
      *parts_.clock, stop, [&] { return parts_.position(stop); }, [] { return Status(); });
  if (!stored) return fail(std::move(stored).error());
  if (!*stored || (*stored)->position.empty()) {
    return cannot(parts_, React::kConfig,
                  "the pipeline has no stored position, so that nothing can be called settled",
                  "run it, or choose a position with `tidemark position init`");
  }
  const StoredPosition& found = **stored;
  if (found.fingerprint != source_->identity().fingerprint) {
    return cannot(parts_, React::kConfig, "its stored position belongs to a source of other settings",
                  "audit it with the settings it runs with");
  }
  TIDEMARK_TRY(check_deployment(found.deployment, stop));
  if (found.position.cluster_time() == bson::Timestamp{}) {
    return cannot(parts_, React::kConfig, "its stored position tells no cluster time");
  }
  return found.position;
}

Status Changes::check_deployment(const std::string& stored, std::stop_token stop) {
  if (!deployment_) {
    auto health = with_tries(
        *parts_.clock, stop, [&] { return source_->health(stop); }, [] { return Status(); });
    if (!health) return fail(std::move(health).error());
    deployment_ = health->deployment;
  }
  if (same_deployment(stored, *deployment_)) return {};
  return cannot(parts_, React::kConfig,
                "its stored position belongs to " + difference_of(stored, *deployment_),
                "a position of another deployment may silently seem to work; see `tidemark position show`");
}

Status Changes::read(const Position& from, bson::Timestamp until, const CollectionName& collection,
                     const Visit& visit, std::stop_token stop) {
  if (until < from.cluster_time()) {
    return cannot(parts_, React::kConfig,
                  "its stored position " + text_of(from.cluster_time()) +
                      " lies after the deployment's own time " + text_of(until),
                  "the deployment was restored from a backup, or is another one");
  }
  TIDEMARK_TRY(make_source());
  // A change may be visited again by another try.
  return with_tries(
      *parts_.clock, stop, [&] { return read_once(from, until, collection, visit, stop); },
      [] { return Status(); });
}

Status Changes::read_once(const Position& from, bson::Timestamp until, const CollectionName& collection,
                          const Visit& visit, std::stop_token stop) {
  TIDEMARK_ASSIGN(Position at, source_->open(from, stop));
  Mono moved_at = parts_.clock->now();
  int idle = 0;
  milliseconds wait = kReadWaitMin;
  while (true) {
    TIDEMARK_ASSIGN(SourceBatch batch, source_->read(wait, stop));
    for (const Event& event : batch.events->events()) {
      if (event.cluster_time <= until) hand_out(event, collection, visit);
    }
    const bool events = !batch.events->events().empty();
    const bson::Timestamp reached = batch.resume_after.cluster_time();
    // At the very time a mark may lie between two events of one transaction, unless it came with nothing before it.
    if (reached > until || (reached == until && !events)) return {};
    if (events || batch.resume_after != at) {
      moved_at = parts_.clock->now();
      idle = 0;
      wait = kReadWaitMin;
    } else {
      wait = std::min(2 * wait, kReadWaitMax);
    }
    at = batch.resume_after;
    if (batch.closed) TIDEMARK_TRY(source_->open(at, stop));
    if (parts_.clock->now() - moved_at > kStandsStillMax || ++idle > kIdleReadsMax) {
      return fail(React::kRetry,
                  parts_.pipeline + ": the change stream stands at " + text_of(reached) +
                      " and doesn't reach " + text_of(until),
                  "the replica set may be without a majority");
    }
    if (stop.stop_requested()) return fail(React::kCancelled, "the audit was stopped");
  }
}

void Changes::hand_out(const Event& event, const CollectionName& collection, const Visit& visit) {
  const bool whole = event.op == Op::kDrop || event.op == Op::kRename || event.op == Op::kDropDatabase;
  // After an invalidate, which names nothing, and after what can't be read, nothing is known of any document.
  const bool unknown = !event.reject_reason.empty() && !event.key.find("_id") &&
                       (event.ns.database.empty() || touches(event.ns, collection));
  if (event.op == Op::kInvalidate || unknown ||
      (whole && (touches(event.ns, collection) || touches(event.to, collection))))
    return visit({event.op, std::nullopt});
  if (!event.has_document() || event.ns != collection.view()) return;
  const auto id = event.key.find("_id");
  if (!id) return visit({event.op, std::nullopt});
  cohort_.clear();
  append_cohort(*id, cohort_);
  visit({event.op, cohort_});
}

void append_cohort(const bson::Element& id, std::string& out) {
  if (id.is_number()) {
    // Fractions are few, and which of them are equal takes arithmetic: they are one cohort.
    const auto whole = id.integer();
    out.append(whole ? "#" + std::to_string(*whole) : "#.").push_back(';');
  } else if (id.is_document()) {
    out.push_back('{');
    for (const bson::Element field : id.document()) {
      out.append(field.key()).push_back('\0');
      append_cohort(field, out);
    }
    out.push_back('}');
  } else {
    append_key(id, out);
  }
}

}  // namespace tidemark::guard
