#include "guard/alerts.h"

#include <algorithm>

#include "base/check.h"

namespace tidemark::guard {
namespace {

constexpr double kWorkedOffWithin_s = 3600;

std::string fill_in(std::string_view text, std::string_view figure, std::string_view limit) {
  std::string out;
  while (!text.empty()) {
    const size_t brace = std::min(text.find('{'), text.size());
    out += text.substr(0, brace);
    text.remove_prefix(brace);
    if (text.empty()) break;
    const size_t end = text.find('}');
    out += text.starts_with("{figure}") ? figure : limit;
    text.remove_prefix(end + 1);
  }
  return out;
}

void tell(const Rule& rule, const Measure& measure, AlertView& alert) {
  alert.figure = *measure.figure;
  alert.limit = rule.threshold;
  alert.text = fill_in(rule.spec->text, format_figure(alert.figure, rule.spec->unit),
                       format_figure(rule.threshold, rule.spec->unit));
  if (!measure.detail.empty()) alert.text += ": " + measure.detail;
}

}  // namespace

void Alerts::add(const std::string& pipeline, const SubjectFacts& facts) {
  subjects_.emplace(pipeline, Subject{Figures(options_.interval, options_.resume_max),
                                      rules_for(pipeline, facts, options_.interval, options_.overrides),
                                      {}});
}

std::vector<AlertView> Alerts::update(const Signals& signals, Mono now, WallMs wall_ms) {
  const auto it = subjects_.find(signals.pipeline);
  TIDEMARK_CHECK(it != subjects_.end(), "a look at a pipeline that was not added");
  Subject& subject = it->second;
  const Measures measures = subject.figures.take(signals, now, wall_ms);
  std::vector<AlertView> notices;
  for (size_t i = 0; i < kRules; ++i) judge(subject, signals.pipeline, i, measures[i], wall_ms, notices);
  return notices;
}

// Whether the condition has now held for as long as the rule demands.
bool Alerts::fires_now(const Rule& rule, State& state, double figure, double now_s) const {
  const double held_s = now_s - state.since_s;
  const double shrunk = state.base - figure;
  if (rule.spec->may_be_worked_off && held_s > 0 && shrunk >= 1 &&
      shrunk * kWorkedOffWithin_s >= figure * held_s) {
    state.since_s = now_s;
    state.base = figure;
    return false;
  }
  return held_s >= rule.for_s;
}

void Alerts::judge(Subject& subject, const std::string& pipeline, size_t index, const Measure& measure,
                   WallMs wall_ms, std::vector<AlertView>& notices) {
  const Rule& rule = subject.rules[index];
  State& state = subject.states[index];
  if (!rule.enabled) return;
  if (!measure.figure) {
    state.since_s += subject.figures.step_s();  // nor does it count as time in which anything held
    return;
  }
  const double figure = *measure.figure;
  const double now_s = subject.figures.observed_s();
  const bool breached = measure.breach || rule.breached(figure);
  const bool well = !measure.breach && rule.well(figure);

  if (state.phase == Phase::kPending && !breached) state.phase = Phase::kQuiet;
  if (state.phase == Phase::kQuiet && breached) {
    state.phase = Phase::kPending;
    state.since_s = now_s;
    state.base = figure;
  }
  if (state.phase == Phase::kPending && fires_now(rule, state, figure, now_s)) {
    state.phase = Phase::kFiring;
    state.alert = make_alert(rule, pipeline, wall_ms);
    tell(rule, measure, state.alert);
    notices.push_back(state.alert);
    return;
  }
  if (state.phase == Phase::kClearing && !well) state.phase = Phase::kFiring;
  if (state.phase == Phase::kFiring) {
    if (well) {
      state.phase = Phase::kClearing;
      state.since_s = now_s;
    } else {
      tell(rule, measure, state.alert);
    }
  }
  if (state.phase == Phase::kClearing && now_s - state.since_s >= rule.clear_s)
    resolve(state, wall_ms, notices);
}

AlertView Alerts::make_alert(const Rule& rule, const std::string& pipeline, WallMs wall_ms) {
  AlertView alert;
  alert.name = rule.spec->name;
  alert.pipeline = pipeline;
  alert.severity = rule.severity;
  alert.hint = rule.spec->hint;
  alert.unit = to_string(rule.spec->unit);
  alert.fired_at_ms = wall_ms;
  alert.seq = ++seq_;
  return alert;
}

void Alerts::resolve(State& state, WallMs wall_ms, std::vector<AlertView>& notices) {
  state.phase = Phase::kQuiet;
  state.alert.firing = false;
  state.alert.resolved_at_ms = wall_ms;
  notices.push_back(state.alert);
  resolved_.push_front(std::move(state.alert));
  state.alert = {};
  if (resolved_.size() > kAlertsShownMax) resolved_.pop_back();
}

std::vector<AlertView> Alerts::views() const {
  std::vector<AlertView> all;
  for (const auto& [pipeline, subject] : subjects_)
    for (const State& state : subject.states)
      if (state.phase == Phase::kFiring || state.phase == Phase::kClearing) all.push_back(state.alert);
  std::sort(all.begin(), all.end(), [](const AlertView& a, const AlertView& b) { return a.seq > b.seq; });
  for (const AlertView& alert : resolved_) {
    if (all.size() >= kAlertsShownMax) break;
    all.push_back(alert);
  }
  return all;
}

}  // namespace tidemark::guard
