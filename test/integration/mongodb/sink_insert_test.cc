// What the sink `mongodb` makes of events in mode "insert", and of what stands in its way, on a live replica set.
#include <gmock/gmock.h>

#include "core/position_store.h"
#include "integration/mongodb/fixture.h"

namespace tidemark::testing {
namespace {

using ::testing::HasSubstr;

class MongodbInsert : public WithDeployment {
 protected:
  config::Settings settings(std::vector<std::string> unique_key = {"raw.source", "raw.id"}) const {
    auto settings = at.sink_settings("insert");
    settings.set("unique_key", std::move(unique_key));
    return settings;
  }
  // As the transform `enrich` hands a CloudEvent on: no `_id` of its own.
  static Event& add_cloud_event(EventBatch& batch, uint32_t n, const std::string& raw) {
    const std::string key = R"({"_id": "src/)" + std::to_string(n) + " " + std::to_string(n) + R"("})";
    return add_event(batch, change_event(n, "insert", key, R"({"fullDocument": {"raw": )" + raw + "}}"));
  }
  static std::string raw(uint32_t n) { return R"({"source": "src", "id": ")" + std::to_string(n) + R"("})"; }
};

TEST_F(MongodbInsert, KeysADocumentWithoutAnIdByItsEvent) {
  auto sink = opened(settings({}));
  EventBatch batch;
  add_cloud_event(batch, 1, raw(1));
  ASSERT_TRUE(sink->write(batch.events(), {}));
  ASSERT_TRUE(sink->write(batch.events(), {})) << "a repeated event is taken without harm";
  EXPECT_EQ(at.documents(), std::vector<std::string>{R"({"_id":"src/1 1","raw":{"source":"src","id":"1"}})"});
}

TEST_F(MongodbInsert, CarriesADocumentWholeWhateverItsBytes) {
  auto sink = opened(settings({}));
  EventBatch batch;
  add_event(batch, change_event_of(1, "insert", odd_binary()));
  ASSERT_TRUE(sink->write(batch.events(), {}));
  const auto found = at.mongo().find(at.database(), "orders", "{}");
  ASSERT_TRUE(found && found->size() == 1);
  EXPECT_EQ(found->front().view(), odd_binary().view()) << bson::to_json(found->front());
}

TEST_F(MongodbInsert, CreatesItsUniqueIndexAndTakesADuplicateForWritten) {
  auto sink = opened(settings());
  EventBatch first, second;
  add_cloud_event(first, 1, raw(1));
  // Another key, the same source and id.
  add_cloud_event(second, 2, raw(1));
  add_cloud_event(second, 3, raw(3));
  ASSERT_TRUE(sink->write(first.events(), {}));
  const auto again = sink->write(second.events(), {});
  ASSERT_TRUE(again) << again.error().error.describe();
  EXPECT_EQ(at.mongo().count(at.database(), "orders"), 2);
  EXPECT_EQ(
      at.mongo().insert(at.database(), "orders", R"({"raw": {"source": "src", "id": "3"}})").error().code,
      11000);
}

TEST_F(MongodbInsert, SaysWhatStandsInTheWayOfTheUniqueIndex) {
  for (int i = 0; i < 2; ++i)
    ASSERT_TRUE(at.mongo().insert(at.database(), "orders", R"({"raw": {"source": "src", "id": "1"}})"));
  auto sink = mongodb_sink_component().plain(settings(), at.context()).value();
  const Status opened = sink->open({});
  ASSERT_FALSE(opened);
  EXPECT_EQ(opened.error().react, React::kConfig);
  EXPECT_THAT(opened.error().what, HasSubstr("raw.source_1_raw.id_1"));
  EXPECT_THAT(opened.error().hint, HasSubstr("remove all but one"));
}

// Without it the next write would take a repetition for another document.
TEST_F(MongodbInsert, MakesTheIndexWithTheNextWriteWhereTheServerCouldNot) {
  for (const char* collection : {"orders", "{collection}"}) {
    SCOPED_TRACE(collection);
    (void)at.mongo().run(at.database(), R"({"dropDatabase": 1})");
    auto into = settings();
    into.set("collection", std::string(collection));
    auto sink = mongodb_sink_component().plain(into, at.context()).value();
    ASSERT_TRUE(at.mongo().run("admin", R"({"configureFailPoint": "failCommand", "mode": {"times": 1},
                                    "data": {"failCommands": ["createIndexes"], "errorCode": 50}})"));
    EventBatch batch;
    add_cloud_event(batch, 1, raw(1));
    const Status first = sink->open({});
    EXPECT_EQ(first.has_value(), std::string_view(collection) != "orders");
    if (first)
      EXPECT_FALSE(sink->write(batch.events(), {}));
    else
      ASSERT_TRUE(sink->open({}));
    ASSERT_TRUE(sink->write(batch.events(), {}));
    EXPECT_EQ(
        at.mongo().insert(at.database(), "orders", R"({"raw": {"source": "src", "id": "1"}})").error().code,
        11000);
  }
}

TEST_F(MongodbInsert, UsesAnIndexThatHasAnotherName) {
  ASSERT_TRUE(at.mongo().run(at.database(),
                             R"({"createIndexes": "orders", "indexes": [
                                 {"key": {"raw.source": 1, "raw.id": 1}, "name": "mine", "unique": true}]})"));
  auto sink = opened(settings());
  EventBatch first, second;
  add_cloud_event(first, 1, raw(1));
  add_cloud_event(second, 2, raw(1));
  ASSERT_TRUE(sink->write(first.events(), {}));
  ASSERT_TRUE(sink->write(second.events(), {}));
  EXPECT_EQ(at.mongo().count(at.database(), "orders"), 1);
}

TEST_F(MongodbInsert, RejectsWhatAnIndexOfTheDestinationsOwnRefuses) {
  ASSERT_TRUE(at.mongo().run(at.database(),
                             R"({"createIndexes": "orders", "indexes": [
                                 {"key": {"raw.mail": 1}, "name": "mail", "unique": true, "sparse": true}]})"));
  auto sink = opened(settings());
  EventBatch batch;
  add_cloud_event(batch, 1, R"({"source": "a", "id": "1", "mail": "x"})");
  add_cloud_event(batch, 2, raw(2));
  add_cloud_event(batch, 3, R"({"source": "a", "id": "3", "mail": "x"})");
  add_cloud_event(batch, 4, raw(4));
  const auto written = sink->write(batch.events(), {});
  ASSERT_FALSE(written);
  EXPECT_EQ(written.error().error.react, React::kReject) << written.error().error.describe();
  EXPECT_EQ(written.error().culprit, 2u);
  EXPECT_EQ(written.error().durable_prefix, 2u);
}

TEST_F(MongodbInsert, RejectsADocumentThatTheCollectionsValidatorRefuses) {
  ASSERT_TRUE(at.mongo().run(
      at.database(),
      R"({"create": "orders", "validator": {"raw.id": {"$ne": "2"}}, "validationAction": "error"})"));
  auto sink = opened(settings());
  EventBatch batch;
  for (uint32_t n = 1; n <= 3; ++n) add_cloud_event(batch, n, raw(n));
  const auto written = sink->write(batch.events(), {});
  ASSERT_FALSE(written);
  EXPECT_EQ(written.error().error.react, React::kReject);
  EXPECT_EQ(written.error().error.code, 121);
  EXPECT_EQ(written.error().culprit, 1u);
  EXPECT_EQ(written.error().durable_prefix, 1u);
}

TEST_F(MongodbInsert, RejectsADocumentWithoutItsUniqueKey) {
  auto sink = opened(settings());
  for (const char* without : {R"({"source": "a"})", R"({"source": "a", "id": null})"}) {
    EventBatch batch;
    add_cloud_event(batch, 1, raw(1));
    add_cloud_event(batch, 2, without);
    const auto written = sink->write(batch.events(), {});
    ASSERT_FALSE(written);
    EXPECT_EQ(written.error().error.react, React::kReject);
    EXPECT_EQ(written.error().culprit, 1u);
    EXPECT_THAT(written.error().error.what, HasSubstr("raw.id"));
  }
}

TEST_F(MongodbInsert, RejectsWhatIsNoInsertAndPassesOverWhatHasNoDocument) {
  auto sink = opened(settings({}));
  EventBatch batch;
  add_event(batch, change_event(1, "drop", "{}"));
  add_insert(batch, 2);
  add_event(batch, change_event(3, "delete", R"({"_id": 2})"));
  const auto written = sink->write(batch.events(), {});
  ASSERT_FALSE(written);
  EXPECT_EQ(written.error().error.react, React::kReject);
  EXPECT_EQ(written.error().culprit, 2u);
  ASSERT_TRUE(sink->write(std::span(batch.events()).first(2), {}));
  EXPECT_EQ(at.mongo().count(at.database(), "orders"), 1);
}

TEST_F(MongodbInsert, TransactionsThatMeetADuplicateStillSaveEverything) {
  auto sink = mongodb_sink_component().transactional(settings(), at.context()).value();
  ASSERT_TRUE(sink->open_and_load({"orders", "f", "d"}, {}));
  EventBatch first, second;
  add_cloud_event(first, 1, raw(1));
  add_cloud_event(second, 2, raw(1));
  add_cloud_event(second, 3, raw(3));
  ASSERT_TRUE(sink->write(first.events(), position_at(1), {}));
  const auto written = sink->write(second.events(), position_at(3), {});
  ASSERT_TRUE(written) << written.error().error.describe();
  EXPECT_EQ(at.mongo().count(at.database(), "orders"), 2);
  EXPECT_EQ((*sink->position_store().peek("orders", {}))->position, position_at(3));
}

TEST_F(MongodbInsert, TransactionsNameTheDocumentToBlame) {
  ASSERT_TRUE(
      at.mongo().run(at.database(), R"({"create": "orders", "validator": {"raw.id": {"$ne": "2"}}})"));
  auto sink = mongodb_sink_component().transactional(settings(), at.context()).value();
  ASSERT_TRUE(sink->open_and_load({"orders", "f", "d"}, {}));
  EventBatch batch;
  for (uint32_t n = 1; n <= 3; ++n) add_cloud_event(batch, n, raw(n));
  const auto written = sink->write(batch.events(), position_at(3), {});
  ASSERT_FALSE(written);
  EXPECT_EQ(written.error().error.react, React::kReject) << written.error().error.describe();
  EXPECT_EQ(written.error().culprit, 1u);
  EXPECT_EQ(written.error().durable_prefix, 0u);
  EXPECT_FALSE(sink->position_store().peek("orders", {})->has_value());
}

TEST_F(MongodbInsert, OneLostConnectionOrElectionIsNoFailure) {
  auto sink = opened(settings());
  EventBatch first, second;
  add_cloud_event(first, 1, raw(1));
  add_cloud_event(second, 2, raw(2));
  ASSERT_TRUE(sink->write(first.events(), {}));
  ASSERT_TRUE(at.mongo().run("admin", R"({"configureFailPoint": "failCommand", "mode": {"times": 1},
                                          "data": {"failCommands": ["insert"], "closeConnection": true}})"));
  const auto written = sink->write(second.events(), {});
  EXPECT_TRUE(written) << written.error().error.describe();
  EXPECT_EQ(at.mongo().count(at.database(), "orders"), 2);
  ASSERT_TRUE(at.fail_commands(R"(["insert"])", 10107));
  EventBatch third;
  add_cloud_event(third, 3, raw(3));
  EXPECT_TRUE(sink->write(third.events(), {}));
}

}  // namespace
}  // namespace tidemark::testing
