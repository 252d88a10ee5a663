// The ends of audit_world.h's world as an audit reads them, its change stream and its repairing sink, and a bench that puts an
// audit over them. All in one thread; a seed decides everything.
#pragma once

#include <algorithm>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <vector>

#include <fmt/format.h>
#include <gtest/gtest.h>

#include "bson/json.h"
#include "core/audit_row.h"
#include "guard/audit.h"
#include "guard/testing/audit_world.h"

namespace tidemark::guard::audit_world {

class FakeAuditSource final : public AuditSource {
 public:
  explicit FakeAuditSource(World& world) : world_(world) {}
  std::string describe() const override { return "fake shop.orders"; }
  Status open(std::stop_token) override { return {}; }
  Result<std::vector<CollectionName>> collections(std::stop_token) override {
    std::vector<CollectionName> names;
    for (const auto& [name, documents] : world_.documents) names.push_back(name);
    return names;
  }
  Result<AuditPage> scan(const CollectionName& collection, const std::string& last_id, size_t limit,
                         const Visit& visit, std::stop_token) override {
    world_.on_step("source page");
    if (fail_next > 0 && --fail_next == 0) return fail(React::kRetry, "the source hiccups");
    const auto& documents = world_.documents[collection];
    AuditPage page{last_id, false};
    auto at = last_id.empty() ? documents.begin() : documents.upper_bound(last_id);
    for (size_t n = 0; at != documents.end() && n < limit; ++at, ++n) {
      TIDEMARK_TRY(visit(at->second));
      page.last_id = at->first;
      ++read;
    }
    page.done = at == documents.end();
    if (page.done && collection == world_.orders)
      for (const bson::Document& document : world_.of_another_shard) TIDEMARK_TRY(visit(document));
    return page;
  }
  bool forgets(const CollectionName& collection) const override { return world_.capped.contains(collection); }
  Result<bson::Timestamp> lookup(const CollectionName& collection, std::span<const AuditId> ids,
                                 const Visit& visit, std::stop_token) override {
    std::string key;
    for (const AuditId& id : ids) {
      world_.on_step("source lookup");
      std::vector<bson::Document> all;
      if (const auto found = world_.documents[collection].find(id.text);
          found != world_.documents[collection].end())
        all.push_back(found->second);
      if (collection == world_.orders)
        all.insert(all.end(), world_.of_another_shard.begin(), world_.of_another_shard.end());
      for (const bson::Document& document : all) {
        TIDEMARK_TRY(key_of(document, key));
        if (key == id.key) TIDEMARK_TRY(visit(document));
      }
    }
    world_.on_step("source lookup");
    return world_.time;
  }
  Result<std::map<std::optional<int64_t>, uint64_t>> counts(const CollectionName& collection,
                                                            const AuditBuckets& buckets,
                                                            std::stop_token) override {
    world_.on_step("source counts");
    ++counted;
    std::map<std::optional<int64_t>, uint64_t> counts;
    for (const auto& [id, document] : world_.documents[collection])
      ++counts[bucket_of(time_in(document, buckets.field), buckets)];
    if (collection == world_.orders)
      for (const bson::Document& document : world_.of_another_shard)
        ++counts[bucket_of(time_in(document, buckets.field), buckets)];
    return counts;
  }
  void close() override {}

  uint64_t read = 0;
  uint64_t counted = 0;
  int fail_next = 0;  // the n-th page from now fails

 private:
  World& world_;
};

class FakeAuditEnd final : public AuditEnd {
 public:
  explicit FakeAuditEnd(World& world) : world_(world) {}
  std::string describe() const override { return "fake rows"; }
  Status open(std::stop_token) override { return {}; }
  std::string target(const CollectionName& collection) override {
    return shared_table ? "the table all" : "the table " + collection.text();
  }
  Status expected(const Event& event, AuditRow& row) override {
    if (event.after.find("refused")) return fail(React::kReject, "the destination can't hold it");
    maker_.of_document(*event.key.find("_id"), event.after, row);
    return {};
  }
  Result<AuditPage> scan(const CollectionName& collection, const AuditBuckets&, const std::string& last_id,
                         size_t limit, const Visit& visit, std::stop_token) override {
    world_.on_step("end page");
    if (collection.collection == "\xff") return fail(React::kReject, "the name is not UTF-8");
    const auto& rows = world_.rows[collection];
    AuditPage page{last_id, false};
    auto at = last_id.empty() ? rows.begin() : rows.upper_bound(last_id);
    for (size_t n = 0; at != rows.end() && n < limit; ++at, ++n) {
      TIDEMARK_TRY(visit(row_of(at->first, at->second)));
      page.last_id = at->first;
      ++read;
    }
    page.done = at == rows.end();
    return page;
  }
  Status lookup(const CollectionName& collection, std::span<const AuditId> ids, const Visit& visit,
                std::stop_token) override {
    for (const AuditId& id : ids) {
      world_.on_step("end lookup");
      const auto found = world_.rows[collection].find(id.text);
      if (found == world_.rows[collection].end()) continue;
      const World::Held row = found->second;
      TIDEMARK_TRY(visit(row_of(id.text, row)));
    }
    return {};
  }
  Result<std::map<std::optional<int64_t>, uint64_t>> counts(const CollectionName& collection,
                                                            const AuditBuckets& buckets,
                                                            std::stop_token) override {
    world_.on_step("end counts");
    std::map<std::optional<int64_t>, uint64_t> counts;
    for (const auto& [id, row] : world_.rows[collection]) ++counts[bucket_of(row.time_ms, buckets)];
    return counts;
  }
  Result<std::optional<AuditSums>> sums(const CollectionName& collection, const AuditBuckets& buckets,
                                        std::stop_token) override {
    if (!pushes_down) return std::nullopt;
    if (collection.collection == "\xff") return fail(React::kReject, "the name is not UTF-8");
    world_.on_step("end sums");
    AuditSums sums;
    for (const auto& [id, row] : world_.rows[collection]) sums.add(row_of(id, row), buckets);
    return sums;
  }
  Result<bool> scan_leaves(const CollectionName& collection, const AuditBuckets&,
                           std::span<const uint16_t> leaves, const Visit& visit, std::stop_token) override {
    if (!pushes_down) return false;
    world_.on_step("end leaves");
    ++leaf_scans;
    const std::set<size_t> wanted(leaves.begin(), leaves.end());
    for (const auto& [id, row] : world_.rows[collection]) {
      if (wanted.contains(leaf_of(id))) TIDEMARK_TRY(visit(row_of(id, row)));
    }
    return true;
  }
  void close() override {}

  bool pushes_down = true;
  bool shared_table = false;
  uint64_t read = 0;
  uint64_t leaf_scans = 0;

 private:
  const AuditRow& row_of(const std::string& id, const World::Held& held) {
    maker_.of_texts(id, held.doc, {}, row_);
    row_.time_ms = held.time_ms;
    return row_;
  }

  World& world_;
  AuditRowMaker maker_{AuditForm::kAsIs};
  AuditRow row_;
};

// The pipeline's source once more: its log after a token.
class FakeStream final : public Source {
 public:
  explicit FakeStream(World& world) : world_(world) {}
  SourceIdentity identity() const override { return {"f", "fake"}; }
  Result<Position> open(const Position& from, std::stop_token) override {
    if (world_.position_is_lost) return fail(React::kPositionLost, "the oplog begins after the position");
    token_ = token_data(from.token());
    return from;
  }
  Result<SourceBatch> read(std::chrono::milliseconds, std::stop_token) override {
    world_.on_step("stream");
    SourceBatch batch;
    batch.events = std::make_shared<EventBatch>();
    bson::Timestamp reached = world_.time;
    // Two at a time, so that a transaction is torn apart.
    for (const World::Logged& entry : world_.log) {
      if (entry.token <= token_) continue;
      if (batch.events->events().size() == 2) break;
      batch.events->events().push_back(*parse_change_event(batch.events->store(entry.raw.view())));
      token_ = entry.token;
      reached = entry.time;
    }
    if (batch.events->events().empty()) token_ = std::max(token_, World::mark_at(world_.time));
    bson::Builder token;
    batch.resume_after = Position(token.append("_data", token_).view(), reached);
    return batch;
  }
  Result<Position> resolve(const StartPoint&, std::stop_token) override {
    return fail(React::kFatal, "not here");
  }
  Result<SourceHealth> health(std::stop_token) override {
    SourceHealth health;
    health.latest = world_.time;
    health.deployment = "rs0/1";
    return health;
  }
  void on_ready(std::function<void()>) override {}
  void close() override {}

 private:
  World& world_;
  std::string token_;
};

// The pipeline's sink in its plain form: guarded rows.
class FakeSink final : public Sink {
 public:
  FakeSink(World& world, std::set<std::string>& touched, std::set<std::string>& refuses)
      : world_(world), touched_(touched), refuses_(refuses) {}
  Status open(std::stop_token) override { return {}; }
  WriteResult write(std::span<const Event> events, std::stop_token) override {
    world_.on_step("sink");
    for (size_t i = 0; i < events.size(); ++i) {
      std::string id;
      bson::append_json_value(*events[i].key.find("_id"), bson::JsonMode::kCanonical, id);
      if (refuses_.contains(id)) return write_failed({React::kReject, "can't"}, 0, i);
    }
    for (const Event& event : events) {
      std::string id;
      bson::append_json_value(*event.key.find("_id"), bson::JsonMode::kCanonical, id);
      touched_.insert(id);
      World::Rows& rows = world_.rows[{std::string(event.ns.database), std::string(event.ns.collection)}];
      if (event.op == Op::kDelete)
        World::guarded_remove(rows, id, std::string(event.id));
      else
        World::guarded_put(rows, id, world_.render(event.after), time_in(event.after, world_.bucket_field),
                           std::string(event.id));
    }
    return {};
  }
  void close() override {}

 private:
  World& world_;
  std::set<std::string>& touched_;
  std::set<std::string>& refuses_;
};

// The parts of an audit of a world. `touched` and `refuses` are the repairing sink's; all outlive them.
inline AuditParts make_parts(World& world, std::set<std::string>& touched, std::set<std::string>& refuses) {
  AuditParts parts;
  parts.pipeline = "orders";
  parts.source = std::make_unique<FakeAuditSource>(world);
  parts.end = std::make_unique<FakeAuditEnd>(world);
  parts.position = [&world](std::stop_token) -> Result<std::optional<StoredPosition>> {
    world.on_step("position");
    if (world.fingerprint.empty()) return std::nullopt;
    StoredPosition stored;
    stored.position = world.position();
    stored.fingerprint = world.fingerprint;
    stored.deployment = world.deployment;
    return stored;
  };
  parts.make_source = [&world]() -> Result<std::unique_ptr<Source>> {
    return std::make_unique<FakeStream>(world);
  };
  parts.make_sink = [&]() -> Result<std::unique_ptr<Sink>> {
    return std::make_unique<FakeSink>(world, touched, refuses);
  };
  parts.clock = &world.clock;
  return parts;
}

// An audit of a world, with handles on its fakes.
struct Bench {
  World& world;
  FakeAuditSource* source = nullptr;
  FakeAuditEnd* end = nullptr;
  std::set<std::string> touched;  // by repairs
  std::set<std::string> refuses;
  std::unique_ptr<Audit> audit;

  explicit Bench(World& w, AuditOptions options = {}, std::vector<std::unique_ptr<Transform>> transforms = {},
                 FileSystem* files = nullptr)
      : world(w) {
    AuditParts parts = make_parts(world, touched, refuses);
    source = static_cast<FakeAuditSource*>(parts.source.get());
    end = static_cast<FakeAuditEnd*>(parts.end.get());
    parts.transforms = std::move(transforms);
    parts.files = files;
    options.buckets.field = world.bucket_field;
    if (options.page_documents_max == 1000) options.page_documents_max = 7;
    audit = std::make_unique<Audit>(std::move(parts), std::move(options));
  }

  AuditReport run() {
    auto report = audit->run({});
    EXPECT_TRUE(report) << (report ? "" : report.error().describe());
    return report ? *report : AuditReport();
  }
  Error error() {
    auto report = audit->run({});
    EXPECT_FALSE(report) << "the audit went through";
    return report ? Error() : report.error();
  }
};

inline std::vector<std::string> texts(const std::vector<AuditDifference>& differences) {
  std::vector<std::string> list;
  for (const AuditDifference& difference : differences)
    list.push_back(std::string(to_string(difference.kind)) + " " + difference.id);
  return list;
}

inline std::string int_id(int n) { return "{\"$numberInt\":\"" + std::to_string(n) + "\"}"; }

// `count` documents, one a second from 2023-11-14T22:13:20Z on, all delivered.
inline void fill_world(World& world, int count) {
  for (int n = 0; n < count; ++n) {
    world.put(int_id(n), "\"at\":{\"$date\":{\"$numberLong\":\"" +
                             std::to_string(1'700'000'000'000 + n * 1000ll) +
                             "\"}},\"n\":" + std::to_string(n));
  }
  world.drain();
}

// Another document of this id.
inline std::string twisted(const std::string& id) { return "{\"_id\":" + id + ",\"n\":\"twisted\"}"; }

// The three kinds of damage, on documents 3, 50 and one that never was.
inline void damage(World& world) {
  world.rows[world.orders].erase(int_id(3));
  world.rows[world.orders][int_id(50)].doc = twisted(int_id(50));
  world.rows[world.orders]["{\"$oid\":\"000000000000000000000000\"}"] = {"{}", "82", std::nullopt};
}

inline const std::vector<std::string> kDamage = {"missing " + int_id(3), "different " + int_id(50),
                                                 "extra {\"$oid\":\"000000000000000000000000\"}"};

}  // namespace tidemark::guard::audit_world
