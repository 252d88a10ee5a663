// Event batches for reuse: a batch that nobody holds any more comes back empty, with the memory of its
// vectors. Its users may let go of it on any thread, and after the source is gone.
#pragma once

#include <memory>
#include <vector>

#include "base/mutex.h"
#include "core/event.h"

namespace tidemark::mongodb {

class BatchPool {
 public:
  BatchPool() : shelf_(std::make_shared<Shelf>()) {}

  std::shared_ptr<EventBatch> take() {
    std::unique_ptr<EventBatch> batch = shelf_->get();
    return {batch.release(),
            [shelf = shelf_](EventBatch* used) { shelf->put(std::unique_ptr<EventBatch>(used)); }};
  }

 private:
  static constexpr size_t kKept = 8;

  class Shelf {
   public:
    std::unique_ptr<EventBatch> get() EXCLUDES(mutex_) {
      MutexLock lock(mutex_);
      if (batches_.empty()) return std::make_unique<EventBatch>();
      std::unique_ptr<EventBatch> batch = std::move(batches_.back());
      batches_.pop_back();
      return batch;
    }
    void put(std::unique_ptr<EventBatch> batch) EXCLUDES(mutex_) {
      batch->clear();  // lets go of the server's reply, whether the batch is kept or not
      MutexLock lock(mutex_);
      if (batches_.size() < kKept) batches_.push_back(std::move(batch));
    }

   private:
    Mutex mutex_;
    std::vector<std::unique_ptr<EventBatch>> batches_ GUARDED_BY(mutex_);
  };

  std::shared_ptr<Shelf> shelf_;
};

}  // namespace tidemark::mongodb
