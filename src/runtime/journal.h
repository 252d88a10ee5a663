// Turns the steps of one pipeline into what people want to read: entries of the timeline and lines of the log, and the
// few times that only a witness of every step can know. Fed by the pipeline's core thread; read by any.
#pragma once

#include <optional>
#include <string>

#include "base/mutex.h"
#include "core/pipeline_core.h"
#include "env/clock.h"
#include "runtime/timeline.h"

namespace tidemark {

class Journal {
 public:
  // `timeline` may be null: then only the log is written.
  Journal(std::string pipeline, Timeline* timeline, Clock& clock)
      : pipeline_(std::move(pipeline)), timeline_(timeline), clock_(clock) {}

  // Before the core takes `input`, and after it: `status` is what came of it.
  void before(const Input& input) EXCLUDES(mutex_);
  void after(const PipelineStatus& status) EXCLUDES(mutex_);

  struct Times {
    std::optional<Mono> last_sign;   // the source answered
    std::optional<Mono> last_saved;  // the position was saved
  };
  Times times() const EXCLUDES(mutex_);

 private:
  void note(std::string kind, std::string text, uint64_t replayed = 0);
  void note_state(const PipelineStatus& status);
  void count_replayed(const EventBatch& batch);
  void note_resume(const PipelineStatus& status);
  void note_letters(const PipelineStatus& status);

  const std::string pipeline_;
  Timeline* const timeline_;
  Clock& clock_;

  // The core thread's own.
  PipelineState state_ = PipelineState::kStarting;
  std::string last_error_;
  int attempt_ = 0;
  uint64_t opens_ = 0;
  uint64_t letters_ = 0;
  std::optional<Mono> letters_noted_;
  bool new_primary_ = false;
  std::optional<Mono> died_at_;  // the source's cursor is dead since
  // Opened again at this civil time: what happened before it comes as a replay.
  std::optional<WallMs> reopened_at_ms_;
  uint64_t replayed_ = 0;
  bool caught_up_ = false;  // a read brought nothing, or something younger than the reopening

  mutable Mutex mutex_;
  Times times_ GUARDED_BY(mutex_);
  uint64_t saves_ = 0;
};

}  // namespace tidemark
