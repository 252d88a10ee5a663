// When it is news that a deployment has no primary. Every start knows none for a moment, and every election has none for
// some seconds: that is no news. One that stays away longer than the operator's patience is, and is told once. Pure; the
// caller's lock.
#pragma once

#include <chrono>
#include <optional>

namespace tidemark::mongodb {

class PrimaryWatch {
 public:
  using Millis = std::chrono::milliseconds;  // of a monotonic clock, whose beginning doesn't matter

  explicit PrimaryWatch(Millis patience) : patience_(patience) {}

  // What the monitors know at `now`. Returns for how long there has been no primary when that is to be told now.
  std::optional<Millis> note(bool there, Millis now) {
    if (there) {
      since_.reset();
      told_ = false;
      return std::nullopt;
    }
    if (!since_) since_ = now;
    if (told_ || now - *since_ < patience_) return std::nullopt;
    told_ = true;
    return now - *since_;
  }

 private:
  Millis patience_;
  std::optional<Millis> since_;  // empty while there is a primary, and before anything is known
  bool told_ = false;
};

}  // namespace tidemark::mongodb
