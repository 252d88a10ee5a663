// Sinks and stores that fail without a word: decorators around the real ones, given to a relay in their place.
#pragma once

#include <algorithm>
#include <deque>
#include <functional>
#include <memory>
#include <utility>
#include <vector>

#include "base/mutex.h"
#include "core/audit.h"
#include "core/position_store.h"
#include "core/sink.h"

namespace tidemark::detection {

// What a lying sink makes of a batch before it really writes; `made` keeps documents alive that it invents.
using Twist = std::function<void(std::vector<Event>& events, std::deque<bson::Document>& made)>;

// Says that everything is durable, and writes something else.
class LyingSink final : public TransactionalSink {
 public:
  LyingSink(std::unique_ptr<TransactionalSink> sink, Twist twist)
      : sink_(std::move(sink)), twist_(std::move(twist)) {}

  Result<std::optional<StoredPosition>> open_and_load(const PositionContext& context,
                                                      std::stop_token stop) override {
    return sink_->open_and_load(context, std::move(stop));
  }
  WriteResult write(std::span<const Event> events, const Position& resume_after,
                    std::stop_token stop) override {
    std::vector<Event> twisted(events.begin(), events.end());
    std::deque<bson::Document> made;
    twist_(twisted, made);
    return sink_->write(twisted, resume_after, std::move(stop));
  }
  void close() override { sink_->close(); }
  PositionStore& position_store() override { return sink_->position_store(); }

 private:
  const std::unique_ptr<TransactionalSink> sink_;
  const Twist twist_;
};

// Takes a write and never comes back from it, until the pipeline is stopped.
class StuckSink final : public Sink {
 public:
  explicit StuckSink(std::unique_ptr<Sink> sink) : sink_(std::move(sink)) {}

  Status open(std::stop_token stop) override { return sink_->open(std::move(stop)); }
  WriteResult write(std::span<const Event>, std::stop_token stop) override {
    MutexLock lock(mutex_);
    (void)never_.wait(mutex_, std::move(stop), [] { return false; });
    return write_failed({React::kCancelled, "stopped"});
  }
  void close() override { sink_->close(); }

 private:
  const std::unique_ptr<Sink> sink_;
  Mutex mutex_;
  CondVar never_;
};

// Refuses every write, as a destination does that is down.
class RefusingSink final : public Sink {
 public:
  explicit RefusingSink(std::unique_ptr<Sink> sink) : sink_(std::move(sink)) {}

  Status open(std::stop_token stop) override { return sink_->open(std::move(stop)); }
  WriteResult write(std::span<const Event>, std::stop_token) override {
    return write_failed({React::kRetry, "the destination is down"});
  }
  void close() override { sink_->close(); }

 private:
  const std::unique_ptr<Sink> sink_;
};

// A collection that is sharded by another key than `_id`, with a second document under the first one's `_id`.
class ShardedSource final : public AuditSource {
 public:
  ShardedSource(std::unique_ptr<AuditSource> source, bson::Document other)
      : source_(std::move(source)), other_(std::move(other)) {}

  std::string describe() const override { return source_->describe(); }
  Status open(std::stop_token stop) override { return source_->open(std::move(stop)); }
  Result<std::vector<CollectionName>> collections(std::stop_token stop) override {
    return source_->collections(std::move(stop));
  }
  Result<AuditPage> scan(const CollectionName& collection, const std::string& last_id, size_t limit,
                         const Visit& visit, std::stop_token stop) override {
    return source_->scan(collection, last_id, limit, doubled(visit), std::move(stop));
  }
  Result<bson::Timestamp> lookup(const CollectionName& collection, std::span<const AuditId> ids,
                                 const Visit& visit, std::stop_token stop) override {
    return source_->lookup(collection, ids, doubled(visit), std::move(stop));
  }
  Result<std::map<std::optional<int64_t>, uint64_t>> counts(const CollectionName& collection,
                                                            const AuditBuckets& buckets,
                                                            std::stop_token stop) override {
    return source_->counts(collection, buckets, std::move(stop));
  }
  void close() override { source_->close(); }

 private:
  Visit doubled(const Visit& visit) const {
    return [this, visit](bson::View document) -> Status {
      TIDEMARK_TRY(visit(document));
      const auto id = document.find("_id"), own = other_.view().find("_id");
      return id && same_value(*id, *own) ? visit(other_.view()) : Status();
    };
  }
  static bool same_value(const bson::Element& a, const bson::Element& b) {
    return a.type() == b.type() && std::ranges::equal(a.value_bytes(), b.value_bytes());
  }

  const std::unique_ptr<AuditSource> source_;
  const bson::Document other_;
};

// Loads, and can't save: a full disk.
class FullStore final : public PositionStore {
 public:
  explicit FullStore(std::unique_ptr<PositionStore> store) : store_(std::move(store)) {}

  Result<std::optional<StoredPosition>> acquire(const PositionContext& context,
                                                std::stop_token stop) override {
    return store_->acquire(context, std::move(stop));
  }
  Status save(const DurablePosition&, std::stop_token) override {
    return fail(React::kRetry, "no space left on the device");
  }
  Result<std::optional<StoredPosition>> peek(const std::string& pipeline, std::stop_token stop) override {
    return store_->peek(pipeline, std::move(stop));
  }
  Status erase(std::stop_token stop) override { return store_->erase(std::move(stop)); }
  void release() override { store_->release(); }
  std::string describe() const override { return store_->describe(); }

 private:
  const std::unique_ptr<PositionStore> store_;
};

}  // namespace tidemark::detection
