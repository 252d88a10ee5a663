// One trial: a deployment, its relays, the writer and the faults of a schedule; then everything is healed, the relays come to
// rest, and both ends are compared, document by document and event by event. One thread, the one that starts the processes.
#pragma once

#include <string>
#include <vector>

#include "chaos/schedule.h"
#include "support/postgres.h"

namespace tidemark::chaos {

// What all trials of a worker share.
struct Workshop {
  std::string folder;  // on the disk that may be filled
  std::string disk;    // the mount itself; empty where there is none
  std::string beside;  // a folder on an ordinary disk
  testing::PostgresServer* postgres = nullptr;
  Surroundings surroundings;
  bool consumers = false;  // the stock consumers run beside the relays
  std::string keep;        // where folders are copied before they go, with logs; empty: nowhere
  int trials = 0;          // so far
};

// What one consumer made of the trial.
struct Tally {
  uint64_t lost = 0;
  uint64_t duplicates = 0;
};

struct Verdict {
  std::vector<std::string> findings;  // empty: everything held
  std::vector<std::string> missed;    // faults that could not be inflicted
  int inflicted = 0;
  uint64_t writes = 0;  // acknowledged
  uint64_t unknown = 0;
  int starts = 0;  // of relays
  double seconds = 0;
  Tally tidemark;         // over all relays that promise effectively once
  uint64_t repeated = 0;  // lines that the at-least-once file holds twice
  Tally stock;            // of the loop that starts at now
  Tally in_memory;        // of the loop that keeps its token in memory

  bool passed() const { return findings.empty(); }
};

Verdict run_trial(const Schedule& schedule, Workshop& workshop);

}  // namespace tidemark::chaos
