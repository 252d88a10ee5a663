// What the demo shows in the terminal: pure functions from a snapshot to text, and the screen they are drawn on.
#pragma once

#include <array>
#include <chrono>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "demo/ledger.h"

namespace tidemark::demo {

// What the page's HTTP interface tells. Empty = it doesn't say, or doesn't answer.
struct PageFigures {
  std::optional<int64_t> shown;         // events that the feed has shown, replays included
  std::optional<int64_t> waiting;       // messages in the queue
  std::optional<int64_t> dead_letters;  // kept at present
  std::vector<std::pair<std::string, std::string>> planes;  // each pipeline's name and state
};

// Everything at one moment, as seen from outside. Empty = not known yet.
struct Snapshot {
  std::string stage;  // "posting, and breaking things", "draining", "auditing"
  std::string page_url;
  uint64_t seed = 0;
  std::chrono::milliseconds elapsed{0};
  std::chrono::milliseconds duration{0};
  int64_t posted = 0;               // different events
  int64_t accepted = 0;             // of those, answered 202
  int64_t refusals = 0;             // answers 503, and requests without an answer: each posted again
  int64_t poisoned = 0;             // accepted ones that can't be processed
  std::optional<int64_t> stored;    // in MongoDB
  std::optional<int64_t> archived;  // in SQLite
  std::vector<std::pair<std::string, int64_t>> severities;
  PageFigures page;
  double events_per_s = 0;
  std::optional<std::chrono::milliseconds>
      lag;  // age of the oldest accepted event not yet in SQLite; 0 = none
  std::optional<std::chrono::milliseconds> position_age;  // since the archive's position was last saved
  std::string deployment;                                 // "primary is member 1", "electing a primary"
  std::string broker;                                     // "start 2, pid 17"
  std::string worker;
  std::vector<double> rates;  // events per second, one value a second, oldest first
  std::array<int, kFaultKinds> inflicted{};
  std::array<int, kFaultKinds> survived{};
  std::vector<FaultRecord> last_faults;  // newest first
};

// The live view, at most `height` lines of at most `width` columns. `colour` adds ANSI colours, which take no
// column.
std::vector<std::string> render_frame(const Snapshot& snapshot, int width, int height, bool colour);
// The same in one line, for logs and pipes.
std::string render_line(const Snapshot& snapshot);

// Columns that `text` takes: code points, ANSI sequences not counted.
size_t columns(std::string_view text);

// The terminal of standard output: an alternate screen, redrawn in place, given back by the destructor.
class Screen {
 public:
  // True when standard output is a terminal that can be drawn on.
  static bool usable();

  Screen();
  ~Screen();
  Screen(const Screen&) = delete;
  Screen& operator=(const Screen&) = delete;

  int width() const;
  int height() const;
  void draw(const std::vector<std::string>& lines);

 private:
  void size(int& width, int& height) const;
};

}  // namespace tidemark::demo
