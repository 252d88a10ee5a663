// The two ends of a pipeline as an audit reads them: from outside, on connections of their own, without a word from the
// pipeline. What the source holds is turned into what the destination must hold, so that both are compared in the
// destination's own form.
//
// Implemented beside the components (sources/*/audit.h, sinks/*/audit.h), driven by src/guard. One thread at a time; every
// call may block for the network. Errors: kRetry (try again later), kConfig (this can't be audited, and why), kCancelled,
// kFatal.
#pragma once

#include <array>
#include <cstdint>
#include <functional>
#include <map>
#include <optional>
#include <span>
#include <stop_token>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "bson/document.h"
#include "core/event.h"

namespace tidemark {

// A collection by name, as the source calls it.
struct CollectionName {
  std::string database;
  std::string collection;

  Namespace view() const { return {database, collection}; }
  std::string text() const { return database + "." + collection; }
  friend auto operator<=>(const CollectionName&, const CollectionName&) = default;
};

// How one document is told from another: two that share a text (they must not) still have keys of their own.
struct AuditId {
  std::string text;  // canonical Extended JSON of `_id`: what rows are found by
  std::string key;   // append_key() of `_id`; empty where the text reads back to no value
  friend auto operator<=>(const AuditId&, const AuditId&) = default;
};

// A document as the destination holds it, or must hold it: as BSON, so that a text that says less than the document is a
// difference. core/audit_row.h makes both kinds.
struct AuditRow {
  std::string id;   // AuditId::text
  std::string key;  // AuditId::key
  std::string
      doc;  // the document's BSON in the destination's normal form; with a flaw, what stands there instead
  std::string flaw = {};                // why what stands there is no document of this id; empty: it is one
  std::optional<int64_t> time_ms = {};  // the time its bucket goes by; empty when the document has none
};

// How documents are told apart by time: buckets of `width_ms` by the date in `field`, a dotted path. "_id" stands for the
// time inside an ObjectId.
struct AuditBuckets {
  std::string field = "_id";
  int64_t width_ms = 3'600'000;
};

// An order-independent sum over documents: equal sums are equal sets of documents, but for a chance of 2^-128.
struct AuditSum {
  uint64_t count = 0;
  uint64_t low = 0;  // both halves of the MD5 of each row, added modulo 2^64
  uint64_t high = 0;

  void add(const AuditSum& other) {
    count += other.count;
    low += other.low;
    high += other.high;
  }
  friend bool operator==(const AuditSum&, const AuditSum&) = default;
};

// Every document belongs to one of these leaves by its id alone. A leaf whose sums differ is where a drill-down looks, and
// what it must hold in memory at a time.
inline constexpr size_t kAuditLeaves = 4096;

struct AuditSums {
  std::map<std::optional<int64_t>, AuditSum>
      by_bucket;  // by the bucket's first millisecond; empty key: without a time
  std::vector<AuditSum> by_leaf = std::vector<AuditSum>(kAuditLeaves);

  void add(const AuditRow& row, const AuditBuckets& buckets);
  void add(const AuditSums& other);
};

// The first 8 and the last 8 bytes of MD5(key, 0x1F, doc), big-endian; of a row with a flaw those of
// MD5(0x1F, id, 0x1F, doc), which no document has. Nobody forges content against an audit.
AuditSum sum_of(const AuditRow& row);
// The first 12 bits of MD5(id): of the text, by which SQL chooses rows.
size_t leaf_of(std::string_view id);
// The bucket's first millisecond; rounds down, also before 1970.
std::optional<int64_t> bucket_of(std::optional<int64_t> time_ms, const AuditBuckets& buckets);
// The bytes that tell one `_id` from another: its type and its value, appended to `out`.
void append_key(const bson::Element& id, std::string& out);
// {"_id": VALUE} of a key; kReject for bytes that are none.
Result<bson::Document> document_of_key(std::string_view key);
// The time that `field` names in a document: a date, a timestamp's seconds, an ObjectId's seconds; empty for anything else.
std::optional<int64_t> time_in(bson::View document, std::string_view field);

// Where a scan stands. A scan goes on from `last_id` after an interruption, even of the process.
struct AuditPage {
  std::string last_id;  // AuditRow::id of the last one visited
  bool done = false;    // nothing comes after it
};

// The documents of the source.
class AuditSource {
 public:
  virtual ~AuditSource() = default;
  virtual std::string describe() const = 0;  // "mongodb shop.orders"
  virtual Status open(std::stop_token stop) = 0;
  // What the pipeline's source watches and is there now, sorted; without system collections and views. A collection that the
  // settings name is always one of them, also when it was dropped.
  virtual Result<std::vector<CollectionName>> collections(std::stop_token stop) = 0;
  // Whether documents of this one of collections() are removed by the server without a change event: a capped collection.
  virtual bool forgets(const CollectionName&) const { return false; }

  // Hands out up to `limit` documents in an order of the server's own that doesn't change, after `last_id` (empty: from the
  // first), as of the majority. A document that is written meanwhile may be seen in either state, or not.
  using Visit = std::function<Status(bson::View document)>;
  virtual Result<AuditPage> scan(const CollectionName& collection, const std::string& last_id, size_t limit,
                                 const Visit& visit, std::stop_token stop) = 0;
  // Those that exist with an `_id` of these very bytes (AuditId::key; one without a key names none), however many have it: a
  // sharded collection may hold one `_id` twice. Each as of some moment after the call began and not after the cluster time returned: every
  // change that a majority had before the call is in, none that came after that time. (The primary, read concern majority,
  // afterClusterTime = an operationTime of its own asked for first; the value is the reply's operationTime.) Whoever then
  // finds no change of a document up to that time knows its state exactly. Without ids: such a time alone.
  virtual Result<bson::Timestamp> lookup(const CollectionName& collection, std::span<const AuditId> ids,
                                         const Visit& visit, std::stop_token stop) = 0;
  // Documents by bucket, counted by the server.
  virtual Result<std::map<std::optional<int64_t>, uint64_t>> counts(const CollectionName& collection,
                                                                    const AuditBuckets& buckets,
                                                                    std::stop_token stop) = 0;
  virtual void close() = 0;
};

// The rows of the destination.
class AuditEnd {
 public:
  virtual ~AuditEnd() = default;
  virtual std::string describe() const = 0;  // "sqlite shop.db"
  virtual Status open(std::stop_token stop) = 0;

  // What a collection's rows are kept in: two collections of one target can't be told apart there.
  virtual std::string target(const CollectionName& collection) = 0;

  // The row that must be there after `event`, an insert that has passed the pipeline's transforms; kReject where the sink
  // rejects the event. `time_ms` stays empty: the caller knows the document. Called once per document; reuses the row's
  // memory.
  virtual Status expected(const Event& event, AuditRow& row) = 0;

  // The rows that belong to a collection of the source; the same contract as AuditSource::scan. A table that isn't there
  // has no rows.
  using Visit = std::function<Status(const AuditRow& row)>;
  virtual Result<AuditPage> scan(const CollectionName& collection, const AuditBuckets& buckets,
                                 const std::string& last_id, size_t limit, const Visit& visit,
                                 std::stop_token stop) = 0;
  // The rows of these texts (of these keys, where the end holds `_id` itself).
  virtual Status lookup(const CollectionName& collection, std::span<const AuditId> ids, const Visit& visit,
                        std::stop_token stop) = 0;
  virtual Result<std::map<std::optional<int64_t>, uint64_t>> counts(const CollectionName& collection,
                                                                    const AuditBuckets& buckets,
                                                                    std::stop_token stop) = 0;
  // The sums of every row, read in whatever order is cheapest and without pauses; empty where that is no other than a scan's.
  virtual Result<std::optional<AuditSums>> sums(const CollectionName&, const AuditBuckets&, std::stop_token) {
    return std::optional<AuditSums>();
  }
  // The rows of the given leaves alone, where the server can choose them; false where it can't and nothing was visited.
  virtual Result<bool> scan_leaves(const CollectionName&, const AuditBuckets&, std::span<const uint16_t>,
                                   const Visit&, std::stop_token) {
    return false;
  }
  virtual void close() = 0;
};

}  // namespace tidemark
