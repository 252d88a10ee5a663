// `tidemark demo`: the four planes at work, on servers of its own, under faults of every kind, on a page in the browser and
// in the terminal, judged at the end by a comparison of every event and every document.
//
// The demo's process runs the doors and the page (HTTP -> RabbitMQ, MongoDB -> page), a worker of its own the rest (RabbitMQ
// -> classified -> MongoDB, MongoDB -> SQLite), which can be killed at any moment. Every figure it shows in the terminal is
// taken from outside: from what was answered with 202, from both databases, and from the page's HTTP interface.
#pragma once

#include <chrono>
#include <cstdint>
#include <optional>
#include <string>

namespace tidemark::demo {

struct Options {
  std::chrono::milliseconds duration = std::chrono::seconds(60);  // how long faults and events go on
  std::string data;              // a GeoJSON file of earthquakes; empty = the one `make deps` installs
  std::optional<uint64_t> seed;  // of events and faults; empty = another one each time
  int rate = 200;      // events posted per second, at most; lower where they would be too many in all
  int port = 8321;     // the page's; a free one when something else listens there
  std::string keep;    // a folder to work in that is kept; empty = a temporary one
  bool faults = true;  // false: only those ordered on the page
  bool plain = false;  // lines instead of the live view, also on a terminal
};

constexpr int kRateMax = 4'000;

// Runs to the end and returns the exit code: 0 only when the audit found everything equal, 1 when it did not,
// 130 when the operator cut it short, sysexits codes when it could not run.
int run(const Options& options);

}  // namespace tidemark::demo
