// How long a refusal (React::kDenied) is waited out: passwords are rotated, users dropped and created again, grants revoked
// and given back while pipelines run, and none of that is a reason to end what has worked a minute ago. What has never
// worked is a mistake in the configuration, and is said soon; yet not at the first try, because a server that is just coming
// up refuses what it will take a second later.
//
// One object for each kind of call: that a sink opens says nothing of whether it may write, and must not end the count of
// refused writes. Pure; one thread.
#pragma once

#include <chrono>
#include <optional>

#include "env/clock.h"

namespace tidemark {

class Denials {
 public:
  // Tries in a row before a refusal of what has never worked is final.
  static constexpr int kTriesMax = 3;

  // `patience`: for what has worked; zero ends at the first refusal.
  explicit Denials(std::chrono::milliseconds patience) : patience_(patience) {}

  // The call succeeded.
  void worked() {
    has_worked_ = true;
    tries_ = 0;
    since_.reset();
  }
  // The same call succeeded elsewhere (another lane): it can work, and yet these refusals go on.
  void can_work() { has_worked_ = true; }
  bool has_worked() const { return has_worked_; }

  // The call was refused. Whether it is tried once more.
  bool wait(Mono now) {
    if (!since_) since_ = now;
    ++tries_;
    if (patience_ <= std::chrono::milliseconds::zero()) return false;
    return has_worked_ ? now - *since_ < patience_ : tries_ < kTriesMax;
  }

  // The last try there will be, so that the patience ends when it says; empty when nothing is counted.
  std::optional<Mono> last_try() const {
    if (!since_ || !has_worked_) return std::nullopt;
    return *since_ + patience_;
  }

 private:
  std::chrono::milliseconds patience_;
  bool has_worked_ = false;
  int tries_ = 0;
  std::optional<Mono> since_;
};

}  // namespace tidemark
