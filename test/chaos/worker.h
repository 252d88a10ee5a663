// A process of tidemark-chaos that runs every J-th of the trials, and its reports to the one that started it: a line of JSON
// for each trial. A worker has a PostgreSQL server and a disk of its own.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "chaos/schedule.h"
#include "chaos/trial.h"

namespace tidemark::chaos {

struct RunOptions {
  uint64_t first = 1;
  int seeds = 0;
  std::vector<std::string> schedules;  // instead of seeds
  bool regressions = true;
  int jobs = 2;
  bool stock = false;
  bool json = false;
  int minimise_runs = 40;  // for one failing schedule
  std::string keep;        // a folder for the files and logs of every trial
  int worker = -1;         // this process is the worker of that number
};

// Everything that a run tries, in order. kConfig when a schedule can't be read.
Result<std::vector<Schedule>> schedules_of(const RunOptions& options, const Surroundings& surroundings);
Surroundings surroundings_here();

struct Report {
  Schedule schedule;
  Verdict verdict;
  std::optional<Schedule> minimal;  // of one that failed
  std::string to_json() const;
  static Result<Report> from_json(const std::string& line);
};

// Runs this worker's share. The exit code.
int work(const RunOptions& options);

}  // namespace tidemark::chaos
