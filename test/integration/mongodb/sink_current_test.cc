// What the sink `mongodb` makes of events in mode "current", and of what stands in its way, on a live replica set.
#include <gmock/gmock.h>

#include "core/position_store.h"
#include "integration/mongodb/fixture.h"
#include "support/lossy_proxy.h"

namespace tidemark::testing {
namespace {

using ::testing::HasSubstr;
using ::testing::IsEmpty;

class MongodbCurrent : public WithDeployment {
 protected:
  static void add_put(EventBatch& batch, uint32_t n, int id, int v, const char* op = "replace") {
    const std::string key = R"({"_id": )" + std::to_string(id) + "}";
    add_event(batch, change_event(n, op, key,
                                  R"({"fullDocument": {"_id": )" + std::to_string(id) + R"(, "v": )" +
                                      std::to_string(v) + "}}"));
  }
  static void add_delete(EventBatch& batch, uint32_t n, int id) {
    add_event(batch, change_event(n, "delete", R"({"_id": )" + std::to_string(id) + "}"));
  }
  static void add_rename(EventBatch& batch, uint32_t n, const std::string& to) {
    add_event(batch, change_event(n, "rename", "{}", R"({"to": {"db": "shop", "coll": ")" + to + R"("}})"));
  }
  static std::string stored(uint32_t n, int id, int v) {
    return R"({"_id":)" + std::to_string(id) + R"(,"v":)" + std::to_string(v) + R"(,"_tidemark":")" +
           token_hex(n) + "\"}";
  }
  config::Settings per_collection() const {
    auto settings = at.sink_settings("current");
    settings.set("collection", std::string("{collection}"));
    return settings;
  }
};

TEST_F(MongodbCurrent, HoldsEachDocumentAsItIsNow) {
  auto sink = opened(at.sink_settings("current"));
  EventBatch batch;
  add_put(batch, 1, 1, 10, "insert");
  add_put(batch, 2, 2, 20, "insert");
  add_put(batch, 3, 1, 11, "update");
  add_delete(batch, 4, 2);
  add_put(batch, 5, 3, 30, "insert");
  ASSERT_TRUE(sink->write(batch.events(), {}));
  EXPECT_EQ(at.documents(), (std::vector<std::string>{stored(3, 1, 11), stored(5, 3, 30)}));
}

TEST_F(MongodbCurrent, CarriesADocumentWholeWhateverItsBytes) {
  auto sink = opened(at.sink_settings("current"));
  EventBatch batch;
  add_event(batch, change_event_of(1, "insert", odd_binary()));
  ASSERT_TRUE(sink->write(batch.events(), {}));
  const auto found = at.mongo().find(at.database(), "orders", "{}");
  ASSERT_TRUE(found && found->size() == 1);
  bson::Builder expected;
  expected.concat(odd_binary()).append("_tidemark", token_hex(1));
  EXPECT_EQ(found->front().view(), expected.view()) << bson::to_json(found->front());
}

TEST_F(MongodbCurrent, AnOlderEventChangesNothing) {
  auto sink = opened(at.sink_settings("current"));
  EventBatch newer, older;
  add_put(newer, 10, 1, 100);
  add_put(newer, 11, 2, 200);
  add_put(older, 3, 1, 30);
  add_delete(older, 4, 2);
  ASSERT_TRUE(sink->write(newer.events(), {}));
  ASSERT_TRUE(sink->write(older.events(), {}));
  EXPECT_EQ(at.documents(), (std::vector<std::string>{stored(10, 1, 100), stored(11, 2, 200)}));
}

TEST_F(MongodbCurrent, ADocumentFromACopyWithoutGuardCountsAsOlder) {
  ASSERT_TRUE(at.mongo().insert(at.database(), "orders", R"({"_id": 1, "v": 1})"));
  ASSERT_TRUE(at.mongo().insert(at.database(), "orders", R"({"_id": 2, "v": 2})"));
  auto sink = opened(at.sink_settings("current"));
  EventBatch batch;
  add_put(batch, 1, 1, 10);
  add_delete(batch, 2, 2);
  ASSERT_TRUE(sink->write(batch.events(), {}));
  EXPECT_EQ(at.documents(), std::vector<std::string>{stored(1, 1, 10)});
}

TEST_F(MongodbCurrent, RemovesADocumentWhoseLookupFoundNothing) {
  auto sink = opened(at.sink_settings("current"));
  EventBatch batch;
  add_put(batch, 1, 1, 10);
  add_event(batch, change_event(2, "update", R"({"_id": 1})", R"({"fullDocument": null})"));
  ASSERT_TRUE(sink->write(batch.events(), {}));
  EXPECT_THAT(at.documents(), IsEmpty());
}

TEST_F(MongodbCurrent, KeepsDocumentsThatLookLikeExpressionsAsTheyAre) {
  auto sink = opened(at.sink_settings("current"));
  EventBatch batch;
  add_event(batch,
            change_event(1, "insert", R"({"_id": {"a": "$v", "b": 1}})",
                         R"({"fullDocument": {"_id": {"a": "$v", "b": 1}, "v": "$$ROOT", "w": {"x": "$v"},
                                    "n": {"$numberDecimal": "1.10"}, "big": {"$numberLong": "5"}}})"));
  const auto written = sink->write(batch.events(), {});
  ASSERT_TRUE(written) << written.error().error.describe();
  const auto found = at.mongo().find(at.database(), "orders");
  ASSERT_EQ(found->size(), 1u);
  EXPECT_EQ(found->front().view(), doc(R"({"_id": {"a": "$v", "b": 1}, "v": "$$ROOT", "w": {"x": "$v"},
      "n": {"$numberDecimal": "1.10"}, "big": {"$numberLong": "5"}, "_tidemark": ")" +
                                       token_hex(1) + "\"}")
                                       .view());
}

TEST_F(MongodbCurrent, RejectsADocumentWhoseOwnFieldIsTheGuard) {
  auto sink = opened(at.sink_settings("current"));
  EventBatch batch;
  add_put(batch, 1, 1, 10);
  add_event(batch,
            change_event(2, "insert", R"({"_id": 2})", R"({"fullDocument": {"_id": 2, "_tidemark": 1}})"));
  const auto written = sink->write(batch.events(), {});
  ASSERT_FALSE(written);
  EXPECT_EQ(written.error().error.react, React::kReject);
  EXPECT_EQ(written.error().culprit, 1u);
  EXPECT_THAT(written.error().error.hint, HasSubstr("guard_field"));
}

TEST_F(MongodbCurrent, WithoutAGuardTheCopyIsExact) {
  auto settings = at.sink_settings("current");
  settings.set("guard_field", std::string());
  settings.set("on_drop", std::string("ignore"));
  auto sink = opened(settings);
  EventBatch batch;
  add_put(batch, 1, 1, 10);
  add_put(batch, 2, 2, 20);
  add_delete(batch, 3, 2);
  ASSERT_TRUE(sink->write(batch.events(), {}));
  EXPECT_EQ(at.documents(), std::vector<std::string>{R"({"_id":1,"v":10})"});
}

TEST_F(MongodbCurrent, ADropRemovesWhatIsOlderAndNothingElse) {
  auto sink = opened(at.sink_settings("current"));
  EventBatch before, after;
  add_put(before, 1, 1, 10);
  add_put(before, 9, 2, 20);
  add_event(after, change_event(5, "drop", "{}"));
  ASSERT_TRUE(sink->write(before.events(), {}));
  ASSERT_TRUE(sink->write(after.events(), {}));
  EXPECT_EQ(at.documents(), std::vector<std::string>{stored(9, 2, 20)});
}

TEST_F(MongodbCurrent, ARenameMovesTheDocumentsAndMayBeRepeated) {
  auto sink = opened(per_collection());
  EventBatch batch;
  for (int id = 0; id < 1200; ++id) add_put(batch, 1, id, id);
  add_rename(batch, 2, "archive");
  add_put(batch, 3, 7, 70);
  for (int times = 0; times < 2; ++times) {
    const auto written = sink->write(batch.events(), {});
    ASSERT_TRUE(written) << written.error().error.describe();
    EXPECT_EQ(at.mongo().count(at.database(), "archive"), 1200);
    EXPECT_EQ(at.documents("orders"), std::vector<std::string>{stored(3, 7, 70)});
    EXPECT_EQ(at.documents("archive", R"({"_id": 7})"), std::vector<std::string>{stored(2, 7, 7)});
  }
}

TEST_F(MongodbCurrent, ABatchWithADropCommitsItsPositionAfterIt) {
  auto sink = mongodb_sink_component().transactional(at.sink_settings("current"), at.context()).value();
  ASSERT_TRUE(sink->open_and_load({"orders", "f", "d"}, {}));
  EventBatch batch;
  add_put(batch, 1, 1, 10);
  add_event(batch, change_event(2, "drop", "{}"));
  add_put(batch, 3, 2, 20);
  ASSERT_TRUE(sink->write(batch.events(), position_at(3), {}));
  EXPECT_EQ(at.documents(), std::vector<std::string>{stored(3, 2, 20)});
  EXPECT_EQ((*sink->position_store().peek("orders", {}))->position, position_at(3));
}

TEST_F(MongodbCurrent, SplitsABatchThatNoCommandHolds) {
  auto sink = opened(at.sink_settings("current"));
  EventBatch batch;
  const std::string filler(5'000'000, 'x');
  for (uint32_t n = 1; n <= 7; ++n) {
    add_event(batch, change_event(n, "insert", R"({"_id": )" + std::to_string(n) + "}",
                                  R"({"fullDocument": {"_id": )" + std::to_string(n) + R"(, "f": ")" +
                                      filler + "\"}}"));
  }
  const auto written = sink->write(batch.events(), {});
  ASSERT_TRUE(written) << written.error().error.describe();
  EXPECT_EQ(at.mongo().count(at.database(), "orders"), 7);
}

TEST_F(MongodbCurrent, RejectsADocumentThatIsTooLargeWithItsGuardAndTakesTheOthers) {
  auto sink = opened(at.sink_settings("current"));
  EventBatch batch;
  const std::string filler(16 * 1024 * 1024 - 60, 'x');
  add_put(batch, 1, 1, 10);
  // Larger than a document may be only with the guard.
  bson::Builder document, raw;
  document.append("_id", int32_t{2}).append("f", filler);
  raw.concat(change_event(2, "insert", R"({"_id": 2})"));
  raw.append("fullDocument", document.view());
  add_event(batch, raw.finish());
  const auto written = sink->write(batch.events(), {});
  ASSERT_FALSE(written);
  EXPECT_EQ(written.error().error.react, React::kReject) << written.error().error.describe();
  EXPECT_EQ(written.error().culprit, 1u);
}

TEST_F(MongodbCurrent, ALostLeaseIsNoticedBeforeACollectionIsTouched) {
  auto sink = mongodb_sink_component().transactional(at.sink_settings("current"), at.context()).value();
  ASSERT_TRUE(sink->open_and_load({"orders", "f", "d"}, {}));
  EventBatch before, drop;
  add_put(before, 1, 1, 10);
  add_event(drop, change_event(2, "drop", "{}"));
  ASSERT_TRUE(sink->write(before.events(), position_at(1), {}));
  at.break_lease();
  auto other = mongodb_sink_component().transactional(at.sink_settings("current"), at.context()).value();
  ASSERT_TRUE(other->open_and_load({"orders", "f", "d"}, {}));
  const auto refused = sink->write(drop.events(), position_at(2), {});
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error().error.react, React::kFenced);
  EXPECT_EQ(at.documents().size(), 1u);
}

TEST_F(MongodbCurrent, ACommitThatNobodyAnsweredIsFoundOut) {
  LossyProxy proxy(at.primary_port());
  auto settings = at.sink_settings(
      "current", "mongodb://127.0.0.1:" + std::to_string(proxy.port()) + "/?directConnection=true");
  auto sink = mongodb_sink_component().transactional(settings, at.context()).value();
  ASSERT_TRUE(sink->open_and_load({"orders", "f", "d"}, {}));
  ASSERT_TRUE(sink->write(inserts(1, 2)->events(), position_at(2), {}));
  proxy.lose_answers(2, "commitTransaction", "");
  const auto written = sink->write(inserts(3, 2)->events(), position_at(4), {});
  EXPECT_TRUE(proxy.lost());
  ASSERT_TRUE(written) << written.error().error.describe();
  EXPECT_EQ(at.mongo().count(at.database(), "orders"), 4);
  EXPECT_TRUE(sink->write(inserts(5, 1)->events(), position_at(5), {})) << "the lease is still held";
}

TEST_F(MongodbCurrent, DocumentsAndPositionAppearTogether) {
  auto sink = mongodb_sink_component().transactional(at.sink_settings("current"), at.context()).value();
  ASSERT_TRUE(sink->open_and_load({"orders", "f", "d"}, {}));
  ASSERT_TRUE(sink->write(inserts(1, 1)->events(), position_at(1), {}));
  // The commit never comes: neither may be seen.
  ASSERT_TRUE(at.fail_commands(R"(["commitTransaction"])", 251, 1));
  const auto written = sink->write(inserts(2, 3)->events(), position_at(4), {});
  ASSERT_FALSE(written);
  EXPECT_EQ(written.error().error.react, React::kRetry) << written.error().error.describe();
  EXPECT_EQ(at.mongo().count(at.database(), "orders"), 1);
  EXPECT_EQ((*sink->position_store().peek("orders", {}))->position, position_at(1));
}

TEST_F(MongodbCurrent, AWrongPasswordIsAConfigurationError) {
  auto settings = at.sink_settings("current");
  std::string uri = at.set->uri();
  settings.set("uri", uri.replace(0, std::string("mongodb://").size(), "mongodb://nobody:hidden@"));
  auto sink = mongodb_sink_component().plain(settings, at.context()).value();
  const Status opened = sink->open({});
  ASSERT_FALSE(opened);
  EXPECT_EQ(opened.error().react, React::kDenied) << opened.error().describe();
  EXPECT_EQ(opened.error().describe().find("hidden"), std::string::npos);
}

}  // namespace
}  // namespace tidemark::testing
