// Hours of a pipeline's normal life in compressed time, from seeds: nothing may fire. And of one that is broken and mended
// at random: every alert that fires resolves, in turn.
#include <functional>
#include <map>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "guard/testing/alerts_harness.h"

namespace tidemark::guard {
namespace {

using testing::Bench;
using testing::SimPipeline;
using Kind = SimPipeline::Kind;

constexpr int kHour_s = 3600;

class Healthy : public ::testing::TestWithParam<std::tuple<Kind, uint64_t>> {};

// Between two looks: what happens on any day.
void live(Bench& bench, SeededRandom& random, int at_s, uint32_t& restarted_at) {
  SimPipeline& sim = bench.sim;
  const auto one_in = [&](uint64_t n) { return random.below(n) == 0; };
  if (one_in(6)) sim.busy = !sim.busy;
  if (one_in(40)) sim.elect(1 + static_cast<int>(random.below(12)));
  if (sim.kind == Kind::kOutside || sim.kind == Kind::kInProcess) {
    // Not so often that it looks like two instances.
    if (at_s >= 20 && sim.second - restarted_at >= 110 && !sim.resumes() && one_in(60)) {
      restarted_at = sim.second;
      const int scan = one_in(3) ? 60 + static_cast<int>(random.below(500)) : 1;
      const bool in_read = one_in(2);
      const int down = 1 + static_cast<int>(random.below(15));
      sim.restart(down, scan, in_read);
    }
  }
  // A look that fails once says nothing yet.
  sim.unreachable = !sim.unreachable && one_in(30);
  if (one_in(30))
    sim.peek_error = Error{React::kRetry, "database is locked"};
  else
    sim.peek_error.reset();
  // The process is stopped for a while, and the whole machine with its own deployment.
  if (one_in(200)) bench.pass(30 + static_cast<int>(random.below(3000)), false);
}

void audit_lives(SimPipeline& sim, int at_s) {
  const int since = at_s % 600;
  std::optional<double> age_s;
  if (at_s >= 640) age_s = since < 40 ? since + 560 : since - 40;
  AuditSignal audit = testing::audit_of("checksum", 600, age_s);
  audit.view.duration_s = 40;
  if (since < 40) {
    audit.view.state = "running";
    audit.view.progress = since / 40.0;
  } else if (at_s < 1200 && since < 80) {
    audit.failures_in_a_row = 1;  // an election; the next try succeeds
    audit.view.error = "no primary";
  }
  sim.audits = {audit};
}

TEST_P(Healthy, HourRaisesNothing) {
  const auto [kind, seed] = GetParam();
  Bench bench(kind, {}, seed);
  bench.sim.bursts = true;
  SeededRandom random(seed * 31 + static_cast<uint64_t>(kind));
  uint32_t restarted_at = 0;
  for (int at_s = 0; at_s < kHour_s;) {
    live(bench, random, at_s, restarted_at);
    audit_lives(bench.sim, at_s);
    const int step = 9 + static_cast<int>(random.below(3));
    bench.look_after(step);
    at_s += step;
    ASSERT_TRUE(bench.notices.empty())
        << "after " << at_s << " s: " << bench.notices[0].name << ": " << bench.notices[0].text;
  }
}

std::string name_of(Kind kind) {
  switch (kind) {
    case Kind::kOutside:
      return "Outside";
    case Kind::kInProcess:
      return "InProcess";
    case Kind::kFeed:
      return "Feed";
    case Kind::kQueue:
      break;
  }
  return "Queue";
}

INSTANTIATE_TEST_SUITE_P(Seeds, Healthy,
                         ::testing::Combine(::testing::Values(Kind::kOutside, Kind::kInProcess, Kind::kFeed,
                                                              Kind::kQueue),
                                            ::testing::Range<uint64_t>(1, 101)),
                         [](const auto& param) {
                           return name_of(std::get<0>(param.param)) +
                                  std::to_string(std::get<1>(param.param));
                         });

class Broken : public ::testing::TestWithParam<uint64_t> {};

void break_or_mend(SimPipeline& sim, SeededRandom& random) {
  const auto one_in = [&](uint64_t n) { return random.below(n) == 0; };
  bool* const faults[] = {&sim.wedged,       &sim.no_majority,   &sim.unreachable,  &sim.reads_refused,
                          &sim.sink_refuses, &sim.saves_refused, &sim.position_gone};
  for (bool* fault : faults)
    if (one_in(*fault ? 15 : 100)) *fault = !*fault;
  if (one_in(20)) sim.letters_per_second = one_in(3) ? 1 : 0;
  if (one_in(60)) sim.stored.epoch += 1 + random.below(5);
  if (one_in(100)) sim.restart(1 + static_cast<int>(random.below(60)), 5);
  if (one_in(100)) sim.ended = sim.ended.empty() ? "fenced" : "";
  if (one_in(50)) sim.stored.position = testing::position_at({sim.second - 2000, 1});
  if (one_in(50)) sim.peek_error = Error{one_in(2) ? React::kCorrupt : React::kRetry, "bad"};
  if (one_in(20)) sim.peek_error.reset();
}

void mend_all(SimPipeline& sim) {
  sim.wedged = sim.no_majority = sim.unreachable = sim.reads_refused = sim.sink_refuses = false;
  sim.saves_refused = sim.position_gone = false;
  sim.letters_per_second = 0;
  sim.ended.clear();
  sim.peek_error.reset();
  sim.busy = true;
}

TEST_P(Broken, AlertsFireAndResolveInTurnAndAllResolveInTheEnd) {
  Bench bench(Kind::kInProcess, {}, GetParam());
  SeededRandom random(GetParam());
  for (int i = 0; i < 1500; ++i) {
    break_or_mend(bench.sim, random);
    bench.look();
  }
  mend_all(bench.sim);
  bench.look(200);
  EXPECT_THAT(bench.firing(), ::testing::IsEmpty());
  EXPECT_GT(bench.notices.size(), 20u);

  std::map<std::string, const AlertView*> firing;
  uint64_t seq = 0;
  for (const AlertView& notice : bench.notices) {
    const AlertView*& now = firing[notice.name];
    if (notice.firing) {
      EXPECT_EQ(now, nullptr) << notice.name << " fired twice";
      EXPECT_EQ(notice.seq, ++seq);
      now = &notice;
    } else {
      ASSERT_NE(now, nullptr) << notice.name << " resolved without having fired";
      EXPECT_EQ(notice.seq, now->seq);
      EXPECT_GE(notice.resolved_at_ms, notice.fired_at_ms);
      now = nullptr;
    }
  }
}

INSTANTIATE_TEST_SUITE_P(Seeds, Broken, ::testing::Range<uint64_t>(1, 21));

}  // namespace
}  // namespace tidemark::guard
