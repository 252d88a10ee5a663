// `tidemark demo`: a replica set in the sandbox, a relay into SQLite, a writer that never stops and faults of
// every kind, shown live and judged at the end by a comparison of every document at both ends.
//
// Every figure it shows is taken from outside the relay, which runs as a child process and can be killed at
// any moment: counts from both ends, the position from the table the relay saves it in.
#pragma once

#include <chrono>
#include <cstdint>
#include <optional>
#include <string>

namespace tidemark::cli {

struct DemoOptions {
  std::chrono::milliseconds duration = std::chrono::seconds(60);  // how long faults and writes go on
  std::string data;              // a GeoJSON file of earthquakes; empty = the one `make deps` installs
  std::optional<uint64_t> seed;  // of writes and faults; empty = another one each time
  int rate = 500;                // changes written per second, at most
  std::string keep;              // a folder to work in that is kept; empty = a temporary one
  bool faults = true;
  bool plain = false;  // lines instead of the live view, also on a terminal
};

constexpr int kDemoRateMax = 20'000;

// Runs to the end and returns the exit code: 0 only when the audit found both ends equal, 1 when it did not,
// 130 when the operator cut it short, sysexits codes when it could not run.
int run_demo(const DemoOptions& options);

}  // namespace tidemark::cli
