// The alerts of all pipelines: rules applied to looks, with patience before an alert fires and before it resolves. Each
// fires once and resolves once, however often the figure crosses its limit meanwhile.
//
//   quiet ──breached──► pending ──for `for`──► firing ──well──► clearing ──for `clear`──► quiet
//
// A look that doesn't know a figure moves nothing, and its time doesn't count. Pure: time is handed in. One thread at a time (Watch sees to it).
#pragma once

#include <array>
#include <chrono>
#include <cstdint>
#include <deque>
#include <map>
#include <string>
#include <vector>

#include "env/clock.h"
#include "guard/figures.h"
#include "guard/report.h"
#include "guard/rules.h"
#include "guard/signals.h"

namespace tidemark::guard {

inline constexpr size_t kAlertsShownMax = 100;

struct AlertsOptions {
  std::chrono::milliseconds interval{10'000};
  // How long a pipeline may take to resume before a position that stands still is held against it.
  std::chrono::milliseconds resume_max{600'000};
  std::vector<RuleOverride> overrides = {};
};

class Alerts {
 public:
  explicit Alerts(AlertsOptions options) : options_(std::move(options)) {}

  // Before the first look at it. "" is the program itself: its looks carry nothing, and its clock is judged.
  void add(const std::string& pipeline, const SubjectFacts& facts);

  // Judges one look; REQUIRES add(signals.pipeline). What fired and what resolved, in that order of events: one of a firing
  // alert and one of its resolution, ever.
  std::vector<AlertView> update(const Signals& signals, Mono now, WallMs wall_ms);

  // Firing ones first, newest first; then the resolved ones, latest first; at most kAlertsShownMax, of which the firing
  // ones are never left out.
  std::vector<AlertView> views() const;

 private:
  enum class Phase { kQuiet, kPending, kFiring, kClearing };
  struct State {
    Phase phase = Phase::kQuiet;
    double since_s = 0;  // kPending, kClearing
    double base = 0;     // kPending: the figure then
    AlertView alert;     // kFiring, kClearing
  };
  struct Subject {
    Figures figures;
    std::array<Rule, kRules> rules;
    std::array<State, kRules> states;
  };

  void judge(Subject& subject, const std::string& pipeline, size_t index, const Measure& measure,
             WallMs wall_ms, std::vector<AlertView>& notices);
  bool fires_now(const Rule& rule, State& state, double figure, double now_s) const;
  AlertView make_alert(const Rule& rule, const std::string& pipeline, WallMs wall_ms);
  void resolve(State& state, WallMs wall_ms, std::vector<AlertView>& notices);

  const AlertsOptions options_;
  std::map<std::string, Subject, std::less<>> subjects_;
  std::deque<AlertView> resolved_;  // newest first
  uint64_t seq_ = 0;
};

}  // namespace tidemark::guard
