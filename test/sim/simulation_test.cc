// The simulation from seeds. `--seed=N` or TIDEMARK_SIM_SEED runs one schedule alone, with its last steps; `--schedules=N` or
// TIDEMARK_SIM_SCHEDULES says how many are run.
#include <csignal>
#include <cstdio>
#include <cstdlib>
#include <iostream>

#include <gtest/gtest.h>

#include "sim/process.h"
#include "sim/regressions.h"

namespace tidemark::sim {
namespace {

// Each build has its minute: the sanitizers make a step ten times as slow.
#if defined(__has_feature)
constexpr bool kSanitized = __has_feature(address_sanitizer) || __has_feature(thread_sanitizer);
#else
constexpr bool kSanitized = false;
#endif
constexpr uint64_t kSteps = kSanitized ? 500'000 : 3'000'000;

std::optional<uint64_t> number_from(const char* variable) {
  const char* text = std::getenv(variable);
  if (text == nullptr || *text == '\0') return std::nullopt;
  return std::strtoull(text, nullptr, 10);
}

// For the story of a schedule that ends in an abort: a broken assertion of the program's own.
volatile uint64_t seed_under_way = 0;

extern "C" void tell_the_seed(int) {
  std::fprintf(stderr, "... while seed %llu ran; again: tidemark_sim_test --seed=%llu\n",
               static_cast<unsigned long long>(seed_under_way),
               static_cast<unsigned long long>(seed_under_way));
  std::signal(SIGABRT, SIG_DFL);
}

// Adds what the schedule did to `total`; false, with the story told, when it broke a rule.
bool run(const Schedule& schedule, Report& total) {
  seed_under_way = schedule.seed;
  const Report report = run_schedule(schedule);
  total.steps += report.steps;
  total.marks.add(report.marks);
  if (!report.violation) return true;
  ADD_FAILURE() << describe(schedule, minimise(schedule));
  return false;
}

TEST(Simulation, KeepsEveryRuleAfterEveryStep) {
  std::signal(SIGABRT, tell_the_seed);
  if (const auto seed = number_from("TIDEMARK_SIM_SEED")) {
    Schedule schedule{.seed = *seed, .traced = true};
    const Report report = run_schedule(schedule);
    if (report.violation) {
      FAIL() << describe(schedule, minimise(schedule));
    }
    for (const std::string& line : report.trace) std::cout << line << "\n";
    GTEST_SKIP() << "only seed " << *seed << " was run: " << report.steps << " steps, every rule kept";
  }
  Report total;
  for (const uint64_t seed : kRegressions) ASSERT_TRUE(run({.seed = seed}, total));
  const auto wanted = number_from("TIDEMARK_SIM_SCHEDULES");
  uint64_t schedules = 0;
  while (wanted ? schedules < *wanted : total.steps < kSteps) {
    ASSERT_TRUE(run({.seed = ++schedules}, total));
    ASSERT_LT(schedules, kSteps) << "schedules end as soon as they begin";
  }
  std::cout << total.steps << " steps in " << schedules << " schedules, every rule checked after each\n"
            << total.marks.table();
  if (wanted) return;
  EXPECT_GE(total.steps, kSteps);
  EXPECT_GE(total.steps / schedules, 100u) << "schedules are too short to meet anything";
  if (kSanitized) return;  // a part of the run meets a part of them
  for (const std::string& mark : total.marks.missing()) ADD_FAILURE() << "never seen: " << mark;
}

}  // namespace
}  // namespace tidemark::sim

int main(int argc, char** argv) {
  testing::InitGoogleTest(&argc, argv);
  for (int i = 1; i < argc; ++i) {
    const std::string argument = argv[i];
    if (argument.rfind("--seed=", 0) == 0) {
      setenv("TIDEMARK_SIM_SEED", argument.substr(7).c_str(), 1);
      testing::GTEST_FLAG(filter) = "Simulation.*";
    } else if (argument.rfind("--schedules=", 0) == 0) {
      setenv("TIDEMARK_SIM_SCHEDULES", argument.substr(12).c_str(), 1);
    } else {
      std::cerr << "unknown argument " << argument << "\n";
      return 2;
    }
  }
  return RUN_ALL_TESTS();
}
