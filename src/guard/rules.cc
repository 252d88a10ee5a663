#include "guard/rules.h"

#include <algorithm>
#include <cmath>

#include <fmt/format.h>

#include "base/check.h"

namespace tidemark::guard {
namespace {

using std::chrono::milliseconds;

constexpr Severity kWarning = Severity::kWarning, kCritical = Severity::kCritical;
constexpr std::optional<milliseconds> kTwoLooks = std::nullopt;
constexpr milliseconds kAtOnce{0};
constexpr milliseconds seconds(int count) { return milliseconds(1000 * count); }

// A deployment that lives writes a no-op every 10 s while nothing else is written, an idle pipeline saves its position
// every idle_save (10 s), and a look is 10 s apart from the next: a healthy pipeline's position is up to 20 s old, and
// the newest change is seen up to 20 s late. An election takes up to 12 s, and a wait before the next try up to 30 s.
// No limit below is nearer than that.
constexpr std::array<RuleSpec, kRules> kSpecs = {{
    {RuleId::kPositionStuck, "position_stuck", kCritical, Unit::kSeconds, 60, 30, false, kAtOnce, kTwoLooks,
     false, "the position has not moved for {figure} (limit {limit}) while the source went on",
     "read the pipeline's log: is it running, and does its sink take writes? A restart loses nothing; a sink "
     "that "
     "hangs must be mended first"},
    {RuleId::kLag, "lag", kWarning, Unit::kSeconds, 60, 30, false, seconds(30), seconds(30), true,
     "the position is {figure} behind the deployment (limit {limit}) and does not catch up",
     "the sink is slower than the source: look at the destination's load and write latency, raise `lanes` or "
     "`batch_events_max`"},
    {RuleId::kSourceStalled, "source_stalled", kCritical, Unit::kSeconds, 30, 30, false, kTwoLooks, kTwoLooks,
     false, "the deployment answers, but nothing was committed by a majority for {figure} (limit {limit})",
     "look at rs.status(): a majority of the members that bear data is missing; bring them back"},
    {RuleId::kSourceUnreachable, "source_unreachable", kCritical, Unit::kSeconds, 30, 30, false, kAtOnce,
     kTwoLooks, false, "the source has not answered the guard for {figure} (limit {limit})",
     "check the URI, the network, the credentials, and that the servers run"},
    {RuleId::kSourceFailing, "source_failing", kWarning, Unit::kSeconds, 60, 30, false, kAtOnce, kTwoLooks,
     false,
     "the pipeline has failed to read its source for {figure} (limit {limit}), though the source answers the "
     "guard",
     "the message says what the server refuses: a grant, a cursor limit, a stage of the filter"},
    {RuleId::kOplogWindow, "oplog_window", kWarning, Unit::kRatio, 0.5, 0.55, true, seconds(60), seconds(30),
     false, "the position has {figure} of the oplog's window left (limit {limit})",
     "let the pipeline catch up, or give the oplog more room (replSetResizeOplog) before the position falls "
     "off it"},
    {RuleId::kOplogWindowCritical, "oplog_window_critical", kCritical, Unit::kRatio, 0.25, 0.3, true,
     seconds(30), seconds(30), false,
     "the position has {figure} of the oplog's window left (limit {limit}): soon it is lost",
     "enlarge the oplog now (replSetResizeOplog, minRetentionHours), then see why the pipeline is behind"},
    {RuleId::kPositionLost, "position_lost", kCritical, Unit::kSeconds, 0, 0, false, kTwoLooks, kTwoLooks,
     false, "the stored position is {figure} older than the oldest entry of the oplog: changes are gone",
     "see \"76: position lost\": copy anew and set the position before the copy, or accept the gap with "
     "`tidemark position set`"},
    {RuleId::kPositionMissing, "position_missing", kCritical, Unit::kTimes, 0, 0, false, kTwoLooks, kTwoLooks,
     false, "there is no stored position", "`tidemark position init`, or restore the store from a backup"},
    {RuleId::kPositionUnreadable, "position_unreadable", kCritical, Unit::kTimes, 0, 0, false, kTwoLooks,
     kTwoLooks, false, "the stored position can't be read back",
     "see \"65: a corrupt position\"; look at the disk"},
    {RuleId::kPositionMovedBack, "position_moved_back", kCritical, Unit::kSeconds, 0, 0, false, kAtOnce,
     kTwoLooks, false, "the stored position is {figure} before where it was already",
     "was it restored from an old backup, or set by hand? The changes since come again, which does a "
     "destination of "
     "current states no harm; run an audit"},
    {RuleId::kPositionAhead, "position_ahead", kCritical, Unit::kSeconds, 60, 30, false, kTwoLooks, kTwoLooks,
     false, "the stored position is {figure} newer than the deployment's newest change (limit {limit})",
     "the deployment was restored from a backup, or this is another one: what it writes until then is "
     "skipped. Set "
     "the position anew"},
    {RuleId::kPositionForeign, "position_foreign", kCritical, Unit::kTimes, 0, 0, false, kTwoLooks, kTwoLooks,
     false, "the stored position belongs to something else",
     "point the pipeline at the deployment and the filter its position came from, or set the position anew"},
    {RuleId::kSecondInstance, "second_instance", kCritical, Unit::kTimes, 3, 1, false, kAtOnce, kTwoLooks,
     false, "the position changed hands {figure} during the last 30 looks (limit {limit})",
     "two instances take it from each other, or one is restarted again and again: find both, stop one"},
    {RuleId::kPipelineEnded, "pipeline_ended", kCritical, Unit::kTimes, 0, 0, false, kAtOnce, kTwoLooks,
     false, "the pipeline has ended and won't go on by itself",
     "see the exit codes for what its error needs"},
    {RuleId::kSinkFailing, "sink_failing", kCritical, Unit::kSeconds, 30, 30, false, kAtOnce, kTwoLooks,
     false, "the sink has refused every write for {figure} (limit {limit})",
     "mend the destination; the pipeline waits and loses nothing, as long as the oplog lasts"},
    {RuleId::kSavesFailing, "saves_failing", kCritical, Unit::kSeconds, 30, 30, false, kAtOnce, kTwoLooks,
     false, "the position could not be saved for {figure} (limit {limit})",
     "mend the position's store (disk full, grants, network): events written meanwhile come again after a "
     "restart"},
    {RuleId::kDeadLettersGrowing, "dead_letters_growing", kWarning, Unit::kLetters, 0, 0, false, kAtOnce,
     kTwoLooks, false, "the dead letters grew by {figure} during the last 30 looks (limit {limit})",
     "`tidemark dlq list` gives the reasons; mend the cause, then retry them"},
    {RuleId::kBacklogGrowing, "backlog_growing", kWarning, Unit::kMessages, 1000, 500, false, seconds(60),
     seconds(30), true, "{figure} wait in the queue (limit {limit}) and don't get fewer",
     "the consumer is too slow, or gone: look at the pipeline behind the queue and at its sink"},
    {RuleId::kDeliveryLimit, "delivery_limit", kWarning, Unit::kTimes, 0, 0, false, kTwoLooks, kTwoLooks,
     false, "the queue drops a message, or sends it away, once it was delivered {figure}",
     "a pipeline that is killed that often loses what it had not acknowledged: take the limit out of the "
     "queue's "
     "policy and arguments, or give the queue a dead-letter target"},
    {RuleId::kNothingDelivered, "nothing_delivered", kWarning, Unit::kDocuments, 1000, 0, false, kAtOnce,
     kTwoLooks, false,
     "{figure} came in and every one was filtered out (limit {limit}): nothing arrives at the destination",
     "is the filter what you meant? `tidemark check FILE --event EVENT` shows what the transforms make of an "
     "event"},
    {RuleId::kFeedBehind, "feed_behind", kWarning, Unit::kDocuments, 0, 0, false, seconds(20), kTwoLooks,
     false, "the live feed is behind the database by {figure} (limit {limit})",
     "the feed's cursor is dead or its filter too narrow, whatever the feed itself says: look at its "
     "pipeline"},
    {RuleId::kClockJumped, "clock_jumped", kWarning, Unit::kSeconds, 5, 5, false, kAtOnce, kAtOnce, false,
     "the machine's clock jumped by {figure} (limit {limit})",
     "was the machine paused? Look at NTP. Tidemark waits on no civil clock; stored times of events may be "
     "off"},
    {RuleId::kAuditMissing, "audit_missing", kCritical, Unit::kDocuments, 0, 0, false, kAtOnce, kAtOnce,
     false, "missing at the destination: {figure} of the source (limit {limit})",
     "`tidemark audit FILE --repair` delivers exactly those again; then find out who removed them"},
    {RuleId::kAuditExtra, "audit_extra", kCritical, Unit::kDocuments, 0, 0, false, kAtOnce, kAtOnce, false,
     "at the destination and not at the source: {figure} (limit {limit})",
     "`tidemark audit FILE --repair` removes exactly those; a deletion was not applied, or somebody else "
     "writes there"},
    {RuleId::kAuditDifferent, "audit_different", kCritical, Unit::kDocuments, 0, 0, false, kAtOnce, kAtOnce,
     false, "different at source and destination: {figure} (limit {limit})",
     "`tidemark audit FILE --repair` writes exactly those again; somebody else writes there, or an update "
     "was lost"},
    {RuleId::kAuditUnreadable, "audit_unreadable", kCritical, Unit::kDocuments, 0, 0, false, kAtOnce, kAtOnce,
     false,
     "rows that read back to no document of their id, and collections not compared: {figure} (limit {limit})",
     "`tidemark audit FILE --repair` writes those rows again; `tidemark audit FILE` names the collections "
     "and why"},
    {RuleId::kStaleBehindRejects, "stale_behind_rejects", kCritical, Unit::kDocuments, 0, 0, false, kAtOnce,
     kAtOnce, false,
     "the destination shows a state from before a change that it refused: {figure} (limit {limit})",
     "`tidemark dlq list` has the reason; change the document or the transforms so that it can be stored, "
     "then "
     "retry the letter"},
    {RuleId::kAuditDoubled, "audit_doubled", kCritical, Unit::kDocuments, 0, 0, false, kAtOnce, kAtOnce,
     false,
     "the same _id on several shards of the source: {figure} (limit {limit}), and the destination can hold "
     "one",
     "give the documents ids of their own: a sharded collection keeps _id unique on each shard alone"},
    {RuleId::kAuditRejected, "audit_rejected", kWarning, Unit::kDocuments, 0, 0, false, kAtOnce, kAtOnce,
     false, "at the source, and refused by a transform or the destination: {figure} (limit {limit})",
     "`tidemark dlq list` has the reasons; where the refusal is meant, raise the rule's threshold"},
    {RuleId::kAuditOverdue, "audit_overdue", kWarning, Unit::kTimes, 2, 1.5, false, kTwoLooks, kAtOnce, false,
     "the last audit that came to its end is {figure} its schedule ago (limit {limit})",
     "look at the audits' errors; a long one holds up the others: lower its `rate` or raise its `every`"},
    {RuleId::kAuditFailing, "audit_failing", kWarning, Unit::kTimes, 1, 0, false, kAtOnce, kAtOnce, false,
     "the audit has failed {figure} in a row (limit {limit})",
     "until it succeeds nothing is known of the destination's content: the message says what is wrong"},
    {RuleId::kGuardBlind, "guard_blind", kWarning, Unit::kSeconds, 60, 30, false, kAtOnce, kTwoLooks, false,
     "the guard has not been able to look for {figure} (limit {limit})",
     "the other rules are blind there meanwhile: check the guard's own access"},
}};

const char* plural(double count) { return count == 1 ? "" : "s"; }

std::string format_seconds(double figure) {
  if (figure >= 2 * 86'400) return fmt::format("{:.1f} days", figure / 86'400);
  if (figure >= 2 * 3600) return fmt::format("{:.1f} h", figure / 3600);
  if (figure >= 180) return fmt::format("{:.0f} min", figure / 60);
  return figure < 10 && figure != std::floor(figure) ? fmt::format("{:.1f} s", figure)
                                                     : fmt::format("{:.0f} s", figure);
}

double seconds_of(milliseconds duration) { return std::chrono::duration<double>(duration).count(); }

void apply(const RuleOverride& given, Rule& rule) {
  if (given.threshold) {
    // The distance between breaching and clearing keeps its proportion.
    const double ratio = rule.spec->threshold > 0 ? rule.spec->clearing / rule.spec->threshold : 1;
    rule.threshold = *given.threshold;
    rule.clearing = *given.threshold * ratio;
    if (rule.spec->unit == Unit::kRatio) rule.clearing = std::min(rule.clearing, 1.0);
  }
  if (given.for_ms) rule.for_s = seconds_of(*given.for_ms);
  if (given.clear_ms) rule.clear_s = seconds_of(*given.clear_ms);
  if (given.severity) rule.severity = *given.severity;
  rule.enabled = given.enabled;
}

}  // namespace

std::string_view to_string(Unit unit) {
  switch (unit) {
    case Unit::kSeconds:
      return "seconds";
    case Unit::kRatio:
      return "ratio";
    case Unit::kDocuments:
      return "documents";
    case Unit::kMessages:
      return "messages";
    case Unit::kLetters:
      return "letters";
    case Unit::kTimes:
      return "times";
  }
  return "times";
}

std::string format_figure(double figure, Unit unit) {
  switch (unit) {
    case Unit::kSeconds:
      return format_seconds(figure);
    case Unit::kRatio:
      return fmt::format("{:.2f}", figure);
    case Unit::kDocuments:
      return fmt::format("{:.0f} document{}", figure, plural(figure));
    case Unit::kMessages:
      return fmt::format("{:.0f} message{}", figure, plural(figure));
    case Unit::kLetters:
      return fmt::format("{:.0f} letter{}", figure, plural(figure));
    case Unit::kTimes:
      break;
  }
  return figure == std::floor(figure) ? fmt::format("{:.0f} time{}", figure, plural(figure))
                                      : fmt::format("{:.1f} times", figure);
}

std::span<const RuleSpec> rule_specs() { return kSpecs; }

const RuleSpec& spec_of(RuleId id) {
  const RuleSpec& spec = kSpecs[static_cast<size_t>(id)];
  TIDEMARK_CHECK(spec.id == id, "the table of rules is out of order");
  return spec;
}

const RuleSpec* find_rule(std::string_view name) {
  const auto it =
      std::find_if(kSpecs.begin(), kSpecs.end(), [&](const RuleSpec& spec) { return spec.name == name; });
  return it == kSpecs.end() ? nullptr : &*it;
}

std::vector<std::string> rule_names() {
  std::vector<std::string> names;
  for (const RuleSpec& spec : kSpecs) names.emplace_back(spec.name);
  return names;
}

std::array<Rule, kRules> rules_for(std::string_view pipeline, const SubjectFacts& facts,
                                   milliseconds interval, std::span<const RuleOverride> overrides) {
  // Half an interval: over before the second look, whatever its lateness, and not before the first.
  const double two_looks_s = seconds_of(interval) / 2;
  const double patience_s = 3 * seconds_of(facts.idle_save) + 30;
  std::array<Rule, kRules> rules;
  for (const RuleSpec& spec : kSpecs) {
    Rule& rule = rules[static_cast<size_t>(spec.id)];
    rule = {&spec, spec.severity, spec.threshold, spec.clearing, two_looks_s, two_looks_s, true};
    if (spec.for_ms) rule.for_s = seconds_of(*spec.for_ms);
    if (spec.clear_ms) rule.clear_s = seconds_of(*spec.clear_ms);
    if ((spec.id == RuleId::kPositionStuck || spec.id == RuleId::kLag) && patience_s > rule.threshold) {
      rule.threshold = patience_s;
      rule.clearing = patience_s / 2;
    }
  }
  for (const RuleOverride& given : overrides)
    if (given.pipeline.empty() || given.pipeline == pipeline)
      apply(given, rules[static_cast<size_t>(given.rule)]);
  return rules;
}

}  // namespace tidemark::guard
