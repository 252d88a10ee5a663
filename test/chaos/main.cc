// tidemark-chaos: relays under a writer and a schedule of faults, as many schedules as one likes, and both ends compared.
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <filesystem>

#include <CLI/CLI.hpp>
#include <fmt/format.h>

#include "chaos/consumers.h"
#include "chaos/summary.h"
#include "chaos/worker.h"
#include "support/process.h"

namespace tidemark::chaos {
namespace {

using testing::Process;

// Not a schedule's own time, but when a worker says nothing at all any more.
constexpr std::chrono::minutes kSilenceMax{10};

std::vector<std::string> worker_args(const RunOptions& options, int worker) {
  std::vector<std::string> args = {"/proc/self/exe",
                                   "--worker",
                                   std::to_string(worker),
                                   "--jobs",
                                   std::to_string(options.jobs),
                                   "--first",
                                   std::to_string(options.first),
                                   "--seeds",
                                   std::to_string(options.seeds),
                                   "--minimise-runs",
                                   std::to_string(options.minimise_runs)};
  for (const std::string& schedule : options.schedules) args.insert(args.end(), {"--schedule", schedule});
  if (!options.keep.empty()) args.insert(args.end(), {"--keep", options.keep});
  if (options.stock) args.emplace_back("--stock");
  if (!options.regressions) args.emplace_back("--no-regressions");
  return args;
}

// Takes the reports of all workers as they come.
int supervise(const RunOptions& options) {
  const auto schedules = schedules_of(options, surroundings_here());
  if (!schedules)
    return std::fprintf(stderr, "tidemark-chaos: %s\n", schedules.error().describe().c_str()), 64;
  Summary summary(schedules->size(), options);
  std::vector<std::unique_ptr<Process>> workers;
  const int jobs = std::min(options.jobs, static_cast<int>(schedules->size()));
  RunOptions shared = options;
  shared.jobs = std::max(1, jobs);
  for (int worker = 0; worker < shared.jobs; ++worker)
    workers.push_back(std::make_unique<Process>(worker_args(shared, worker)));
  auto heard = testing::internal::now();
  bool alive = true;
  while (alive && testing::internal::now() - heard < kSilenceMax) {
    alive = false;
    for (const auto& worker : workers) {
      const bool running = worker->running();
      while (const auto line = worker->read_line(std::chrono::milliseconds(20))) {
        summary.take(*line);
        heard = testing::internal::now();
      }
      alive = alive || running;
    }
  }
  for (const auto& worker : workers) {
    const auto status = worker->wait(std::chrono::milliseconds(0));
    if (!status || status->code != 0) summary.broke(worker->error_output());
  }
  return summary.finish();
}

void add_options(CLI::App& app, RunOptions& options, std::optional<uint64_t>& seed) {
  app.add_option("--seeds", options.seeds, "How many seeds to try")->check(CLI::Range(0, 1'000'000));
  app.add_option("--first", options.first, "The first of them");
  app.add_option("--seed", seed, "This one alone");
  app.add_option("--schedule", options.schedules, "A schedule as it was printed, in place of seeds")
      ->take_all();
  app.add_option("--jobs", options.jobs, "How many trials run side by side")->check(CLI::Range(1, 64));
  app.add_flag("--stock", options.stock,
               "Run the loops that people usually write beside the relays, and count what they lose");
  app.add_flag("--json", options.json, "A line of JSON for each trial");
  app.add_flag("!--no-regressions", options.regressions,
               "Leave out what failed once (test/chaos/regressions.h)");
  app.add_option("--minimise-runs", options.minimise_runs,
                 "Trials spent on making a failing schedule smaller")
      ->check(CLI::Range(0, 10'000));
  app.add_option("--keep", options.keep, "Copy the files and logs of every trial into this folder")
      ->check(CLI::ExistingDirectory);
  app.add_option("--worker", options.worker)->group("");
}

int run(int argc, char** argv) {
  RunOptions options;
  std::optional<uint64_t> seed;
  std::vector<std::string> consumer;
  CLI::App app("Relays under a writer and seeded faults; then both ends are compared");
  add_options(app, options, seed);
  app.add_option("--consumer", consumer)->expected(4)->group("");
  CLI11_PARSE(app, argc, argv);
  if (!consumer.empty()) return consume(consumer[0], consumer[1], consumer[2], consumer[3]);
  if (seed) {
    options.first = *seed;
    options.seeds = 1;
    options.regressions = false;
  }
  if (options.seeds == 0 && options.schedules.empty()) options.seeds = 50;
  return options.worker >= 0 ? work(options) : supervise(options);
}

}  // namespace
}  // namespace tidemark::chaos

int main(int argc, char** argv) {
  // The programs under test lie beside this one.
  const auto folder = std::filesystem::read_symlink("/proc/self/exe").parent_path();
  ::setenv("TIDEMARK_BIN_DIR", folder.c_str(), 0);
  // libmongoc would leave a file of counters in /dev/shm for each process that is killed.
  ::setenv("MONGOC_DISABLE_SHM", "1", 0);
  return tidemark::chaos::run(argc, argv);
}
