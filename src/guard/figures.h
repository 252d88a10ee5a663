// Turns the looks at one pipeline, one after the other, into a figure for each rule. Holds what only a succession of looks
// can tell: what moved, since when something fails, how often it happened lately. Pure; deterministic; one thread.
//
// Durations count observed time: while the machine is paused, or this process is, nothing is observed and nothing ages.
#pragma once

#include <array>
#include <chrono>
#include <deque>
#include <map>
#include <optional>
#include <string>
#include <utility>

#include "env/clock.h"
#include "guard/rules.h"
#include "guard/signals.h"

namespace tidemark::guard {

// What one look says to one rule. Without a figure the look says nothing, and the rule stays as it is.
struct Measure {
  std::optional<double> figure = {};
  std::string detail = {};  // appended to the rule's text: an error's words, the first ids
  bool breach = false;      // breached whatever the limit
};
using Measures = std::array<Measure, kRules>;

class Figures {
 public:
  Figures(std::chrono::milliseconds interval, std::chrono::milliseconds resume_max);

  // `now` never goes back.
  Measures take(const Signals& signals, Mono now, WallMs wall_ms);
  // Seconds observed so far: what `for` and `clear` are measured in.
  double observed_s() const { return observed_s_; }
  double step_s() const { return step_s_; }  // of it, between the last two looks

 private:
  // How much a count has grown within a sliding window of observed time.
  class Growth {
   public:
    explicit Growth(double window_s) : window_s_(window_s) {}
    void add(double now_s, double amount);
    double sum(double now_s);

   private:
    const double window_s_;
    std::deque<std::pair<double, double>> steps_;
  };
  // Since when something has failed without a break.
  struct Failing {
    std::optional<double> since_s = {};
    void set(double now_s) {
      if (!since_s) since_s = now_s;
    }
    double lasted_s(double now_s) const { return since_s ? now_s - *since_s : 0; }
  };

  void observe(Mono now, WallMs wall_ms);
  void take_clock(Measures& out) const;
  // figures_position.cc
  void take_health(const SourceHealth& health);
  void take_source(const Signals& signals, Measures& out);
  void take_position(const Signals& signals, Measures& out);
  void take_stored(const Signals& signals, const StoredPosition& stored, Measures& out);
  void take_owner(const Signals& signals, const StoredPosition& stored, Measures& out);
  void take_distances(const StoredPosition& stored, const SourceHealth& health, Measures& out);
  void take_unstored(const Signals& signals, Measures& out);
  void take_resuming(const Signals& signals, bool advanced, bool new_owner);
  bool deployment_moves() const;
  bool resuming() const;
  // figures.cc
  void take_view(const Signals& signals, Measures& out);
  void take_sink(const PipelineView& view, Measures& out);
  void take_letters(const Signals& signals, Measures& out);
  void take_feed(const Signals& signals, Mono now, Measures& out);
  double seen_beyond(const StatsView& stats, Mono now);
  void take_audits(const Signals& signals, Measures& out);
  bool progresses(const AuditView& audit);
  void take_blindness(const Signals& signals, Measures& out);

  const double interval_s_;
  const double resume_max_s_;

  // Time.
  std::optional<Mono> last_look_;
  WallMs last_wall_ms_ = 0;
  double observed_s_ = 0;
  double step_s_ = 0;  // observed between the look before and this one
  double jump_s_ = 0;  // the clock's latest jump; negative: back
  std::optional<double> jumped_at_s_;

  // The deployment.
  Failing silent_;
  bson::Timestamp latest_;  // the newest ever seen of it
  double latest_moved_s_ = 0;
  bson::Timestamp oldest_;
  double oldest_moved_s_ = 0;

  // The position.
  std::optional<StoredPosition> stored_;
  bson::Timestamp highest_;  // of this deployment and configuration
  double stuck_s_ = 0;
  Failing resuming_;
  Growth owners_;

  // The pipeline's own word, as of the look before.
  std::optional<PipelineView> view_;
  Failing source_failing_;
  Failing sink_failing_;
  Failing saves_failing_;
  std::optional<uint64_t> letters_;
  Growth letters_growth_;

  // The feed against the stats.
  std::deque<std::pair<Mono, uint64_t>> seen_;  // by the feed, at each look
  std::optional<int64_t> total_;                // of the stats that were compared last
  double behind_ = 0;                           // negative: the feed brought more than was stored

  // The audits, by kind: the progress last seen, and when it moved.
  std::map<std::string, std::pair<double, double>> progress_;

  // When each part of a look last failed without a break: the position, the dead letters, the stats, the look itself.
  std::array<Failing, 4> blind_;
};

}  // namespace tidemark::guard
