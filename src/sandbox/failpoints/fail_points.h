// MongoDB's fail points, as far as drivers' tests and ours use them: `failCommand` with everything it can do, and the
// names that stall replication or fail a getMore. One object per member, plus one for the whole set's change streams.
//
// Thread-safe.
#pragma once

#include <map>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/mutex.h"
#include "env/random.h"
#include "sandbox/store/command_error.h"

namespace tidemark::sandbox {

// What a fail point does to one command.
struct Injection {
  std::optional<CommandError> error;
  bool labels_given = false;  // errorLabels stood there: they replace what the server would add by itself
  bool close_connection = false;
  int64_t block_ms = 0;
  bson::Document write_concern_error;

  bool any() const { return error || close_connection || block_ms > 0 || write_concern_error; }
};

class FailPoints {
 public:
  explicit FailPoints(uint64_t seed) : random_(seed) {}

  // `configureFailPoint` with its mode and data. The number of times that it fired so far.
  Reply<int64_t> configure(bson::View command) EXCLUDES(mutex_);

  // What failCommand, or failGetMoreAfterCursorCheckout, does to this command; counts it.
  Injection inject(std::string_view command, std::string_view app_name, std::string_view ns) EXCLUDES(mutex_);
  // True while a fail point that only switches something is on: "stopReplProducer", "rsSyncApplyStop".
  bool active(std::string_view name) const EXCLUDES(mutex_);
  // As after a restart.
  void clear() EXCLUDES(mutex_);

 private:
  struct Mode {
    enum class Kind { kOff, kAlwaysOn, kTimes, kSkip, kProbability } kind = Kind::kOff;
    int64_t count = 0;
    double probability = 0;
  };
  struct Point {
    Mode mode;
    std::vector<std::string> commands;
    std::string app_name;
    std::string ns;
    Injection injection;
    int64_t fired = 0;
  };

  static Reply<Mode> parse_mode(const bson::Element& mode);
  static Reply<void> parse_data(bson::View data, Point& point);
  bool fires(Point& point) REQUIRES(mutex_);

  mutable Mutex mutex_;
  std::map<std::string, Point, std::less<>> points_ GUARDED_BY(mutex_);
  SeededRandom random_ GUARDED_BY(mutex_);
};

}  // namespace tidemark::sandbox
