#include "detection/fixture.h"

#include <cmath>
#include <csignal>

#include "guard/audit.h"

namespace tidemark::detection {

using e2e::Mode;
using e2e::SinkKind;

// So that a fault can be the relay's alone.
std::string Detection::named(const std::string& uri) {
  return uri + (uri.find('?') == std::string::npos ? "?" : "&") + "appName=relay";
}

void Detection::SetUp() {
  EndToEnd::SetUp();
  if (IsSkipped() || HasFatalFailure()) return;
  use(SinkKind::kSqlite, Mode::kCurrent);
  setup_.uri = named(setup_.uri);
}

void Detection::TearDown() {
  if (failing_) stop_failing();
  watch_.reset();
  stop_relay();
  look_ = nullptr;
  EndToEnd::TearDown();
}

void Detection::load() {
  if (file_) return;
  if (toml_.empty())
    write_config();
  else
    config_ = folder_.write("orders.toml", toml_);
  file_ = app::load(app_, config_);
  ASSERT_TRUE(file_.has_value()) << setup_.toml();
}

void Detection::start_relay(const std::function<void(PipelineParts&)>& twist) {
  ASSERT_NO_FATAL_FAILURE(load());
  ASSERT_NO_FATAL_FAILURE(init_position());
  restart_relay(twist);
}

void Detection::restart_relay(const std::function<void(PipelineParts&)>& twist) {
  auto parts = build_pipeline(pipeline(), app_.components, app_.context());
  ASSERT_TRUE(parts) << parts.error().describe();
  if (twist) twist(*parts);
  random_ = std::make_unique<SeededRandom>(1);
  relay_ = std::make_unique<PipelineRunner>(std::move(*parts), app_.clock, *random_);
  relay_->start();
  const Monitor::Pace pace{.sample = std::chrono::milliseconds(20), .look = std::chrono::milliseconds(50)};
  std::vector<Monitor::Subject> subjects;
  subjects.push_back({.runner = relay_.get(),
                      .source_type = pipeline().source.type,
                      .sink_type = pipeline().sink.type,
                      .count_letters = nullptr});
  monitor_ = std::make_unique<Monitor>(std::move(subjects), app_.clock, pace);
  monitor_->start();
}

void Detection::stop_relay() {
  monitor_.reset();
  if (!relay_) return;
  relay_->request_stop();
  (void)relay_->join();
  relay_.reset();
}

void Detection::refuse_streams() {
  fail_commands(R"({"failCommands": ["aggregate", "getMore"], "errorCode": 91, "appName": "relay"})");
  ASSERT_TRUE(
      testing::eventually([&] { return relay_->status().state == PipelineState::kWaitingForSource; }));
}

void Detection::await_rows(int64_t count) {
  EXPECT_TRUE(testing::eventually([&] { return std::ssize(destination_->documents()) == count; }))
      << destination_->documents().size() << " rows in place of " << count;
}

guard::Signals Detection::look() {
  if (!look_) {
    auto made = app::make_look(app_, pipeline(), {});
    EXPECT_TRUE(made) << made.error().describe();
    look_ = std::move(*made);
  }
  return look_({});
}

Position Detection::stored_position() {
  const guard::Signals seen = look();
  return seen.position && *seen.position && **seen.position ? (**seen.position)->position : Position();
}

void Detection::await_caught_up() {
  bson::Timestamp target;
  const bool there = testing::eventually([&] {
    const guard::Signals seen = look();
    if (!seen.health || !*seen.health || !seen.position || !*seen.position || !**seen.position) return false;
    if (target == bson::Timestamp{}) target = (*seen.health)->latest;
    return guard::seconds_between(target, guard::time_of(***seen.position)) >= 0;
  });
  EXPECT_TRUE(there) << "the relay doesn't get as far as the deployment; it is "
                     << (relay_ ? to_string(relay_->status().state) : "not there") << ": "
                     << (relay_ ? relay_->status().last_error : "");
}

void Detection::start_guard(See see) {
  ASSERT_NO_FATAL_FAILURE(load());
  app::InsideView inside;
  if (see == See::kInsideToo) {
    inside.view = [this]() -> std::optional<PipelineView> {
      if (!monitor_) return std::nullopt;
      return monitor_->views().at(0);
    };
    inside.stats = [this]() { return stats_ ? stats_() : std::nullopt; };
  }
  auto look = app::make_look(app_, pipeline(), std::move(inside));
  ASSERT_TRUE(look) << look.error().describe();
  std::vector<guard::WatchAudit> audits;
  auto parts = app::make_audit_parts(app_, pipeline());
  if (parts) {
    parts->clock = &clock_;
    if (twist_audit_) twist_audit_(*parts);
    auto engine = std::make_shared<guard::Audit>(std::move(*parts), guard::AuditOptions{});
    audits.push_back({.pipeline = pipeline().name,
                      .kind = "checksum",
                      .every = std::chrono::minutes(10),
                      .run = [engine](std::stop_token stop, const auto&) -> Result<guard::AuditView> {
                        TIDEMARK_ASSIGN(const guard::AuditReport report, engine->run(std::move(stop)));
                        guard::AuditView view;
                        guard::fill(report, view);
                        return view;
                      }});
  }
  guard::SubjectFacts facts{.idle_save = pipeline().frame.duration("idle_save")};
  std::vector<guard::WatchSubject> subjects;
  subjects.push_back({.pipeline = pipeline().name, .facts = facts, .look = std::move(*look)});
  guard::WatchOptions options;
  options.alerts.interval = kInterval;
  watch_ = std::make_unique<guard::Watch>(options, std::move(subjects), std::move(audits),
                                          std::vector<guard::Notifier*>{&recorder_}, clock_);
}

void Detection::tick() {
  // The deployment moves on, though nobody touches the collection that is watched. It may be away.
  (void)client_->insert(setup_.database, "heartbeat", "{\"_id\": " + std::to_string(beats_++) + "}");
  // In ten seconds whatever fails is tried again.
  if (relay_ && retry_count() > 0) {
    const uint64_t before = retry_count();
    EXPECT_TRUE(testing::eventually([&] { return relay_->finished() || retry_count() > before; }));
  }
  clock_.advance(kInterval);
  watch_->look_once({});
  ++ticks_;
}

// Of the fault that is being waited out; 0 when there is none.
uint64_t Detection::retry_count() const {
  const PipelineStatus status = relay_->status();
  const bool waits =
      status.state == PipelineState::kWaitingForSource || status.state == PipelineState::kWaitingForSink;
  return waits ? status.source_retries + status.sink_retries + status.save_failures : 0;
}

void Detection::healthy_tick() {
  ASSERT_TRUE(client_->insert(setup_.database, "heartbeat", "{\"_id\": " + std::to_string(beats_++) + "}"));
  await_caught_up();
  clock_.advance(kInterval);
  watch_->look_once({});
  ++ticks_;
}

void Detection::audit() {
  watch_->run_audits_once({});
  const guard::GuardView view = watch_->view();
  ASSERT_EQ(view.audits.size(), 1u);
  EXPECT_EQ(view.audits[0].error, "");
}

bool Detection::firing(RuleId rule) const {
  for (const guard::AlertView& alert : watch_->view().alerts) {
    if (alert.firing && alert.name == guard::spec_of(rule).name) return true;
  }
  return false;
}

// Looks until a rule that is breached from now on must have fired: its limit, where that is a time, then its patience, then
// two intervals.
int Detection::patience_of(RuleId rule) const {
  const guard::SubjectFacts facts{.idle_save = pipeline().frame.duration("idle_save")};
  const guard::Rule applied =
      guard::rules_for(pipeline().name, facts, kInterval, {})[static_cast<size_t>(rule)];
  const double limit_s = guard::spec_of(rule).unit == guard::Unit::kSeconds ? applied.threshold : 0;
  const double interval_s = std::chrono::duration<double>(kInterval).count();
  return static_cast<int>(std::ceil((limit_s + applied.for_s) / interval_s)) + 2;
}

std::string Detection::fired_text() const {
  std::string text;
  for (const guard::AlertView& alert : recorder_.fired()) text += guard::sentence(alert) + "\n";
  return text.empty() ? "nothing" : text;
}

void Detection::expect_flagged(RuleId rule, const std::set<RuleId>& besides) {
  const int patience = patience_of(rule);
  // What was under way when the failure came may move the position once more: its time begins after that.
  int last_steps_max = rule == RuleId::kPositionStuck ? 5 : 0;
  Position before = stored_position();
  for (int ticks = 0; !firing(rule) && ticks < patience; ++ticks) {
    tick();
    Position now = stored_position();
    if (!(now == before) && last_steps_max-- > 0) ticks = -1;
    before = std::move(now);
  }
  EXPECT_TRUE(firing(rule)) << guard::spec_of(rule).name << " doesn't fire within " << patience
                            << " looks; fired: " << fired_text();
  std::set<std::string> allowed = {std::string(guard::spec_of(rule).name)};
  for (const RuleId other : besides) allowed.insert(std::string(guard::spec_of(other).name));
  for (const guard::AlertView& alert : recorder_.fired()) {
    EXPECT_TRUE(allowed.count(alert.name) == 1) << "a false name: " << guard::sentence(alert);
    EXPECT_NE(alert.hint, "");
    if (rule != RuleId::kClockJumped) {
      EXPECT_EQ(alert.pipeline, pipeline().name);
    }
  }
}

void Detection::expect_resolved(RuleId rule) {
  for (int ticks = 0; firing(rule) && ticks < patience_of(rule) + 2; ++ticks) healthy_tick();
  EXPECT_FALSE(firing(rule)) << guard::spec_of(rule).name << " doesn't resolve";
}

void Detection::expect_silence() const {
  EXPECT_EQ(fired_text(), "nothing") << "after " << ticks_ << " looks";
}

void Detection::sql(const std::string& statement) { e2e::sqlite_query(path("orders.db"), statement); }

void Detection::write_orders(int first, int count) {
  std::vector<bson::Document> documents;
  for (int n = first; n < first + count; ++n) {
    documents.push_back(testing::json("{\"_id\": " + std::to_string(n) + ", \"item\": \"item " +
                                      std::to_string(n) + "\", \"amount\": " + std::to_string(n % 7) + "}"));
  }
  const Status done = client_->insert_many(setup_.database, setup_.collection, documents);
  ASSERT_TRUE(done) << done.error().describe();
}

}  // namespace tidemark::detection
