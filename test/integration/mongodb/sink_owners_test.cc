// Collections of the destination as things that somebody owns: two that lead to one name, names that the server doesn't take,
// what was dropped while nobody looked, and what is cleared in parts.
#include <gmock/gmock.h>

#include "core/position_store.h"
#include "integration/mongodb/fixture.h"
#include "mongo/client.h"
#include "sinks/mongodb/component.h"
#include "sinks/mongodb/writer.h"

namespace tidemark::testing {
namespace {

using ::testing::AllOf;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;

class MongodbOwners : public WithDeployment {
 protected:
  config::Settings pattern(const std::string& collection, const std::string& mode = "current") const {
    auto settings = at.sink_settings(mode);
    settings.set("collection", collection);
    return settings;
  }
  std::vector<std::string> owners() const {
    std::vector<std::string> found;
    const auto entries = at.mongo().find(at.database(), "tidemark_tables");
    for (const bson::Document& entry : *entries)
      found.push_back(std::string(entry.view().find("_id")->string()).substr(at.database().size() + 1) +
                      " | " + std::string(entry.view().find("namespace")->string()));
    return found;
  }
  std::vector<std::string> values(const std::string& collection) const {
    std::vector<std::string> found;
    const auto documents = at.mongo().find(at.database(), collection);
    for (const bson::Document& document : *documents) found.emplace_back(document.view().find("v")->string());
    return found;
  }
  static std::shared_ptr<EventBatch> batch_of(const std::vector<bson::Document>& raws) {
    auto batch = std::make_shared<EventBatch>();
    for (const bson::Document& raw : raws) add_event(*batch, raw);
    return batch;
  }
};

TEST_F(MongodbOwners, TwoCollectionsWhoseNamesLeadToOneAreNotMixed) {
  auto sink = opened(pattern("{database}_{collection}"));
  const auto mixed =
      batch_of({change_of(1, "insert", "a_b", "c", "x"), change_of(2, "insert", "a", "b_c", "y")});
  const auto failed = sink->write(mixed->events(), {});
  ASSERT_FALSE(failed);
  EXPECT_EQ(failed.error().error.react, React::kReject);
  EXPECT_EQ(failed.error().culprit, 1u);
  EXPECT_THAT(failed.error().error.describe(),
              AllOf(HasSubstr("a_b.c"), HasSubstr("a.b_c"), HasSubstr("exclude")));
  // The rest of it is left out, and the others go on; what drops the other collection leaves this one's documents.
  const auto rest =
      batch_of({change_of(1, "insert", "a_b", "c", "x"), change_of(2, "insert", "a", "b_c", "y"),
                change_of(4, "drop", "a", "b_c"), change_of(5, "insert", "other", "d", "w")});
  ASSERT_TRUE(sink->write(rest->events(), {}));
  EXPECT_THAT(values("a_b_c"), ElementsAre("x"));
  EXPECT_THAT(values("other_d"), ElementsAre("w"));
  EXPECT_THAT(owners(), ElementsAre("a_b_c | a_b.c", "other_d | other.d"));
}

TEST_F(MongodbOwners, ADeleteOrADropOfAnotherCollectionTouchesNothing) {
  ASSERT_TRUE(opened(pattern("{database}_{collection}"))
                  ->write(batch_of({change_of(1, "insert", "a_b", "c", "x")})->events(), {}));
  for (const char* op : {"delete", "drop"}) {
    auto sink = opened(pattern("{database}_{collection}"));
    const auto written = sink->write(batch_of({change_of(2, op, "a", "b_c", "x")})->events(), {});
    EXPECT_EQ(written.has_value(), std::string_view(op) == "drop") << op;
    EXPECT_THAT(values("a_b_c"), ElementsAre("x")) << op;
  }
}

TEST_F(MongodbOwners, ADropOfItsCollectionGivesThePlaceBackAlsoWithinABatchAndWithATransaction) {
  auto sink =
      mongodb_sink_component().transactional(pattern("{database}_{collection}"), at.context()).value();
  ASSERT_TRUE(sink->open_and_load({"orders", "f", "d"}, {}));
  const auto batch = batch_of({change_of(1, "insert", "a_b", "c", "x"), change_of(2, "drop", "a_b", "c"),
                               change_of(3, "insert", "a", "b_c", "y")});
  for (int times = 0; times < 2; ++times) {
    const auto written = sink->write(batch->events(), position_at(3), {});
    EXPECT_EQ(written.has_value(), times == 0) << "the place is another's at the second time";
    EXPECT_THAT(values("a_b_c"), ElementsAre("y"));
    EXPECT_THAT(owners(), ElementsAre("a_b_c | a.b_c"));
  }
}

TEST_F(MongodbOwners, ARenameTakesTheOwnershipAlong) {
  auto sink = opened(pattern("{collection}"));
  const auto rename = [](uint32_t n) {
    return change_event(n, "rename", "{}", R"({"to": {"db": "shop", "coll": "archive"}})");
  };
  EventBatch batch;
  add_event(batch, change_event(1, "insert", R"({"_id":1})", R"({"fullDocument":{"_id":1,"v":"x"}})"));
  add_event(batch, rename(2));
  ASSERT_TRUE(sink->write(batch.events(), {}));
  EXPECT_THAT(owners(), ElementsAre("archive | shop.archive"));
  EXPECT_THAT(values("archive"), ElementsAre("x"));
}

TEST_F(MongodbOwners, WhatIsOursIsNoEventsToWrite) {
  for (const char* mode : {"current", "insert"}) {
    for (const char* name : {"tidemark_positions", "tidemark_tables"}) {
      auto sink = opened(pattern("{collection}", mode));
      const auto failed = sink->write(batch_of({change_of(1, "insert", "shop", name, "x")})->events(), {});
      ASSERT_FALSE(failed) << name;
      EXPECT_EQ(failed.error().error.react, React::kReject) << failed.error().error.describe();
    }
  }
}

// --- what was dropped while nobody looked

TEST_F(MongodbOwners, ACollectionThatSomebodyDroppedIsNotMadeAnewEmptyAtTheNextStart) {
  for (const char* collection : {"orders", "{collection}"}) {
    SCOPED_TRACE(collection);
    (void)at.mongo().run(at.database(), R"({"dropDatabase": 1})");
    ASSERT_TRUE(opened(pattern(collection))->write(inserts(1, 3)->events(), {}));
    ASSERT_TRUE(at.mongo().drop(at.database(), "orders"));
    auto sink = mongodb_sink_component().plain(pattern(collection), at.context()).value();
    const Status start = sink->open({});
    EXPECT_EQ(start.has_value(), std::string_view(collection) != "orders");
    const auto written = start ? sink->write(inserts(4, 1)->events(), {}) : write_failed(start.error());
    ASSERT_FALSE(written);
    EXPECT_EQ(written.error().error.react, React::kConfig) << written.error().error.describe();
    EXPECT_THAT(written.error().error.describe(),
                AllOf(HasSubstr(at.database() + ".orders"), HasSubstr("shop.orders"), HasSubstr("deleteOne"),
                      HasSubstr("tidemark_tables"), HasSubstr("audit --repair")));
    EXPECT_EQ(at.mongo().count(at.database(), "orders"), 0);
    // The operator has said that it may be made anew.
    ASSERT_TRUE(at.mongo().drop(at.database(), "tidemark_tables"));
    ASSERT_TRUE(opened(pattern(collection))->write(inserts(4, 1)->events(), {}));
    EXPECT_EQ(at.mongo().count(at.database(), "orders"), 1);
  }
}

TEST_F(MongodbOwners, ACollectionThatTheSourceDroppedTooMayComeAgain) {
  ASSERT_TRUE(opened(pattern("{collection}"))->write(inserts(1, 3)->events(), {}));
  ASSERT_TRUE(at.mongo().drop(at.database(), "orders"));
  auto sink = opened(pattern("{collection}"));
  EventBatch batch;
  add_event(batch, change_event(4, "drop", "{}"));
  add_insert(batch, 5);
  const auto written = sink->write(batch.events(), {});
  ASSERT_TRUE(written) << written.error().error.describe();
  EXPECT_EQ(at.mongo().count(at.database(), "orders"), 1);
}

TEST_F(MongodbOwners, ARenameOfACollectionThatSomebodyDroppedMakesNoEmptyOne) {
  ASSERT_TRUE(opened(pattern("{collection}"))->write(inserts(1, 3)->events(), {}));
  ASSERT_TRUE(at.mongo().drop(at.database(), "orders"));
  auto sink = opened(pattern("{collection}"));
  EventBatch batch;
  add_event(batch, change_event(4, "rename", "{}", R"({"to": {"db": "shop", "coll": "archive"}})"));
  const auto written = sink->write(batch.events(), {});
  ASSERT_FALSE(written);
  EXPECT_EQ(written.error().error.react, React::kConfig) << written.error().error.describe();
}

// --- names and kinds that can't be written to

class MongodbNames : public MongodbOwners, public ::testing::WithParamInterface<int> {};

TEST_P(MongodbNames, ACollectionWhoseNameTheServerRefusesIsOneRejectAndTheOthersGoOn) {
  for (const char* mode : {"current", "insert"}) {
    SCOPED_TRACE(mode);
    auto sink = opened(pattern("{collection}", mode));
    ASSERT_TRUE(at.fail_commands(R"(["create"])", GetParam()));
    const auto batch = batch_of({change_of(1, "insert", "shop", "odd", "x")});
    const auto failed = sink->write(batch->events(), {});
    ASSERT_FALSE(failed);
    EXPECT_EQ(failed.error().error.react, React::kReject) << failed.error().error.describe();
    EXPECT_EQ(failed.error().culprit, 0u);
    EXPECT_THAT(failed.error().error.describe(), AllOf(HasSubstr("shop.odd"), HasSubstr("exclude")));
    const auto rest =
        batch_of({change_of(1, "insert", "shop", "odd", "x"), change_of(2, "insert", "shop", "even", "y")});
    ASSERT_TRUE(sink->write(rest->events(), {}));
    EXPECT_THAT(values("odd"), IsEmpty());
    EXPECT_THAT(values("even"), ElementsAre("y"));
    (void)at.mongo().run(at.database(), R"({"dropDatabase": 1})");
  }
}

// InvalidNamespace, DatabaseDifferCase.
INSTANTIATE_TEST_SUITE_P(Every, MongodbNames, ::testing::Values(73, 13297));

TEST_F(MongodbOwners, ANameThatIsTooLongHereIsOneRejectAndItsDropIsNothing) {
  auto sink = opened(pattern(std::string(250, 'x') + "{collection}"));
  const auto batch = batch_of({change_of(1, "insert", "shop", "orders", "x")});
  const auto failed = sink->write(batch->events(), {});
  ASSERT_FALSE(failed);
  EXPECT_EQ(failed.error().error.react, React::kReject) << failed.error().error.describe();
  sink = opened(pattern(std::string(250, 'x') + "{collection}"));
  const auto dropped = sink->write(batch_of({change_of(2, "drop", "shop", "orders")})->events(), {});
  EXPECT_TRUE(dropped) << dropped.error().error.describe();
}

TEST_F(MongodbOwners, AViewOrACappedCollectionAmongManyIsOneReject) {
  ASSERT_TRUE(at.mongo().run(at.database(), R"({"create": "capped", "capped": true, "size": 4096})"));
  for (const char* mode : {"current", "insert"}) {
    auto sink = opened(pattern("{collection}", mode));
    const auto failed = sink->write(batch_of({change_of(1, "insert", "shop", "capped", "x")})->events(), {});
    ASSERT_FALSE(failed);
    EXPECT_EQ(failed.error().error.react, React::kReject) << failed.error().error.describe();
    EXPECT_TRUE(sink->write(batch_of({change_of(2, "insert", "shop", "plain", "x")})->events(), {}));
  }
  auto alone = mongodb_sink_component().plain(pattern("capped"), at.context()).value();
  const Status refused = alone->open({});
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error().react, React::kConfig);
}

// --- in parts

constexpr uint32_t kMany = 2'500;

TEST_F(MongodbOwners, ADropIsDoneInPartsAndGoesOnWhereItWas) {
  auto sink = mongodb_sink_component().transactional(at.sink_settings("current"), at.context()).value();
  ASSERT_TRUE(sink->open_and_load({"orders", "f", "d"}, {}));
  ASSERT_TRUE(sink->write(inserts(1, kMany)->events(), position_at(kMany), {}));
  const auto drop = batch_of({change_event(kMany + 1, "drop", "{}")});
  ASSERT_TRUE(at.mongo().run("admin", R"({"configureFailPoint": "failCommand", "mode": {"skip": 1},
      "data": {"failCommands": ["delete"], "errorCode": 262}})"));
  const auto broken = sink->write(drop->events(), position_at(kMany + 1), {});
  ASSERT_FALSE(broken);
  EXPECT_EQ(broken.error().error.react, React::kRetry) << broken.error().error.describe();
  EXPECT_EQ(at.mongo().count(at.database(), "orders"), kMany - 1'000);
  EXPECT_EQ((*sink->position_store().peek("orders", {}))->position, position_at(kMany));
  ASSERT_TRUE(at.mongo().run("admin", R"({"configureFailPoint": "failCommand", "mode": "off"})"));
  ASSERT_TRUE(sink->write(drop->events(), position_at(kMany + 1), {}));
  EXPECT_EQ(at.mongo().count(at.database(), "orders"), 0);
  EXPECT_EQ((*sink->position_store().peek("orders", {}))->position, position_at(kMany + 1));
}

TEST_F(MongodbOwners, AnOwnerThatIsFencedWhileItClearsOrMovesStopsThere) {
  for (const char* op : {"drop", "rename"}) {
    SCOPED_TRACE(op);
    (void)at.mongo().run(at.database(), R"({"dropDatabase": 1})");
    mongodb_sink::WriterOptions options;
    options.target =
        TablePattern::parse(at.database() + ".{collection}", TablePattern::Schema::kAllowed).value();
    options.guard_field = "_tidemark";
    options.clock = &at.clock;
    options.owners = {at.database(), "tidemark_tables"};
    auto writer = mongodb_sink::make_current_writer(options);
    auto client = mongo::Client::create({at.set->uri(), "test", {}}).value();
    ASSERT_TRUE(writer->open(*client, {}));
    const auto write = [&](const EventBatch& batch, const mongodb_sink::Writer::NextPart& next_part) {
      if (auto planned = writer->plan(batch.events()); !planned) return planned;
      if (auto ready = writer->ensure(*client, {}); !ready) return ready;
      return writer->write(*client, next_part, {});
    };
    ASSERT_TRUE(write(*inserts(1, kMany), {}));
    int parts = 0;
    const auto fenced_at_the_second = [&]() -> Status {
      return ++parts < 2 ? Status() : fail(React::kFenced, "another owner has taken it");
    };
    const auto written =
        write(*batch_of({change_event(kMany + 1, op, "{}", R"({"to": {"db": "shop", "coll": "archive"}})")}),
              fenced_at_the_second);
    ASSERT_FALSE(written);
    EXPECT_EQ(written.error().error.react, React::kFenced);
    EXPECT_EQ(parts, 2);
    EXPECT_GT(at.mongo().count(at.database(), "orders").value_or(0), 0);
  }
}

}  // namespace
}  // namespace tidemark::testing
