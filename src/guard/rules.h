// The rules: what is judged, when it counts as broken, and what a person should do then. One table, from which defaults,
// the reference and the alerts' texts all follow. Plain data; any thread.
#pragma once

#include <array>
#include <chrono>
#include <cstddef>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "guard/report.h"

namespace tidemark::guard {

// In the order of the table. Each has a section of its name in docs/operating.md.
enum class RuleId : size_t {
  kPositionStuck,
  kLag,
  kSourceStalled,
  kSourceUnreachable,
  kSourceFailing,
  kOplogWindow,
  kOplogWindowCritical,
  kPositionLost,
  kPositionMissing,
  kPositionUnreadable,
  kPositionMovedBack,
  kPositionAhead,
  kPositionForeign,
  kSecondInstance,
  kPipelineEnded,
  kSinkFailing,
  kSavesFailing,
  kDeadLettersGrowing,
  kBacklogGrowing,
  kDeliveryLimit,
  kNothingDelivered,
  kFeedBehind,
  kClockJumped,
  kAuditMissing,
  kAuditExtra,
  kAuditDifferent,
  kAuditUnreadable,
  kStaleBehindRejects,
  kAuditDoubled,
  kAuditRejected,
  kAuditOverdue,
  kAuditFailing,
  kGuardBlind,
};
inline constexpr size_t kRules = static_cast<size_t>(RuleId::kGuardBlind) + 1;

enum class Unit { kSeconds, kRatio, kDocuments, kMessages, kLetters, kTimes };
std::string_view to_string(Unit unit);  // as in AlertView::unit
// "75 s", "12 min", "3.1 h", "0.42", "1 document", "3 times".
std::string format_figure(double figure, Unit unit);

struct RuleSpec {
  RuleId id;
  std::string_view name;
  Severity severity;
  Unit unit;
  double threshold;  // breached above it, or below it when `below`
  double clearing;   // and well again only at or beyond this one
  bool below;
  // How long it must be breached before it fires; empty: in two looks in a row.
  std::optional<std::chrono::milliseconds> for_ms;
  // How long it must be well before it resolves; empty: in two looks in a row.
  std::optional<std::chrono::milliseconds> clear_ms;
  // Not held against a pipeline while the figure shrinks fast enough to be gone within an hour.
  bool may_be_worked_off;
  std::string_view text;  // one sentence with {figure} and {limit}
  std::string_view hint;  // what to do
};

std::span<const RuleSpec> rule_specs();
const RuleSpec& spec_of(RuleId id);
// Null when there is no such rule.
const RuleSpec* find_rule(std::string_view name);
std::vector<std::string> rule_names();

// `[[guard.rule]]`: what stands in it replaces the rule's own.
struct RuleOverride {
  RuleId rule = RuleId::kLag;
  std::string pipeline = {};  // empty: every pipeline
  std::optional<double> threshold = {};
  std::optional<std::chrono::milliseconds> for_ms = {};
  std::optional<std::chrono::milliseconds> clear_ms = {};
  std::optional<Severity> severity = {};
  bool enabled = true;
};

// What the configuration says of a pipeline that a default depends on.
struct SubjectFacts {
  // How often an idle pipeline saves its position; position_stuck and lag wait at least three times as long, and 30 s.
  std::chrono::milliseconds idle_save{10'000};
};

// A rule as it is applied to one pipeline.
struct Rule {
  const RuleSpec* spec = nullptr;
  Severity severity = Severity::kWarning;
  double threshold = 0;
  double clearing = 0;
  double for_s = 0;
  double clear_s = 0;
  bool enabled = true;

  bool breached(double figure) const { return spec->below ? figure < threshold : figure > threshold; }
  bool well(double figure) const { return spec->below ? figure >= clearing : figure <= clearing; }
};

// Of `pipeline` ("" = the program itself); later overrides win.
std::array<Rule, kRules> rules_for(std::string_view pipeline, const SubjectFacts& facts,
                                   std::chrono::milliseconds interval,
                                   std::span<const RuleOverride> overrides);

}  // namespace tidemark::guard
