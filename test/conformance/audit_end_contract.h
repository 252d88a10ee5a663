// What every AuditEnd must do: say of each event exactly what the sink makes of it, and read that back in every way the
// same. A sink's own test instantiates the suite with a harness:
//
//   struct Harness {
//     // Why the suite can't run here (no server, say); empty when it can.
//     std::optional<std::string> unavailable();
//     // The sink in its plain form, in mode `current`, its table named by {collection}.
//     std::shared_ptr<Sink> make_sink();
//     // An end over what the sink writes; not opened.
//     std::unique_ptr<AuditEnd> make_end();
//     // The same of a server that doesn't answer, or of a database that isn't there.
//     std::unique_ptr<AuditEnd> make_end_away();
//     // What becomes of settings whose mode keeps events.
//     Result<std::unique_ptr<AuditEnd>> make_end_of_events();
//     // In the stored document of this id, the int 1 in the field `n` becomes a long 1.
//     void twist(const std::string& id);
//     // Puts another text in the place of the stored document; false where rows are no texts.
//     bool put_text(const std::string& id, const std::string& text);
//     // Puts a table of another shape in the place of the collection's; false where there are no shapes.
//     bool put_other_shape(const std::string& collection);
//   };
//   INSTANTIATE_TYPED_TEST_SUITE_P(Sqlite, AuditEndContract, Harness);
//
// A harness stands over an empty destination when it is made.
#pragma once

#include <algorithm>
#include <map>
#include <memory>
#include <optional>
#include <random>
#include <string>
#include <vector>

#include <gtest/gtest.h>

#include "bson/json.h"
#include "bson/testing/arbitrary_bson.h"
#include "core/audit.h"
#include "core/sink.h"
#include "support/change_events.h"

namespace tidemark::testing {

// A document of every type, ids of every kind, and times of every kind and none.
inline std::vector<bson::Document> audited_documents() {
  std::vector<std::string> texts = {
      R"({"_id":{"$numberInt":"1"},"n":{"$numberInt":"1"},"created_at":{"$date":{"$numberLong":"1700000000000"}}})",
      R"({"_id":{"$numberLong":"2"},"n":{"$numberLong":"1"},"created_at":{"$date":{"$numberLong":"1700003599999"}}})",
      R"({"_id":{"$numberDouble":"3.5"},"n":{"$numberDouble":"1.0"},"created_at":{"$date":{"$numberLong":"-1"}}})",
      R"({"_id":{"$numberDecimal":"7"},"n":{"$numberDecimal":"1"},"created_at":{"$date":{"$numberLong":"-3600000"}}})",
      R"({"_id":"text","created_at":{"$date":{"$numberLong":"-3600001"}}})",
      R"({"_id":"","created_at":{"$date":{"$numberLong":"0"}}})",
      R"({"_id":"\"\\ \u0001\u001f\u007f\b\f\n\r\t \u00e9 \u4e2d \ud83d\ude00","created_at":{"$timestamp":{"t":1700000000,"i":7}}})",
      R"({"_id":{"$oid":"6553f1000000000000000001"},"created_at":"2024-01-01"})",
      R"({"_id":{"$oid":"f553f1000000000000000001"},"created_at":{"$oid":"6553f1000000000000000002"}})",
      R"({"_id":{"$date":{"$numberLong":"5"}},"nested":{"at":{"$date":{"$numberLong":"1700000000000"}}}})",
      R"({"_id":{"a":{"$numberInt":"1"},"b":"x"},"nested":[{"at":{"$date":{"$numberLong":"1700000000000"}}}]})",
      R"({"_id":true,"list":[{"$date":{"$numberLong":"86400000"}},{"$numberInt":"1"}],"nested":"no"})",
      R"({"_id":{"$binary":{"base64":"AP8=","subType":"00"}},"list":{"0":{"$date":{"$numberLong":"1"}}}})",
      R"({"_id":null,"created_at":{"$date":{"$numberLong":"9223372036854775807"}}})",
      R"({"_id":"the beginning","created_at":{"$date":{"$numberLong":"-9223372036854775807"}}})",
      R"({"_id":"keys","zz":{"$numberInt":"1"},"b":{"$numberInt":"2"},"a\"b\\":{},"\u00e9":[],"\t":"tab",)"
      R"("aaaaaaaaaa":[[],[{}],[{"y":null,"x":false}]],"":"empty","B":{"b":{"bb":{"b":"deep"},"a":"x"},"a":""}})",
      R"({"_id":"types","double":{"$numberDouble":"-0.0"},"nan":{"$numberDouble":"NaN"},"inf":{"$numberDouble":"-Infinity"},)"
      R"("tiny":{"$numberDouble":"5e-324"},"object":{"k":"v"},"array":["a",{"$numberInt":"0"}],)"
      R"("binary":{"$binary":{"base64":"AQID","subType":"80"}},"undefined":{"$undefined":true},)"
      R"("oid":{"$oid":"000000000000000000000000"},"bool":false,"date":{"$date":{"$numberLong":"-62135596800001"}},)"
      R"("null":null,"regex":{"$regularExpression":{"pattern":"a/\"b","options":"im"}},)"
      R"("pointer":{"$dbPointer":{"$ref":"c","$id":{"$oid":"000000000000000000000001"}}},)"
      R"("code":{"$code":"f();"},"symbol":{"$symbol":"s"},"scoped":{"$code":"g();","$scope":{"z":{"$numberInt":"1"}}},)"
      R"("int":{"$numberInt":"-2147483648"},"timestamp":{"$timestamp":{"t":4294967295,"i":4294967295}},)"
      R"("long":{"$numberLong":"-9223372036854775808"},"decimal":{"$numberDecimal":"1.0E+400"},)"
      R"("min":{"$minKey":1},"max":{"$maxKey":1}})"};
  std::vector<bson::Document> documents;
  for (const std::string& text : texts) documents.push_back(doc(text));
  // Names that are not UTF-8: the text of such a document is one of its bytes, and no path leads into it.
  bson::Builder whole, part, inner;
  whole.append("_id", "wrapped").append("\xff", "x").append_date("created_at", 1'700'000'000'000);
  documents.push_back(whole.finish());
  inner.append("\xff", "x").append_date("at", 1'700'000'000'000);
  part.append("_id", "wrapped inside").append("nested", inner.view());
  documents.push_back(part.finish());
  return documents;
}

// `count` documents of all types at random, the same for the same seed.
inline std::vector<bson::Document> random_documents(uint32_t seed, int count) {
  std::mt19937 random(seed);
  std::vector<bson::Document> documents;
  for (int i = 0; i < count; ++i) {
    std::vector<uint32_t> choices(200);
    for (uint32_t& choice : choices) choice = random();
    bson::Builder whole;
    whole.append("_id", "random " + std::to_string(i));
    whole.concat(bson::ArbitraryBson(choices, bson::ArbitraryBson::Kind::kStored).document());
    documents.push_back(whole.finish());
  }
  return documents;
}

template <class Harness>
class AuditEndContract : public ::testing::Test {
 protected:
  using Rows = std::vector<AuditRow>;
  using Map = std::map<std::string, std::string>;  // id to document

  void SetUp() override {
    if (auto reason = harness.unavailable()) GTEST_SKIP() << *reason;
  }

  // Writes the documents as inserts; those that the sink rejects are left out, and those alone `expected` rejects too.
  void write(const std::vector<bson::Document>& documents) {
    auto sink = harness.make_sink();
    ASSERT_TRUE(sink->open({}));
    EventBatch batch;
    std::vector<bson::Document> raws;
    for (const bson::Document& document : documents) {
      bson::Builder event, ns, key;
      ns.append("db", "shop").append("coll", "orders");
      key.append("_id", *document.view().find("_id"));
      event.append("_id", token_doc(++number_).view()).append("operationType", "insert");
      event.append_timestamp("clusterTime", 1700000000u + number_ / 10, 1u + number_ % 10);
      event.append("ns", ns.view()).append("documentKey", key.view()).append("fullDocument", document.view());
      raws.push_back(event.finish());
    }
    auto end = opened();
    for (const bson::Document& raw : raws) add_event(batch, raw);
    std::vector<Event>& events = batch.events();
    while (true) {
      auto written = sink->write(events, {});
      if (written) break;
      const WriteFailure& failure = written.error();
      ASSERT_EQ(failure.error.react, React::kReject) << failure.error.describe();
      AuditRow row;
      const Status rejected = end->expected(events[failure.culprit], row);
      EXPECT_FALSE(rejected) << "the sink rejects what the audit expects: " << failure.error.describe();
      events.erase(events.begin() + static_cast<ptrdiff_t>(failure.culprit));
    }
    for (const Event& event : events) {
      AuditRow row;
      const Status made = end->expected(event, row);
      ASSERT_TRUE(made) << made.error().describe() << bson::to_json(event.after);
      expected[row.id] = row.doc;
      documents_[row.id] = bson::Document(event.after);
    }
  }

  std::unique_ptr<AuditEnd> opened() {
    auto end = harness.make_end();
    const Status status = end->open({});
    EXPECT_TRUE(status) << status.error().describe();
    return end;
  }

  Rows scan(AuditEnd& end, const AuditBuckets& buckets = {}, size_t limit = 1000) {
    Rows rows;
    std::string last;
    for (int pages = 0; pages < 100'000; ++pages) {
      auto page = end.scan(orders, buckets, last, limit,
                           [&](const AuditRow& row) -> Status {
                             rows.push_back(row);
                             return {};
                           },
                           {});
      if (!page) {
        ADD_FAILURE() << page.error().describe();
        return rows;
      }
      if (!rows.empty()) {
        EXPECT_EQ(page->last_id, rows.back().id);
      }
      if (page->done) return rows;
      last = page->last_id;
    }
    ADD_FAILURE() << "the scan has no end";
    return rows;
  }

  static Map map_of(const Rows& rows) {
    Map map;
    for (const AuditRow& row : rows) {
      EXPECT_EQ(row.flaw, "") << row.id;
      EXPECT_TRUE(map.emplace(row.id, row.doc).second) << row.id << " twice";
    }
    return map;
  }
  static AuditId id_of(const bson::Document& document) {
    AuditId id;
    const bson::Element value = *document.view().find("_id");
    bson::append_json_value(value, bson::JsonMode::kCanonical, id.text);
    append_key(value, id.key);
    return id;
  }
  static std::vector<std::string> ids_of(const Rows& rows) {
    std::vector<std::string> ids;
    for (const AuditRow& row : rows) ids.push_back(row.id);
    return ids;
  }
  static AuditSums sums_of(const Rows& rows, const AuditBuckets& buckets) {
    AuditSums sums;
    for (const AuditRow& row : rows) sums.add(row, buckets);
    return sums;
  }

  static std::vector<AuditBuckets> all_buckets() {
    return {{"_id", 3'600'000},    {"created_at", 3'600'000}, {"created_at", 7}, {"nested.at", 86'400'000},
            {"list.0", 3'600'000}, {"no.such.field", 1000},   {"created_at", 1}};
  }

  Harness harness;
  const CollectionName orders{"shop", "orders"};
  Map expected;
  std::map<std::string, bson::Document> documents_;
  uint32_t number_ = 0;
};

TYPED_TEST_SUITE_P(AuditEndContract);

TYPED_TEST_P(AuditEndContract, WhatTheSinkWroteIsWhatIsExpected) {
  this->write(audited_documents());
  ASSERT_EQ(this->expected.size(), audited_documents().size());
  auto end = this->opened();
  EXPECT_EQ(this->map_of(this->scan(*end)), this->expected);
}

TYPED_TEST_P(AuditEndContract, RandomDocumentsAreWhatIsExpected) {
  for (uint32_t seed = 1; seed <= 3; ++seed) {
    this->write(random_documents(seed, 300));
    auto end = this->opened();
    EXPECT_EQ(this->map_of(this->scan(*end)), this->expected) << "seed " << seed;
    EXPECT_GT(this->expected.size(), 150u);
  }
}

TYPED_TEST_P(AuditEndContract, ARowTellsTheTimeOfItsDocument) {
  this->write(audited_documents());
  auto end = this->opened();
  for (const AuditBuckets& buckets : this->all_buckets()) {
    for (const AuditRow& row : this->scan(*end, buckets))
      EXPECT_EQ(row.time_ms, time_in(this->documents_[row.id], buckets.field))
          << buckets.field << " of " << row.id;
  }
}

TYPED_TEST_P(AuditEndContract, PagesAreOneScanWhoeverReadsThem) {
  this->write(audited_documents());
  auto end = this->opened();
  const auto whole = this->ids_of(this->scan(*end));
  for (const size_t limit : {1u, 2u, 3u, 7u})
    EXPECT_EQ(this->ids_of(this->scan(*end, {}, limit)), whole) << limit;
  std::vector<std::string> ids;
  std::string last;
  for (bool done = false; !done;) {
    // As after a restart.
    auto other = this->opened();
    auto page = other->scan(this->orders, {}, last, 2,
                            [&](const AuditRow& row) -> Status {
                              ids.push_back(row.id);
                              return {};
                            },
                            {});
    ASSERT_TRUE(page) << page.error().describe();
    last = page->last_id;
    done = page->done;
    ASSERT_LE(ids.size(), whole.size());
  }
  EXPECT_EQ(ids, whole);
}

TYPED_TEST_P(AuditEndContract, ALookupFindsWhatIsAskedForAlone) {
  this->write(audited_documents());
  auto end = this->opened();
  std::vector<AuditId> ids = {{"nonsense {", ""}};
  for (const char* other :
       {R"({"_id":{"$numberLong":"1"}})", R"({"_id":{"$numberDouble":"2.0"}})", R"({"_id":"Text"})",
        R"({"_id":{"$regularExpression":{"pattern":"t","options":""}}})"})
    ids.push_back(this->id_of(doc(other)));
  typename TestFixture::Map wanted;
  for (const auto& [id, document] : this->expected) {
    if (wanted.size() > this->expected.size() / 2) break;
    ids.push_back(this->id_of(this->documents_[id]));
    wanted.emplace(id, document);
  }
  std::sort(ids.begin(), ids.end());
  typename TestFixture::Rows rows;
  const auto take = [&](const AuditRow& row) -> Status {
    rows.push_back(row);
    return {};
  };
  ASSERT_TRUE(end->lookup(this->orders, ids, take, {}));
  EXPECT_EQ(this->map_of(rows), wanted);
  for (const AuditRow& row : rows) EXPECT_EQ(row.flaw, "") << row.id;
  rows.clear();
  ASSERT_TRUE(end->lookup(this->orders, {}, take, {}));
  ASSERT_TRUE(end->lookup({"shop", "nothing"}, ids, take, {}));
  EXPECT_TRUE(rows.empty());
}

TYPED_TEST_P(AuditEndContract, SumsAndCountsAreThoseOfAScan) {
  this->write(audited_documents());
  this->write(random_documents(4, 200));
  auto end = this->opened();
  for (const AuditBuckets& buckets : this->all_buckets()) {
    SCOPED_TRACE(buckets.field + " by " + std::to_string(buckets.width_ms));
    const AuditSums scanned = this->sums_of(this->scan(*end, buckets), buckets);
    auto sums = end->sums(this->orders, buckets, {});
    ASSERT_TRUE(sums) << sums.error().describe();
    if (*sums) {
      EXPECT_TRUE((*sums)->by_bucket == scanned.by_bucket);
      EXPECT_TRUE((*sums)->by_leaf == scanned.by_leaf);
    }
    std::map<std::optional<int64_t>, uint64_t> counted;
    for (const auto& [bucket, sum] : scanned.by_bucket) counted[bucket] = sum.count;
    auto counts = end->counts(this->orders, buckets, {});
    ASSERT_TRUE(counts) << counts.error().describe();
    EXPECT_EQ(*counts, counted);
  }
}

TYPED_TEST_P(AuditEndContract, LeavesAreAPartOfTheScan) {
  this->write(audited_documents());
  auto end = this->opened();
  const AuditBuckets buckets{"created_at", 1000};
  std::vector<uint16_t> leaves;
  typename TestFixture::Rows wanted;
  for (const AuditRow& row : this->scan(*end, buckets)) {
    if (wanted.size() >= 5) break;
    leaves.push_back(static_cast<uint16_t>(leaf_of(row.id)));
    wanted.push_back(row);
  }
  typename TestFixture::Rows rows;
  auto done = end->scan_leaves(this->orders, buckets, leaves,
                               [&](const AuditRow& row) -> Status {
                                 rows.push_back(row);
                                 return {};
                               },
                               {});
  ASSERT_TRUE(done) << done.error().describe();
  if (!*done) {
    EXPECT_TRUE(rows.empty());
    return;
  }
  EXPECT_EQ(this->map_of(rows), this->map_of(wanted));
  EXPECT_TRUE(this->sums_of(rows, buckets).by_bucket == this->sums_of(wanted, buckets).by_bucket);
}

TYPED_TEST_P(AuditEndContract, ATableThatIsNotThereHasNoRows) {
  this->write(audited_documents());
  auto end = this->opened();
  const CollectionName nothing{"shop", "nothing"};
  const auto none = [](const AuditRow& row) -> Status {
    ADD_FAILURE() << row.id;
    return {};
  };
  auto page = end->scan(nothing, {}, "", 10, none, {});
  ASSERT_TRUE(page) << page.error().describe();
  EXPECT_TRUE(page->done);
  auto counts = end->counts(nothing, {}, {});
  ASSERT_TRUE(counts) << counts.error().describe();
  EXPECT_TRUE(counts->empty());
  auto sums = end->sums(nothing, {}, {});
  ASSERT_TRUE(sums) << sums.error().describe();
  if (*sums) {
    EXPECT_TRUE((*sums)->by_bucket.empty());
  }
  const uint16_t leaf = 1;
  EXPECT_TRUE(end->scan_leaves(nothing, {}, std::span(&leaf, 1), none, {}));
}

TYPED_TEST_P(AuditEndContract, ARowChangedByHandInATypeAloneIsAnother) {
  this->write(audited_documents());
  auto end = this->opened();
  const std::string id = R"({"$numberInt":"1"})";
  this->harness.twist(id);
  auto rows = this->map_of(this->scan(*end));
  EXPECT_NE(rows[id], this->expected[id]);
  rows[id] = this->expected[id];
  EXPECT_EQ(rows, this->expected);
}

TYPED_TEST_P(AuditEndContract, ARowThatReadsBackToNoDocumentOfItsIdHasAFlawAndIsHandedOut) {
  this->write(audited_documents());
  const std::string id = R"({"$numberInt":"1"})";
  if (!this->harness.put_text(id, "{}")) GTEST_SKIP() << "rows are no texts here";
  auto end = this->opened();
  const AuditId one = this->id_of(this->documents_[id]);
  const AuditBuckets buckets;
  const uint16_t leaf = static_cast<uint16_t>(leaf_of(id));
  for (const auto& [text, is_document] :
       std::map<std::string, bool>{{R"({"_id":{"$numberInt":"1"},"n":{"$numberInt":"1"}})", true},
                                   {R"({"_id":{"$numberInt":"2"},"n":{"$numberInt":"1"}})", false},
                                   {R"({"_id":{"$numberInt":"1"},"n":{"$numberInt":"one"}})", false},
                                   {R"("a text")", false}}) {
    ASSERT_TRUE(this->harness.put_text(id, text));
    std::vector<AuditRow> found;
    const auto take = [&](const AuditRow& row) -> Status {
      if (row.id == id) found.push_back(row);
      return {};
    };
    for (const AuditRow& row : this->scan(*end)) EXPECT_TRUE(take(row));
    ASSERT_TRUE(end->lookup(this->orders, std::span(&one, 1), take, {}));
    ASSERT_TRUE(end->scan_leaves(this->orders, buckets, std::span(&leaf, 1), take, {}));
    ASSERT_GE(found.size(), 2u) << text;
    for (const AuditRow& row : found) {
      EXPECT_EQ(row.flaw.empty(), is_document) << text << ": " << row.flaw;
      EXPECT_EQ(row.key, one.key) << "it can be looked up all the same";
      EXPECT_EQ(sum_of(row), sum_of(found[0])) << text;
    }
  }
}

TYPED_TEST_P(AuditEndContract, ATableOfAnotherShapeIsNoTableOfThePipeline) {
  this->write(audited_documents());
  if (!this->harness.put_other_shape("other")) GTEST_SKIP() << "there are no shapes here";
  auto end = this->opened();
  const auto page = end->scan({"shop", "other"}, {}, "", 10, [](const AuditRow&) { return Status(); }, {});
  ASSERT_FALSE(page);
  EXPECT_EQ(page.error().react, React::kReject) << "one collection's: " << page.error().describe();
  EXPECT_NE(page.error().what.find("shape"), std::string::npos) << page.error().describe();
}

// Both lead to one table, which belongs to the first: rows of shop.orders are nothing of elsewhere.orders, whose documents the
// sink refuses; and so it is once shop.orders is gone from the source.
TYPED_TEST_P(AuditEndContract, ATableOfAnotherCollectionHoldsNothingOfThisOneWhoseDocumentsAreRefused) {
  this->write(audited_documents());
  auto end = this->opened();
  const CollectionName another{"elsewhere", "orders"};
  EXPECT_NE(end->target(another), end->target(this->orders));
  size_t seen = 0;
  const auto count = [&](const AuditRow&) -> Status {
    ++seen;
    return {};
  };
  const auto page = end->scan(another, {}, "", 100, count, {});
  ASSERT_TRUE(page) << page.error().describe();
  EXPECT_TRUE(page->done);
  const std::vector<AuditId> ids = {this->id_of(doc(R"({"_id":"text"})"))};
  ASSERT_TRUE(end->lookup(another, ids, count, {}));
  EXPECT_EQ(seen, 0u);
  const auto counts = end->counts(another, {}, {});
  ASSERT_TRUE(counts) << counts.error().describe();
  EXPECT_TRUE(counts->empty());
  EventBatch batch;
  add_event(batch, change_of(1, "insert", "elsewhere", "orders", "x"));
  AuditRow row;
  const Status refused = end->expected(batch.events()[0], row);
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error().react, React::kReject);
  EXPECT_NE(refused.error().what.find("shop.orders"), std::string::npos) << refused.error().what;
}

TYPED_TEST_P(AuditEndContract, AServerThatIsAwayIsTriedAgain) {
  auto end = this->harness.make_end_away();
  const Status opened = end->open({});
  ASSERT_FALSE(opened);
  EXPECT_EQ(opened.error().react, React::kRetry) << opened.error().describe();
}

TYPED_TEST_P(AuditEndContract, AStopEndsIt) {
  this->write(audited_documents());
  auto end = this->opened();
  std::stop_source stop;
  stop.request_stop();
  const auto page = end->scan(
      this->orders, {}, "", 10, [](const AuditRow&) { return Status(); }, stop.get_token());
  ASSERT_FALSE(page);
  EXPECT_EQ(page.error().react, React::kCancelled) << page.error().describe();
  EXPECT_EQ(this->map_of(this->scan(*end)), this->expected);
}

TYPED_TEST_P(AuditEndContract, RowsThatAreEventsCannotBeAudited) {
  const auto made = this->harness.make_end_of_events();
  ASSERT_FALSE(made);
  EXPECT_EQ(made.error().react, React::kConfig) << made.error().describe();
  EXPECT_NE(made.error().describe().find("mode"), std::string::npos) << made.error().describe();
}

REGISTER_TYPED_TEST_SUITE_P(AuditEndContract, WhatTheSinkWroteIsWhatIsExpected,
                            RandomDocumentsAreWhatIsExpected, ARowTellsTheTimeOfItsDocument,
                            PagesAreOneScanWhoeverReadsThem, ALookupFindsWhatIsAskedForAlone,
                            SumsAndCountsAreThoseOfAScan, LeavesAreAPartOfTheScan,
                            ATableThatIsNotThereHasNoRows, ARowChangedByHandInATypeAloneIsAnother,
                            ARowThatReadsBackToNoDocumentOfItsIdHasAFlawAndIsHandedOut,
                            ATableOfAnotherShapeIsNoTableOfThePipeline,
                            ATableOfAnotherCollectionHoldsNothingOfThisOneWhoseDocumentsAreRefused,
                            AServerThatIsAwayIsTriedAgain, AStopEndsIt, RowsThatAreEventsCannotBeAudited);

}  // namespace tidemark::testing
