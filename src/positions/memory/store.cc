#include "positions/memory/store.h"

#include <utility>

#include "base/check.h"

namespace tidemark {
namespace {

class MemoryPositionStore final : public PositionStore {
 public:
  MemoryPositionStore(std::shared_ptr<PositionShelf> shelf, std::string pipeline, Clock& clock)
      : shelf_(std::move(shelf)), pipeline_(std::move(pipeline)), clock_(clock) {}
  ~MemoryPositionStore() override { release(); }

  Result<std::optional<StoredPosition>> acquire(const PositionContext& context, std::stop_token) override {
    release();
    MutexLock lock(shelf_->mutex);
    PositionShelf::Slot& slot = shelf_->slots[pipeline_];
    if (slot.owned) return fail(React::kFenced, "the position of " + pipeline_ + " has an owner already");
    slot.owned = true;
    epoch_ = ++slot.epoch;
    context_ = context;
    return slot.stored;
  }

  Status save(const DurablePosition& position, std::stop_token) override {
    StoredPosition entry;
    entry.position = position.get();
    entry.saved_at_ms = clock_.wall_ms();
    entry.fingerprint = context_.fingerprint;
    entry.deployment = context_.deployment;
    entry.epoch = epoch_;
    return store(std::move(entry));
  }

  Result<std::optional<StoredPosition>> peek(const std::string& pipeline, std::stop_token) override {
    MutexLock lock(shelf_->mutex);
    const auto it = shelf_->slots.find(pipeline);
    if (it == shelf_->slots.end()) return std::nullopt;
    return it->second.stored;
  }

  Status erase(std::stop_token) override { return store(std::nullopt); }

  void release() override {
    if (epoch_ == 0) return;
    MutexLock lock(shelf_->mutex);
    PositionShelf::Slot& slot = shelf_->slots[pipeline_];
    if (slot.epoch == epoch_) slot.owned = false;
    epoch_ = 0;
  }

  std::string describe() const override { return "memory"; }

 private:
  Status store(std::optional<StoredPosition> entry) {
    MutexLock lock(shelf_->mutex);
    PositionShelf::Slot& slot = shelf_->slots[pipeline_];
    if (epoch_ == 0 || slot.epoch != epoch_ || !slot.owned)
      return fail(React::kFenced, "the position of " + pipeline_ + " is another owner's now");
    slot.stored = std::move(entry);
    return {};
  }

  const std::shared_ptr<PositionShelf> shelf_;
  const std::string pipeline_;
  Clock& clock_;
  PositionContext context_;
  uint64_t epoch_ = 0;  // 0 = no lease
};

}  // namespace

std::unique_ptr<PositionStore> make_memory_store(std::shared_ptr<PositionShelf> shelf, std::string pipeline,
                                                 Clock& clock) {
  return std::make_unique<MemoryPositionStore>(std::move(shelf), std::move(pipeline), clock);
}

}  // namespace tidemark
