// What the demo shows: pure functions from a snapshot to text, and the terminal they are drawn on.
#pragma once

#include <array>
#include <chrono>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace tidemark::cli {

enum class FaultKind : uint8_t { kElection, kPrimaryKilled, kDeadCursors, kClosedConnection, kRelayKilled };
constexpr size_t kFaultKinds = 5;
std::string_view to_string(FaultKind kind);  // "election"
std::string_view plural(FaultKind kind);     // "elections"

// One fault as it happened.
struct FaultRecord {
  FaultKind kind = FaultKind::kElection;
  std::chrono::milliseconds at{0};  // since the demo's start
  std::string detail;               // "member 1 steps down"
  // From the fault to the first later write that the relay delivered; empty until then.
  std::optional<std::chrono::milliseconds> survived_after;
};

// Both ends and everything around them at one moment, as seen from outside the relay. Empty = not known yet.
struct DemoSnapshot {
  std::string stage;  // "writing and breaking things", "draining", "auditing"
  uint64_t seed = 0;
  std::chrono::milliseconds elapsed{0};
  std::chrono::milliseconds duration{0};
  std::optional<int64_t> source_count;
  std::optional<int64_t> destination_count;
  int64_t written = 0;    // changes the deployment acknowledged
  int64_t delivered = 0;  // of those, the ones the stored position has passed
  double events_per_s = 0;
  std::optional<std::chrono::milliseconds> lag;  // age of the oldest change not yet delivered; 0 = none
  std::optional<std::chrono::milliseconds> position_age;  // since the position was last saved
  std::string relay;                                      // "running, start 3"
  std::string source;                                     // "primary is member 1", "electing a primary"
  std::vector<double> rates;  // events per second, one value a second, oldest first
  std::array<int, kFaultKinds> inflicted{};
  std::array<int, kFaultKinds> survived{};
  std::vector<FaultRecord> last_faults;  // newest first
};

// The live view, at most `height` lines of at most `width` columns. `colour` adds ANSI colours, which take no
// column.
std::vector<std::string> render_frame(const DemoSnapshot& snapshot, int width, int height, bool colour);
// The same in one line, for logs and pipes.
std::string render_line(const DemoSnapshot& snapshot);

// "1,234,567".
std::string grouped(int64_t value);
// "340 ms", "12.4 s", "3 min".
std::string human_duration(std::chrono::milliseconds duration);
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

}  // namespace tidemark::cli
