// The dead letters of one pipeline, as the operator handles them: `tidemark dlq`, and the page.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "app/app.h"
#include "base/mutex.h"
#include "core/dead_letters.h"

namespace tidemark::app {

// Thread-safe; each call talks to the store, and retry() to the sink or the broker too. A letter that isn't there is
// kReject.
class LetterBox {
 public:
  // Connects to nothing. kConfig where the pipeline keeps no dead letters. `app` and `pipeline` outlive it.
  static Result<std::unique_ptr<LetterBox>> create(App& app, const config::PipelineConfig& pipeline);

  Result<std::vector<DeadLetter>> list(const std::string& after, size_t limit, std::stop_token stop = {})
      EXCLUDES(mutex_);
  Result<DeadLetter> find(const std::string& id, std::stop_token stop = {}) EXCLUDES(mutex_);
  Result<uint64_t> count(std::stop_token stop) EXCLUDES(mutex_);
  // Puts the letter's message back before the source where that is a queue; otherwise makes the destination right about its
  // document, or writes the event (letter_retry.h). Then removes the letter: a failure in between can only do it twice. The
  // value says what was done, for people.
  Result<std::string> retry(const std::string& id, std::stop_token stop = {}) EXCLUDES(mutex_);
  Status discard(const std::string& id, std::stop_token stop = {}) EXCLUDES(mutex_);

 private:
  LetterBox(App& app, const config::PipelineConfig& pipeline, std::unique_ptr<DeadLetterStore> store)
      : app_(app), pipeline_(pipeline), store_(std::move(store)) {}
  Status open(std::stop_token stop) REQUIRES(mutex_);
  Result<DeadLetter> get(const std::string& id, std::stop_token stop) REQUIRES(mutex_);
  // An error of the store makes the next call open it again.
  template <class T>
  T checked(T result) REQUIRES(mutex_) {
    if (!result) open_ = false;
    return result;
  }

  App& app_;
  const config::PipelineConfig& pipeline_;
  Mutex mutex_;
  const std::unique_ptr<DeadLetterStore> store_ PT_GUARDED_BY(mutex_);
  bool open_ GUARDED_BY(mutex_) = false;
};

}  // namespace tidemark::app
